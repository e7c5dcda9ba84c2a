"""Literals: what a pipeline was called with, and what it passes to steps, stored like any other value."""

from __future__ import annotations

import reprlib
from typing import Any, NamedTuple

from ..cas import Blob, BlobStore, Digest
from ..errors import UnsavableValue
from ..materializers import save

_TEXT_MAX_CHARACTERS = 200
_SHOWN_TYPES = (type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
_REMEMBERED_TYPES = (type(None), bool, int, str)


class SavedLiteral(NamedTuple):
    """A literal's content id, the receipts of its blobs where the run has not had them yet, and a short text of it."""

    content: Digest
    blobs: tuple[Blob, ...]
    text: str


class Literals:
    """Saves the literals of one run; simple ones that recur are saved once."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._saved: dict[tuple[type, Any], SavedLiteral] = {}

    def save(self, name: str, value: Any) -> SavedLiteral:
        """Save a literal that was given for a parameter of this name."""
        if type(value) not in _REMEMBERED_TYPES:
            return self._save(name, value)
        known = self._saved.get((type(value), value))
        if known is None:
            saved = self._save(name, value)
            self._saved[type(value), value] = saved._replace(blobs=())
            return saved
        return known

    def _save(self, name: str, value: Any) -> SavedLiteral:
        with self._blobs.batch() as batch:
            try:
                saved = save(value, batch)
            except UnsavableValue as error:
                raise error.about(f"parameter {name!r} can't be saved") from error
            return SavedLiteral(saved.manifest.digest, batch.publish(), _text(value))


def _text(value: Any) -> str:
    """A bounded text; of types that are not built in only the name, since their repr is code of others."""
    if type(value) not in _SHOWN_TYPES:
        return f"<{type(value).__qualname__}>"
    text = repr(value) if type(value) in (bool, int, float, type(None)) else reprlib.repr(value)
    return text if len(text) <= _TEXT_MAX_CHARACTERS else text[: _TEXT_MAX_CHARACTERS - 1] + "…"
