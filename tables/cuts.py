"""Cuts: what lies between positions of a buffer, as Arrow's columns of bytes, texts and hex digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import LogCorrupt

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]
_BYTES = pa.binary()
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)
_HEX_OF_TWO = _HEX.take(np.arange(65_536, dtype=np.uint16).view(np.uint8)).view(np.uint32)
_TOO_MUCH = "its values have more bytes than there are"


def are_alike(column: NDArray[Any]) -> bool:
    """Whether there are values, and all are the same."""
    return column.size > 0 and bool((column == column[0]).all())


def unaligned(data: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """The value of this type that begins at each byte."""
    return np.ndarray((len(data) - np.dtype(kind).itemsize + 1,), kind, data, strides=(1,))


def cut(data: NDArray[np.uint8], start: Positions, end: Positions, is_there: Flags | None = None) -> pa.Array:
    """The bytes between positions.

    Those of one length are gathered. Else Arrow takes every other piece of the whole buffer, without objects too.
    """
    sizes = end - start
    width = int(sizes[0]) if len(sizes) else 0
    if width > 0 and (is_there is None or is_there.all()) and (sizes == width).all():
        return gathered(data, start, width)
    # Arrow takes positions as they are, and what is nowhere would end the process.
    if sizes.min(initial=0) < 0 or end.max(initial=0) > len(data):
        raise unreadable("a value ends where there is none")
    if sizes.sum() > len(data):
        raise unreadable(_TOO_MUCH)
    places = np.empty(2 * len(start) + 1, np.int32)
    places[0:-1:2], places[1:-1:2], places[-1] = start, end, len(data)
    pieces = pa.BinaryArray.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(places), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, 2 * len(start), 2), mask=None if is_there is None else ~is_there))


def gathered(data: NDArray[np.uint8], start: Positions, size_bytes: int) -> pa.Array:
    """So many bytes from each position on."""
    return of_one_width(side_by_side(data, start, size_bytes))


def side_by_side(data: NDArray[np.uint8], start: Positions, size_bytes: int) -> NDArray[np.uint8]:
    """The same as a matrix."""
    if not size_bytes:
        return np.empty((len(start), 0), np.uint8)
    if len(start) * size_bytes > len(data):
        raise unreadable(_TOO_MUCH)
    return unaligned(data, f"V{size_bytes}")[start].view(np.uint8).reshape(len(start), size_bytes)


def of_one_width(pieces: NDArray[np.uint8], kind: pa.DataType = _BYTES) -> pa.Array:
    """The rows of a matrix, as bytes or as this type."""
    rows, size_bytes = pieces.shape
    places = (
        np.arange(0, (rows + 1) * size_bytes, size_bytes, dtype=np.int32)
        if size_bytes
        else np.zeros(rows + 1, np.int32)
    )
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(places), pa.py_buffer(np.ascontiguousarray(pieces))])


def text(raw: pa.Array) -> pa.Array:
    """Bytes as the texts they are; half surrogate pairs, which names of files may hold, become question marks."""
    array = pa.StringArray.from_buffers(len(raw), *_parts(raw))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        texts = [None if one is None else one.decode("utf-8", "surrogatepass") for one in raw.to_pylist()]
        return pa.array([one and one.encode("utf-8", "replace").decode() for one in texts], pa.string())
    return array


def hex_digits(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hex digits of bytes, or of those in the rows of a matrix; by two, that takes half the time."""
    if data.shape[-1] % 2:
        return _HEX.take(data).view(np.uint8)
    return _HEX_OF_TWO.take(data.view(np.uint16)).view(np.uint8)


def hexed(raw: pa.Array) -> pa.Array:
    """Bytes as their hex digits."""
    offsets, values, validity = _parts(raw)
    places = np.frombuffer(offsets, np.int32)[: len(raw) + 1]
    digits = hex_digits(np.frombuffer(values, np.uint8)) if values else np.empty(0, np.uint8)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(places * 2), pa.py_buffer(digits), validity)


def _parts(raw: pa.Array) -> tuple[Any, Any, Any]:
    """Offsets, values and validity of a binary array that begins at its buffers' beginning."""
    if raw.offset:
        raw = pa.concat_arrays([raw[:0], raw])
    validity, offsets, values = raw.buffers()
    return offsets, values, validity


def unreadable(why: str) -> LogCorrupt:
    """The error of rows that are not what they should be."""
    return LogCorrupt(f"rows can't be read as a table: {why}", hint="Run `lineal verify`.")
