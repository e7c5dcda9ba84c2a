"""Tables of pandas, Polars and Arrow, compared column by column."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from .told import NOTHING

COLUMNS = ("column", "type", "nulls", "min", "max", "mean", "distinct", "differing rows")
_STATISTICS = COLUMNS[1:-1]


class ColumnChange(NamedTuple):
    """A column that differs."""

    name: str
    old: dict[str, str] | None
    """Its statistics by name, such as type, nulls, min, max, mean, distinct; None where it is not there."""
    new: dict[str, str] | None
    differing_rows: int | None
    """How many rows differ; None where the tables have not as many, or the types differ."""

    def row(self) -> tuple[str, ...]:
        """It in a table."""
        cells = (_change(self.old, self.new, one) for one in _STATISTICS)
        return self.name, *cells, NOTHING if self.differing_rows is None else f"{self.differing_rows:,}"

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return self._asdict()


def table_of(value: Any) -> Any:
    """An Arrow table of the same columns; None for what is no table. What can't be in one is there as texts."""
    for module, name, converted in (
        ("pandas", "DataFrame", _of_pandas),
        ("pandas", "Series", lambda series: _of_pandas(series.to_frame("values"))),
        ("polars", "DataFrame", lambda frame: frame.to_arrow()),
        ("polars", "Series", lambda series: series.to_frame("values").to_arrow()),
        ("pyarrow", "Table", lambda table: table),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(value, kind):
            return converted(value)
    return None


def _of_pandas(frame: Any) -> Any:
    import pyarrow as pa

    index = [] if _is_counted(frame.index) else [("index", frame.index.to_series())]
    named = [*index, *((str(label), frame.iloc[:, number]) for number, label in enumerate(frame.columns))]
    arrays = [_array(column) for _, column in named]
    return pa.Table.from_arrays(arrays, names=[name for name, _ in named])


def _is_counted(index: Any) -> bool:
    return type(index).__name__ == "RangeIndex" and index.start == 0 and index.step == 1


def _array(column: Any) -> Any:
    import pyarrow as pa

    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([repr(one) for one in column])


def column_changes(old: Any, new: Any) -> tuple[ColumnChange, ...]:
    """The columns that differ, the new table's first; of two of a name, the first."""
    return tuple(_changes(old, new))


def _changes(old: Any, new: Any) -> Iterator[ColumnChange]:
    before, after = _by_name(old), _by_name(new)
    for name in dict.fromkeys((*after, *before)):
        one, other = before.get(name), after.get(name)
        if one is not None and other is not None:
            differing = _differing_rows(one, other)
            if differing == 0:
                continue
            yield ColumnChange(name, _statistics(one), _statistics(other), differing)
        else:
            told = [None if column is None else _statistics(column) for column in (one, other)]
            yield ColumnChange(name, told[0], told[1], None)


def _by_name(table: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        found.setdefault(name, column)
    return found


def _differing_rows(old: Any, new: Any) -> int | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    if old.type != new.type or len(old) != len(new):
        return None
    if old.equals(new):
        return 0
    try:
        is_same = pc.fill_null(pc.equal(old, new), False)
        is_same = pc.or_(is_same, pc.and_(pc.is_null(old), pc.is_null(new)))
        if pa.types.is_floating(old.type):
            is_nan = pc.and_(pc.fill_null(pc.is_nan(old), False), pc.fill_null(pc.is_nan(new), False))
            is_same = pc.or_(is_same, is_nan)
        return len(old) - int(pc.sum(is_same).as_py() or 0)
    except pa.ArrowNotImplementedError:
        pairs = zip(old.to_pylist(), new.to_pylist(), strict=True)
        return [one != other for one, other in pairs].count(True)


def _statistics(column: Any) -> dict[str, str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    told = {"type": str(column.type), "nulls": f"{column.null_count:,}"}
    try:
        ends = pc.min_max(column).as_py()
        told |= {"min": _short(ends["min"]), "max": _short(ends["max"])}
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            told["mean"] = _short(pc.mean(column).as_py())
        else:
            told["distinct"] = f"{pc.count_distinct(column).as_py():,}"
    except pa.ArrowNotImplementedError:  # As of lists, or of a column that has nothing but nulls.
        return told
    return told


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else NOTHING if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _change(old: dict[str, str] | None, new: dict[str, str] | None, name: str) -> str:
    before, after = (one.get(name, NOTHING) if one else NOTHING for one in (old, new))
    return before if before == after else f"{before} → {after}"
