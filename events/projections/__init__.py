"""The projections: what is derived from the log, kept in the transaction that appends, and replayable at any time."""

from .artifacts import Artifacts
from .base import Projection
from .cache import Cache
from .lineage import Lineage
from .pipelines import Pipelines
from .runs import Runs
from .steps import Steps

PROJECTIONS: tuple[Projection, ...] = (Runs(), Pipelines(), Steps(), Artifacts(), Lineage(), Cache())
"""Every projection, declared once."""

__all__ = ["PROJECTIONS", "Artifacts", "Cache", "Lineage", "Pipelines", "Projection", "Runs", "Steps"]
