"""Eviction as history knows it: which release of a content stands, and what holds it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from ..cas.digest import Digest
from ..errors import ArtifactEvicted, BlobMissing
from ..events.projections import Lineage, Pins, References, Releases
from ..events.projections.steps import COMPLETED
from ..events.rows import key
from .lineage_parts import VersionKey
from .reader import Reader, moment
from .tracing import node_of


class Release(NamedTuple):
    """What said that a content need not be kept any more."""

    seq: int
    """Position of the event."""
    time: datetime
    reason: str


class Eviction(NamedTuple):
    """What took the bytes of a content away."""

    seq: int
    """Position of the event."""
    time: datetime


def eviction_of(reader: Reader, content: Digest) -> Eviction | None:
    """The eviction of a content that stands; None if there is none, or the content has been stored since."""
    found = reader.rows(Releases.name).latest(key("e", content))
    if found is None or not found.row:
        return None
    # No event that names a content is committed without its bytes.
    named = next(reader.rows(References.name).history(key("r", content), newest_first=True), None)
    if named is not None and named.seq > found.seq:
        return None
    return Eviction(found.seq, moment(reader.event(found.seq).time_us))


def evictions(reader: Reader) -> Iterator[tuple[Digest, Eviction]]:
    """The contents whose eviction stands, as of the view, in the order of their digests."""
    table = key("e")
    for place in reader.rows(Releases.name).keys(table):
        content = Digest(place[len(table) :])
        eviction = eviction_of(reader, content)
        if eviction is not None:
            yield content, eviction


def release_of(reader: Reader, content: Digest) -> Release | None:
    """The release of a content that stands; None if there is none, or the content has been held since."""
    found = reader.rows(Releases.name).latest(key("c", content))
    if found is None:
        return None
    upto, reason = found.row
    held = reader.rows(Releases.name).latest(key("h", content))
    if held is not None and held.seq > upto:
        return None
    if _is_named_after(reader, content, upto) or pinned_as(reader, content, reader.now_us):
        return None
    return Release(found.seq, moment(reader.event(found.seq).time_us), reason)


def pinned_as(reader: Reader, content: Digest, now_us: int) -> list[str]:
    """The labels that pin a content at this time."""
    found = reader.rows(Pins.name).latest(key("c", content))
    pairs = [] if found is None else found.row
    return [label for label, expires_us in pairs if expires_us is None or now_us < expires_us]


def is_literal(reader: Reader, content: Digest) -> bool:
    """Whether a step has taken a content as a literal."""
    return any(artifact is None for _, (*_, artifact) in reader.rows(Lineage.name).history(key("c", content)))


def _is_named_after(reader: Reader, content: Digest, upto: int) -> bool:
    """Whether a step or a save has given it, or a step has taken it as a literal, after a position."""
    rows = reader.rows(Lineage.name)
    for seq, row in rows.history(key("p", content), newest_first=True):
        if seq <= upto:
            break
        if row or getattr(reader.event(seq).event, "is_held", True):
            return True
    for seq, (*_, artifact) in rows.history(key("c", content), newest_first=True):
        if seq <= upto:
            return False
        if artifact is None:
            return True
    return False


@contextmanager
def explained(reader: Reader, name: str, content: Digest) -> Iterator[None]:
    """Say of an artifact version's bytes that are gone, inside the block, why they are and how to get them back."""
    try:
        yield
    except BlobMissing as error:
        raise _explanation(reader.at_present(), VersionKey(name, content), error) from error


def _explanation(reader: Reader, version: VersionKey, error: BlobMissing) -> ArtifactEvicted | BlobMissing:
    node = node_of(reader, *version)
    title = f"{node.name}@{node.version}"
    released = release_of(reader, version.content)
    hint = "It was saved by hand: save it again."
    if node.production is not None and node.production.status == COMPLETED:
        again = "run it again with caching off" if released is None else f"run `lineal recompute {title}`"
        hint = f"Step {node.production.step.step!r} of run {node.production.run_name} made it: {again}."
    if released is None:
        return error.about(f"{title} can't be loaded", hint=hint)
    return ArtifactEvicted(f"{title} was evicted at event {released.seq}: {released.reason}", hint=hint)
