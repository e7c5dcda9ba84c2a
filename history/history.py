"""History: the root of the read side, now or as of a past moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cas.digest import Digest, digest_of_stream
from ..cas.manifest import INLINE_MAX_BYTES
from ..errors import InvalidReference, NotFound
from ..events.ids import Fingerprint, RunId, StepRunId
from ..events.liveness import Pin
from ..events.projections import Pins, Projection
from ..events.rows import RowReader, key
from ..tables import Tables
from .asked import part_of
from .deletion import has_deletions
from .eviction import evictions
from .finding import Found, find
from .labels import SUBJECT_KINDS, annotated, has_labels, tagged
from .lineage import Lineage
from .meaning import version_meant
from .pipeline_names import pipeline_meant
from .projected import projected
from .reuse import reusable
from .run_list import NEWEST, OLDEST, RunQuery, run_meant, runs_found
from .seen_log import SeenLog, When
from .subjects import view_of
from .tracing import NODES_MAX
from .version_list import artifacts_found, versions_found
from .views import ArtifactVersionView, ArtifactView, PipelineView, RunView, StepRunView, View

if TYPE_CHECKING:
    from .comparing.bisection import Bisection, Predicate
    from .comparing.blame import Blame
    from .comparing.comparison import Diff
    from .holding import Holding


class History(SeenLog):
    """What a store knows: all of it, or what it knew after one event.

    Reading runs no user code and unpickles nothing, except where a view's `load` is called.
    """

    def as_of(self, when: When) -> History:
        """The same as it was then: nothing that came later is seen, and whatever is asked costs what it costs now.

        Args:
            when: A position: right after this event. A time, with a zone: right before the first event that is later;
                where clocks stepped back, an event is as late as the latest one before it. A run, or its name or id:
                right after it ended; as it is now, if it has not.

        Raises:
            InvalidReference: The log has no such event yet, or had none at that time; or the time has no zone.
            RunNotFound: There is no such run.
        """
        place = self._place(when)
        reader = self._reader
        return History(reader.store, place.seq, time_us=place.time_us, allow_pickle=reader.allow_pickle)

    def projected(self, projection: Projection) -> RowReader:
        """The rows of a projection of your own, as they were there; see docs/projections.md.

        They are kept beside the log: later calls fold in what is new. An older version's rows are removed.

        Raises:
            ProjectionFailed: It raised; ``seq`` says at which event. What it had made before is kept.
            InvalidName: Its name can't be that of a directory.
        """
        return projected(self._reader.store, projection, self._reader.upto)

    @property
    def tables(self) -> Tables:
        """What is known from here as tables, by name: Arrow streams for DuckDB, Polars and pandas."""
        return Tables(self._reader.store, self._reader.upto)

    def runs(
        self,
        pipeline: str | None = None,
        *,
        status: str | None = None,
        since: When | None = None,
        until: When | None = None,
        tag: str | None = None,
        where: str | None = None,
        order: str = NEWEST,
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[RunView]:
        """Runs, newest first, lazily; those in one status by when they came to be in it. docs/history.md has examples.

        Args:
            pipeline: Only those of this one.
            status: Only those that are running, completed, failed, cancelled or interrupted.
            since: Only those that began after this place, which is named as in `as_of`.
            until: Only those that began up to this place.
            tag: Only those that have it.
            where: A condition, as ``params.lr > 0.1 and metrics.accuracy >= 0.9``.
            order: ``newest`` or ``oldest`` first, or a value to sort by, as ``metrics.loss``, or with a minus before it
                the greatest first; then all are looked at before the first is given.
            limit: At most so many.
            offset: So many of the first are left out.

        Raises:
            InvalidReference, RunNotFound: A place or the status is none.
            InvalidCondition: The condition, or what to sort by, can't be read.
        """
        after = 0 if since is None else self._after(since)
        upto = None if until is None else self._place(until).seq
        found = runs_found(self._reader, RunQuery(pipeline, status, after, upto, tag, where, order))
        return part_of(found, offset, limit)

    def run(self, reference: str | RunId) -> RunView:
        """A run by its name, its id, or the beginning of its id (four or more hex digits).

        Raises:
            RunNotFound: None is called so; the hint says what is near.
            InvalidReference: Several ids begin so.
        """
        return run_meant(self._reader, reference)

    def step_run(self, reference: str) -> StepRunView:
        """A step run by ``run/step``, the run named as in `run`."""
        run, slash, step = reference.rpartition("/")
        if not slash:
            raise InvalidReference(f"{reference!r} does not name a step run", hint="Write run/step.")
        return self.run(run).get_step(step)

    def pipelines(self) -> list[PipelineView]:
        """The pipelines that have run, the one first seen last at the front."""
        found = self._reader.rows("pipelines").history(key("a"), newest_first=True)
        pipelines = [PipelineView(self._reader, row[0]) for _, row in found]
        return [one for one in pipelines if one.runs] if has_deletions(self._reader) else pipelines

    def pipeline(self, name: str) -> PipelineView:
        """A pipeline by name. Raises `PipelineNotFound` if none is called so; one whose runs are all deleted is."""
        return PipelineView(self._reader, pipeline_meant(self._reader, name))

    def artifacts(self, *, like: str | None = None, tag: str | None = None) -> list[ArtifactView]:
        """The artifacts, by name: all, or those whose names are like a pattern, as ``model-*``, or that have a tag."""
        return artifacts_found(self._reader, like, tag)

    def versions(
        self,
        artifact: str | None = None,
        *,
        since: When | None = None,
        until: When | None = None,
        tag: str | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ArtifactVersionView]:
        """Versions of an artifact, newest first, or of all, by name; lazily.

        Args:
            artifact: Its name.
            since: Only those that were made first after this place, which is named as in `as_of`.
            until: Only those that were made first up to this place.
            tag: Only those that have it.
            where: A condition, as ``metadata.rows > 1000 and type == "pandas.DataFrame"``.
            limit: At most so many.

        Raises:
            ArtifactNotFound: There is no such artifact.
            InvalidCondition: The condition can't be read.
        """
        if artifact is not None:
            version_meant(self._reader, f"{artifact}@latest")
        after = 0 if since is None else self._after(since)
        upto = None if until is None else self._place(until).seq
        return part_of(versions_found(self._reader, artifact, after=after, upto=upto, tag=tag, where=where), 0, limit)

    def artifact(self, reference: str) -> ArtifactVersionView:
        """A version of an artifact: ``name`` or ``name@latest``, ``name@3``, ``name@{digest prefix}``, ``name@label``.

        A label is an alias; where there is no such alias it is a tag, and means the newest version that has it.

        Raises:
            ArtifactNotFound: There is no such name, version or label; the hint says what there is.
            InvalidReference: The reference can't be read, or its digest prefix fits several.
        """
        meant = version_meant(self._reader, reference)
        return ArtifactVersionView(self._reader, meant.name, meant.content)

    def reusable(self, fingerprint: Fingerprint) -> StepRunView | None:
        """The step run that the cache serves this fingerprint from, or did then; None where a step has to execute."""
        executed = reusable(self._reader, fingerprint)
        return None if executed is None else StepRunView(self._reader, StepRunId(executed.run, executed.step))

    def evicted(self) -> list[ArtifactVersionView]:
        """The versions whose bytes a collection has taken away since, and which are gone: of the present, all such.

        Their `evicted_since` says when. Cost: a few lookups for each content that was ever evicted.
        """
        upto = self._reader.upto or 0
        return [
            ArtifactVersionView(self._reader, name, content)
            for content, eviction in evictions(self._reader.at_present())
            if eviction.seq > upto
            for name, _ in self._reader.names_of(content)
        ]

    def find(self, reference: str, kind: str | None = None) -> Found:
        """What a reference names: tried as a run, run/step, an artifact version, a pipeline, or as one kind only.

        The beginning of a run's id is tried last.

        Raises:
            NotFound: Nothing is called so; the hint says what is near.
            InvalidReference: Several runs have ids that begin so.
        """
        return find(self, reference, kind)

    def tagged(self, tag: str, kind: str | None = None) -> list[View]:
        """What has a tag, first tagged first: all of it, or the artifacts, versions, pipelines, runs or steps.

        Args:
            tag: The tag.
            kind: artifact, version, pipeline, run or step.
        """
        found = (view_of(self._reader, subject) for subject in tagged(self._reader, tag, _kind(kind)))
        return [view for view in found if view is not None]

    def annotated(self, name: str, kind: str | None = None) -> list[tuple[View, Any]]:
        """What has this annotation, first annotated first, with its value; ``kind`` as in `tagged`."""
        found = ((view_of(self._reader, one), value) for one, value in annotated(self._reader, name, _kind(kind)))
        return [(view, value) for view, value in found if view is not None]

    def has_labels(self, kind: str) -> bool:
        """Whether anything of this kind, named as in `tagged`, has ever had a tag or an alias."""
        return has_labels(self._reader, kind)

    def load(self, reference: str) -> Any:
        """Load the value of an artifact version, named as in `artifact`."""
        return self.artifact(reference).load()

    def diff(
        self, old: str | Found, new: str | Found | None = None, *, load: bool = True, allow_pickle: bool = False
    ) -> Diff:
        """What differs between two runs, step runs or artifact versions, told by digests as far as they tell.

        Given one thing alone, it is compared with what came before: the pipeline's run before, or the artifact's
        version before. A pipeline stands for its newest run.

        Args:
            old: As `find` takes it, or a view.
            new: The same.
            load: Load artifact versions of which digests tell that they differ, up to 1 GiB, to tell by how much.
            allow_pickle: Load what executes code, or imports the classes of records, as well.

        Raises:
            NotFound, InvalidReference: As `find` says; there is nothing before; or they are of two kinds.
        """
        from .comparing.comparison import compared  # Imported on use, as below: few ask.

        sides = [find(self, one) if isinstance(one, str) else one for one in (old, new) if one is not None]
        before = sides[0] if len(sides) == 2 else None
        allowed = allow_pickle and self._reader.allow_pickle
        return compared(self._reader, before, sides[-1], load=load, allow_pickle=allowed)

    def blame(self, version: str | ArtifactVersionView, old: str | ArtifactVersionView | None = None) -> Blame:
        """What explains that a version is not as the one before, or an old one: followed upstream to the first causes.

        Raises:
            ArtifactNotFound: There is no such version, or none before it.
            InvalidReference: They are one content.
        """
        from .comparing.blame import blame

        sides = [self.artifact(one) if isinstance(one, str) else one for one in (version, old) if one is not None]
        return blame(self._reader, *sides)

    def bisect(
        self,
        metric: str,
        predicate: Predicate | str,
        *,
        pipeline: str | None = None,
        since: RunView | str | None = None,
        until: RunView | str | None = None,
    ) -> Bisection:
        """The run for which something came to hold of a metric, and what changed there from the run before.

        Args:
            metric: A run's, else that of the first of its steps that has it; of one step as ``step/metric``.
            predicate: A function of the metric's last value, or a comparison such as ``< 0.9``.
            pipeline: Only its runs.
            since: No run that began before this one.
            until: No run that began after this one.

        Raises:
            NotFound: There is no such run, or none has the metric.
            Invalid: The comparison can't be read.
        """
        from .comparing.bisection import bisect

        first, last = (None if one is None else self._run_of(one).seq for one in (since, until))
        query = RunQuery(pipeline, after=(first or 1) - 1, upto=last, order=OLDEST)
        return bisect(self._reader, runs_found(self._reader, query), metric, predicate)

    def made_from(self, which: str | Digest | Path, *, depth: int | None = None, nodes_max: int = NODES_MAX) -> Lineage:
        """Everything that some bytes went into: as a value or a part of one, as code, or as an environment.

        Args:
            which: A file, whose bytes are meant; an artifact version; or six or more digits of a blob's digest.
            depth: How many steps onward; by default all.
            nodes_max: How many artifact versions and step runs at most, the nearest.

        Raises:
            NotFound: Nothing was made from it, or there is no such blob.
            InvalidReference: Several blobs' digests begin so.
        """
        from .made_from import made_from  # Imported on use, as below: few ask.

        is_small = isinstance(which, Path) and which.stat().st_size <= INLINE_MAX_BYTES
        small = which.read_bytes() if isinstance(which, Path) and is_small else None
        return made_from(self._reader, self._blob_meant(which), small, depth=depth, nodes_max=nodes_max)

    def _blob_meant(self, which: str | Digest | Path) -> Digest:
        """The blob of a file's bytes, of a version's manifest, or that a digest's beginning names."""
        if isinstance(which, Digest):
            return which
        if isinstance(which, Path):
            with which.open("rb") as file:
                return digest_of_stream(file)
        from .holding import find_blob

        try:
            return self.artifact(which).content
        except (NotFound, InvalidReference):
            if "@" in which:
                raise
            return find_blob(self._reader, which)

    def pins(self) -> list[Pin]:
        """The pins, by label; those that have expired are left out."""
        found = self._reader.rows(Pins.name).newest(key("l"))
        stamped = [(one.seq, *one.row) for one in found if one.row[1] is not None]
        pins = (Pin(label, Digest(content), expires_us, seq) for seq, label, content, expires_us in stamped)
        return sorted(pin for pin in pins if pin.holds(self._reader.now_us))

    def versions_of(self, content: Digest | str) -> list[str]:
        """The artifact versions that have a content, as ``name@3``, the first to have it first.

        Raises:
            InvalidDigest: A text is not the 64 digits of one.
        """
        from .holding import versions_of  # Imported on use, as below: few ask.

        return list(versions_of(self._reader, Digest.parse(content) if isinstance(content, str) else content))

    def why_kept(self, which: str) -> Holding:
        """What keeps a blob now: the paths from it to the events and pins that hold it.

        Args:
            which: A reference to an artifact version, or six or more digits of a blob's digest.

        Raises:
            NotFound: Nothing is called so; or it was collected.
            InvalidReference: Several blobs' digests begin so.
        """
        from .holding import why_kept

        return why_kept(self._reader, self._blob_meant(which))


def _kind(kind: str | None) -> str | None:
    """A kind of subject. Raises `InvalidReference` if it is none."""
    if kind is not None and kind not in SUBJECT_KINDS:
        raise InvalidReference(f"{kind!r} is no kind of thing", hint=f"Kinds are {', '.join(SUBJECT_KINDS)}.")
    return kind
