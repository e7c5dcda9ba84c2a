"""Harm: what of a store's history damaged blobs are a part of, told from the log alone: indexes may be damaged too.

It reads every event, and every manifest that has not been read yet; call it only where there is damage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from ..cas import BlobKind, BlobStore, Digest, ManifestPart, read_manifest
from ..errors import BlobMissing, Corrupt
from ..events.catalogue import (
    ArtifactNamed,
    ArtifactSaved,
    CodeCaptured,
    ContentVisualized,
    EnvironmentCaptured,
    Event,
    Input,
    MetricsLogged,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepReused,
    StepStarted,
    StepStopped,
    Subject,
)
from ..events.codec import Recorded
from ..events.ids import RunId
from ..events.newest_rows import NewestRows
from ..events.projections import Artifacts, Runs
from ..events.projections.artifacts import version_key
from ..events.projections.runs import RunRow
from ..events.rows import key


class Use(NamedTuple):
    """Something that a blob is a part of."""

    what: str
    """An artifact version as ``name@3``, or a thing of a run or step run, as in ``log of training-1/train``."""
    remedy: str
    """What makes it whole again; or that nothing does."""


_RERUN = "Run it again with caching off."
_GONE = "What it printed is lost."
_UNREAD = "It is lost for diffs, and for running that code again; what came of it is not."
_UNSEEN = "Make it again with `lineal visualize --again`."
_UNLOGGED = "These points are lost; the last value of each metric is not."


class Named(NamedTuple):
    """A blob that an event names."""

    digest: Digest
    kind: BlobKind
    use: Use


def harm(blobs: BlobStore, events: Iterable[Recorded], damaged: Set[Digest]) -> dict[Digest, list[Use]]:
    """What each of these blobs is a part of, through manifests and the manifests in them, in the log's order."""
    closure = _Closure(blobs, damaged)
    uses: defaultdict[Digest, dict[Use, None]] = defaultdict(dict)
    for named in named_blobs(events):
        hurt = closure.of(named.digest) if named.kind is BlobKind.MANIFEST else damaged & {named.digest}
        for digest in hurt:
            uses[digest][named.use] = None
    return {digest: list(found) for digest, found in uses.items()}


def named_blobs(events: Iterable[Recorded]) -> Iterator[Named]:
    """Everything that events name, once for each use. Memory: a little for each run and artifact version."""
    names = _Names()
    for recorded in events:
        yield from names.named(recorded)


