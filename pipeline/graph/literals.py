"""Literals: what a pipeline was called with, and what it passes to steps, stored like any other value."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from operator import is_
from struct import Struct
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ...cas import Blob, BlobStore, Digest
from ...errors import InvalidPipeline, UnsavableValue
from ...materializers import REGISTRY, code_in, save
from .unkept import Unkept

_TEXT_MAX_CHARACTERS = 200
_pack_double = Struct(">d").pack
_SHOWN_TYPES = (type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
_REMEMBERED_TYPES = frozenset((type(None), bool, int, float, str))
_REMEMBERED_MAX = 65_536
SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))
_COPIED_TYPES = frozenset((list, dict, set, tuple, bytearray))


def fixed(value: Any) -> Any:
    """The value as it is now: built-in containers are copied, with the containers in them.

    What is none, such as an array, a table or a model, is kept by reference, since a copy may cost as much as all
    else: it must not be changed between the call of a step and the end of the run.
    """
    return value if type(value) not in _COPIED_TYPES else _copied(value, {})


def _copied(value: Any, known: dict[int, Any]) -> Any:
    kind = type(value)
    if kind not in _COPIED_TYPES:
        return value
    if id(value) in known:
        return known[id(value)]
    if kind is tuple:
        items = [_copied(item, known) for item in value]
        known[id(value)] = value if all(map(is_, items, value)) else tuple(items)
        return known[id(value)]
    copy = known[id(value)] = value.copy()
    # What a set holds is hashed by its content, and so can't be a container that changes.
    if kind is list and not SCALARS.issuperset(map(type, value)):
        copy[:] = [_copied(item, known) for item in value]
    elif kind is dict and not SCALARS.issuperset(map(type, value.values())):
        copy.update((key, _copied(item, known)) for key, item in value.items())
    return copy


def is_scalar(value: Any) -> bool:
    """Whether a literal is the same however often it is loaded, and so small that it may go along with whatever."""
    kind = type(value)
    return kind in SCALARS and not (kind in (str, bytes) and len(value) > _TEXT_MAX_CHARACTERS)


class SavedLiteral(NamedTuple):
    """A literal's content id, the receipts of its blobs, and a short text of it."""

    content: Digest
    blobs: tuple[Blob, ...]
    text: str
    code: Sequence[str] = ()
    """The classes and functions of which it is made."""


_remembered: WeakKeyDictionary[BlobStore | Unkept, dict[tuple[object, ...], SavedLiteral]] = WeakKeyDictionary()
"""By store, how simple literals are saved that were met before."""


class Literals:
    """Saves literals; simple ones that recur are saved once a process."""

    def __init__(self, blobs: BlobStore | Unkept) -> None:
        self._blobs = blobs
        self._remembered = _remembered.setdefault(blobs, {})

    def save(self, name: str, value: Any, step: str | None = None) -> SavedLiteral:
        """Save a literal that was given for a parameter of this name, of a step or of the pipeline.

        Raises:
            UnsavableValue: A part of it has no byte form.
            InvalidPipeline: A part of it is an output that no step has given yet.
        """
        kind = type(value)
        if kind not in _REMEMBERED_TYPES or (kind is str and len(value) > _TEXT_MAX_CHARACTERS):
            return self._save(name, value, step)
        # By its bits: 0.0 and -0.0 are equal, and a NaN is not equal to itself.
        known_as = (REGISTRY.for_type(kind), kind, _pack_double(value) if kind is float else value)
        saved = self._remembered.get(known_as)
        if saved is None:
            saved = self._save(name, value, step)
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[known_as] = saved
        return saved

    def _save(self, name: str, value: Any, step: str | None) -> SavedLiteral:
        with self._blobs.batch() as batch:
            try:
                saved = save(value, batch)
            except UnsavableValue as error:
                place = f"parameter {name!r}" if step is None else f"parameter {name!r} of step {step!r}"
                cause = error.__cause__
                if isinstance(cause, InvalidPipeline):
                    raise InvalidPipeline(f"{place}: {cause.what}", where=error.where, hint=cause.hint) from error
                raise error.about(f"{place} can't be saved") from error
            return SavedLiteral(saved.manifest.digest, batch.publish(), _text(value), code_in(saved.metadata))


def _text(value: Any) -> str:
    """A bounded text; of types that are not built in only the name, since their repr is code of others."""
    if type(value) not in _SHOWN_TYPES:
        return f"<{type(value).__qualname__}>"
    text = repr(value) if type(value) in (bool, int, float, type(None)) else reprlib.repr(value)
    return text if len(text) <= _TEXT_MAX_CHARACTERS else text[: _TEXT_MAX_CHARACTERS - 1] + "…"
