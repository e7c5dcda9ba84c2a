"""Polars: a part for each column, through Arrow, and so a blob for each of its large buffers.

Columns go without their names, so that renaming one changes no blob. A column of objects is a list; one whose dtype
Arrow can't carry, as of 128-bit integers, is pickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa

from ..cas.manifest import Plain
from ..errors import Invalid, ManifestCorrupt
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown
from .pyarrow_streams import damage
from .table_views import COLUMNS_MAX, Column, Rows, arrow_of, facts_of, numbered, views_of
from .visualization import Visualization

_SHOWN_MAX_COLUMNS = 100
_ARROW, _ENUM, _OBJECTS, _PICKLED = "arrow", "enum", "objects", "pickled"


class Series(Materializer[pl.Series]):
    """Series, with their name."""

    format: ClassVar[str] = "polars.Series/1"
    exact: ClassVar[bool] = True

    def save(self, value: pl.Series, parts: PartWriter) -> Plain:
        layout = _layout(value)
        if layout == _OBJECTS:
            parts.value("values", value.to_list())
        elif layout == _PICKLED:
            parts.value("values", value.alias(""), pickled=True)
        else:
            parts.value("values", _to_arrow(value))
        return {"layout": layout, "name": value.name}

    def load(self, head: Any, parts: PartReader) -> pl.Series:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> pl.Series:
        check_rows_alone(self, selection)
        layout, name = head["layout"], head["name"]
        if layout in (_OBJECTS, _PICKLED):
            return _sliced(_from_objects(layout, parts.value("values")).alias(name), selection)
        values = parts.value("values", selection)
        with damage():
            # Polars takes texts for UTF-8, and reads beyond them where they are not.
            values.validate(full=True)
        if layout == _ENUM:
            return pl.Series(name, values.dictionary_decode()).cast(pl.Enum(values.dictionary.to_pylist()))
        if layout != _ARROW or not isinstance(values, pa.Array):
            raise ManifestCorrupt(f"a series can't be laid out as {layout!r}", where=self.format)
        try:
            return pl.Series(name, values)
        except (pl.exceptions.PanicException, pl.exceptions.PolarsError) as error:
            # It lacks some types of Arrow, and takes the names and the metadata of nested fields for UTF-8, which
            # Arrow doesn't look at.
            raise ManifestCorrupt("a series has Arrow data that Polars can't take", where=self.format) from error

    def metadata(self, value: pl.Series) -> dict[str, Plain]:
        return {"rows": len(value), "dtype": shown(value.dtype), "memory_bytes": value.estimated_size()}

    def visualize(self, value: pl.Series) -> Iterator[Visualization]:
        yield from views_of(rows_of([value], len(value)))


class DataFrame(Materializer[pl.DataFrame]):
    """Frames: the names of their columns, and the columns."""

    format: ClassVar[str] = "polars.DataFrame/1"
    exact: ClassVar[bool] = True

    def save(self, value: pl.DataFrame, parts: PartWriter) -> Plain:
        parts.value("names", value.columns)
        for number, column in enumerate(value):
            parts.value(f"column.{number}", column.alias(""), step=f"[{shown(column.name)!r}]")
        return None

    def load(self, head: Any, parts: PartReader) -> pl.DataFrame:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> pl.DataFrame:
        names = parts.value("names")
        wanted = names if selection.columns is None else selection.columns
        rows = Selection(rows=selection.rows)
        columns = []
        for name in wanted:
            if name not in names:
                known = shown(", ".join(names))
                raise Invalid(f"the frame has no column {shown(name)!r}", where=self.format, hint=f"It has {known}.")
            columns.append(parts.value(f"column.{names.index(name)}", rows).alias(name))
        if len({len(column) for column in columns}) > 1:
            raise ManifestCorrupt("the columns of a frame differ in length", where=self.format)
        return pl.DataFrame(columns)

    def metadata(self, value: pl.DataFrame) -> dict[str, Plain]:
        pairs = list(zip(value.columns, value.dtypes, strict=True))[:_SHOWN_MAX_COLUMNS]
        dtypes: dict[str, Plain] = {shown(name): shown(dtype) for name, dtype in pairs}
        known: dict[str, Plain] = {"rows": value.height, "columns": value.width, "dtypes": dtypes}
        facts = facts_of(rows_of(value.get_columns(), value.height))
        return {**known, "memory_bytes": int(value.estimated_size()), **facts}

    def visualize(self, value: pl.DataFrame) -> Iterator[Visualization]:
        yield from views_of(rows_of(value.get_columns(), value.height))


def rows_of(columns: Sequence[pl.Series], rows: int) -> Rows:
    """Columns of one length, as far as they are shown."""

    def column(series: pl.Series) -> Column:
        def values(rows: slice) -> Any:
            taken = series[rows]
            return arrow_of(taken.to_list() if isinstance(series.dtype, pl.Object) else taken.to_arrow())

        return Column(shown(series.name), shown(series.dtype), values)

    return Rows(rows, len(columns), [column(one) for one in columns[:COLUMNS_MAX]], numbered)


def _layout(series: pl.Series) -> str:
    if isinstance(series.dtype, pl.Enum):
        return _ENUM
    if isinstance(series.dtype, pl.Object):
        # Arrow would get addresses.
        return _OBJECTS
    try:
        empty = pl.Series(_to_arrow(series.clear()))
    except pa.ArrowException:
        return _PICKLED
    return _ARROW if empty.dtype == series.dtype else _PICKLED


def _from_objects(layout: str, values: Any) -> pl.Series:
    if layout == _OBJECTS:
        return pl.Series(values, dtype=pl.Object)
    if not isinstance(values, pl.Series):
        raise ManifestCorrupt("what was pickled for a series is none")
    return values


def _sliced(series: pl.Series, selection: Selection) -> pl.Series:
    start, stop, _ = (selection.rows or slice(None)).indices(len(series))
    return series.slice(start, max(0, stop - start))


def _to_arrow(series: pl.Series) -> Any:
    if isinstance(series.dtype, pl.Categorical):
        # Its own dictionary is shared with whatever this process has met before.
        return series.cast(pl.String).to_arrow().dictionary_encode()
    return series.to_arrow()
