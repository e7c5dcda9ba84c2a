"""Harm: what of a store's history damaged blobs are a part of, told from the log alone: indexes may be damaged too.

It reads every event, and every manifest that has not been read yet; call it only where there is damage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
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
    Numbered,
    PipelineRenamed,
    RunRenamed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepRetried,
    StepReused,
    StepStarted,
    StoreImported,
    Subject,
)
from ..events.codec import Recorded
from ..events.ids import RunId


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
        yield from names.named(recorded.event)


class _Names:
    """Folds the log to the names of runs and artifact versions."""

    def __init__(self) -> None:
        self._runs: dict[bytes, str] = {}
        self._first_names: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._numbers = _Numbers()
        self._versions: set[tuple[str, Digest]] = set()
        self._by_hand: set[tuple[str, Digest]] = set()

    def named(self, event: Event) -> Iterator[Named]:
        for output in event.made:
            version = output.artifact, output.content
            if version not in self._versions:
                self._versions.add(version)
                wanted = event.number or 0 if isinstance(event, ArtifactNamed) else 0
                reference = f"{output.artifact}@{self._numbers.next('version', *version, output.artifact, wanted)}"
                if self._is_by_hand(event, output.content):
                    self._by_hand.add(version)
                    remedy = "It was saved by hand: save it again."
                else:
                    remedy = f"Run `lineal recompute {reference}`."
                yield Named(output.content, BlobKind.MANIFEST, Use(reference, remedy))
        match event:
            case StoreImported():
                self._numbers.note(event.numbers)
            case PipelineRenamed():
                first = self._first_names.get(event.pipeline, event.pipeline)
                self._first_names[event.name], self._called[first] = first, event.name
            case RunRenamed():
                self._runs[event.run] = event.name
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
            case StepRetried(log=Digest() as log):
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

    def _is_by_hand(self, event: Event, content: Digest) -> bool:
        """Whether what an event gives was first saved by hand, under whatever name."""
        if isinstance(event, ArtifactNamed):
            return (event.source, content) in self._by_hand
        return isinstance(event, ArtifactSaved)

    def _subject(self, subject: Subject) -> str:
        kind, name, id_ = subject
        if kind == "run":
            return self._runs.get(id_) or str(RunId(id_))[:12]
        if kind == "step":
            return self._step(RunId(id_), name)
        return f"{kind} {name}"

    def _run(self, event: RunStarted) -> Iterator[Named]:
        first = self._first_names.get(event.pipeline, event.pipeline)
        number = self._numbers.next("run", first, event.run, event.pipeline)
        name = self._runs[event.run] = event.name or f"{self._called.get(first, first)}-{number}"
        yield Named(event.structure, BlobKind.BYTES, Use(f"structure of {name}", _RERUN))
        yield Named(event.environment, BlobKind.BYTES, Use(f"environment of {name}", _RERUN))
        if event.code is not None:
            yield Named(event.code, BlobKind.BYTES, Use(f"code of {name}", _RERUN))
        if event.checkout is not None:
            yield Named(event.checkout, BlobKind.BYTES, Use(f"checkout of {name}", _RERUN))
        yield from _literals(event.parameters, name)

    def _step(self, run: RunId, step: str) -> str:
        return f"{self._runs.get(run) or str(RunId(run))[:12]}/{step}"


class _Numbers:
    """Folds the log to the numbers of runs and artifact versions, by the rules of the projections that number them."""

    def __init__(self) -> None:
        self._newest: Counter[tuple[str, str]] = Counter()
        self._elsewhere: dict[tuple[str, str, bytes], int] = {}

    def note(self, numbers: Iterable[Numbered]) -> None:
        """Note what an import says of the events that follow it."""
        for kind, name, id_, number in numbers:
            self._elsewhere[kind, name, id_] = number

    def next(self, kind: str, name: str, id_: bytes, name_there: str, wanted: int = 0) -> int:
        """The number of what is new under a name; another store knew it by ``name_there``."""
        elsewhere = self._elsewhere.pop((kind, name_there, id_), 0)
        number = max(self._newest[kind, name] + 1, elsewhere, wanted)
        self._newest[kind, name] = number
        return number


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
