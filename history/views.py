"""The nouns of history: pipeline, version, run, step run, artifact and artifact version, as views of the log.

A view holds a key and a reader, and looks up the rest when asked; so it is cheap to make, and what it says is
as of its reader's position. They refer to each other, hence one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..cas.digest import Digest
from ..errors import ArtifactNotFound, PipelineNotFound, StepNotFound
from ..events.catalogue import (
    Difference,
    DivergenceSeen,
    StepReused,
    Subject,
)
from ..events.ids import RunId, StepRunId
from ..events.projections.artifacts import versions_key
from ..events.projections.runs import CANCELLED, INTERRUPTED, RUNNING
from ..events.projections.steps import CACHED
from ..events.rows import key
from .deletion import present
from .labels import Labelled, aliases_of
from .lineage_parts import execution
from .listed import ByName, Listed, Versions
from .meaning import version_meant
from .notebooks import InNotebooks, OnPages
from .pipeline_names import pipeline_name
from .reader import Reader
from .references import LATEST, near
from .run_record import RunRecord
from .step_record import StepRecord
from .traced import TracedVersion

if TYPE_CHECKING:
    from ..materializers.markup import Markup
    from .why import Why


class ArtifactVersionView(TracedVersion):
    """One distinct content under an artifact's name, among all that has to do with it."""

    @property
    def artifact(self) -> ArtifactView:
        """The artifact it is a version of."""
        return ArtifactView(self._reader, self.name)

    @property
    def producers(self) -> list[StepRunView]:
        """All step runs that executed and made this content, oldest first."""
        found = self._reader.rows("lineage").history(key("p", self.content))
        return [StepRunView(self._reader, StepRunId(RunId(row[0]), row[1])) for _, row in found if row and row[3]]

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


class ArtifactView(Labelled, InNotebooks):
    """A name with a history."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader = reader
        self.name = name

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("artifact", self.name, b"")

    @property
    def aliases(self) -> dict[str, ArtifactVersionView]:
        """The versions that its aliases point to, by alias."""
        found = aliases_of(self._reader, self.name)
        return {alias: ArtifactVersionView(self._reader, self.name, content) for alias, content in found.items()}

    @property
    def versions(self) -> list[ArtifactVersionView]:
        """Its versions, newest first."""
        found = self._reader.rows("artifacts").history(versions_key(self.name), newest_first=True)
        versions = (ArtifactVersionView(self._reader, self.name, Digest(row[1])) for _, row in found)
        return list(present(self._reader, versions))

    @property
    def latest(self) -> ArtifactVersionView:
        """Its newest version. Raises `ArtifactNotFound` if it has none, as of the view."""
        meant = version_meant(self._reader, f"{self.name}@{LATEST}")
        return ArtifactVersionView(self._reader, meant.name, meant.content)

    def __repr__(self) -> str:
        return f"<Artifact {self.name}>"

    def _in_short(self) -> Iterator[Markup]:
        from .html_runs import artifact_in_short

        return artifact_in_short(self.name, self.versions)


class StepRunView(StepRecord, OnPages):
    """One execution, or reuse, of a step in a run."""

    @property
    def run(self) -> RunView:
        """The run it belongs to."""
        return RunView(self._reader, self.id.run)

    @property
    def status(self) -> str:
        """running, completed, cached, failed, skipped, or cancelled or interrupted where its run was."""
        found = self._reader.rows("steps").latest(key("s", self.id.run, self.id.step))
        status = RUNNING if found is None else str(found.row[1])
        ended_as = self.run.status if status == RUNNING else status
        return ended_as if ended_as in (status, CANCELLED) else INTERRUPTED

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
    def inputs(self) -> dict[str, ArtifactVersionView]:
        """The artifacts it took, by parameter."""
        taken = (one for one in self._taken if one.artifact is not None)
        return Versions((one.name, ArtifactVersionView(self._reader, str(one.artifact), one.content)) for one in taken)

    @property
    def parents(self) -> list[StepRunView]:
        """The steps of the same run whose outputs it took."""
        names = dict.fromkeys(taken.source for taken in self._taken if taken.source is not None)
        return [StepRunView(self._reader, StepRunId(self.id.run, name)) for name in names]

    @property
    def parent_steps(self) -> list[StepRunView]:
        """The classic name of `parents`."""
        return self.parents

    @property
    def outputs(self) -> dict[str, ArtifactVersionView]:
        """The artifacts it gave, by output name."""
        given = getattr(self._event, "outputs", ())
        return Versions((one.name, ArtifactVersionView(self._reader, one.artifact, one.content)) for one in given)

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

    def why(self) -> Why:
        """Why it was served from the cache, or had to execute: `str` tells it, and its fields are for programs."""
        from .explaining import explain

        return explain(self._reader, self.id)

    @property
    def divergence(self) -> Divergence | None:
        """How its outputs differ from what an earlier step run of the same fingerprint gave; None if they don't."""
        found = self._reader.rows("steps").latest(key("d", self.id.run, self.id.step))
        event = None if found is None else self._reader.event(found.seq).event
        if not isinstance(event, DivergenceSeen):
            return None
        return Divergence(StepRunView(self._reader, event.first), event.differences)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StepRunView) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<StepRun {self.name} {self.status}>"

    def _in_short(self) -> Iterator[Markup]:
        from .html_step import step_in_short

        return step_in_short(self)

    def _at_length(self) -> Iterator[Markup]:
        from .html_step import step_at_length

        return step_at_length(self)


