"""Literals as they are shown: what steps and pipelines were called with, loaded back where that runs no code."""

from __future__ import annotations

from typing import Any

from ..errors import LinealError
from ..events.catalogue import Input
from .reader import Reader


def literal_values(reader: Reader, taken: tuple[Input, ...], *, only_plain: bool = False) -> dict[str, Any]:
    """Literals loaded back, by parameter; those whose loading would run code, or whose bytes are gone, as their text.

    With `only_plain`, so are all that are not of built-in types alone.
    """
    return {one.name: _literal_value(reader, one, only_plain) for one in taken if one.artifact is None}


def _literal_value(reader: Reader, taken: Input, only_plain: bool) -> Any:
    from ..materializers import is_plain, load, runs_code

    try:
        manifest = reader.manifest(taken.content)
        blobs = reader.store.blobs
        if runs_code(manifest, blobs) or (only_plain and not is_plain(manifest, blobs)):
            return taken.literal
        # Reading runs nothing: for values of the user's own classes, records stand in.
        return load(manifest, blobs, allow_pickle=False)
    except LinealError:
        return taken.literal
