"""The projections: what is derived from the log, and replayable at any time."""

from ..codec import Recorded
from ..rows import RowWriter, key
from .artifacts import Artifacts
from .base import Projection
from .cache import Cache
from .causes import Causes
from .claims import Claims
from .content_names import ContentNames
from .deletions import Deletions
from .imports import Imports
from .lineage import Lineage
from .metadata import Metadata
from .metrics import Metrics
from .names import Names
from .parameters import Parameters
from .pins import Pins
from .pipelines import Pipelines
from .references import References
from .releases import Releases
from .runs import Runs
from .steps import Steps
from .streams import Streams
from .visualizations import Visualizations

KEPT: tuple[Projection, ...] = (
    Runs(),
    Pipelines(),
    Steps(),
    Artifacts(),
    Cache(),
    Claims(),
    Causes(),
    Pins(),
    Releases(),
    Names(),
    Metadata(),
    Metrics(),
    Deletions(),
    Visualizations(),
    Imports(),
)
"""Those whose rows are written in the transaction that appends the events."""

BEHIND: tuple[Projection, ...] = (Lineage(), Streams(), References(), Parameters(), ContentNames())
"""Those that are caught up when they are asked: a step pays nothing for them."""

PROJECTIONS: tuple[Projection, ...] = (*KEPT, *BEHIND)
"""Every projection, declared once."""

__all__ = [
    "BEHIND",
    "KEPT",
    "PROJECTIONS",
    "Artifacts",
    "Cache",
    "Causes",
    "Claims",
    "ContentNames",
    "Deletions",
    "Imports",
    "Lineage",
    "Metadata",
    "Metrics",
    "Names",
    "Parameters",
    "Pins",
    "Pipelines",
    "Projection",
    "Recorded",
    "References",
    "Releases",
    "RowWriter",
    "Runs",
    "Steps",
    "Streams",
    "Visualizations",
    "key",
]
