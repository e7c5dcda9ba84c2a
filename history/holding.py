"""Holding: why a blob is kept, as the paths from it to what holds it."""

from __future__ import annotations

from collections.abc import Iterator

from ..cas.digest import Digest
from ..errors import InvalidReference, NotFound
from ..events.catalogue import ContentVisualized, Subject
from ..events.liveness import DECODED, Liveness, Pin
from ..events.projections import Runs
from ..events.projections.runs import RunRow
from ..events.rows import key
from ..immutable import Immutable
from ..store import now_us
from .closure import Closure
from .labels import tags_of, version_aliases
from .reader import Reader
from .references import is_hex

_DIGITS_MIN = 6
_EVENTS_MAX = 10
"""How many events are named of those that hold one content."""


class HoldingEvent(Immutable):
    """An event that names a content."""

    seq: int
    type: str
    run: str | None
    """Name of its run."""
    step: str | None


class Hold(Immutable):
    """One content that keeps the blob, and what keeps the content."""

    content: Digest
    """The blob itself where something names it directly."""
    versions: tuple[str, ...]
    """The artifact versions that have the content, as ``name@3``; none for literals, code, logs and the like."""
    events: tuple[HoldingEvent, ...]
    """Those that name the content since it was released last, newest first; no more than ten."""
    more_events: int
    """How many more there are."""
    pins: tuple[Pin, ...]
    labels: dict[str, tuple[str, ...]]
    """The tags and aliases of the versions, for which a policy may keep them: ``keep_tagged`` of `Retention`."""
    aliases: tuple[str, ...]
    """What points to one of the versions, as ``model@champion``: a policy keeps those, unless it says otherwise."""


class Holding(Immutable):
    """Everything that keeps a blob. Without any hold, the next collection frees it."""

    digest: Digest
    size_bytes: int
    holds: tuple[Hold, ...]

    @property
    def is_kept(self) -> bool:
        """Whether anything holds it."""
        return bool(self.holds)


def why_kept(reader: Reader, digest: Digest) -> Holding:
    """What keeps a blob now. Cost: reads the log's envelopes and every manifest that is held.

    Raises:
        NotFound: The store has no such blob.
    """
    liveness = Liveness()
    liveness.fold(reader.store.log.envelopes(0, DECODED))
    at_us = now_us()
    closure = Closure(reader.store.blobs, ())
    entry = closure.catalog.get(digest)
    if entry is None:
        raise NotFound(f"the store has no blob {str(digest)[:12]}…", hint="It was collected, or never committed.")
    held = map(Digest, sorted(liveness.held(at_us)))
    roots = [root for root in held if root == digest or digest in closure.below(root)]
    events = _events(reader, roots, liveness)
    holds = tuple(_hold(reader, root, events[root], liveness.pins_of(root, at_us)) for root in roots)
    return Holding(digest, entry.size_bytes, holds)


def find_blob(reader: Reader, prefix: str) -> Digest:
    """The blob whose digest begins so.

    Raises:
        NotFound: There is none.
        InvalidReference: It is no beginning of a digest, or that of several.
    """
    if not is_hex(prefix) or not _DIGITS_MIN <= len(prefix) <= 64:
        raise InvalidReference(f"{prefix!r} is no beginning of a digest", hint="Write six or more hex digits.")
    found = [entry.digest for entry in reader.store.blobs.entries() if str(entry.digest).startswith(prefix.lower())]
    if len(found) > 1:
        raise InvalidReference(f"several blobs have digests that begin with {prefix!r}", hint="Give more digits.")
    if not found:
        raise NotFound(f"no blob's digest begins with {prefix!r}", hint="It was collected, or never committed.")
    return found[0]


def _events(reader: Reader, roots: list[Digest], liveness: Liveness) -> dict[Digest, list[int]]:
    """The positions of the events that hold each root, oldest first."""
    events: dict[Digest, list[int]] = {root: [] for root in roots}
    wanted = events.keys()
    for seq, type_, _, refs, fields in reader.store.log.envelopes(0, DECODED) if roots else ():
        if fields is None or type_ == ContentVisualized.TYPE:
            for root in wanted & {Digest(ref) for ref in refs}:
                if seq > liveness.released_upto(root):
                    events[root].append(seq)
    return events


def _hold(reader: Reader, root: Digest, seqs: list[int], pins: list[Pin]) -> Hold:
    newest = seqs[: -_EVENTS_MAX - 1 : -1]
    events = tuple(_event(reader, seq) for seq in newest)
    versions, labels = tuple(versions_of(reader, root)), _labels(reader, root)
    return Hold(root, versions, events, len(seqs) - len(events), tuple(pins), labels, _aliases(reader, root))


def _labels(reader: Reader, content: Digest) -> dict[str, tuple[str, ...]]:
    labels = {}
    for name, number in reader.names_of(content):
        aliases = version_aliases(reader, name, content)
        labels[f"{name}@{number}"] = (*aliases, *tags_of(reader, Subject("version", name, content)))
    return {version: found for version, found in labels.items() if found}


def _aliases(reader: Reader, content: Digest) -> tuple[str, ...]:
    names = [name for name, _ in reader.names_of(content)]
    return tuple(f"{name}@{alias}" for name in names for alias in version_aliases(reader, name, content))


def versions_of(reader: Reader, content: Digest) -> Iterator[str]:
    """The artifact versions that have a content, as ``name@3``."""
    for name, number in reader.names_of(content):
        yield f"{name}@{number}"


def _event(reader: Reader, seq: int) -> HoldingEvent:
    event = reader.event(seq).event
    found = reader.rows(Runs.name).latest(key("r", event.stream)) if event.stream else None
    run = None if found is None else RunRow.of(found.row).name
    return HoldingEvent(seq, event.TYPE or getattr(event, "type", ""), run, getattr(event, "step", None))
