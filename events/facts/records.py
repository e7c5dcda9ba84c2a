"""Records: what several types of event are made of. On the disk each is a list of its fields."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...cas.digest import Digest
from ..ids import RunId


class Element(NamedTuple):
    """The part of an output that was passed on, by itself."""

    selector: str
    """How it was selected, as it is written: ``[0]['a']``; a slice is of rows."""
    content: Digest


class Input(NamedTuple):
    """What a step run took for one of its parameters."""

    name: str
    """The step's parameter."""
    content: Digest
    """Content id of the value."""
    artifact: str | None
    """Name of the artifact it was taken as; None for a literal."""
    literal: str | None
    """A short text of the literal; None for an artifact."""
    source: str | None
    """The step of the same run that gave it, if one did."""
    element: Element | None = None
    """What the parameter was given, where that is a part of it."""
    reference: str | None = None
    """How the step asked for it, where it loaded it itself; then it is nobody's parameter."""
    is_ignored: bool = False
    """Whether the step declared that it does not count: the fingerprint is the same whatever it is."""

    @property
    def given(self) -> Digest:
        """Content id of what the parameter was given."""
        return self.content if self.element is None else self.element.content


class Output(NamedTuple):
    """What a step run gave."""

    name: str
    """Name of the output within the step."""
    artifact: str
    content: Digest
    format: str
    type: str
    size_bytes: int
    """Logical size: manifest and blobs, shared ones counted."""
    metadata: dict[str, Any]


class Failure(NamedTuple):
    """What a step raised."""

    type: str
    message: str
    traceback: str


class Process(NamedTuple):
    """The process that drives a run; as `cas.process.ProcessStamp`."""

    host: str
    boot: str
    pid: int
    start_ticks: int


class Again(NamedTuple):
    """Which earlier run a run does again, and how."""

    how: str
    """``resume``, ``rerun`` or ``reproduce``."""
    run: RunId


class Resources(NamedTuple):
    """What an execution took of the machine."""

    cpu_us: int
    """Processor time of its thread, user and system."""
    peak_memory_bytes: int
    """The most that its process had resident until its end."""


class Subject(NamedTuple):
    """What a tag, an annotation or a metric is about."""

    kind: str
    """``artifact``, ``version``, ``pipeline``, ``run`` or ``step``."""
    name: str
    """The artifact's, the pipeline's or the step's; empty for a run."""
    id: bytes
    """A version's content id, or a run's or step run's run; else empty."""


class Numbered(NamedTuple):
    """A number that another store gave to what comes from there; it is kept where it is not taken."""

    kind: str
    """``version``, ``run`` or ``pipeline``, which is a version of a pipeline."""
    name: str
    """The artifact's or the pipeline's."""
    id: bytes
    """A version's content id, a run's id, or the digest of a pipeline's structure."""
    number: int


class StoredVisualization(NamedTuple):
    """A picture, text or table that a value shows of itself, kept beside it."""

    name: str
    """Unlike that of any other of the same value."""
    media_type: str
    blob: Digest
    size_bytes: int


class MetricPoint(NamedTuple):
    """The last of the values of one metric that an event brings."""

    name: str
    points: int
    """How many values of the metric the event brings, this one included."""
    step: int
    time_us: int
    value: float


class MetricColumn(NamedTuple):
    """Values of one metric, in the order in which they were logged."""

    name: str
    steps: tuple[int, ...]
    """Where each stands on the metric's axis, as an epoch or a batch."""
    times_us: tuple[int, ...]
    values: tuple[float, ...]


class Difference(NamedTuple):
    """An output that came out otherwise."""

    output: str
    first: Digest
    """Content of the execution that is in the cache."""
    again: Digest
    """Content of the later execution."""
