"""The nouns of history: pipeline, version, run, step run, artifact and artifact version, as views of the log.

A view holds a key and a reader, and looks up the rest when asked; so it is cheap to make, and what it says is
as of its reader's position. They refer to each other, hence one file.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from typing import Any

import msgpack

from ..cas.blob import walk
from ..cas.digest import Digest
from ..cas.manifest import Manifest
from ..cas.process import ProcessStamp
from ..errors import ArtifactNotFound, LogCorrupt, RunNotFound, StepNotFound
from ..events.catalogue import (
    Failure,
    Input,
    Output,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
)
from ..events.codec import Recorded
from ..events.ids import Fingerprint, RunId, StepRunId
from ..events.projections.runs import INTERRUPTED, RUNNING, RunRow
from ..events.projections.steps import CACHED
from ..events.rows import key
from ..materializers import load
from .eviction import Release, explained, release_of
from .lineage import Lineage, execution, made_as, upstream
from .literals import literal_values
from .reader import Reader, moment
from .references import near

StepEvent = StepStarted | StepCompleted | StepReused | StepFailed | StepSkipped


class ArtifactVersionView:
    """One distinct content under an artifact's name."""

    def __init__(self, reader: Reader, name: str, content: Digest) -> None:
        self._reader = reader
        self.name = name
        """The artifact's name."""
        self.content = content
        """Content id: the digest of the value's manifest."""

    @property
    def artifact(self) -> ArtifactView:
        """The artifact it is a version of."""
        return ArtifactView(self._reader, self.name)

    @cached_property
    def version(self) -> int:
        """Number under the name, from 1."""
        found = self._reader.rows("artifacts").latest(key("c", self.name, self.content))
        if found is None:
            raise ArtifactNotFound(f"{self.name} has no version of this content", where=self.content)
        return int(found.row[0])

    @cached_property
    def _first(self) -> tuple[Recorded, Output]:
        found = self._reader.rows("artifacts").latest(key("c", self.name, self.content))
        if found is None:
            raise ArtifactNotFound(f"{self.name} has no version of this content", where=self.content)
        recorded = self._reader.event(found.seq)
        return recorded, made_as(recorded.event, self.name, self.content)

    @property
    def created(self) -> datetime:
        """When the version was first made."""
        return moment(self._first[0].time_us)

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""
        return self._first[1].type

    @property
    def format(self) -> str:
        """Format id and version it is stored in."""
        return self._first[1].format

    @property
    def size_bytes(self) -> int:
        """Logical size, shared blobs counted."""
        return self._first[1].size_bytes

    @property
    def metadata(self) -> dict[str, Any]:
        """What the materializer says of the value: shape, dtype, columns, and the like."""
        return self._first[1].metadata

    @property
    def manifest(self) -> Manifest:
        """How the value is laid out in blobs."""
        return self._reader.manifest(self.content)

    def blobs(self) -> Iterator[Digest]:
        """What it is made of, its manifest first. Raises `BlobMissing` or `Corrupt` where a manifest can't be read."""
        yield self.content
        for part in walk(self._reader.store.blobs, self.manifest):
            yield part.digest

    def load(self, *, columns: Sequence[Hashable] | None = None, rows: slice | None = None) -> Any:
        """Load the value: a fresh one at each call, large buffers mapped, yours to change.

        Args:
            columns: Of a table, only the columns of these labels, in this order; the others are not touched.
            rows: Of a table, or along the first axis of an array, only these rows.

        Raises:
            Invalid: It has no such columns or rows.
            ArtifactEvicted: It was collected; the hint says how to make it again.
            BlobMissing: Its bytes are gone all the same; the hint names the step run that can make them again.
            BlobCorrupt: Its bytes are not what was written.
        """
        reader = self._reader
        with self.explained():
            return load(self.manifest, reader.store.blobs, allow_pickle=reader.allow_pickle, columns=columns, rows=rows)

    read = load
    """The classic name of `load`."""

    def explained(self) -> AbstractContextManager[None]:
        """Say of bytes that are gone, inside the block, why they are and how to get them back."""
        return explained(self._reader, self.name, self.content)

    @property
    def released(self) -> Release | None:
        """The collection that released it, as of the view; None while an event or a pin holds it."""
        return release_of(self._reader, self.content)

    @property
    def is_available(self) -> bool:
        """Whether its value can be loaded now, whatever the view is as of. Cost: a look at each of its blobs."""
        return self._reader.store.blobs.holds(self.content)

    @property
    def is_evicted(self) -> bool:
        """Whether it was released as of the view, and its bytes are gone now; its lineage stays."""
        return self.released is not None and not self.is_available

    @property
    def producers(self) -> list[StepRunView]:
        """All step runs that executed and made this content, oldest first."""
        found = self._reader.rows("lineage").history(key("e", self.content))
        return [StepRunView(self._reader, StepRunId(RunId(row[0]), row[1])) for _, row in found if row]

    @property
    def producer(self) -> StepRunView | None:
        """The step run whose execution this version comes from; None if it was saved by hand."""
        executed = execution(self._reader, self._first[0].event)
        return None if executed is None else StepRunView(self._reader, StepRunId(executed.run, executed.step))

    @property
    def consumers(self) -> list[StepRunView]:
        """All step runs that took this version, those served from the cache included, oldest first."""
        found = self._reader.rows("lineage").history(key("c", self.content))
        steps = {StepRunId(RunId(row[0]), row[1]): None for _, row in found if row[3] == self.name}
        return [StepRunView(self._reader, step) for step in steps]

    def lineage(self) -> Lineage:
        """All that this content was made from, back to the first steps and literals."""
        return upstream(self._reader, self.name, self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactVersionView) and (self.name, self.content) == (other.name, other.content)

    def __hash__(self) -> int:
        return hash((self.name, self.content))

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def __repr__(self) -> str:
        return f"<ArtifactVersion {self} {self.type} {str(self.content)[:12]}>"