class Divergence(NamedTuple):
    """What one fingerprint has given twice, differently: something that it doesn't know of decides, too."""

    first: StepRunView
    """The step run that gave the first result."""
    differences: tuple[Difference, ...]
    """The outputs that differ."""


class RunView(RunRecord, OnPages):
    """One execution of a pipeline."""

    @property
    def pipeline(self) -> PipelineView:
        """Its pipeline."""
        return PipelineView(self._reader, self._row.pipeline)

    @property
    def again(self) -> tuple[str, RunView] | None:
        """How, ``resume``, ``rerun`` or ``reproduce``, and which earlier run it does again; None if it does not."""
        again = self.beginning.again
        return None if again is None else (again.how, RunView(self._reader, again.run))

    @property
    def pipeline_version(self) -> PipelineVersionView:
        """Its pipeline as it was structured then."""
        return PipelineVersionView(self._reader, self._row.pipeline, self.beginning.structure)

    @property
    def steps(self) -> ByName[StepRunView]:
        """Its steps by name, in the order in which they began; ``steps[0]`` is the first one."""
        rows = self._reader.rows("steps")
        found = [next(rows.history(place)) for place in rows.keys(key("s", self.id))]
        names = [first.row[0] for first in sorted(found, key=lambda first: first.seq)]
        return ByName({name: StepRunView(self._reader, StepRunId(self.id, name)) for name in names})

    def get_step(self, step: Any = None, *, name: str | None = None) -> StepRunView:
        """Its step of this name; a step's function does as well. ``get_step(name="train")`` is the same.

        Raises:
            StepNotFound: It has none; the hint says which there are.
        """
        name = name_of(step) if name is None else name
        if self._reader.rows("steps").latest(key("s", self.id, name)) is None:
            raise StepNotFound(f"run {self.name} has no step {name!r}", hint=near(name, self.steps))
        return StepRunView(self._reader, StepRunId(self.id, name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunView) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Run {self.name} {self.status}>"

    def _in_short(self) -> Iterator[Markup]:
        from .html_run import run_in_short

        return run_in_short(self)

    def _at_length(self) -> Iterator[Markup]:
        from .html_run import run_at_length

        return run_at_length(self)


class PipelineVersionView(InNotebooks):
    """One distinct structure of a pipeline."""

    def __init__(self, reader: Reader, pipeline: str, structure: Digest) -> None:
        self._reader = reader
        self.pipeline = PipelineView(reader, pipeline)
        self.structure = structure
        """Digest of the graph."""

    @property
    def version(self) -> int:
        """Number within the pipeline, from 1."""
        found = self._reader.rows("pipelines").latest(key("s", self.pipeline.first_name, self.structure))
        return 0 if found is None else int(found.row[0])

    @property
    def runs(self) -> Listed[RunView]:
        """Its runs, newest first, read as far as they are used."""
        return _runs_in(self._reader, key("v", self.pipeline.first_name, self.structure))

    @property
    def graph(self) -> dict[str, Any]:
        """The structure: its steps and what they take from each other."""
        return self._reader.told(self.structure)

    def __repr__(self) -> str:
        return f"<PipelineVersion {self.pipeline.name} {self.version}>"

    def _in_short(self) -> Iterator[Markup]:
        from .html_runs import pipeline_in_short

        return pipeline_in_short(f"pipeline {self.pipeline.name}, version", str(self.version), self.runs)


class PipelineView(Labelled, InNotebooks):
    """A pipeline that has run."""

    def __init__(self, reader: Reader, first_name: str) -> None:
        self._reader = reader
        self.first_name = first_name
        """What it was called when it first ran, under which events and labels know it."""

    @property
    def name(self) -> str:
        """What it is called."""
        return pipeline_name(self._reader, self.first_name)

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("pipeline", self.first_name, b"")

    @property
    def versions(self) -> list[PipelineVersionView]:
        """Its versions, newest first."""
        found = self._reader.rows("pipelines").history(key("v", self.first_name), newest_first=True)
        return [PipelineVersionView(self._reader, self.first_name, Digest(row[1])) for _, row in found]

    def version(self, number: int | str) -> PipelineVersionView:
        """Its version of this number. Raises `PipelineNotFound`."""
        versions = self.versions
        for one in versions:
            if str(one.version) == str(number):
                return one
        hint = f"Its versions are 1 to {len(versions)}."
        raise PipelineNotFound(f"pipeline {self.name!r} has no version {number}", hint=hint)

    @property
    def runs(self) -> Listed[RunView]:
        """Its runs, newest first, read as far as they are used."""
        return _runs_in(self._reader, key("p", self.first_name))

    @property
    def latest(self) -> RunView:
        """Its newest run. Raises `PipelineNotFound` if it has none, as of the view."""
        for run in self.runs:
            return run
        raise PipelineNotFound(f"pipeline {self.name} has no run", hint="Those that it had are deleted.")

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}>"

    def _in_short(self) -> Iterator[Markup]:
        from .html_runs import pipeline_in_short

        return pipeline_in_short("pipeline", self.name, self.runs)


def _runs_in(reader: Reader, table: bytes) -> Listed[RunView]:
    rows = reader.rows("runs")

    def read() -> Iterator[RunView]:
        return present(reader, (RunView(reader, RunId(row[0])) for _, row in rows.history(table, newest_first=True)))

    return Listed(read)


def name_of(declared: Any) -> str:
    """The name of a step or a pipeline: itself, or that of what was declared."""
    return str(declared if isinstance(declared, str) else getattr(declared, "name", None) or declared.__name__)


View = ArtifactView | ArtifactVersionView | PipelineView | RunView | StepRunView
"""Something that can be labelled."""
