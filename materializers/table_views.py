"""What tables show of themselves: their first and last rows, and each column in a line with a small histogram.

A table is met as columns of Arrow, of which little is taken: its ends, and evenly spaced rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..cas.manifest import Plain
from .charts import histogram
from .markup import Markup, element, escaped, shortened
from .numeric import counts_of, finite_of, mean_of
from .pages import Cell, fragment, number, table
from .pyarrow_layout import has_lengths, is_text
from .visualization import Visualization

SAMPLE_MAX_ROWS = 10_000
_HEAD_ROWS, _TAIL_ROWS = 10, 5
_HEAD_COLUMNS = 20
COLUMNS_MAX = 100
"""So many columns are shown at most."""
_CELL_MAX_CHARACTERS = 60
_UNBROKEN = 32
_ITEMS_MAX = 100_000
"""So much may be in the lists of the rows that are shown."""
_FREQUENT = 3
_BINS = 24
_ZEROS = re.compile(r"\.0+(?!\d)")
"""Parts of a second of which there are none."""


class Column(NamedTuple):
    """One column."""

    name: str
    type: str
    values: Callable[[slice], pa.Array]
    """Its values in some rows; a slice may have a step."""


class Rows(NamedTuple):
    """A table, as far as it is shown."""

    rows: int
    columns: int
    """How many there are."""
    first: Sequence[Column]
    """The first of them, `COLUMNS_MAX` at most."""
    labels: Callable[[slice], Sequence[str]]
    """What some rows are called."""


def numbered(rows: slice) -> list[str]:
    """The labels of rows that have none."""
    return [f"{place:,}" for place in range(rows.start, rows.stop)]


def arrow_of(values: Any) -> pa.Array:
    """Values as an Arrow array; as texts where Arrow has no type for them."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        array = pa.array([None if one is None else shortened(one, _CELL_MAX_CHARACTERS) for one in values], pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def facts_of(table_: Rows) -> dict[str, Plain]:
    """How many values are missing in which columns, and the ends and means of numbers; of how many rows, if not all."""
    facts: dict[str, dict[str, Plain]] = {"nulls": {}, "min": {}, "max": {}, "mean": {}}
    taken = _sampled(table_)
    for column in table_.first:
        values = column.values(taken)
        nulls = _missing(values)
        if nulls:
            facts["nulls"][column.name] = nulls
        numbers = _numbers(values)
        if numbers is not None and numbers.size:
            low, high = numbers.min().item(), numbers.max().item()
            facts["min"][column.name], facts["max"][column.name] = low, high
            facts["mean"][column.name] = mean_of(numbers)
    found: dict[str, Plain] = {name: one for name, one in facts.items() if one}
    return found | {"sampled_rows": len(range(*taken.indices(table_.rows)))} if taken.step != 1 and found else found


def views_of(table_: Rows) -> Iterator[Visualization]:
    """The table's ends, and a summary of its columns."""
    yield Visualization("table", "text/html", fragment(_ends(table_)))
    if table_.rows and table_.first:
        yield Visualization("columns", "text/html", fragment(_summary(table_)))


