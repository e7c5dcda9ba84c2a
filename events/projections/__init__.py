"""The projections: what is derived from the log, kept in the transaction that appends, and replayable at any time."""

from .artifacts import Artifacts
from .base import Projection
from .cache import Cache
from .lineage import Lineage
from .pins import Pins
from .pipelines import Pipelines
from .releases import Releases
from .runs import Runs
from .steps import Steps

PROJECTIONS: tuple[Projection, ...] = (
    Runs(),
    Pipelines(),
    Steps(),
    Artifacts(),
    Lineage(),
    Cache(),
    Pins(),
    Releases(),
)
"""Every projection, declared once."""

__all__ = [
    "PROJECTIONS",
    "Artifacts",
    "Cache",
    "Lineage",
    "Pins",
    "Pipelines",
    "Projection",
    "Releases",
    "Runs",
    "Steps",
]
