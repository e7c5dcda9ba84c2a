"""Events as they lie in the log: told apart by their first bytes, their payloads decoded only where that is asked for.

Invariant: an event reads the same opened and unopened. What does not have the form that today's `encode` gives it is
opened at once.
"""

from __future__ import annotations

import struct
from typing import Any

from .codec import Recorded
from .log import CHAIN_BYTES
from .schema import SCHEMAS

LENGTH_PLACE = CHAIN_BYTES + 2
"""Where a row of the log has the length of the event's type, in the bits of `LENGTH_BITS`. The type follows."""
LENGTH_BITS = 0x1F
TYPE_PLACE = LENGTH_PLACE + 1

HEADS: dict[bytes, str] = {
    bytes((0x98, version, 0xA0 | len(name))) + name.encode(): name  # msgpack's fixarray, positive fixint and fixstr.
    for version in (1, 2)
    for name in SCHEMAS
    if len(name) <= LENGTH_BITS
}
"""Of events that are read as the type that is stored: a row's bytes from `CHAIN_BYTES` to the end of the type."""

_ENVELOPE = struct.Struct(">H16sBQH16xBB")
"""Id, time, origin and the length of the stream, each after msgpack's mark of its form."""
_MARKS = 0xC410, 0xCF, 0xC410, 0xC4
_REFS = {
    0x90 | count: (struct.Struct("2x32s" * count).unpack_from, b"\xc4" * count, b" " * count) for count in range(16)
}
"""By the mark of so many digests: what takes them out, and what their marks are made of."""
_REF_BYTES = 34
_LATER = frozenset(("_event", "_origin", "chain", "fields"))


class Unopened(Recorded):
    """An event that is decoded once more of it is asked for than its envelope has; `LogCorrupt` may be raised then."""

    __slots__ = ("_row",)

    _row: bytes

    def __getattr__(self, name: str) -> Any:
        """Decode it, for what it hasn't yet."""
        if name not in _LATER:
            raise AttributeError(name)
        opened = opened_in(self.seq, self._row)
        for later in _LATER:
            setattr(self, later, getattr(opened, later))
        return getattr(opened, name)


def opened_in(seq: int, row: bytes) -> Recorded:
    """The event of a row of the log. Raises `LogCorrupt`."""
    return Recorded.read(seq, row[:CHAIN_BYTES], row[CHAIN_BYTES:])


def unopened_in(seq: int, row: bytes, type_: str, place: int) -> Recorded:
    """The event of a row of the log whose head is that of a type, and ends at this place; a fifth of the cost.

    Raises:
        LogCorrupt: The envelope is not one.
    """
    self: Unopened = object.__new__(Unopened)
    try:
        first = _ENVELOPE.unpack_from(row, place)
        id_mark, self.raw_id, time_mark, self.time_us, origin_mark, stream_mark, length = first
        place += _ENVELOPE.size
        self.stream = row[place : place + length]
        place += length + 1
        cut_refs, firsts, seconds = _REFS[row[place - 1]]
        self.named = cut_refs(row, place)
    except (struct.error, LookupError):
        return opened_in(seq, row)
    end = place + _REF_BYTES * len(firsts)
    is_known = (id_mark, time_mark, origin_mark, stream_mark) == _MARKS
    if not is_known or row[place:end:_REF_BYTES] != firsts or row[place + 1 : end : _REF_BYTES] != seconds:
        return opened_in(seq, row)
    self.seq, self.type, self._row = seq, type_, row
    return self
