"""What files and directories show of themselves: pictures and texts as they are, a directory as a tree of its names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..cas.tree import FileEntry, LinkEntry, Tree
from .plain_views import hexadecimal, text_view
from .visualization import Visualization

_ENTRIES_MAX = 500
_DEPTH_MAX = 20
_TEXT_MAX_BYTES = 512 * 1024
_IMAGE_MAX_BYTES = 2 * 1024 * 1024
_HEX_MAX_BYTES = 512
_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))


def views_of_file(stream: BinaryIO, size_bytes: int) -> Iterator[Visualization]:
    """A picture, a text, or the first bytes, as a look at them tells."""
    begin = stream.read(min(size_bytes, _TEXT_MAX_BYTES))
    for mark, kind in _IMAGES:
        if begin.startswith(mark):
            if size_bytes <= _IMAGE_MAX_BYTES:
                yield Visualization("image", f"image/{kind}", begin + stream.read())
            return
    text = _text(begin, is_whole=len(begin) == size_bytes)
    if text is None:
        yield Visualization("bytes", "text/plain", hexadecimal(begin[:_HEX_MAX_BYTES], size_bytes))
    elif text:
        yield text_view(text)


def _text(begin: bytes, *, is_whole: bool) -> str | None:
    """The text that bytes are in UTF-8, less a character that is cut at the end; None if they are none."""
    if b"\0" in begin:
        return None
    for cut in range(1 if is_whole else 4):
        try:
            return begin[: len(begin) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return None


def tree_of(source: Path | Tree) -> Iterator[Visualization]:
    """What lies in a directory, with sizes, each in a line."""
    lines = list(_lines(source, "", [_ENTRIES_MAX], 0))
    if lines:
        text = "\n".join(lines).encode("utf-8", "backslashreplace").decode()
        yield Visualization("tree", "text/plain", text)


def _lines(source: Path | Tree, indent: str, left: list[int], depth: int) -> Iterator[str]:
    entries = _of_disk(source) if isinstance(source, Path) else _of_store(source)
    entry = next(entries, None)
    while entry is not None:
        following = next(entries, None)
        left[0] -= 1
        if left[0] < 0:
            yield f"{indent}… and more"
            return
        name, note, inner = entry
        yield f"{indent}{'├── ' if following else '└── '}{name}{note}"
        if inner is not None and depth < _DEPTH_MAX:
            yield from _lines(inner, f"{indent}{'│   ' if following else '    '}", left, depth + 1)
            if left[0] < 0:
                return
        entry = following


_Entry = tuple[str, str, "Path | Tree | None"]


def _of_disk(directory: Path) -> Iterator[_Entry]:
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        if entry.is_symlink():
            yield entry.name, f" → {os.readlink(entry.path)}", None
        elif entry.is_dir():
            yield f"{entry.name}/", "", directory / entry.name
        else:
            yield entry.name, _size(entry.stat().st_size), None


def _of_store(directory: Tree) -> Iterator[_Entry]:
    for entry in directory:
        if isinstance(entry, Tree):
            yield f"{entry.name}/", "", entry
        elif isinstance(entry, LinkEntry):
            yield entry.name, f" → {os.fsdecode(entry.target)}", None
        else:
            assert isinstance(entry, FileEntry)
            yield entry.name, _size(entry.content.size_bytes), None


def _size(size_bytes: int) -> str:
    return f"  ({size_bytes:,} B)"