class ArtifactView:
    """A name with a history."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader = reader
        self.name = name

    @property
    def versions(self) -> list[ArtifactVersionView]:
        """Its versions, newest first."""
        found = self._reader.rows("artifacts").history(key("v", self.name), newest_first=True)
        return [ArtifactVersionView(self._reader, self.name, Digest(row[1])) for _, row in found]

    @property
    def latest(self) -> ArtifactVersionView:
        """Its newest version."""
        return next(iter(self.versions))

    def __repr__(self) -> str:
        return f"<Artifact {self.name}>"


class StepRunView:
    """One execution, or reuse, of a step in a run."""

    def __init__(self, reader: Reader, id_: StepRunId) -> None:
        self._reader = reader
        self.id = id_
        self.name = id_.step
        """Name within the run."""

    @property
    def run(self) -> RunView:
        """The run it belongs to."""
        return RunView(self._reader, self.id.run)

    @property
    def _event(self) -> StepEvent:
        found = self._reader.rows("steps").latest(key("s", self.id.run, self.id.step))
        if found is None:
            raise StepNotFound(f"no step {self.name!r} in this run", where=self.id.run)
        event = self._reader.event(found.seq).event
        if not isinstance(event, StepEvent):
            raise LogCorrupt("the step's row names an event of another kind", hint="Run `lineal rebuild`.")
        return event

    @property
    def status(self) -> str:
        """running, completed, cached, failed, skipped, or interrupted where its run was."""
        found = self._reader.rows("steps").latest(key("s", self.id.run, self.id.step))
        status = RUNNING if found is None else str(found.row[0])
        return INTERRUPTED if status == RUNNING and self.run.status != RUNNING else status

    @property
    def is_cached(self) -> bool:
        """Whether it was served from the cache: nothing executed."""
        return self.status == CACHED

    @property
    def reuses(self) -> StepRunView | None:
        """The step run whose outputs it was served with; None if it executed."""
        event = self._event
        return StepRunView(self._reader, event.reuses) if isinstance(event, StepReused) else None

    @property
    def function(self) -> str:
        """Module and qualified name of the step's function."""
        return self._event.function

    @property
    def docstring(self) -> str | None:
        """The function's docstring."""
        return getattr(self._event, "docstring", None)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """Digest of what determined the result; None for a skipped step."""
        return getattr(self._event, "fingerprint", None)

    @property
    def _taken(self) -> tuple[Input, ...]:
        return getattr(self._event, "inputs", ())

    @property
    def inputs(self) -> dict[str, ArtifactVersionView]:
        """The artifacts it took, by parameter."""
        return {
            taken.name: ArtifactVersionView(self._reader, taken.artifact, taken.content)
            for taken in self._taken
            if taken.artifact is not None
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """The literals it took, by parameter."""
        return literal_values(self._reader, self._taken)

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The same to be shown: values that are not plain as a short text, so that nothing is imported or run."""
        return literal_values(self._reader, self._taken, only_plain=True)

    @property
    def parents(self) -> list[StepRunView]:
        """The steps of the same run whose outputs it took."""
        names = dict.fromkeys(taken.source for taken in self._taken if taken.source is not None)
        return [StepRunView(self._reader, StepRunId(self.id.run, name)) for name in names]

    @property
    def outputs(self) -> dict[str, ArtifactVersionView]:
        """The artifacts it gave, by output name."""
        return {
            output.name: ArtifactVersionView(self._reader, output.artifact, output.content)
            for output in getattr(self._event, "outputs", ())
        }

    @property
    def output(self) -> ArtifactVersionView:
        """Its only output.

        Raises:
            ArtifactNotFound: It has none, or several.
        """
        outputs = self.outputs
        if len(outputs) != 1:
            raise ArtifactNotFound(
                f"step {self.name!r} has {len(outputs)} outputs, not one", hint=near("", outputs), where=self.run.name
            )
        return next(iter(outputs.values()))

    @property
    def started(self) -> datetime | None:
        """When it began; None if it never did, or has not ended."""
        started_us = getattr(self._event, "started_us", None)
        return None if started_us is None else moment(started_us)

    @property
    def duration_s(self) -> float | None:
        """How long it took, in seconds; None while it runs or if it never did."""
        duration_us = getattr(self._event, "duration_us", None)
        return None if duration_us is None else duration_us / 1_000_000

    @property
    def failure(self) -> Failure | None:
        """What it raised."""
        event = self._event
        return event.failure if isinstance(event, StepFailed) else None

    @property
    def log(self) -> str:
        """What it printed to stdout and stderr, in order."""
        digest = getattr(self._event, "log", None)
        if digest is None:
            return ""
        frames = msgpack.unpackb(self._reader.store.blobs.read(digest), unicode_errors="surrogatepass")
        return "".join(text for _, _, text in frames)

    def __repr__(self) -> str:
        return f"<StepRun {self.name} {self.status}>"


class RunView:
    """One execution of a pipeline."""

    def __init__(self, reader: Reader, id_: RunId) -> None:
        self._reader = reader
        self.id = id_

    @property
    def _row(self) -> RunRow:
        found = self._reader.rows("runs").latest(key("r", self.id))
        if found is None:
            raise RunNotFound("there is no such run", where=self.id)
        return RunRow.of(found.row)

    @cached_property
    def _started(self) -> RunStarted:
        event = self._reader.event(self._row.started_seq).event
        if not isinstance(event, RunStarted):
            raise LogCorrupt("the run's row names an event of another kind", hint="Run `lineal rebuild`.")
        return event

    @property
    def name(self) -> str:
        """Its own name, else that of its pipeline and its number."""
        return self._row.name

    @property
    def seq(self) -> int:
        """Position of the event that began it."""
        return self._row.started_seq

    @property
    def status(self) -> str:
        """running, completed, failed or interrupted."""
        row = self._row
        if row.status == RUNNING and self._reader.sees_the_dead and not ProcessStamp(*row.process).is_alive():
            return INTERRUPTED
        return row.status

    @property
    def message(self) -> str | None:
        """What made it fail or end early."""
        return self._row.message

    @property
    def pipeline(self) -> PipelineView:
        """Its pipeline."""
        return PipelineView(self._reader, self._row.pipeline)

    @property
    def pipeline_version(self) -> PipelineVersionView:
        """Its pipeline as it was structured then."""
        return PipelineVersionView(self._reader, self._row.pipeline, self._started.structure)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the pipeline was called with."""
        return literal_values(self._reader, self._started.parameters)

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The same to be shown: values that are not plain as a short text, so that nothing is imported or run."""
        return literal_values(self._reader, self._started.parameters, only_plain=True)

    @property
    def environment(self) -> dict[str, Any]:
        """Python, platform and packages it ran with."""
        found: dict[str, Any] = msgpack.unpackb(self._reader.store.blobs.read(self._started.environment))
        return found

    @property
    def started(self) -> datetime:
        """When it began."""
        return moment(self._row.started_us)

    @property
    def duration_s(self) -> float | None:
        """How long it took, in seconds; None while it runs."""
        row = self._row
        return None if row.ended_us is None else (row.ended_us - row.started_us) / 1_000_000

    @property
    def steps(self) -> Mapping[str, StepRunView]:
        """Its steps by name, in the order in which they began."""
        found = self._reader.rows("steps").history(key("r", self.id))
        return {row[0]: StepRunView(self._reader, StepRunId(self.id, row[0])) for _, row in found}

    def get_step(self, step: Any) -> StepRunView:
        """Its step of this name; a step's function does as well.

        Raises:
            StepNotFound: It has none; the hint says which there are.
        """
        name = str(step if isinstance(step, str) else getattr(step, "name", None) or getattr(step, "__name__", step))
        steps = self.steps
        if name not in steps:
            raise StepNotFound(f"run {self.name} has no step {name!r}", hint=near(name, steps))
        return steps[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunView) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Run {self.name} {self.status}>"


class PipelineVersionView:
    """One distinct structure of a pipeline."""

    def __init__(self, reader: Reader, pipeline: str, structure: Digest) -> None:
        self._reader = reader
        self.pipeline = PipelineView(reader, pipeline)
        self.structure = structure
        """Digest of the graph."""

    @property
    def version(self) -> int:
        """Number within the pipeline, from 1."""
        found = self._reader.rows("pipelines").latest(key("s", self.pipeline.name, self.structure))
        return 0 if found is None else int(found.row[0])

    @property
    def runs(self) -> list[RunView]:
        """Its runs, newest first."""
        found = self._reader.rows("runs").history(key("v", self.pipeline.name, self.structure), newest_first=True)
        return [RunView(self._reader, RunId(row[0])) for _, row in found]

    @property
    def graph(self) -> dict[str, Any]:
        """The structure: its steps and what they take from each other."""
        found: dict[str, Any] = msgpack.unpackb(self._reader.store.blobs.read(self.structure))
        return found

    def __repr__(self) -> str:
        return f"<PipelineVersion {self.pipeline.name} {self.version}>"


class PipelineView:
    """A pipeline that has run."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader = reader
        self.name = name

    @property
    def versions(self) -> list[PipelineVersionView]:
        """Its versions, newest first."""
        found = self._reader.rows("pipelines").history(key("v", self.name), newest_first=True)
        return [PipelineVersionView(self._reader, self.name, Digest(row[1])) for _, row in found]

    @property
    def runs(self) -> Iterator[RunView]:
        """Its runs, newest first, lazily."""
        found = self._reader.rows("runs").history(key("p", self.name), newest_first=True)
        return (RunView(self._reader, RunId(row[0])) for _, row in found)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}>"
