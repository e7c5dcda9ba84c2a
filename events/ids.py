"""Identities: of stores, runs and events. Each is 16 bytes of its own type; `str` gives 32 hex digits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count, repeat
from random import Random
from struct import Struct
from typing import NamedTuple, Self

from ..cas.digest import Digest
from ..errors import InvalidReference

_ID_BYTES = 16
_SEED_BYTES = 64
_TIME_BITS = (1 << 48) - 1
_VERSION_SHIFT = 12
_VERSION_7 = 0x7 << _VERSION_SHIFT
_VARIANT = 0b10 << 62
_HALVES = Struct(">QQ")
_FIRST_COUNTED_BITS = 61
"""Of the 62 bits that count ids: so nobody counts to their end."""


class _Randomness:
    """Random bits that nobody else has: a generator of our own, seeded by the system once a process.

    Asking the system for each id takes longer than all the rest of an event. Threads may share it: drawing is one step
    of the interpreter. A forked child starts over, so that it never gives out the bits of its parent.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Be seeded anew."""
        self.bits = Random(os.urandom(_SEED_BYTES)).getrandbits
        self.event_bits = _VERSION_7 | self.bits(_VERSION_SHIFT)
        """In the upper half of event ids: what those of a process have in common."""
        self.lower_halves = count(_VARIANT | self.bits(_FIRST_COUNTED_BITS))
        """Of event ids."""


_randomness = _Randomness()
os.register_at_fork(after_in_child=_randomness.start_over)


class Identity(bytes):
    """16 bytes that name one thing."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != _ID_BYTES:
            raise InvalidReference(f"an identity has {_ID_BYTES} bytes, not {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def new(cls) -> Self:
        """A random one, so that its first hex digits tell it from the others."""
        return cls(_randomness.bits(8 * _ID_BYTES).to_bytes(_ID_BYTES, "big"))

    def __str__(self) -> str:
        return self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hex()[:12]}…)"


class StoreId(Identity):
    """Names a store wherever it moves."""

    __slots__ = ()


class RunId(Identity):
    """Names a run."""

    __slots__ = ()


class EventId(Identity):
    """Names an event in every store it is copied to: a UUID of version 7, so ordered by time (RFC 9562)."""

    __slots__ = ()

    @classmethod
    def new(cls) -> Self:
        """An id of this millisecond."""
        return bytes.__new__(cls, next(new_event_ids(1, time.time_ns() // 1000)))


def new_event_ids(number: int, time_us: int) -> Iterator[bytes]:
    """So many ids of events of this time, without their type: a process counts them on from a random one."""
    upper = (time_us // 1000 & _TIME_BITS) << 16 | _randomness.event_bits
    return map(_HALVES.pack, repeat(upper, number), _randomness.lower_halves)


class Fingerprint(Digest):
    """The digest of what determines a step's result: of causes, not of bytes."""

    __slots__ = ()


class StepRunId(NamedTuple):
    """Names a step run: its run and its name there."""

    run: RunId
    step: str

    def __str__(self) -> str:
        return f"{self.run.hex()}/{self.step}"
