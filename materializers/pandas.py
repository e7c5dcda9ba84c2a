"""Frames and series of pandas: a part for each column, not for each of the blocks that pandas keeps them in.

So a changed column is one new blob, and a column is loaded in place. Columns of NumPy dtypes are arrays; the others are
extension arrays, saved as `pandas_arrays` says, or pickled where they are another library's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..cas.manifest import Plain
from ..errors import Invalid, ManifestCorrupt
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown
from .confusion import confusion_of_frame
from .numeric import statistics
from .pandas_sparse import rows_of as rows_of_sparse
from .table_views import COLUMNS_MAX, Column, Rows, arrow_of, facts_of, views_of
from .visualization import Visualization

_SHOWN_MAX_COLUMNS = 100
_OBJECT = np.dtype(object)


class DataFrame(Materializer[Any]):
    """Frames, with their columns' labels, index, attributes and flags."""

    format: ClassVar[str] = "pandas.DataFrame/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("index", value.index, step=".index")
        parts.value("columns", value.columns, step=".columns")
        for number, (label, column) in enumerate(value.items()):
            parts.value(f"column.{number}", _values(column), step=f"[{shown(label)!r}]")
        return _save_extras(value, parts, {"columns": len(value.columns)})

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        labels = parts.value("columns")
        if len(labels) != head["columns"]:
            raise ManifestCorrupt("a frame has another number of columns than of labels", where=self.format)
        numbers = range(len(labels)) if selection.columns is None else _numbers(labels, selection.columns)
        rows = Selection(rows=selection.rows)
        index = parts.value("index", rows)
        columns = [_column(parts.value(f"column.{number}", rows), index) for number in numbers]
        frame = pd.DataFrame(dict(enumerate(columns)), index=index, copy=False)
        if len(frame) != len(index):
            raise ManifestCorrupt("the index of a frame has another length than its columns", where=self.format)
        frame.columns = labels if selection.columns is None else labels.take(numbers)
        return _with_extras(frame, head, parts)

    def metadata(self, value: Any) -> dict[str, Plain]:
        pairs = list(value.dtypes.items())[:_SHOWN_MAX_COLUMNS]
        dtypes: dict[str, Plain] = {shown(label): shown(dtype) for label, dtype in pairs}
        known: dict[str, Plain] = {"rows": len(value), "columns": len(value.columns), "dtypes": dtypes}
        return {**known, "memory_bytes": int(value.memory_usage().sum()), **facts_of(rows_of(value))}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from confusion_of_frame(value)
        yield from views_of(rows_of(value))


class Series(Materializer[Any]):
    """Series, with their name, index, attributes and flags."""

    format: ClassVar[str] = "pandas.Series/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("index", value.index, step=".index")
        parts.value("values", _values(value))
        if value.name is not None:
            parts.value("name", value.name, step=".name")
        return _save_extras(value, parts, {})

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        values = parts.value("values", selection)
        name = parts.value("name") if "name" in parts.names() else None
        series = pd.Series(values, index=parts.value("index", selection), dtype=values.dtype, name=name, copy=False)
        return _with_extras(series, head, parts)

    def metadata(self, value: Any) -> dict[str, Plain]:
        facts = statistics(value.to_numpy()) if isinstance(value.dtype, np.dtype) else {}
        return {"rows": len(value), "dtype": shown(value.dtype), "memory_bytes": int(value.memory_usage()), **facts}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from views_of(rows_of(value.to_frame("" if value.name is None else value.name)))


def rows_of(frame: Any) -> Rows:
    """A frame, as far as it is shown: its first columns by place, whatever their labels, under the index's labels."""

    def column(place: int) -> Column:
        series = frame.iloc[:, place]
        return Column(shown(frame.columns[place]), shown(series.dtype), lambda rows: arrow_of(_taken(series, rows)))

    def labels(rows: slice) -> list[str]:
        return [shown(label) for label in frame.index[rows]]

    columns = [column(place) for place in range(min(len(frame.columns), COLUMNS_MAX))]
    return Rows(len(frame), len(frame.columns), columns, labels)


def _taken(series: Any, rows: slice) -> Any:
    return (
        pd.Series(rows_of_sparse(series.array, rows)) if isinstance(series.dtype, pd.SparseDtype) else series.iloc[rows]
    )


def _values(series: Any) -> Any:
    return series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array


def _numbers(labels: Any, wanted: tuple[Hashable, ...]) -> list[int]:
    """Which columns have one of these labels; of a multi-index, its beginning will do."""
    places = np.arange(len(labels))
    numbers: list[int] = []
    for label in wanted:
        try:
            found = places[labels.get_loc(label)]
        except (LookupError, TypeError, ValueError) as error:
            known = ", ".join(shown(one) for one in labels[:_SHOWN_MAX_COLUMNS])
            raise Invalid(f"the frame has no column {shown(label)!r}", hint=f"It has {shown(known)}.") from error
        numbers += np.atleast_1d(found).tolist()
    return numbers


def _column(values: Any, index: Any) -> Any:
    # Bare objects would be looked at: texts among them would become the text dtype.
    if values.dtype == _OBJECT:
        return pd.Series(values, index=index, dtype=_OBJECT, copy=False)
    return values


def _save_extras(value: Any, parts: PartWriter, head: dict[str, Plain]) -> Plain:
    if value.attrs:
        parts.value("attrs", value.attrs, step=".attrs")
    return {**head, "allows_duplicate_labels": value.flags.allows_duplicate_labels}


def _with_extras(value: Any, head: dict[str, Any], parts: PartReader) -> Any:
    if "attrs" in parts.names():
        value.attrs = parts.value("attrs")
    if not head["allows_duplicate_labels"]:
        value.flags.allows_duplicate_labels = False
    return value
