"""Arrow tables, batches and arrays, by the buffers of their columns as `pyarrow_arrays` lays them out.

Columns go without their names, so that renaming one changes no blob; names, nullability and metadata are in a table's
own part ``schema``. How a column was cut into chunks is no part of its value. The head is ``{rows, …}`` or ``{length,
type, …}``, with the lengths of dictionaries by path; a type that its name does not tell is the part ``type``.

Reading checks the size of every buffer, the lengths of texts and lists and the indices of dictionaries, so that damage
never leads outside of a buffer. Values of fixed width are not looked at, and neither is whether text is UTF-8 where it
is large enough to be mapped: that would read it all, and `lineal verify` knows better.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pyarrow as pa

from ..cas.manifest import Plain
from ..errors import Invalid, ManifestCorrupt, UnsavableValue
from .base import ALL, Materializer, PartReader, PartWriter, Selection, check_rows_alone, shown, type_name
from .pyarrow_arrays import ArrayReader, ArrayWriter
from .pyarrow_streams import damage, read_schema
from .table_views import COLUMNS_MAX, Column, Rows, facts_of, numbered, views_of
from .visualization import Visualization

_SHOWN_MAX_COLUMNS = 100
_STRETCHES = 100


class Columns(Materializer[Any]):
    """Tables and batches."""

    def save(self, value: Any, parts: PartWriter) -> Plain:
        with _refusals(value):
            parts.buffer("schema", memoryview(value.schema.serialize()))
            writer = ArrayWriter(parts)
            for index, column in enumerate(value.columns):
                writer.write_column(column, f"{index}.")
        return _head({"rows": value.num_rows}, writer)

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        schema = read_schema(parts.buffer("schema"))
        rows, start, stop = _range(head["rows"], selection)
        with damage():
            # Names are decoded where they are asked for: here, so that damage to them is found on loading.
            numbers = columns_selected(schema.names, selection)
            reader = ArrayReader(parts, head.get("dictionaries"))
            columns = [reader.read(schema.field(number).type, f"{number}.", rows, start, stop) for number in numbers]
            if numbers != list(range(len(schema))):
                schema = pa.schema([schema.field(number) for number in numbers], metadata=schema.metadata)
            return self.made(columns, schema, stop - start)

    def made(self, columns: list[Any], schema: Any, rows: int) -> Any:
        """Put so many rows of columns together."""
        if not columns:
            # Only a column can say how many rows there are.
            nothing = pa.Array.from_buffers(pa.null(), rows, [None])
            return self._of_columns([nothing], pa.schema([("", pa.null())], schema.metadata)).select([])
        return self._of_columns(columns, schema)

    @abstractmethod
    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        """Put columns together."""

    def metadata(self, value: Any) -> dict[str, Plain]:
        fields = list(value.schema)[:_SHOWN_MAX_COLUMNS]
        types: dict[str, Plain] = {shown(field.name): shown(field.type) for field in fields}
        known: dict[str, Plain] = {"rows": value.num_rows, "columns": value.num_columns, "types": types}
        return {**known, "memory_bytes": value.nbytes, **facts_of(rows_of(value))}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from views_of(rows_of(value))


class Table(Columns):
    """Tables, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.Table/2"

    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        return pa.Table.from_arrays(columns, schema=schema)


class RecordBatch(Columns):
    """Record batches, with their schema and its metadata."""

    format: ClassVar[str] = "pyarrow.RecordBatch/2"

    def _of_columns(self, columns: list[Any], schema: Any) -> Any:
        return pa.RecordBatch.from_arrays([whole(column) for column in columns], schema=schema)


class Array(Materializer[Any]):
    """Arrays of any type that Arrow itself can write."""

    format: ClassVar[str] = "pyarrow.Array/2"

    def save(self, value: Any, parts: PartWriter) -> Plain:
        with _refusals(value):
            name = _name_of_type(value.type)
            if name is None:
                parts.buffer("type", memoryview(pa.schema([("", value.type)]).serialize()))
            writer = ArrayWriter(parts)
            writer.write_column(value, "")
        return _head({"length": len(value), "type": name}, writer)

    def load(self, head: Any, parts: PartReader) -> Any:
        return self.load_part(head, parts, ALL)

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> Any:
        check_rows_alone(self, selection)
        length, start, stop = _range(head["length"], selection)
        name = head["type"]
        with damage():
            kind = read_schema(parts.buffer("type")).field(0).type if name is None else pa.type_for_alias(name)
            return self._made(ArrayReader(parts, head.get("dictionaries")).read(kind, "", length, start, stop))

    def _made(self, column: Any) -> Any:
        return whole(column)

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"length": len(value), "type": shown(value.type), "memory_bytes": value.nbytes}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from views_of(Rows(len(value), 1, [_column("", value)], numbered))


class ChunkedArray(Array):
    """Chunked arrays, in as few chunks as they can be."""

    format: ClassVar[str] = "pyarrow.ChunkedArray/2"

    def _made(self, column: Any) -> Any:
        return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def rows_of(value: Any) -> Rows:
    """A table or batch, as far as it is shown."""
    names = value.schema.names[:COLUMNS_MAX]
    columns = [_column(name, value.column(place)) for place, name in enumerate(names)]
    return Rows(value.num_rows, value.num_columns, columns, numbered)


def _column(name: str, values: Any) -> Column:
    def taken(rows: slice) -> Any:
        if rows.step in (None, 1):
            return whole(values.slice(rows.start, rows.stop - rows.start))
        # Stretches instead of single rows: those are found without a walk over the chunks for each.
        wide = max(1, len(range(*rows.indices(len(values)))) // _STRETCHES)
        starts = range(rows.start, rows.stop, wide * rows.step)
        stretches = [values.slice(start, wide) for start in starts]
        chunks = [chunk for one in stretches for chunk in (one.chunks if isinstance(one, pa.ChunkedArray) else [one])]
        return whole(pa.chunked_array(chunks, values.type))

    return Column(shown(name), shown(values.type), taken)


def _head(head: dict[str, Plain], writer: ArrayWriter) -> Plain:
    return {**head, "dictionaries": dict(writer.dictionaries)} if writer.dictionaries else head


def whole(column: Any) -> Any:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _range(length: Any, selection: Selection) -> tuple[int, int, int]:
    if type(length) is not int or not 0 <= length < 2**63:
        raise ManifestCorrupt(f"Arrow data can't have the length {length!r}")
    start, stop, _ = (slice(None) if selection.rows is None else selection.rows).indices(length)
    return length, start, max(start, stop)


def columns_selected(names: list[str], selection: Selection) -> list[int]:
    """The numbers of the columns that are wanted. Raises `Invalid` if one is not there."""
    if selection.columns is None:
        return list(range(len(names)))
    numbers: list[int] = []
    for label in selection.columns:
        found = [number for number, name in enumerate(names) if name == label]
        if not found:
            raise Invalid(f"the table has no column {label!r}", hint=f"It has {shown(', '.join(names))}.")
        numbers += found
    return numbers


def _name_of_type(kind: Any) -> str | None:
    """The name of a type that says it all."""
    name = str(kind)
    try:
        return name if pa.type_for_alias(name) == kind else None
    except ValueError:
        return None


@contextmanager
def _refusals(value: object) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        name = type_name(type(value))
        raise UnsavableValue(
            f"a {name} can't be saved: {error}", hint="Cast it to types that Arrow IPC can write.", type=name
        ) from error
