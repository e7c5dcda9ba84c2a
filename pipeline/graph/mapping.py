"""Mapping: a step that is called for each item of a list, for each combination, or for groups of a table's rows."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InvalidPipeline
from .references import MappedRef, OutputRef, Reference

MapKind = Literal["zip", "product"]
"""How several lists are gone through: side by side, or in all combinations, the last one fastest."""

_LISTS = (list, tuple, range)


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An argument of a map that is given to each call as it is."""

    value: Any


@dataclass(frozen=True, slots=True)
class RowGroups:
    """A table, or what will be one, to be mapped over by groups of rows."""

    table: Any
    rows: int

    def slices(self, count: int) -> list[slice]:
        """Where the groups are in a table of so many rows; none is empty, and the last one may be shorter."""
        return [slice(start, min(start + self.rows, count)) for start in range(0, count, self.rows)]


def unmapped(value: Any) -> Any:
    """Give an argument of `Step.map` or `Step.product` to each call as it is, though it could be mapped over."""
    return Unmapped(value)


def row_groups(table: Any, rows: int) -> Any:
    """Map over a table by groups of rows: ``clean.map(row_groups(table, rows=10_000))``.

    Args:
        table: A pandas or Polars frame, an Arrow table, an array, or a step's output that is one.
        rows: How many rows a group has; the last one may have fewer.

    Raises:
        InvalidPipeline: That is less than one, or the table is none.
    """
    if rows < 1:
        raise InvalidPipeline(f"a group of {rows} rows is none", hint="Say how many rows, from 1.")
    if isinstance(table, MappedRef) or not (isinstance(table, OutputRef) or hasattr(table, "__len__")):
        raise InvalidPipeline(
            f"a {type(table).__name__} has no rows to be grouped", hint="Give a table, or a step's output that is one."
        )
    return RowGroups(table, rows)


@dataclass(frozen=True, slots=True)
class Spread:
    """The arguments of a map: what each call is given, and what they are given one by one."""

    kind: MapKind
    fixed: Mapping[str, Any]
    lists: Mapping[str, Any]
    """Items, where they are known; else a reference, or the groups of one."""

    @property
    def shown(self) -> dict[str, Any]:
        """All of them as a plain call would be given them."""
        lists = {name: one.table if isinstance(one, RowGroups) else one for name, one in self.lists.items()}
        return {**self.fixed, **lists}

    @property
    def is_known(self) -> bool:
        """Whether it is known how many calls there are."""
        return not any(isinstance(one, Reference | RowGroups) for one in self.lists.values())

    def calls(self, where: str) -> Iterator[dict[str, Any]]:
        """The arguments of each call. Raises `InvalidPipeline` if lists to be gone through side by side differ."""
        items = list(self.lists.values())
        if self.kind == "zip" and len({len(one) for one in items}) > 1:
            lengths = ", ".join(f"{name} has {len(one)}" for name, one in self.lists.items())
            raise InvalidPipeline(
                f"a map goes through lists side by side, but {lengths}",
                where=where,
                hint="Give lists of one length; product(…) goes through all combinations.",
            )
        combined: Iterable[tuple[Any, ...]] = (
            zip(*items, strict=True) if self.kind == "zip" else itertools.product(*items)
        )
        return ({**self.fixed, **dict(zip(self.lists, one, strict=True))} for one in combined)


def spread(kind: MapKind, bound: Mapping[str, Any], signature: inspect.Signature, where: str) -> Spread:
    """Tell what of the arguments of a map each call is given, and what they are given one by one.

    Raises:
        InvalidPipeline: Nothing is to be given one by one, or it can't be told of an argument.
    """
    fixed: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    for name, value in bound.items():
        if signature.parameters[name].kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise InvalidPipeline(
                f"{name!r} takes any number of arguments, which a map can't go through", where=where, hint=_GATHER_HINT
            )
        if isinstance(value, Unmapped):
            fixed[name] = value.value
        elif _is_spread(name, value, where):
            lists[name] = _items(value)
        else:
            fixed[name] = value
    if not lists:
        raise InvalidPipeline(
            "a map is given nothing to go through", where=where, hint="Give a list, a step's output or row_groups(…)."
        )
    return Spread(kind, fixed, lists)


_GATHER_HINT = "Map a step that takes one list."


def _is_spread(name: str, value: Any, where: str) -> bool:
    if isinstance(value, (*_LISTS, Reference, RowGroups, Iterator)):
        return True
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        return False
    raise InvalidPipeline(
        f"it can't be told whether {name!r}, a {type(value).__name__}, is to be mapped over",
        where=where,
        hint="Write list(…) for its items, row_groups(…) for its rows, or unmapped(…) for each call to get it whole.",
    )


def _items(value: Any) -> Sequence[Any] | Reference | RowGroups:
    if isinstance(value, OutputRef) and value.length is not None:
        return list(value)
    if isinstance(value, RowGroups) and not isinstance(value.table, Reference):
        return [rows_of(value.table, rows) for rows in value.slices(len(value.table))]
    return value if isinstance(value, (*_LISTS, Reference, RowGroups)) else list(value)


def rows_of(value: Any, rows: slice) -> Any:
    """Rows of a table, or items of a list."""
    if hasattr(value, "iloc"):
        return value.iloc[rows]
    if type(value).__module__.partition(".")[0] == "pyarrow":
        return value.slice(rows.start, rows.stop - rows.start)
    return value[rows]
