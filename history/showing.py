"""Showing: where a page goes, to a notebook or to a file, and what it says of a version."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ..materializers.base import CODE

_VALUE_MAX_CHARACTERS = 300
_FACTS_MAX = 40


class Described(Protocol):
    """What a page says of a version."""

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""

    @property
    def format(self) -> str:
        """Format id and version."""

    @property
    def size_bytes(self) -> int:
        """Logical size."""

    @property
    def created(self) -> datetime:
        """When it was first made."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the value."""


def facts_of(version: Described) -> Iterator[tuple[str, str]]:
    """What a version is, and what is known of its value, by label."""
    yield "type", version.type
    yield "format", version.format
    yield "size", f"{version.size_bytes:,} B"
    yield "created", version.created.isoformat(sep=" ", timespec="seconds")
    known = [(name, value) for name, value in version.metadata.items() if name != CODE]
    for name, value in known[:_FACTS_MAX]:
        yield str(name), _short(value)
    if len(known) > _FACTS_MAX:
        yield "", f"… and {len(known) - _FACTS_MAX} more"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _VALUE_MAX_CHARACTERS else f"{text[: _VALUE_MAX_CHARACTERS - 1]}…"


def displayed(shown: object) -> bool:
    """Whether a notebook runs this, and has displayed it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    sys.modules["IPython.display"].display(shown)
    return True


def written(page: str, name: str, path: str | os.PathLike[str] | None) -> Path:
    """Write a page where it is wanted; or to a new temporary directory, and open it there in the browser."""
    if path is not None:
        place = Path(path)
        place.write_text(page, encoding="utf-8")
        return place
    import tempfile
    import webbrowser

    place = Path(tempfile.mkdtemp(prefix="lineal-")) / f"{re.sub(r'[^A-Za-z0-9@._-]', '_', name)[:100]}.html"
    place.write_text(page, encoding="utf-8")
    webbrowser.open(place.as_uri())
    return place
