"""Kinds: what a field of an event is, from its type, and so how a column of it is read and written."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..events.catalogue import Event
from .alike import Reader
from .cuts import Flags
from .json_text import Json, Piece, json_list, json_of
from .packed import Cells

_T = TypeVar("_T")


class Kind(Protocol):
    """What a field is. Each method reads one value of every row, and goes on behind it."""

    arrow: pa.DataType

    def column(self, cells: Cells) -> pa.Array:
        """The values, of the Arrow type."""

    def json(self, cells: Reader) -> Json:
        """The values as JSON."""


class _Plain:
    """A number, a text or a truth value; ids and digests are hex digits."""

    def __init__(self, arrow: pa.DataType, column: Callable[[Cells], pa.Array]) -> None:
        self.arrow = arrow
        self.column = column

    def json(self, cells: Reader) -> Json:
        return json_of(cells)


class _ListOf:
    def __init__(self, item: Kind) -> None:
        self._item = item
        self.arrow = pa.list_(item.arrow)

    def column(self, cells: Cells) -> pa.Array:
        rows, items = cells.elements()
        offsets = np.searchsorted(rows, np.arange(len(cells) + 1)).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), self._item.column(items), type=self.arrow)

    def json(self, cells: Reader) -> Json:
        return json_list(cells, self._item.json)


class RecordOf:
    """A record, stored as a list of its fields: what an older version left out has the default."""

    def __init__(self, names: Sequence[str], hints: dict[str, Any], defaults: dict[str, Any]) -> None:
        """A record of these fields."""
        self._kinds = {name: _kind_of(hints[name]) for name in names}
        self._defaults = {name: one for name, one in defaults.items() if isinstance(one, bool | int | str)}
        self.fields: list[tuple[str, pa.DataType]] = [(name, kind.arrow) for name, kind in self._kinds.items()]
        """Names and types of its columns."""
        self.arrow = pa.struct(self.fields)

    def columns(self, cells: Cells) -> dict[str, pa.Array]:
        """A column for each field."""

        def filled(column: pa.Array, missing: Flags, default: Any) -> pa.Array:
            return pc.if_else(pa.array(missing), pa.scalar(default, column.type), column)

        return self._read(cells, lambda kind, at: kind.column(at), filled)

    def column(self, cells: Cells) -> pa.Array:
        """The records as structs."""
        is_nil = cells.nils()
        if is_nil is not None and is_nil.all():
            return pa.nulls(len(cells.skip()), self.arrow)
        arrays = list(self.columns(cells).values())
        return pa.StructArray.from_arrays(
            arrays, fields=list(self.arrow), mask=None if is_nil is None else pa.array(is_nil)
        )

    def json(self, cells: Reader) -> Json:
        """The records as objects."""

        def filled(column: Json, missing: Flags, default: Any) -> Json:
            return Json(pc.if_else(pa.array(missing), json.dumps(default), column.whole(len(missing))))

        is_nil = cells.nils()
        if is_nil is not None and is_nil.all():
            return json_of(cells)
        parts: list[Piece] = []
        for name, column in self._read(cells, lambda kind, at: kind.json(at), filled).items():
            parts += [f'{", " if parts else ""}"{name}": ', *column.parts]
        written = Json("{", *parts, "}")
        return written if is_nil is None else Json(pc.if_else(pa.array(is_nil), "null", written.whole(len(is_nil))))

    def _read(
        self, cells: Reader, read: Callable[[Kind, Any], _T], filled: Callable[[_T, Flags, Any], _T]
    ) -> dict[str, _T]:
        inner = cells.opened()
        is_whole = inner.have(len(self._kinds))
        found: dict[str, _T] = {}
        for name, kind in self._kinds.items():
            missing = inner.missing() if name in self._defaults else None
            column = read(kind, inner)
            found[name] = column if missing is None else filled(column, missing, self._defaults[name])
        cells.go_behind(inner if is_whole else None)
        return found


def payload_of(kind: type[Event]) -> RecordOf:
    """What an event of a type says."""
    defaults = dict(zip(reversed(kind.FIELDS), reversed(kind.DEFAULTS), strict=False))
    return RecordOf(kind.FIELDS, get_type_hints(kind), defaults)


def _kind_of(hint: Any) -> Kind:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not types.NoneType]
        return _kind_of(inner)
    if origin is tuple:
        return _ListOf(_kind_of(arguments[0]))
    if hasattr(hint, "_fields"):
        return RecordOf(hint._fields, get_type_hints(hint), hint._field_defaults)
    if isinstance(hint, type) and issubclass(hint, bytes):
        return _Plain(pa.string(), Cells.hexes)
    return _PLAIN.get(hint, _ANY)


_PLAIN: dict[Any, Kind] = {
    str: _Plain(pa.string(), Cells.texts),
    bool: _Plain(pa.bool_(), Cells.booleans),
    int: _Plain(pa.int64(), lambda cells: cells.integers().arrow()),
    float: _Plain(pa.float64(), Cells.floats),
}
_ANY = _Plain(pa.string(), lambda cells: json_of(cells).whole(len(cells)))
"""What has no type of its own is JSON."""
