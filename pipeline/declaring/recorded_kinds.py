"""Recorded kinds: the class that a stored value will be of, told by what is recorded of it alone."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping
from types import NoneType
from typing import Protocol

from ...errors import StoreClosed
from ...materializers import REGISTRY

_OURS = __name__.partition(".")[0]
_PACKAGES = frozenset({"numpy", "pandas", "pyarrow", "polars"})
"""Of whose classes what is loaded is of the class that was saved."""


class Stored(Protocol):
    """A manifest, or a version of an artifact."""

    @property
    def format(self) -> str:
        """Format id and version."""

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""


def recorded_kinds(stored: Mapping[str, Stored]) -> dict[str, type]:
    """By the same names, the classes of stored values, where they are known: none of them is loaded."""
    found = {name: _kind_of(one) for name, one in stored.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def _kind_of(stored: Stored) -> type | None:
    try:
        package, _, rest = stored.type.partition(".")
    except StoreClosed:
        return None  # Whoever takes it is told that it is of another store.
    if not rest:
        found = NoneType if package == "NoneType" else getattr(builtins, package, None)
    else:
        found = getattr(sys.modules.get(package), rest, None) if package in _PACKAGES else None
    if not isinstance(found, type) or not _is_ours(stored.format):
        return None
    return found


def _is_ours(format_id: str) -> bool:
    """Whether no materializer of the user's loads it, which may give what it likes."""
    return type(REGISTRY.for_format(format_id)).__module__.partition(".")[0] == _OURS
