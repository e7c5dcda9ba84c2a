"""The bytes of a bundle: a header, a table of what there is, events, and blobs, each at a place that follows from the
table. `docs/format.md` draws them.

Invariant: no byte is believed that no digest covers, and no place is: only sizes are written, and they add up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from ..cas import BlobKind, Digest, digest_of
from ..cas.files import MAP_FROM_BYTES
from ..errors import BundleCorrupt, FormatTooNew, NotABundle
from ..events.catalogue import Numbered, Subject
from ..events.ids import StoreId

MAGIC = b"lineal.bundle\r\n\x1a"
VERSION = 1
_FIXED = struct.Struct("<16sIIQQQQ32s32s")
HEADER_BYTES = _FIXED.size + 32
_BLOBS_ALIGNMENT = 4096
_SMALL_ALIGNMENT = 8
_NUMBER_MAX = 2**31 - 1
_SIZE_MAX = 1 << 62
_RESERVED = 0


class Header(NamedTuple):
    """What a bundle begins with."""

    size_bytes: int
    """Of the whole file."""
    table_bytes: int
    events_bytes: int
    events: int
    """How many there are."""
    table: Digest
    """Over the table's bytes."""
    stream: Digest
    """Over the bytes of the events."""

    def encoded(self) -> bytes:
        """The header's bytes, its own digest last."""
        sizes = self.size_bytes, self.table_bytes, self.events_bytes, self.events
        fixed = _FIXED.pack(MAGIC, VERSION, _RESERVED, *sizes, self.table, self.stream)
        return fixed + digest_of(fixed)


class Held(NamedTuple):
    """A blob that a bundle holds."""

    digest: Digest
    kind: BlobKind
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """What a bundle says of itself and of what it holds; every list is sorted."""

    store: StoreId
    """Where it was written."""
    head_seq: int
    """Where that store's log ended."""
    head_chain: Digest
    """Chain hash there."""
    subjects: tuple[Subject, ...]
    """What was asked for; none where that was everything."""
    numbers: tuple[Numbered, ...]
    """The numbers that runs, artifact versions and versions of pipelines have there."""
    deleted: tuple[Subject, ...]
    """The runs and artifact versions among them that were deleted there."""
    lacking: tuple[Digest, ...]
    """What events name and is not there any more: it was collected."""
    blobs: tuple[Held, ...]

    def encoded(self) -> bytes:
        """The table's bytes."""
        blobs = [[digest, int(kind), size_bytes] for digest, kind, size_bytes in self.blobs]
        rest = self.subjects, self.numbers, self.deleted, self.lacking, blobs
        fields = [[], self.store, self.head_seq, self.head_chain, *rest]
        return bytes(msgpack.packb(fields, use_bin_type=True, unicode_errors="surrogatepass"))


class Placed(NamedTuple):
    """Where a blob's bytes are."""

    offset: int
    held: Held


def placed(begin: int, blobs: Iterable[Held]) -> tuple[list[Placed], int]:
    """Where blobs are in a file whose events end at a place, and where the last one ends."""
    end = -(-begin // _BLOBS_ALIGNMENT) * _BLOBS_ALIGNMENT
    found = []
    for held in blobs:
        alignment = _BLOBS_ALIGNMENT if held.size_bytes >= MAP_FROM_BYTES else _SMALL_ALIGNMENT
        offset = -(-end // alignment) * alignment
        found.append(Placed(offset, held))
        end = offset + held.size_bytes
    return found, end if found else begin


def read_header(data: bytes, path: Path) -> tuple[Header, Digest]:
    """The header that a file begins with, and its digest, which names the bundle.

    Raises:
        NotABundle: It is none.
        FormatTooNew: A newer version wrote it.
        BundleCorrupt: It is damaged.
    """
    if not data.startswith(MAGIC):
        raise NotABundle("the file is not a bundle", where=path, hint="Give one that `lineal export` wrote.")
    if len(data) < HEADER_BYTES:
        raise cut_short(path)
    version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "little")
    if version > VERSION:
        raise too_new(f"the bundle has format {version}, known is {VERSION}", path)
    fixed, named = data[: _FIXED.size], Digest(data[_FIXED.size : HEADER_BYTES])
    if digest_of(fixed) != named or version != VERSION:
        raise BundleCorrupt("the bundle's header is damaged", where=path, hint="Have it sent again.")
    *_, size_bytes, table_bytes, events_bytes, events, table, stream = _FIXED.unpack(fixed)
    return Header(size_bytes, table_bytes, events_bytes, events, Digest(table), Digest(stream)), named


def read_table(data: bytes, path: Path) -> Table:
    """The table of these bytes.

    Raises:
        FormatTooNew: It requires what is not known here.
        BundleCorrupt: It can't be read, or is not in order.
    """
    try:
        required, store, head_seq, head_chain, subjects, numbers, deleted, lacking, blobs, *_ = msgpack.unpackb(
            data, use_list=True, strict_map_key=True, unicode_errors="surrogatepass"
        )
        if required:
            raise too_new(f"the bundle requires {', '.join(map(str, required))}, which is not known here", path)
        table = Table(
            StoreId(_exact(store, bytes)),
            _whole(head_seq, 1, _SIZE_MAX),
            Digest(_exact(head_chain, bytes)),
            tuple(map(_subject, subjects)),
            tuple(map(_numbered, numbers)),
            tuple(map(_subject, deleted)),
            tuple(Digest(_exact(one, bytes)) for one in lacking),
            tuple(map(_held, blobs)),
        )
    except (ValueError, TypeError, KeyError, OverflowError, msgpack.UnpackException) as error:
        raise BundleCorrupt(f"the bundle's table can't be read: {error}", where=path, hint=_AGAIN) from error
    digests = [held.digest for held in table.blobs]
    lists: tuple[Sequence[Any], ...] = (digests, table.lacking, table.numbers, table.deleted, table.subjects)
    if not all(map(_is_ascending, lists)) or not set(table.lacking).isdisjoint(digests):
        raise BundleCorrupt("the bundle's table is not in order", where=path, hint=_AGAIN)
    return table


_AGAIN = "Have it written again, by `lineal export`."


def cut_short(path: Path) -> BundleCorrupt:
    """The error of a bundle that does not have the size that it says."""
    return BundleCorrupt("the bundle was cut short, or something was added", where=path, hint="Have it sent again.")


def too_new(what: str, path: Path) -> FormatTooNew:
    """The error of a bundle that only a newer version can read."""
    return FormatTooNew(what, where=path, hint="Install a newer version of Lineal.")


def _subject(raw: Any) -> Subject:
    kind, name, id_ = raw
    return Subject(_exact(kind, str), _exact(name, str), _exact(id_, bytes))


def _numbered(raw: Any) -> Numbered:
    kind, name, id_, number = raw
    return Numbered(_exact(kind, str), _exact(name, str), _exact(id_, bytes), _whole(number, 1, _NUMBER_MAX))


def _held(raw: Any) -> Held:
    digest, kind, size_bytes = raw
    return Held(Digest(_exact(digest, bytes)), BlobKind(kind), _whole(size_bytes, 0, _SIZE_MAX))


def _exact(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} is wanted, not {type(value).__name__}")
    return value


def _whole(value: Any, first: int, last: int) -> int:
    number: int = _exact(value, int)
    if not first <= number <= last:
        raise ValueError("a number is too large or too small")
    return number


def _is_ascending(items: Sequence[Any]) -> bool:
    return all(items[place] < items[place + 1] for place in range(len(items) - 1))
