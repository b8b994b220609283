"""Find the estimators of the package."""

from sklearn.base import BaseEstimator, ClusterMixin, TransformerMixin

import skdeepmix

KINDS = {"cluster": ClusterMixin, "transformer": TransformerMixin}


def all_estimators(type_filter=None):
    """List the public estimators, in the form of `sklearn.utils.discovery`.

    Parameters
    ----------
    type_filter : {"cluster", "transformer"} or None, default=None
        Which kind of estimators; None is all.

    Returns
    -------
    estimators : list of (str, type)
        Names and classes, by name.

    Raises
    ------
    ValueError
        If the kind is not known.

    Examples
    --------
    >>> from skdeepmix.utils.discovery import all_estimators
    >>> "Autoencoder" in dict(all_estimators())
    True
    >>> "Autoencoder" in dict(all_estimators("cluster"))
    False
    """
    if type_filter is not None and type_filter not in KINDS:
        raise ValueError(
            f"Expected type_filter in {sorted(KINDS)} or None but got {type_filter!r}."
        )
    kind = KINDS.get(type_filter, BaseEstimator)
    public = {name: getattr(skdeepmix, name) for name in skdeepmix.__all__}
    return sorted(
        (name, value)
        for name, value in public.items()
        if isinstance(value, type) and issubclass(value, kind)
    )
