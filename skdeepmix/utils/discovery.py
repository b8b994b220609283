"""Find the estimators of the package."""

from sklearn.base import BaseEstimator

import skdeepmix


def all_estimators():
    """List the public estimators, in the form of `sklearn.utils.discovery`.

    Returns
    -------
    estimators : list of (str, type)
        Names and classes, by name.

    Examples
    --------
    >>> from skdeepmix.utils.discovery import all_estimators
    >>> "GaussianMixtureVAE" in dict(all_estimators())
    True
    """
    public = {name: getattr(skdeepmix, name) for name in skdeepmix.__all__}
    return sorted(
        (name, value)
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, BaseEstimator)
    )
