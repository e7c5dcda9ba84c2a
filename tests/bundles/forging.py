"""Bundles as somebody with bad intentions would make them: every digest right, and something wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lineal.bundles.layout import HEADER_BYTES, Header, Held, Table, placed
from lineal.bundles.reading import Bundle
from lineal.cas import Digest, digest_of
from lineal.events.catalogue import Event
from lineal.events.codec import Recorded, encode
from lineal.events.ids import EventId, StoreId


def said(event: Event, origin: StoreId, time_us: int = 1) -> bytes:
    """An event's bytes, as a store of this id would have written them."""
    return encode(event, event_id=EventId.new(), time_us=time_us, origin=origin)


def read(path: Path) -> tuple[Table, list[bytes], dict[Digest, bytes]]:
    """The table, events and blobs of a bundle."""
    with Bundle(path) as bundle:
        blobs = {held.digest: bundle.read(held.digest) for held in bundle.table.blobs}
        return bundle.table, list(bundle.bodies()), blobs


def write(path: Path, table: Table, bodies: Sequence[bytes], blobs: dict[Digest, bytes]) -> Path:
    """Write them as a bundle."""
    encoded = table.encoded()
    stream = b"".join(len(body).to_bytes(4, "little") + body for body in bodies)
    data = bytearray(HEADER_BYTES) + encoded + stream
    places, size_bytes = placed(len(data), table.blobs)
    for one in places:
        data += bytes(one.offset - len(data)) + blobs[one.held.digest]
    header = Header(size_bytes, len(encoded), len(stream), len(bodies), digest_of(encoded), digest_of(stream))
    data[:HEADER_BYTES] = header.encoded()
    path.write_bytes(data)
    return path


def forged(
    honest: Path,
    path: Path,
    *,
    table: Callable[[Table], Table] = lambda table: table,
    bodies: Callable[[list[bytes]], list[bytes]] = lambda bodies: bodies,
    blobs: Callable[[dict[Digest, bytes]], dict[Digest, bytes]] = lambda blobs: blobs,
) -> Path:
    """Write a bundle with a part of an honest one changed."""
    was, events, held = read(honest)
    return write(path, table(was), bodies(events), blobs(held))


def without(table: Table, digest: Digest) -> Table:
    """The table without a blob."""
    return replace(table, blobs=tuple(one for one in table.blobs if one.digest != digest))


def events_of(bodies: list[bytes]) -> list[Recorded]:
    """The events that these bytes are."""
    return [Recorded.read(seq, b"", body) for seq, body in enumerate(bodies, start=1)]


def with_blob(table: Table, held: Held) -> Table:
    """The table with one more blob."""
    return replace(table, blobs=tuple(sorted((*table.blobs, held))))
