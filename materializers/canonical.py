"""Canonical pickles: streams that any unpickler reads, and that are equal for equal values in every process.

Three things make pickles of equal values differ, and none of them is left here: sets come in the order of their hashes;
texts are written once for each object that they are, which depends on what the interpreter interned; and code that is
pickled itself names files, lines and random ids. What is shared stays shared, of all that can be changed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

from .code_parts import CodeParts

PROTOCOL = 5
_Python: Any = pickle._Pickler  # whose methods are not in its stub
_TEXTS = (str, bytes)
_SETS = (set, frozenset)
_NATIVE = frozenset((type(None), bool, int, float, tuple, list, dict, *_SETS))
"""What is written as it is, with nobody asked for another way."""


class TooManyObjects(Exception):
    """A value has more objects than were to be pickled."""


class CanonicalPickler(CodeParts, _Python):  # type: ignore[misc]
    """Pickles, in Python. The interpreter's own pickler is some twenty times as fast, and can't be told the order."""

    dispatch: ClassVar[dict[type, Any]] = dict(_Python.dispatch)

    def __init__(
        self,
        stream: io.BytesIO,
        buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None,
        *,
        objects_max: int | None = None,
    ) -> None:
        """Start.

        Args:
            stream: Takes the bytes.
            buffer_callback: As `pickle` has it.
            objects_max: Raise `TooManyObjects` rather than look at more.
        """
        super().__init__(stream, PROTOCOL, buffer_callback=buffer_callback)
        self.start()
        self._left = -1 if objects_max is None else objects_max
        self._is_in_buffer = False

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """Write one object, and all that is in it."""
        if not self._left:
            raise TooManyObjects
        self._left -= 1
        kind = type(obj)
        if kind in _TEXTS:
            met = self.memo.get((kind, obj))
            if met is not None:
                self.write(self.get(met[0]))
                return
        elif kind not in _NATIVE or id(obj) in self.memo:
            super().save(obj, save_persistent_id)
            return
        self.dispatch[kind](self, obj)

    def memoize(self, obj: Any) -> None:
        """Remember what was written: a text by what it says, all else by what object it is."""
        if self._is_in_buffer:
            return
        kind = type(obj)
        index = len(self.memo)
        self.write(self.put(index))
        self.memo[(kind, obj) if kind in _TEXTS else id(obj)] = index, obj

    def _save_buffer(self, buffer: pickle.PickleBuffer) -> None:
        # What is in band is written as bytes or as a bytearray, and must not be taken for other bytes that are equal.
        self._is_in_buffer = True
        _Python.save_picklebuffer(self, buffer)
        self._is_in_buffer = False

    def _save_set(self, values: set[Any]) -> None:
        self.write(pickle.EMPTY_SET)
        self.memoize(values)
        self.write(pickle.MARK)
        for one in self._in_order(values):
            self.save(one)
        self.write(pickle.ADDITEMS)

    def _save_frozenset(self, values: frozenset[Any]) -> None:
        self.write(pickle.MARK)
        for one in self._in_order(values):
            self.save(one)
        if id(values) in self.memo:  # It holds itself, by way of something else.
            self.write(pickle.POP_MARK + self.get(self.memo[id(values)][0]))
            return
        self.write(pickle.FROZENSET)
        self.memoize(values)

    def _in_order(self, values: set[Any] | frozenset[Any]) -> list[Any]:
        if {*map(type, values)} <= {str}:
            return sorted(values)
        return sorted(values, key=canonical_bytes)

    dispatch[pickle.PickleBuffer] = _save_buffer
    dispatch[set] = _save_set
    dispatch[frozenset] = _save_frozenset


def canonical_bytes(value: object) -> bytes:
    """Pickle a value, with all of it in the stream."""
    stream = io.BytesIO()
    CanonicalPickler(stream).dump(value)
    return stream.getvalue()
