"""What plain values show of themselves: long texts as they are, containers and records as trees in JSON."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from .forms import Record, contents_of
from .markup import shortened
from .type_names import type_name
from .visualization import Visualization

_TEXT_MAX_CHARACTERS = 50_000
_BYTES_MAX = 512
_NODES_MAX = 1000
_DEPTH_MAX = 20
_LEAF_MAX_CHARACTERS = 500
_MARKDOWN = re.compile(r"\A\s*#{1,6} \S|^(#{1,6} \S|```|\|.*\|\s*\n\|[ :|-]+\|)", re.MULTILINE)
_WHOLE_MAX = 1 << 53
"""What JSON's readers take exactly."""


def views_of(value: object) -> Iterator[Visualization]:
    """What a value of built-in types, or a record, shows of itself."""
    if type(value) is str:
        yield text_view(value)
    elif isinstance(value, bytes | bytearray):
        yield Visualization("bytes", "text/plain", hexadecimal(bytes(value[:_BYTES_MAX]), len(value)))
    elif _items(value) is not None:
        tree = json.dumps(_Tree().of(value, 0), ensure_ascii=False, allow_nan=False)
        yield Visualization("tree", "application/json", tree)


def text_view(text: str, name: str = "text") -> Visualization:
    """A text, as Markdown where it looks like that, cut where it is long."""
    kind = "text/markdown" if _MARKDOWN.search(text[:20_000]) else "text/plain"
    left = len(text) - _TEXT_MAX_CHARACTERS
    more = f"\n… and {left:,} more characters" if left > 0 else ""
    return Visualization(name, kind, text[:_TEXT_MAX_CHARACTERS] + more)


def hexadecimal(begin: bytes, size_bytes: int) -> str:
    """The first bytes, sixteen in a line: place, digits, and the characters of ASCII."""
    lines = []
    for start in range(0, len(begin), 16):
        row = begin[start : start + 16]
        text = "".join(chr(one) if 32 <= one < 127 else "." for one in row)
        lines.append(f"{start:08x}  {row.hex(' '):<47}  {text}")
    left = size_bytes - len(begin)
    return "\n".join([*lines, f"… and {left:,} more bytes"] if left > 0 else lines)


class _Tree:
    """Makes what JSON can say of a value, and no more of it than can be looked through."""

    def __init__(self) -> None:
        self._left = _NODES_MAX
        self._within: set[int] = set()

    def of(self, value: object, depth: int) -> Any:
        self._left -= 1
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return _number(value)
        if kind is str:
            return _cut(str(value))
        items = _items(value)
        if items is None or depth >= _DEPTH_MAX or id(value) in self._within:
            return _named(value)
        self._within.add(id(value))
        found = self._mapping(items, depth) if isinstance(items, Mapping) else self._sequence(value, items, depth)
        self._within.discard(id(value))
        return found

    def _mapping(self, items: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for place, (label, one) in enumerate(items.items()):
            if self._left <= 0:
                found["…"] = f"{len(items) - place:,} more"
                break
            found[_cut(label) if type(label) is str else shortened(_leaf(label), 100)] = self.of(one, depth + 1)
        return found

    def _sequence(self, value: object, items: Iterable[Any], depth: int) -> list[Any]:
        size = len(value)  # type: ignore[arg-type]
        found: list[Any] = []
        for one in islice(items, max(self._left, 0)):
            if self._left <= 0:
                break
            found.append(self.of(one, depth + 1))
        return [*found, f"… {size - len(found):,} more"] if size > len(found) else found


def _items(value: object) -> Mapping[Any, Any] | Iterable[Any] | None:
    """What is in a value; None where it is no container of plain Python, and no record."""
    if isinstance(value, dict | list | set | frozenset | deque):
        return value
    named = fields_of(value)
    return value if named is None and isinstance(value, tuple) else named


def fields_of(value: object) -> dict[str, Any] | None:
    """The fields of a dataclass, a NamedTuple, or an object of pydantic or attrs, or of what stands in for one."""
    if isinstance(value, Record):
        return contents_of(value)[1]
    names: Iterable[str] | None = getattr(value, "_fields", None) if isinstance(value, tuple) else None
    for declared in ("__dataclass_fields__", "__pydantic_fields__"):
        names = names or getattr(type(value), declared, None)
    if names is None:
        attributes = getattr(type(value), "__attrs_attrs__", None)
        names = None if attributes is None else [one.name for one in attributes]
    return None if names is None else {name: getattr(value, name) for name in names if hasattr(value, name)}


def _number(value: Any) -> Any:
    if type(value) is int:
        return value if abs(value) <= _WHOLE_MAX else _leaf(value)
    return value if math.isfinite(value) else str(value)


def _cut(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LEAF_MAX_CHARACTERS else f"{text[: _LEAF_MAX_CHARACTERS - 1]}…"


def _leaf(value: object) -> str:
    """A short text of a value of built-in types."""
    if type(value) is int and value.bit_length() > 1000:
        return f"an integer of {value.bit_length():,} bits"
    return _cut(repr(value))


def _named(value: object) -> str:
    """What an object inside is, without a look at it: its type, and its shape or length."""
    kind = type(value)
    if kind.__module__ in ("builtins", "datetime", "decimal", "fractions", "uuid", "pathlib"):
        return _leaf(value) if not isinstance(value, dict | list | tuple | set | frozenset) else "…"
    shape = getattr(value, "shape", None)
    size = f" {tuple(shape)}" if isinstance(shape, tuple) else ""
    return _cut(f"<{type_name(kind)}{size}>")
