"""Pickling one value: into a stream, with what is large and the classes that nothing else has beside it."""

from __future__ import annotations

import io
import pickle
from typing import Any

from ..cas.manifest import INLINE_MAX_BYTES
from ..errors import Unsupported
from .apart import is_apart
from .canonical import PROTOCOL, CanonicalPickler, TooManyObjects
from .code_parts import CodeParts
from .definitions import Loader, definition_of, is_defined_here

_CANONICAL_MAX_OBJECTS = 20_000
"""Values of more take the quick way where they hold no set: they are equal where they were made in the same way."""
_APART = {(__name__, "saved_apart"), (f"{__package__}.fallback", "saved_apart")}
"""What stands in streams for a value that is apart; the latter in older ones."""


class Pickled(CodeParts):
    """A pickler, and what it made of its value."""

    value: object
    stream: io.BytesIO
    buffers: list[memoryview]
    """What is out of band, in order."""
    apart: list[object]
    """What has a format of its own, in the order of its numbers."""

    def start(self) -> None:
        super().start()
        self.buffers = []
        self.apart = []

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) and is_defined_here(value):
            definition = definition_of(value)
            self.code |= definition.code
            self.packages |= definition.packages
            return self._taken(definition)
        if value is not self.value and is_apart(value):
            super().reducer_override(value)
            return self._taken(value)
        return super().reducer_override(value)

    def _taken(self, value: object) -> tuple[Any, tuple[int]]:
        self.apart.append(value)
        return saved_apart, (len(self.apart) - 1,)

    def stays_in_band(self, buffer: pickle.PickleBuffer) -> bool:
        """Keep what is large out of the stream."""
        raw = buffer.raw()
        if raw.nbytes <= INLINE_MAX_BYTES:
            return True
        self.buffers.append(raw)
        return False


class _Canonical(Pickled, CanonicalPickler):
    def __init__(self, value: object, objects_max: int | None) -> None:
        self.value, self.stream = value, io.BytesIO()
        super().__init__(self.stream, self.stays_in_band, objects_max=objects_max)
        self.dump(value)


class _HoldsSet(Exception):
    """A value holds a set, which only the canonical way orders."""


class _Quick(Pickled, pickle.Pickler):
    def __init__(self, value: object) -> None:
        self.value, self.stream = value, io.BytesIO()
        super().__init__(self.stream, PROTOCOL, buffer_callback=self.stays_in_band)
        self.start()
        self.dump(value)

    def persistent_id(self, value: Any) -> None:
        if (type(value) is set or type(value) is frozenset) and len(value) > 1:
            raise _HoldsSet


def pickled(value: object) -> Pickled:
    """Pickle a value so that it is equal in every process."""
    try:
        return _Canonical(value, _CANONICAL_MAX_OBJECTS)
    except (TooManyObjects, RecursionError):
        pass  # What is nested deep, the interpreter's own pickler still can do.
    try:
        return _Quick(value)
    except _HoldsSet:
        return _Canonical(value, None)


def unpickled(stream: io.BytesIO, buffers: list[memoryview], apart: list[Any]) -> Any:
    """Make a value again, from what was beside its stream, in order. It executes what the stream says."""
    return _Unpickler(stream, buffers, apart).load()


class _Unpickler(Loader):
    def __init__(self, stream: io.BytesIO, buffers: list[memoryview], apart: list[Any]) -> None:
        super().__init__(stream, buffers)
        self._apart = apart

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _APART:
            return self._apart.__getitem__
        return super().find_class(module, name)


def saved_apart(number: int) -> Any:
    """What stands in a stream for a value that was saved apart from it: this name is in streams, and stays."""
    raise Unsupported(f"value {number} is apart from the stream", hint="Load the whole value.")
