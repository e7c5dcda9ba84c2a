"""Checking a bundle before anything of it is taken: that it holds together, and says nothing about others.

Who gets a bundle knows nothing of who made it. So its events must be well-formed, speak of runs that it brings, and
be none of the store that takes it; its manifests must name nothing that is not there.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ..cas import BlobKind, Manifest
from ..cas.manifest import INLINE_MAX_BYTES, ManifestPart
from ..errors import BundleCorrupt, BundleRefused, LinealError, ManifestCorrupt
from ..events.catalogue import RunStarted, StepReused, StoreCreated
from ..events.codec import Recorded
from ..events.ids import StepRunId, StoreId
from ..events.projections.steps import COMPLETED, RUNNING, STATUS
from .kinds import ENDS, EXPORTED, LABELS, OF_RUNS, OF_STEPS
from .opaque import begins_run, ends_run, is_opaque, is_passed_on, is_well_formed
from .reading import Bundle
from .strict import is_as_written, is_strict, is_time

_ID_BYTES = {"artifact": 0, "pipeline": 0, "version": 32, "run": 16, "step": 16}
"""By kind of subject, how long its id is."""


class Taker(Protocol):
    """What a check asks of the store that is to take a bundle."""

    def body_of(self, event_id: bytes) -> bytes | None:
        """The bytes that its log has under an event's id."""

    def has_run(self, run: bytes) -> bool:
        """Whether it knows a run."""

    def status_of(self, step: StepRunId) -> str | None:
        """In which state a step run is there; None if there is none."""


class _Run(NamedTuple):
    origin: StoreId
    is_known: bool


def check_bundle(bundle: Bundle, own: StoreId | None, taker: Taker | None) -> None:
    """Read all events, manifests and small blobs. Cost: about 30 µs an event.

    Args:
        bundle: What to check.
        own: The store that is to take it.
        taker: What that one knows.

    Raises:
        BundleCorrupt: It is damaged, or does not hold together.
        BundleRefused: It says what it has no business to say.
    """
    check = _Check(bundle, own, taker)
    check.check_events()
    check.check_blobs()


def check_events(bundle: Bundle, own: StoreId, taker: Taker) -> None:
    """Check once more what `check_bundle` has let pass, as the store that is to take it has gone on; raises as it."""
    _Check(bundle, own, taker).check_events()


