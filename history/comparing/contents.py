"""Two values, loaded and compared: tables by columns, arrays by numbers, texts by lines, images side by side.

Of a container, each thing inside it that has such a form, under its path.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...cas.blob import BlobReader
from ...cas.manifest import Manifest
from ...immutable import Immutable
from ...materializers import load
from ...materializers.files import Directory, File
from ..why import Difference
from .changes import row_of
from .images import image_of, pictures_of
from .numbers import NUMBERS, array_of, array_statistics, differing_text
from .table_columns import COLUMNS, ColumnChange, column_changes, table_of
from .told import NOTHING, Part, Picture

ITEMS_MAX = 100
"""How many things inside two containers are compared."""
TEXT_MAX_BYTES = 1024 * 1024
"""A longer text is not compared line by line."""
DIFF_LINES_MAX = 500


class Comparison(NamedTuple):
    """One thing inside two values that differs."""

    path: str
    """Where it is; empty for the whole."""
    rows: Difference | None = None
    """Of a table that has got longer or shorter."""
    columns: tuple[ColumnChange, ...] = ()
    """Of a table: the columns that differ."""
    numbers: tuple[Difference, ...] = ()
    """Of arrays: type, shape, and statistics that differ, and how many elements do."""
    diff: str = ""
    """Of texts: a unified diff."""
    pictures: tuple[Picture, ...] = ()
    """Of images: both."""

    def parts(self) -> Iterator[Part]:
        """It in full."""
        place = self.path or "the value"
        rows = (() if self.rows is None else (row_of(self.rows),)) + tuple(map(row_of, self.numbers))
        yield Part(place, NUMBERS, rows)
        yield Part(f"columns of {place}", COLUMNS, tuple(one.row() for one in self.columns))
        yield Part(f"text of {place}", diff=self.diff)
        yield Part(f"images of {place}", pictures=self.pictures)

    def to_dict(self) -> dict[str, Any]:
        """It in plain values, images left out."""
        return {
            "path": self.path,
            "rows": None if self.rows is None else self.rows._asdict(),
            "columns": [one.to_dict() for one in self.columns],
            "numbers": [one._asdict() for one in self.numbers],
            "diff": self.diff,
        }


class ContentDiff(Immutable):
    """What loading two values tells."""

    comparisons: tuple[Comparison, ...]
    is_cut: bool
    """Whether there are more than `ITEMS_MAX` things."""

    def parts(self) -> Iterator[Part]:
        """It in full."""
        for comparison in self.comparisons:
            yield from comparison.parts()
        if self.is_cut:
            yield Part("more", text=f"only the first {ITEMS_MAX} things inside were compared")

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {"comparisons": [one.to_dict() for one in self.comparisons], "is_cut": self.is_cut}


def content_diff(blobs: BlobReader, old: Manifest, new: Manifest, allow_pickle: bool) -> ContentDiff:
    """Load two values and compare them.

    Raises:
        LoadRefused: Loading one would execute code, which was not allowed.
        BlobMissing, Corrupt: One is not there as it was written.
    """
    values = [load(one, blobs, allow_pickle=allow_pickle) for one in (old, new)]
    found: list[Comparison] = []
    for path, before, after in _pairs(values[0], values[1], ""):
        if len(found) == ITEMS_MAX:
            return ContentDiff(tuple(found), True)
        compared = _compared(path, before, after)
        if compared is not None:
            found.append(compared)
    return ContentDiff(tuple(found), False)


def _pairs(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """What both have at one place, containers taken apart."""
    if type(old) is type(new) is dict:
        for key, value in old.items():
            if key in new:
                yield from _pairs(value, new[key], f"{path}[{key!r}]")
    elif type(old) is type(new) and type(old) in (list, tuple):
        for number, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from _pairs(one, other, f"{path}[{number}]")
    elif isinstance(old, Directory) and isinstance(new, Directory):
        there = set(new)
        yield from ((f"{path}/{name}", old[name], new[name]) for name in old if name in there)
    else:
        yield path, old, new


def _compared(path: str, old: Any, new: Any) -> Comparison | None:
    """How two things differ; None where they are equal, or nothing more than that is known of them."""
    tables = table_of(old), table_of(new)
    if tables[0] is not None and tables[1] is not None:
        counts = [f"{one.num_rows:,}" for one in tables]
        rows = None if counts[0] == counts[1] else Difference("rows", *counts)
        columns = column_changes(tables[0], tables[1])
        return Comparison(path, rows=rows, columns=columns) if rows or columns else None
    images = image_of(old), image_of(new)
    if images[0] is not None and images[1] is not None:
        return None if images[0] == images[1] else Comparison(path, pictures=pictures_of(images[0], images[1]))
    arrays = array_of(old), array_of(new)
    if arrays[0] is not None and arrays[1] is not None:
        numbers = _numbers(*arrays)
        return Comparison(path, numbers=numbers) if numbers else None
    texts = _text_of(old), _text_of(new)
    if texts[0] is not None and texts[1] is not None and texts[0] != texts[1]:
        return Comparison(path, diff=_text_diff(texts[0], texts[1]))
    return None


def _numbers(old: Any, new: Any) -> tuple[Difference, ...]:
    differing = differing_text(old, new)
    if differing == "":
        return ()
    before, after = array_statistics(old), array_statistics(new)
    names = dict.fromkeys((*before, *after))
    changed = tuple(Difference(one, before.get(one), after.get(one)) for one in names)
    told = tuple(one for one in changed if one.old != one.new)
    return (*told, *([] if differing is None else [Difference("differing elements", NOTHING, differing)]))


def _text_of(value: Any) -> str | None:
    if isinstance(value, File):
        if value.size_bytes > TEXT_MAX_BYTES:
            return None
        value = value.read_bytes()
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
        return None if "\0" in value else value
    return value if isinstance(value, str) and len(value) <= TEXT_MAX_BYTES else None


def _text_diff(old: str, new: str) -> str:
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "now", lineterm=""))
    more = [f"… and {len(lines) - DIFF_LINES_MAX} more lines"] if len(lines) > DIFF_LINES_MAX else []
    return "\n".join([*lines[:DIFF_LINES_MAX], *more]) or "they differ in the ends of lines only"
