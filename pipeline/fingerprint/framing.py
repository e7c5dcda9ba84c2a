"""Framing: typed, self-delimiting byte strings, so that a concatenation can be read in one way only.

Every item is a tag, a decimal length or count, a colon and its payload. No encoding is a prefix of another,
so sequences need no separators, and the type is part of what is hashed: 1, True, 1.0, "1" and b"1" all differ.
"""

from __future__ import annotations

from collections.abc import Collection
from struct import Struct

_pack_double = Struct(">d").pack
_pack_doubles = Struct(">dd").pack

NONE = b"N"
TRUE = b"T"
FALSE = b"F"
ELLIPSIS = b"E"


def frame(tag: bytes, payload: bytes) -> bytes:
    """One item of this type: ``tag`` must hold no digit."""
    return b"%b%d:%b" % (tag, len(payload), payload)


def frame_all(tag: bytes, items: Collection[bytes]) -> bytes:
    """A sequence of framed items, in their order."""
    return b"%b%d:%b" % (tag, len(items), b"".join(items))


def frame_str(value: str) -> bytes:
    """Text, lone surrogates included."""
    payload = value.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(payload), payload)


def frame_bytes(value: bytes) -> bytes:
    """Bytes."""
    return b"b%d:%b" % (len(value), value)


def frame_bool(value: bool) -> bytes:
    """A truth value."""
    return TRUE if value else FALSE


def frame_int(value: int) -> bytes:
    """An integer of any size."""
    payload = b"%x" % value
    return b"i%d:%b" % (len(payload), payload)


def frame_float(value: float) -> bytes:
    """A float by its bits: 0.0 and -0.0 differ, a NaN equals itself."""
    return b"f" + _pack_double(value)


def frame_complex(value: complex) -> bytes:
    """A complex number by the bits of its parts."""
    return b"c" + _pack_doubles(value.real, value.imag)


def frame_constant(value: object) -> bytes:
    """A scalar that source text can spell; whatever is none of the others is ``...``."""
    match value:
        case None:
            return NONE
        case bool():
            return frame_bool(value)
        case int():
            return frame_int(value)
        case float():
            return frame_float(value)
        case complex():
            return frame_complex(value)
        case str():
            return frame_str(value)
        case bytes():
            return frame_bytes(value)
        case _:
            return ELLIPSIS
