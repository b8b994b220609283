"""The one place that imports what scikit-learn keeps private or calls experimental."""

from sklearn.base import _fit_context as fit_context
from sklearn.callback import CallbackSupportMixin, FitCallback, with_callbacks
from sklearn.utils import ClassifierTags
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
)

__all__ = [
    "CallbackSupportMixin",
    "ClassifierTags",
    "FitCallback",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "fit_context",
    "is_pandas_na",
    "is_scalar_nan",
    "with_callbacks",
]