class _Names:
    """Folds the log to the names of runs and artifact versions, by the projections' own rules."""

    def __init__(self) -> None:
        self._versions, self._runs = NewestRows(), NewestRows()
        self._folds = ((Artifacts(), self._versions), (Runs(), self._runs))
        self._by_hand: set[tuple[str, Digest]] = set()

    def named(self, recorded: Recorded) -> Iterator[Named]:
        event = recorded.event
        new = dict.fromkeys((one.artifact, one.content) for one in event.made)
        new = {version: None for version in new if not self._versions.has(version_key(*version))}
        for projection, rows in self._folds:
            if type(event) in projection.events:
                projection.apply(rows, recorded)
        for version in new:
            yield self._version(event, *version)
        match event:
            case RunStarted():
                yield from self._run(event)
            case StepStarted():
                title = self._step(event.run, event.step)
                yield from _literals(event.inputs, title)
                if event.code is not None:
                    yield Named(event.code, BlobKind.BYTES, Use(f"code of {title}", _RERUN))
            case StepCompleted() | StepFailed():
                title = self._step(event.run, event.step)
                yield from _literals(event.inputs, title)
                yield Named(event.code, BlobKind.BYTES, Use(f"code of {title}", _RERUN))
                if event.log is not None:
                    yield Named(event.log, BlobKind.BYTES, Use(f"log of {title}", _GONE))
            case StepReused():
                title = self._step(event.run, event.step)
                yield from _literals(event.inputs, title)
                yield Named(event.code, BlobKind.BYTES, Use(f"code of {title}", _RERUN))
            case StepRetried(log=Digest() as log) | StepStopped(log=Digest() as log):
                yield Named(log, BlobKind.BYTES, Use(f"log of {self._step(event.run, event.step)}", _GONE))
            case CodeCaptured():
                use = Use(f"source of {event.function}", _UNREAD)
                yield from (Named(digest, BlobKind.BYTES, use) for digest in event.refs)
            case EnvironmentCaptured():
                yield Named(event.environment, BlobKind.BYTES, Use(f"environment of Python {event.python}", _RERUN))
            case ContentVisualized():
                use = Use(f"visualization of content {str(event.content)[:12]}", _UNSEEN)
                yield from (Named(digest, BlobKind.BYTES, use) for digest in event.refs)
            case MetricsLogged(points=Digest() as points):
                yield Named(points, BlobKind.BYTES, Use(f"metrics of {self._subject(event.subject)}", _UNLOGGED))

    def _version(self, event: Event, artifact: str, content: Digest) -> Named:
        row = self._versions.latest(version_key(artifact, content))
        assert row is not None  # The event that makes a version has just been folded in.
        reference = f"{artifact}@{row[1]}"
        if self._is_by_hand(event, content):
            self._by_hand.add((artifact, content))
            return Named(content, BlobKind.MANIFEST, Use(reference, "It was saved by hand: save it again."))
        return Named(content, BlobKind.MANIFEST, Use(reference, f"Run `lineal recompute {reference}`."))

    def _is_by_hand(self, event: Event, content: Digest) -> bool:
        """Whether what an event gives was first saved by hand, under whatever name."""
        if isinstance(event, ArtifactNamed):
            return (event.source, content) in self._by_hand
        return isinstance(event, ArtifactSaved)

    def _subject(self, subject: Subject) -> str:
        kind, name, id_ = subject
        if kind == "run":
            return self._run_name(RunId(id_))
        if kind == "step":
            return self._step(RunId(id_), name)
        return f"{kind} {name}"

    def _run(self, event: RunStarted) -> Iterator[Named]:
        name = self._run_name(event.run)
        yield Named(event.structure, BlobKind.BYTES, Use(f"structure of {name}", _RERUN))
        yield Named(event.environment, BlobKind.BYTES, Use(f"environment of {name}", _RERUN))
        if event.code is not None:
            yield Named(event.code, BlobKind.BYTES, Use(f"code of {name}", _RERUN))
        if event.checkout is not None:
            yield Named(event.checkout, BlobKind.BYTES, Use(f"checkout of {name}", _RERUN))
        yield from _literals(event.parameters, name)

    def _step(self, run: RunId, step: str) -> str:
        return f"{self._run_name(run)}/{step}"

    def _run_name(self, run: RunId) -> str:
        """What a run is called; that of a run whose beginning was not read is the beginning of its id."""
        row = self._runs.latest(key("r", run))
        return str(run)[:12] if row is None else RunRow.of(row).name


def _literals(inputs: Iterable[Input], title: str) -> Iterator[Named]:
    for taken in inputs:
        if taken.artifact is None:
            use = Use(f"{taken.name} of {title}", "Run it again with the same value.")
            yield Named(taken.content, BlobKind.MANIFEST, use)
        elif taken.element is not None:
            use = Use(f"{taken.name}, {taken.element.selector} of {taken.artifact}, of {title}", "Run it again.")
            yield Named(taken.element.content, BlobKind.MANIFEST, use)


class _Closure:
    """Which damaged blobs are under a manifest; each manifest is read once."""

    def __init__(self, blobs: BlobStore, damaged: Set[Digest]) -> None:
        self._blobs = blobs
        self._damaged = damaged
        self._known: dict[Digest, frozenset[Digest]] = {}

    def of(self, content: Digest) -> frozenset[Digest]:
        known = self._known.get(content)
        if known is None:
            self._known[content] = _NOTHING  # A manifest can't hold itself; should one seem to, this ends it.
            known = self._known[content] = frozenset(self._found(content)) or _NOTHING
        return known

    def _found(self, content: Digest) -> Iterator[Digest]:
        if content in self._damaged:
            yield content
        try:
            for part in read_manifest(self._blobs, content).named():
                if isinstance(part, ManifestPart):
                    yield from self.of(part.digest)
                elif part.digest in self._damaged:
                    yield part.digest
        except (BlobMissing, Corrupt):
            return  # It is among the damaged itself.


_NOTHING: frozenset[Digest] = frozenset()