def _sampled(table_: Rows) -> slice:
    return slice(0, table_.rows, max(1, -(-table_.rows // SAMPLE_MAX_ROWS)))


def _ends(table_: Rows) -> Markup:
    columns = table_.first[:_HEAD_COLUMNS]
    titles = ["", *(shortened(column.name, _CELL_MAX_CHARACTERS) for column in columns)]
    if table_.columns > len(columns):
        titles.append("…")
    rows: list[list[Cell]] = []
    for part in _parts(table_.rows):
        if rows:
            rows.append(["⋮", *("⋮" for _ in titles[1:])])
        cells = [_cells(column.values(part)) for column in columns]
        if table_.columns > len(columns):
            cells.append(["…"] * (part.stop - part.start))
        rows += [list(row) for row in zip(map(escaped, table_.labels(part)), *cells, strict=True)]
    caption = f"{table_.rows:,} rows × {table_.columns:,} columns"
    return table(titles, rows, markup=titles, caption=caption)


def _parts(rows: int) -> list[slice]:
    if rows <= _HEAD_ROWS + _TAIL_ROWS:
        return [slice(0, rows)] if rows else []
    return [slice(0, _HEAD_ROWS), slice(rows - _TAIL_ROWS, rows)]


def _cells(values: pa.Array) -> list[Cell]:
    return [_cell(one) for one in _listed(values)]


def _listed(values: pa.Array) -> list[Any]:
    if _holds_more(values, _ITEMS_MAX):
        return [None if one is None else "…" for one in values.is_valid().to_pylist()]
    try:
        found: list[Any] = values.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):  # As of dates that Python has no place for.
        found = values.cast(pa.string()).to_pylist()
    return found


def _holds_more(values: pa.Array, most: int) -> bool:
    """Whether more than so many elements are in lists, and in lists in them, whatever those take as Python objects."""
    kind = values.type
    if pa.types.is_struct(kind):
        return any(_holds_more(one, most) for one in values.flatten())
    if isinstance(values, pa.ExtensionArray):
        return _holds_more(values.storage, most)
    if isinstance(values, pa.DictionaryArray):
        return pa.types.is_nested(kind.value_type) and _holds_more(values.dictionary.take(values.indices), most)
    if pa.types.is_map(kind):
        ends = values.offsets
        inner = values.values.slice(ends[0].as_py(), ends[-1].as_py() - ends[0].as_py())
    elif pa.types.is_fixed_size_list(kind) or (has_lengths(kind) and not is_text(kind)):
        inner = values.flatten()
    else:
        return False
    return len(inner) > most or _holds_more(inner, most)


def _cell(value: Any) -> Markup:
    """A value as it stands in a table; whole numbers as they are, since they may be codes and years."""
    if value is None:
        return element("span", escaped("null"), class_="m")
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = number(value) if isinstance(value, float) else shortened(value, _CELL_MAX_CHARACTERS)
        return element("div", escaped(text), class_="n")
    text = _text_of(value)
    return element("div", escaped(text), style="white-space:nowrap") if len(text) <= _UNBROKEN else escaped(text)


def _text_of(value: object) -> str:
    return shortened(repr(value) if isinstance(value, bytes) else value, _CELL_MAX_CHARACTERS)


def _summary(table_: Rows) -> Markup:
    columns = table_.first
    taken = _sampled(table_)
    lines = [_line(column, column.values(taken)) for column in columns]
    of = "" if taken.step == 1 else f", by {len(range(*taken.indices(table_.rows))):,} of {table_.rows:,} rows"
    caption = f"{len(columns):,} of {table_.columns:,} columns{of}"
    titles = ("column", "type", "nulls", "min", "mean", "max", "values")
    return table(titles, lines, markup=("values",), caption=caption)


def _line(column: Column, values: pa.Array) -> list[Cell]:
    begin: list[Cell] = [shortened(column.name, _CELL_MAX_CHARACTERS), shortened(column.type, 40), _missing(values)]
    numbers = _numbers(values)
    if numbers is not None and numbers.size:
        drawn = _spread(finite_of(numbers))
        return [*begin, numbers.min().item(), mean_of(numbers), numbers.max().item(), drawn]
    if _is_time(values.type) and values.null_count < len(values):
        return [*begin, *_of_times(values)]
    return [*begin, None, None, None, _frequent(values)]


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_temporal(kind) and not pa.types.is_interval(kind)


def _of_times(values: pa.Array) -> list[Cell]:
    """Ends as Arrow writes them, which has a place for all times; a duration is so many of its unit."""
    kind, unit = values.type, ""
    integers = pc.drop_null(values).cast(pa.int64() if kind.bit_width == 64 else pa.int32())
    if pa.types.is_duration(kind):
        values, unit = integers, f" {kind.unit}"
    ends = pc.min_max(values)
    texts = (_ZEROS.sub("", ends[end].cast(pa.string()).as_py()) for end in ("min", "max"))
    low, high = (f"{shortened(text, 30)}{unit}" for text in texts)
    return [low, None, high, _spread(integers.to_numpy(zero_copy_only=False).astype(np.float64))]


def _spread(values: np.ndarray[Any, Any]) -> Markup:
    counts, _ = counts_of(values, _BINS)
    return histogram(counts.tolist(), tip="histogram")


def _frequent(values: pa.Array) -> Markup:
    """How many different values there are, and which are the most common."""
    try:
        counted = pc.value_counts(pc.drop_null(values))
    except (pa.ArrowException, NotImplementedError):
        return escaped("")
    counts = counted.field(1).to_numpy(zero_copy_only=False)
    most = np.argsort(-counts, kind="stable")[:_FREQUENT].tolist()
    if not most:
        return escaped("")
    if counts[most[0]] == 1:
        text = f"{len(counts):,} different"
        return element("span", escaped(text), class_="m")
    texts = (f"{shortened(_text_of(counted.field(0)[place].as_py()), 24)} × {counts[place]:,}" for place in most)
    text = f"{len(counts):,} different: {', '.join(texts)}{', …' if len(counts) > _FREQUENT else ''}"
    return element("div", escaped(text), style="min-width:20em")


def _missing(values: pa.Array) -> int:
    if pa.types.is_floating(values.type):
        return int(pc.sum(pc.is_null(values, nan_is_null=True)).as_py() or 0)
    return int(values.null_count)


def _numbers(values: pa.Array) -> np.ndarray[Any, Any] | None:
    """The values that are finite numbers; None where the column has none by its type."""
    kind = values.type
    if pa.types.is_boolean(kind) or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    ):
        return None
    if pa.types.is_decimal(kind):
        values = values.cast(pa.float64())
    found: np.ndarray[Any, Any] = pc.drop_null(values).to_numpy(zero_copy_only=False)
    return found[np.isfinite(found)] if found.dtype.kind == "f" else found