class _Check:
    def __init__(self, bundle: Bundle, own: StoreId | None, taker: Taker | None) -> None:
        self._bundle = bundle
        self._own = own
        self._taker = taker
        self._ids: set[bytes] = set()
        self._runs: dict[bytes, _Run] = {}
        self._ended: set[bytes] = set()
        self._strange: set[bytes] = set()
        """The runs of which events of newer versions tell."""
        self._steps: dict[StepRunId, str] = {}
        table = bundle.table
        self._known = {held.digest: held.kind for held in table.blobs}
        self._lacking = set(table.lacking)

    def check_events(self) -> None:
        bundle = self._bundle
        for seq, body in enumerate(bundle.bodies(), start=1):
            try:
                self._check_event(Recorded.read(seq, b"", body), body)
            except (BundleCorrupt, BundleRefused):
                raise
            except (LinealError, TypeError, ValueError, LookupError, AttributeError) as error:
                raise self._corrupt(f"its event {seq} can't be read") from error
        if not self._ids:
            raise self._corrupt("it has no events")
        for run, found in self._runs.items():
            if run not in self._ended and not found.is_known:
                raise self._refused(f"run {run.hex()} has no end in it")

    def _check_event(self, recorded: Recorded, body: bytes) -> None:
        event: Any = recorded.event
        what = f"event {recorded.seq}, {recorded.type},"
        is_strange = is_opaque(recorded)
        if not (is_passed_on(recorded) if is_strange else recorded.type in EXPORTED):
            raise self._refused(f"{what} is of no kind that a bundle brings")
        is_as_said = is_well_formed(recorded) if is_strange else is_strict(event) and recorded.stream == event.stream
        if not is_as_said or not is_time(recorded.time_us) or not is_as_written(body):
            raise self._corrupt(f"{what} is not as its type says")
        if recorded.type in LABELS and len(event.subject.id) != _ID_BYTES.get(event.subject.kind):
            raise self._corrupt(f"{what} is about what can't be")
        if recorded.id in self._ids:
            raise self._corrupt(f"{what} is in it twice")
        self._ids.add(recorded.raw_id)
        if (recorded.seq == 1) != isinstance(event, StoreCreated):
            raise self._corrupt("its first event is not that of a store")
        if isinstance(event, StoreCreated) and not event.store == recorded.origin == self._bundle.table.store:
            raise self._refused("it is of another store than its events say")
        self._check_named(recorded, event, what)
        known = self._check_origin(recorded, body, what)
        if is_strange:
            self._check_opaque(recorded, known, what)
        else:
            self._check_run(recorded, event, known, what)

    def _check_named(self, recorded: Recorded, event: Any, what: str) -> None:
        if not {*event.refs} <= {*recorded.refs}:
            raise self._corrupt(f"{what} does not say all that it names")
        for ref in recorded.refs:
            if ref not in self._known and ref not in self._lacking:
                raise self._corrupt(f"{what} names blob {str(ref)[:12]}…, which is not in it")
        for output in event.made:
            if self._known.get(output.content, BlobKind.MANIFEST) is not BlobKind.MANIFEST:
                raise self._corrupt(f"{what} gives what is no value")

    def _check_origin(self, recorded: Recorded, body: bytes, what: str) -> bool:
        """Whether the store that is to take it has it already."""
        known = None if self._taker is None else self._taker.body_of(recorded.raw_id)
        if known is not None and known != body:
            raise self._refused(f"{what} is not what the store has under its id")
        if known is None and recorded.origin == self._own and recorded.seq > 1:
            raise self._refused(f"{what} claims to be of the store itself, which does not have it")
        return known is not None

    def _check_opaque(self, recorded: Recorded, is_known: bool, what: str) -> None:
        run = recorded.stream
        if not run:
            return
        if begins_run(recorded):
            self._begin(run, recorded, is_known, what)
        else:
            self._require_run(run, recorded.origin, what)
        self._strange.add(run)
        if ends_run(recorded):
            self._ended.add(run)

    def _begin(self, run: bytes, recorded: Recorded, is_known: bool, what: str) -> None:
        is_there = self._taker is not None and self._taker.has_run(run)
        if run in self._runs or (is_there and not is_known):
            raise self._refused(f"{what} begins a run that has begun")
        self._runs[run] = _Run(recorded.origin, is_there)

    def _check_run(self, recorded: Recorded, event: Any, is_known: bool, what: str) -> None:
        if isinstance(event, RunStarted):
            self._begin(event.run, recorded, is_known, what)
            return
        by = getattr(event, "by", None)
        run = event.run if recorded.type in (OF_RUNS | OF_STEPS) else None if by is None else by.run
        if run is not None:
            self._require_run(run, recorded.origin, what)
        elif recorded.type in LABELS and event.subject.kind in ("run", "step"):
            self._require_run(event.subject.id, None, what)
        if recorded.type in STATUS:
            self._check_step(recorded, event, not is_known, what)
        if recorded.type in ENDS:
            self._ended.add(event.run)

    def _check_step(self, recorded: Recorded, event: Any, is_new: bool, what: str) -> None:
        """What a step run reuses has executed, and did not reuse anything itself: so nobody goes round in circles.

        What only a newer version's events tell of may have executed; it is not told of by then.
        """
        step = StepRunId(event.run, event.step)
        if isinstance(event, StepReused) and is_new:
            if self._status_of(step) not in (None, RUNNING):
                raise self._refused(f"{what} ends a step that has ended")
            found = self._status_of(event.reuses)
            is_strange = found is None and event.reuses.run in self._strange and event.reuses != step
            if found != COMPLETED and not is_strange:
                raise self._refused(f"{what} reuses what never completed")
        self._steps[step] = STATUS[recorded.type]

    def _status_of(self, step: StepRunId) -> str | None:
        found = self._steps.get(step)
        return found if found is not None or self._taker is None else self._taker.status_of(step)

    def _require_run(self, run: bytes, origin: StoreId | None, what: str) -> None:
        found = self._runs.get(run)
        if found is None or (origin is not None and found.origin != origin):
            raise self._refused(f"{what} is about a run that is none of its own")

    def check_blobs(self) -> None:
        """Small blobs and manifests are read, and what manifests name must be there; others are read when taken."""
        bundle = self._bundle
        small = (one for one in bundle.table.blobs if one.size_bytes <= INLINE_MAX_BYTES)
        bundle.verify_gaps()
        bundle.verify_blobs(small)
        sizes = {held.digest: held.size_bytes for held in bundle.table.blobs}
        for held in bundle.table.blobs:
            if held.kind is not BlobKind.MANIFEST:
                continue
            try:
                manifest = Manifest.decode(bundle.read(held.digest))
            except ManifestCorrupt as error:
                raise self._corrupt(f"manifest {str(held.digest)[:12]}… can't be read") from error
            for part in manifest.named():
                is_manifest = isinstance(part, ManifestPart)
                kind = self._known.get(part.digest)
                if kind is None or (is_manifest and kind is not BlobKind.MANIFEST):
                    raise self._corrupt(f"blob {str(part.digest)[:12]}… is not in it, and a value needs it")
                if not is_manifest and sizes[part.digest] != part.size_bytes:
                    raise self._corrupt(f"blob {str(part.digest)[:12]}… has another size than a value says")

    def _corrupt(self, what: str) -> BundleCorrupt:
        return BundleCorrupt(f"the bundle is damaged: {what}", where=self._bundle.path, hint="Have it sent again.")

    def _refused(self, what: str) -> BundleRefused:
        return BundleRefused(
            f"the bundle is refused: {what}", where=self._bundle.path, hint="Ask who made it; nothing was imported."
        )
