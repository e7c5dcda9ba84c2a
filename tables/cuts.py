"""Cuts: what lies between positions of a buffer, as Arrow's columns of bytes, texts and hex digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)


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
    width = int(end[0] - start[0]) if len(start) else 0
    if width and (is_there is None or is_there.all()) and (end - start == width).all():
        return gathered(data, start, width)
    places = np.empty(2 * len(start) + 1, np.int32)
    places[0:-1:2], places[1:-1:2], places[-1] = start, end, len(data)
    pieces = pa.BinaryArray.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(places), pa.py_buffer(data)])
    return pieces.take(pa.array(np.arange(0, 2 * len(start), 2), mask=None if is_there is None else ~is_there))


def gathered(data: NDArray[np.uint8], start: Positions, size_bytes: int) -> pa.Array:
    """So many bytes from each position on."""
    pieces = pa.py_buffer(unaligned(data, f"V{size_bytes}")[start] if size_bytes else b"")
    places = pa.py_buffer(np.arange(len(start) + 1, dtype=np.int32) * np.int32(size_bytes))
    return pa.BinaryArray.from_buffers(pa.binary(), len(start), [None, places, pieces])


def text(raw: pa.Array) -> pa.Array:
    """Bytes as the texts they are; half surrogate pairs, which names of files may hold, become question marks."""
    array = pa.StringArray.from_buffers(len(raw), *_parts(raw))
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        texts = [None if one is None else one.decode("utf-8", "surrogatepass") for one in raw.to_pylist()]
        return pa.array([one and one.encode("utf-8", "replace").decode() for one in texts], pa.string())
    return array


def hexed(raw: pa.Array) -> pa.Array:
    """Bytes as their hex digits."""
    offsets, values, validity = _parts(raw)
    places = np.frombuffer(offsets, np.int32)[: len(raw) + 1]
    digits = _HEX.take(np.frombuffer(values, np.uint8)) if values else np.empty(0, np.uint16)
    return pa.StringArray.from_buffers(len(raw), pa.py_buffer(places * 2), pa.py_buffer(digits), validity)


def _parts(raw: pa.Array) -> tuple[Any, Any, Any]:
    """Offsets, values and validity of a binary array that begins at its buffers' beginning."""
    if raw.offset:
        raw = pa.concat_arrays([raw[:0], raw])
    validity, offsets, values = raw.buffers()
    return offsets, values, validity
