"""Plain values: what Python and its standard library are made of, in containers that may hold anything.

The head is ``[layout, tree]``. Layouts: 0, a tree of msgpack's own types; 1, a tree with marks; 2 to 4, a large `str`,
`bytes` or `bytearray`, whose bytes are the part ``data``. A tree of more than 16 KiB is that part too, and None here.
What has a format of its own is ``child.0``, ``child.1``, …, but for tensors that share memory, of which all that share
the same are one part ``shared.0``, ``shared.1``, …; all opaque objects are one list, the part ``opaque``, so
that what they share stays shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgpack

from ..cas.manifest import INLINE_MAX_BYTES, Plain
from ..errors import ManifestCorrupt, UnsavableValue
from .base import PLAIN_FORMAT, Materializer, PartReader, PartWriter, name_of_code, shown
from .paths import path_to
from .torch_sharing import sharing
from .tree import TreeEncoder, decode
from .visualization import Visualization

_TREE, _MARKED_TREE, _STR, _BYTES, _BYTEARRAY = range(5)
_ATOMS = frozenset((type(None), bool, int, float))
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1
_pack_atom = msgpack.Packer().pack
"""Packs what is one item of msgpack's; threads may share it, since it runs no code of Python's meanwhile."""
_SHOWN_MAX_KEYS = 32
_PIECEWISE_FROM_CHARACTERS = 16 * 1024 * 1024
"""Texts from this length on are not encoded whole: that would take their size in memory once more."""
_PIECE_CHARACTERS = 256 * 1024


class PlainValues(Materializer[Any]):
    """Scalars, texts, dates, numbers, paths and the built-in containers, exactly as they are."""

    format: ClassVar[str] = PLAIN_FORMAT
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        if type(value) in _ATOMS and (type(value) is not int or _INT_MIN <= value <= _INT_MAX):
            return [_TREE, _pack_atom(value)]
        layout = _save_sequence(value, parts)
        if layout is not None:
            return [layout, None]
        encoder = TreeEncoder(parts.format_of)
        tree: bytes | None = encoder.encode(value)
        if tree is not None and len(tree) > INLINE_MAX_BYTES:
            parts.buffer("data", tree)
            tree = None
        for kind in encoder.classes:
            parts.names(name_of_code(kind))
        if encoder.children or encoder.opaque:
            _save_references(value, encoder, parts)
        return [_MARKED_TREE if encoder.is_marked else _TREE, tree]

    def load(self, head: Any, parts: PartReader) -> Any:
        layout, tree = head
        if layout in (_STR, _BYTES, _BYTEARRAY):
            return _load_sequence(layout, parts.buffer("data"))
        data = parts.buffer("data") if tree is None else tree
        if layout == _TREE:
            return decode(data, False, [], [])
        if layout != _MARKED_TREE:
            raise ManifestCorrupt(f"plain values have no layout {layout!r}")
        # Loaded before the tree is read: calls must not nest inside msgpack's, which take much of the C stack.
        names = parts.names()
        children = _load_children(names, parts)
        opaque = parts.value("opaque") if "opaque" in names else []
        return decode(data, True, children, opaque, may_import=parts.may_import)

    def metadata(self, value: Any) -> dict[str, Plain]:
        kind = type(value)
        if kind in (type(None), bool, float) or (kind is int and -(2**63) <= value < 2**63):
            return {"value": value}
        if kind is str and value == shown(value):
            return {"value": value}
        if kind is dict and len(value) <= _SHOWN_MAX_KEYS and {*map(type, value)} <= {str}:
            return {"length": len(value), "keys": [shown(key) for key in value]}
        return {"length": len(value)} if kind in (str, bytes, bytearray, list, tuple, set, frozenset, dict) else {}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        from .plain_charts import charts_of
        from .plain_views import views_of

        yield from charts_of(value)
        yield from views_of(value)


def _save_sequence(value: Any, parts: PartWriter) -> int | None:
    """Write a large text or byte string as it is, so that its blob is nothing else."""
    data: bytes | bytearray
    if type(value) is str and len(value) >= _PIECEWISE_FROM_CHARACTERS:
        if value.isascii():
            parts.source("data", AsciiSource(value))
        else:
            pieces = range(0, len(value), _PIECE_CHARACTERS)
            parts.stream("data", (_encoded(value[start : start + _PIECE_CHARACTERS]) for start in pieces))
        return _STR
    if type(value) is str and len(value) > INLINE_MAX_BYTES // 4:
        data = _encoded(value)
        layout = _STR
    elif type(value) is bytes or type(value) is bytearray:
        data = value
        layout = _BYTES if type(value) is bytes else _BYTEARRAY
    else:
        return None
    if len(data) <= INLINE_MAX_BYTES:
        return None
    parts.buffer("data", data)
    return layout


class AsciiSource:
    """The bytes of a text whose characters are all ASCII, encoded where they are asked for."""

    def __init__(self, text: str) -> None:
        """Stand for this text."""
        self._text = text
        self.size_bytes = len(text)

    def read_into(self, offset: int, target: memoryview) -> None:
        """Encode a part of the text."""
        for start in range(0, target.nbytes, _PIECE_CHARACTERS):
            stop = min(start + _PIECE_CHARACTERS, target.nbytes)
            target[start:stop] = self._text[offset + start : offset + stop].encode("ascii")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _load_sequence(layout: int, data: memoryview) -> str | bytes | bytearray:
    if layout == _STR:
        return str(data, "utf-8", "surrogatepass")
    return bytes(data) if layout == _BYTES else bytearray(data)


def _load_children(names: tuple[str, ...], parts: PartReader) -> list[Any]:
    found: dict[int, Any] = {}
    for name in names:
        kind, _, number = name.partition(".")
        if kind == "child":
            found[int(number)] = parts.value(name)
        elif kind == "shared":
            indices, tensors = parts.value(name)
            found.update(zip(indices, tensors, strict=True))
    return [found[index] for index in range(len(found))]


def _save_references(value: object, encoder: TreeEncoder, parts: PartWriter) -> None:
    shared = sharing(encoder.children)
    apart = {index for group in shared for index in group.indices}
    for number, group in enumerate(shared):
        parts.value(f"shared.{number}", group)
    for index, child in enumerate(encoder.children):
        if index in apart:
            continue
        try:
            parts.value(f"child.{index}", child)
        except UnsavableValue as error:
            error.details["steps"].insert(0, path_to(value, child))
            raise
    if encoder.opaque:
        try:
            parts.value("opaque", encoder.opaque, pickled=True)
        except UnsavableValue as error:
            _locate_opaque(error, value, encoder.opaque)
            raise


def _locate_opaque(error: UnsavableValue, value: object, opaque: list[Any]) -> None:
    """Say where in the value the failing object is, instead of where in the list of opaque ones."""
    steps = error.details["steps"]
    if len(steps) > 1:
        index = int(steps[1].strip("[]"))
        steps[:2] = [path_to(value, opaque[index])]
