"""Arrow arrays as the buffers they are made of, each a part: so what was inserted or changed is all that is new.

An array is ``validity`` where it has nulls, and by its type: ``data`` of fixed width, or bits; ``lengths`` and ``data``
of texts and byte strings; ``lengths`` and an inner array of lists and maps; inner arrays alone of structs and of lists
of fixed size; indices and an inner array of dictionaries. Inner arrays are numbered: ``1.0.data``. Offsets are kept as
lengths, of the same width, since one inserted element changes every offset after it. Types without such a layout here,
as unions and run-end encodings, are IPC streams of one column, in the part ``stream``.

What is no part of the value is not written: what an array was sliced from, and what lies under its nulls.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ..cas.files import MAP_FROM_BYTES
from ..errors import BlobCorrupt, ManifestCorrupt
from .base import PartReader, PartWriter
from .pyarrow_layout import (
    BITS_A_BYTE,
    bytes_of_buffer,
    clean_bits,
    has_lengths,
    inner_type,
    is_fixed,
    is_list_view,
    is_text,
    offset_dtype,
    size_of_bits,
    without_views,
)
from .pyarrow_streams import read_stream, stream

_INNER = "0"
"""The one inner array of a list or map, or that of a dictionary."""


class ArrayWriter:
    """Writes arrays to the parts of one value."""

    def __init__(self, parts: PartWriter) -> None:
        self._parts = parts
        self.dictionaries: dict[str, int] = {}
        """Lengths of the dictionaries that were met, by path: no other array's length follows from it."""

    def write_column(self, column: Any, path: str) -> None:
        """Write an array, or a chunked one as one array where it can be."""
        if not isinstance(column, pa.ChunkedArray):
            self.write(column, path)
        elif column.num_chunks == 1:
            self.write(column.chunk(0), path)
        else:
            self._write_chunks(column, path)

    def _write_chunks(self, column: Any, path: str) -> None:
        table = pa.Table.from_arrays([column], names=[""])
        try:
            combined = table.unify_dictionaries().combine_chunks().column(0)
            one = combined.chunk(0) if combined.num_chunks == 1 else None
            if combined.num_chunks == 0:
                one = pa.array([], column.type)
        except pa.ArrowNotImplementedError:
            combined, one = column, None
        if one is None:
            self._parts.buffer(f"{path}stream", stream(combined))
        else:
            self.write(one, path)

    def write(self, array: Any, path: str) -> None:
        """Write an array under this path, which is empty or ends in a dot."""
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        kind = array.type
        if isinstance(array, pa.DictionaryArray):
            self.write(array.indices, path)
            self.dictionaries[path] = len(array.dictionary)
            self.write(array.dictionary, f"{path}{_INNER}.")
        elif pa.types.is_null(kind):
            return
        elif pa.types.is_struct(kind):
            self._write_validity(array, path)
            # Flattened, so that the fields are null where the struct is.
            for number, field in enumerate(array.flatten()):
                self.write(field, f"{path}{number}.")
        elif is_fixed(kind):
            self._write_fixed(array, path)
        elif not (has_lengths(kind) or pa.types.is_fixed_size_list(kind)) or not self._write_nested(array, path):
            self._write_other(array, path)

    def _write_validity(self, array: Any, path: str) -> Any:
        """Write the bitmap; give which elements are null, or None if none is."""
        if not array.null_count:
            return None
        self._parts.buffer(f"{path}validity", clean_bits(array.buffers()[0], array.offset, len(array)).data)
        return ~_valid(array)

    def _write_fixed(self, array: Any, path: str) -> None:
        nulls = self._write_validity(array, path)
        if pa.types.is_boolean(array.type):
            bits = clean_bits(array.buffers()[1], array.offset, len(array))
            if nulls is not None:
                bits = bits & ~np.packbits(nulls, bitorder="little")
            self._parts.buffer(f"{path}data", bits.data)
            return
        width = array.type.bit_width // BITS_A_BYTE
        data = bytes_of_buffer(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
        if nulls is not None and width:
            rows = data.reshape(-1, width)
            if rows[nulls].any():
                rows = rows.copy()
                rows[nulls] = 0
                data = rows.reshape(-1)
        self._parts.buffer(f"{path}data", data.data, item_bytes=max(width, 1))

    def _write_nested(self, array: Any, path: str) -> bool:
        """Write what has lengths, or lists of fixed size; false if what lies under its nulls can't be dropped."""
        kind = array.type
        if pa.types.is_fixed_size_list(kind):
            return self._write_fixed_lists(array, path)
        if is_list_view(kind):
            return self._write_list_views(array, path)
        if array.null_count and _holds_hidden(array):
            try:
                array = array.take(pa.array(np.arange(len(array))))
            except pa.ArrowNotImplementedError:
                return False
        self._write_validity(array, path)
        offsets = _offsets(array)
        start, stop = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
        self._write_lengths(np.diff(offsets), path)
        if is_text(kind):
            self._parts.buffer(f"{path}data", bytes_of_buffer(array.buffers()[2])[start:stop].data)
        else:
            self.write(array.values.slice(start, stop - start), f"{path}{_INNER}.")
        return True

    def _write_lengths(self, lengths: np.ndarray[Any, Any], path: str) -> None:
        self._parts.buffer(f"{path}lengths", lengths.view(np.uint8).data, item_bytes=lengths.itemsize)

    def _write_list_views(self, array: Any, path: str) -> bool:
        nulls = self._write_validity(array, path)
        sizes = bytes_of_buffer(array.buffers()[2]).view(offset_dtype(array.type))[
            array.offset : array.offset + len(array)
        ]
        self._write_lengths(sizes if nulls is None else np.where(nulls, sizes.dtype.type(0), sizes), path)
        # Flattened, they lie in order and without gaps.
        self.write(array.flatten(), f"{path}{_INNER}.")
        return True

    def _write_fixed_lists(self, array: Any, path: str) -> bool:
        size = array.type.list_size
        inner = array.values.slice(array.offset * size, len(array) * size)
        if array.null_count:
            nulls = np.repeat(~_valid(array), size)
            try:
                inner = inner.take(pa.array(np.arange(len(inner)), mask=nulls))
            except pa.ArrowNotImplementedError:
                return False
        self._write_validity(array, path)
        self.write(inner, f"{path}{_INNER}.")
        return True

    def _write_other(self, array: Any, path: str) -> None:
        try:
            plain = without_views(array.type)
            if plain is not None:
                self.write(array.cast(plain), path)
                return
            taken = array.take(pa.array(np.arange(len(array))))
            array = taken if taken.type == array.type else array
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
            # It stays as it is, with whatever else its buffers hold.
            pass
        self._parts.buffer(f"{path}stream", stream(pa.chunked_array([array])))


class ArrayReader:
    """Reads arrays from the parts of one value, in place."""

    def __init__(self, parts: PartReader, dictionaries: Any) -> None:
        self._parts = parts
        self._names = frozenset(parts.names())
        self._dictionaries = dictionaries

    def read(self, kind: Any, path: str, length: int, start: int, stop: int) -> Any:
        """Read elements from `start` to `stop` of an array of this type and length; of chunks, a chunked array."""
        if f"{path}stream" in self._names:
            return self._read_stream(kind, path, length).slice(start, stop - start)
        if isinstance(kind, pa.BaseExtensionType):
            return pa.ExtensionArray.from_storage(kind, self.read(kind.storage_type, path, length, start, stop))
        if pa.types.is_dictionary(kind):
            return self._read_dictionary(kind, path, length, start, stop)
        count = stop - start
        if pa.types.is_null(kind):
            return pa.Array.from_buffers(kind, count, [None])
        plain = without_views(kind)
        if plain is not None:
            return self.read(plain, path, length, start, stop).cast(kind)
        validity = self._bits(f"{path}validity", length, start, stop) if f"{path}validity" in self._names else None
        if pa.types.is_struct(kind):
            children = [
                self.read(kind.field(number).type, f"{path}{number}.", length, start, stop)
                for number in range(kind.num_fields)
            ]
            return self._made(kind, count, [validity], children)
        if pa.types.is_fixed_size_list(kind):
            size = kind.list_size
            inner = self.read(kind.value_type, f"{path}{_INNER}.", length * size, start * size, stop * size)
            return self._made(kind, count, [validity], [inner])
        if is_fixed(kind):
            return self._made(kind, count, [validity, self._fixed(kind, path, length, start, stop)])
        if not has_lengths(kind):
            raise ManifestCorrupt(f"an Arrow array of the type {kind} has no stream")
        return self._read_lengths(kind, path, length, start, stop, validity)

    def _read_stream(self, kind: Any, path: str, length: int) -> Any:
        column = read_stream(self._parts.buffer(f"{path}stream"))
        if column.type != kind or len(column) != length:
            raise ManifestCorrupt("a stream of Arrow data holds another type or length than was to be")
        return column.chunk(0) if column.num_chunks == 1 else column

    def _read_dictionary(self, kind: Any, path: str, length: int, start: int, stop: int) -> Any:
        size = self._dictionaries[path]
        if type(size) is not int or size < 0:
            raise ManifestCorrupt(f"a dictionary can't have the length {size!r}")
        indices = self.read(kind.index_type, path, length, start, stop)
        values = self.read(kind.value_type, f"{path}{_INNER}.", size, 0, size)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=kind.ordered, safe=True)

    def _read_lengths(self, kind: Any, path: str, length: int, start: int, stop: int, validity: Any) -> Any:
        dtype = offset_dtype(kind)
        self._check_size(f"{path}lengths", length * dtype.itemsize)
        lengths = np.frombuffer(self._parts.buffer(f"{path}lengths"), dtype)
        offsets = _offsets_of(lengths)
        first, last, total = int(offsets[start]), int(offsets[stop]), int(offsets[-1])
        own = pa.py_buffer(offsets[start : stop + 1] - first if first else offsets[start : stop + 1])
        if not is_text(kind):
            inner = self.read(inner_type(kind), f"{path}{_INNER}.", total, first, last)
            if is_list_view(kind):
                return self._made(kind, stop - start, [validity, own, pa.py_buffer(lengths[start:stop])], [inner])
            return self._made(kind, stop - start, [validity, own], [inner])
        self._check_size(f"{path}data", total)
        data = pa.py_buffer(self._parts.buffer(f"{path}data", first, last))
        array = self._made(kind, stop - start, [validity, own, data])
        if total < MAP_FROM_BYTES:
            array.validate(full=True)
        return array

    def _made(self, kind: Any, count: int, buffers: list[Any], children: list[Any] | None = None) -> Any:
        if children and pa.types.is_map(kind) and (children[0].null_count or children[0].field(0).null_count):
            # Arrow ends the process instead of raising.
            raise BlobCorrupt("a map in an Arrow array has keys that are null")
        null_count = 0 if buffers[0] is None else -1
        array = pa.Array.from_buffers(kind, count, buffers, null_count, children=children)
        array.validate()
        return array

    def _fixed(self, kind: Any, path: str, length: int, start: int, stop: int) -> Any:
        name = f"{path}data"
        if pa.types.is_boolean(kind):
            return self._bits(name, length, start, stop)
        width = kind.bit_width // BITS_A_BYTE
        self._check_size(name, length * width)
        return pa.py_buffer(self._parts.buffer(name, start * width, stop * width))

    def _bits(self, name: str, length: int, start: int, stop: int) -> Any:
        self._check_size(name, size_of_bits(length))
        skipped = start % BITS_A_BYTE
        data = self._parts.buffer(name, start // BITS_A_BYTE, size_of_bits(stop))
        return pa.py_buffer(clean_bits(data, skipped, stop - start).data if skipped else data)

    def _check_size(self, name: str, expected_bytes: int) -> None:
        found_bytes = self._parts.size_bytes(name)
        if found_bytes != expected_bytes:
            raise BlobCorrupt(f"an Arrow buffer of {expected_bytes:,} bytes has {found_bytes:,}", where=name)


def _offsets(array: Any) -> np.ndarray[Any, Any]:
    data = bytes_of_buffer(array.buffers()[1]).view(offset_dtype(array.type))
    return data[array.offset : array.offset + len(array) + 1]


def _valid(array: Any) -> np.ndarray[Any, Any]:
    """Which elements of an array with nulls are none."""
    bits = clean_bits(array.buffers()[0], array.offset, len(array))
    return np.unpackbits(bits, count=len(array), bitorder="little").view(np.bool_)


def _holds_hidden(array: Any) -> bool:
    """Whether there are elements under its nulls."""
    return bool(np.diff(_offsets(array))[~_valid(array)].any())


def _offsets_of(lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where each element begins, and the last one ends. Raises `BlobCorrupt` if one has a negative length or place."""
    # Not zeros: memory that is filled at once comes in huge pages, at a fraction of the cost.
    offsets = np.empty(len(lengths) + 1, lengths.dtype)
    offsets[0] = 0
    if len(lengths) == 0:
        return offsets
    room = np.iinfo(lengths.dtype).max
    # Added up only where it may be too much, and in floats, since a damaged sum may have no room in integers; one of a
    # real array is exact in either.
    longest = int(lengths.view(f"u{lengths.itemsize}").max())  # Unsigned: one below zero is too long as well.
    may_overflow = longest > room // len(lengths)
    if longest > room or (may_overflow and lengths.sum(dtype=np.float64) > room):
        raise BlobCorrupt("the lengths in an Arrow array can't be")
    np.cumsum(lengths, out=offsets[1:], dtype=lengths.dtype)
    return offsets
