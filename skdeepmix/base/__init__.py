"""The bases: what all estimators share, and what a model author writes."""

from skdeepmix.base._mixture import BaseDeepMixture
from skdeepmix.base._model import BaseDeepModel
from skdeepmix.base._modules import (
    LatentModule,
    MixtureModule,
    ParzenModule,
    VariationalModule,
)

__all__ = [
    "BaseDeepMixture",
    "BaseDeepModel",
    "LatentModule",
    "MixtureModule",
    "ParzenModule",
    "VariationalModule",
]
