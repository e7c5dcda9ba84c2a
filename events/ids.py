"""Identities: of stores, runs and events. Each is 16 bytes of its own type; `str` gives 32 hex digits."""

from __future__ import annotations

import os
import time
from typing import NamedTuple, Self

from ..cas.digest import Digest
from ..errors import InvalidReference

_ID_BYTES = 16
_FETCHED = 256
_TIME_BITS = (1 << 48) - 1
_VERSION_7 = 0x7 << 76 | 0b10 << 62
_RANDOM_BITS = 0xFFF << 64 | (1 << 62) - 1


class _Randomness:
    """Random bytes from the system, fetched in bulk: a call for each id would cost more than the rest of it.

    Threads may share it: taking from a list is one step. A forked child starts over, so that it never gives out the
    bytes of its parent.
    """

    def __init__(self) -> None:
        self._left: list[bytes] = []

    def forget(self) -> None:
        """Drop what is left."""
        self._left = []

    def take(self) -> bytes:
        """Bytes that nobody else gets."""
        while True:
            try:
                return self._left.pop()
            except IndexError:
                fresh = os.urandom(_ID_BYTES * _FETCHED)
                self._left.extend([fresh[place : place + _ID_BYTES] for place in range(0, len(fresh), _ID_BYTES)])


_randomness = _Randomness()
os.register_at_fork(after_in_child=_randomness.forget)


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
        return cls(_randomness.take())

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
        random = int.from_bytes(_randomness.take(), "big") & _RANDOM_BITS
        time_ms = time.time_ns() // 1_000_000 & _TIME_BITS
        return bytes.__new__(cls, (time_ms << 80 | _VERSION_7 | random).to_bytes(_ID_BYTES, "big"))


class Fingerprint(Digest):
    """The digest of what determines a step's result: of causes, not of bytes."""

    __slots__ = ()


class StepRunId(NamedTuple):
    """Names a step run: its run and its name there."""

    run: RunId
    step: str

    def __str__(self) -> str:
        return f"{self.run.hex()}/{self.step}"
