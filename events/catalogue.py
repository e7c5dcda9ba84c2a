"""The catalogue of events: immutable facts in the past tense, each with its type's name and schema version.

A type's fields only ever grow at the end and with defaults; any other change is a new version of the schema.
Values are what msgpack knows: no objects of user code, so that a log replays on a bare interpreter.
Times are microseconds since the epoch in UTC and inform only; the order of events is that of their sequence numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ..cas.digest import Digest
from .ids import Fingerprint, RunId, StepRunId, StoreId


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


@dataclass(frozen=True, slots=True)
class Event:
    """A fact. Subclasses are the closed catalogue; `Unknown` stands for what a newer version wrote."""

    TYPE: ClassVar[str] = ""
    """Name and schema version, as in ``run.started/1``."""

    @property
    def stream(self) -> bytes:
        """The run it belongs to; empty for a fact of the store."""
        return getattr(self, "run", b"")

    @property
    def refs(self) -> tuple[Digest, ...]:
        """Content ids and blobs that must stay because of this event."""
        return ()

    @property
    def made(self) -> tuple[Output, ...]:
        """The artifact versions it gives."""
        return getattr(self, "outputs", ())


def _literals(inputs: tuple[Input, ...]) -> tuple[Digest, ...]:
    """Contents that no other event holds: an artifact is held by what made it, a literal by its use."""
    return tuple([taken.content for taken in inputs if taken.artifact is None])


def _held(
    inputs: tuple[Input, ...], outputs: tuple[Output, ...], code: Digest, log: Digest | None
) -> tuple[Digest, ...]:
    contents = [output.content for output in outputs]
    return (*contents, code, *_literals(inputs), *(() if log is None else (log,)))


@dataclass(frozen=True, slots=True)
class StoreCreated(Event):
    """The first event of every log."""

    TYPE: ClassVar[str] = "store.created/1"
    store: StoreId
    format_version: int


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A pipeline was called."""

    TYPE: ClassVar[str] = "run.started/1"
    run: RunId
    pipeline: str
    structure: Digest
    """Blob of the graph: what tells one pipeline version from another."""
    parameters: tuple[Input, ...]
    name: str | None
    """None where the run is to be named after its pipeline and number."""
    process: Process
    environment: Digest
    """Blob that describes Python, platform and packages."""
    docstring: str | None = None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return self.structure, self.environment, *_literals(self.parameters)


@dataclass(frozen=True, slots=True)
class RunCompleted(Event):
    """All steps of a run were executed or reused."""

    TYPE: ClassVar[str] = "run.completed/1"
    run: RunId


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """A run ended because a step failed."""

    TYPE: ClassVar[str] = "run.failed/1"
    run: RunId
    step: str | None
    message: str


@dataclass(frozen=True, slots=True)
class RunInterrupted(Event):
    """A run ended without a word of its own: its process died, or was told to stop."""

    TYPE: ClassVar[str] = "run.interrupted/1"
    run: RunId
    reason: str


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A step run began to execute."""

    TYPE: ClassVar[str] = "step.started/1"
    run: RunId
    step: str
    function: str
    """Module and qualified name of the step's function."""
    fingerprint: Fingerprint
    inputs: tuple[Input, ...]
    code: Digest | None = None
    """Blob of the code manifest, stored with this event; None where an older version wrote it."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        literals = _literals(self.inputs)
        return literals if self.code is None else (self.code, *literals)


@dataclass(frozen=True, slots=True)
class StepCompleted(Event):
    """A step run executed to its end; its outputs are stored."""

    TYPE: ClassVar[str] = "step.completed/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    """Blob of the code manifest."""
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    started_us: int
    duration_us: int
    log: Digest | None
    """Blob of what the step printed; None if it printed nothing."""
    docstring: str | None = None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, self.outputs, self.code, self.log)


@dataclass(frozen=True, slots=True)
class StepReused(Event):
    """A step run was served from the cache: nothing executed."""

    TYPE: ClassVar[str] = "step.reused/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    reuses: StepRunId
    """The step run that executed."""
    started_us: int
    duration_us: int
    docstring: str | None = None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, self.outputs, self.code, None)


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A step raised, or gave what can't be saved."""

    TYPE: ClassVar[str] = "step.failed/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    inputs: tuple[Input, ...]
    failure: Failure
    started_us: int
    duration_us: int
    log: Digest | None
    docstring: str | None = None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, (), self.code, self.log)


@dataclass(frozen=True, slots=True)
class StepSkipped(Event):
    """A step did not run because another one failed."""

    TYPE: ClassVar[str] = "step.skipped/1"
    run: RunId
    step: str
    function: str
    because: str


@dataclass(frozen=True, slots=True)
class ArtifactSaved(Event):
    """A value was saved by hand, outside a pipeline."""

    TYPE: ClassVar[str] = "artifact.saved/1"
    output: Output

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.output.content,)

    @property
    def made(self) -> tuple[Output, ...]:
        return (self.output,)


@dataclass(frozen=True, slots=True)
class ContentsReleased(Event):
    """Nothing has to keep these contents any more: they may be collected, unless pinned.

    What has named one of them after ``upto``, before this event or after it, holds it again.
    """

    TYPE: ClassVar[str] = "contents.released/1"
    contents: tuple[Digest, ...]
    reason: str
    upto: int
    """Position in the log as of which this was decided."""


@dataclass(frozen=True, slots=True)
class PinAdded(Event):
    """A content was pinned: it lives, whatever is released. A label that was in use is moved."""

    TYPE: ClassVar[str] = "pin.added/1"
    label: str
    content: Digest
    expires_us: int | None = None
    """From when on it holds nothing; None if it never expires."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.content,)


@dataclass(frozen=True, slots=True)
class PinRemoved(Event):
    """A pin was taken away; what else holds its content still does."""

    TYPE: ClassVar[str] = "pin.removed/1"
    label: str


@dataclass(frozen=True, slots=True)
class Unknown(Event):
    """An event of a type or schema version that this version does not know, kept as it is."""

    type: str
    payload: dict[str, Any]


CATALOGUE: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        StoreCreated,
        RunStarted,
        RunCompleted,
        RunFailed,
        RunInterrupted,
        StepStarted,
        StepCompleted,
        StepReused,
        StepFailed,
        StepSkipped,
        ArtifactSaved,
        ContentsReleased,
        PinAdded,
        PinRemoved,
    )
}
"""Every type of event, by name and schema version."""
