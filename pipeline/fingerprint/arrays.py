"""Values of numpy and pandas, by dtype, shape and C-order bytes; never by memory layout.

Imported only once such a value is met; the libraries are then loaded already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from .framing import frame_all, frame_str

if TYPE_CHECKING:
    import numpy as np


class Encoder(Protocol):
    """What this module asks of the encoder of the whole value."""

    def encode(self, value: object) -> bytes:
        """Any value."""

    def encode_all(self, tag: bytes, values: Iterable[object]) -> bytes:
        """A sequence of values, in their order."""

    def class_name(self, kind: type) -> bytes:
        """A type as part of its instance."""

    def buffer(self, data: bytes | memoryview) -> bytes:
        """A large buffer, by its digest."""


def encode_array(encoder: Encoder, value: Any) -> bytes | None:
    """The encoding of an array, scalar, dtype, frame, series or index; None for the libraries' other objects."""
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ma.MaskedArray):
        return encoder.encode_all(b"Ym", (value.filled(), numpy.ma.getmaskarray(value), value.fill_value))
    if isinstance(value, numpy.ndarray):
        return _ndarray(encoder, value)
    if isinstance(value, numpy.generic):
        return frame_all(b"Yp", [_ndarray(encoder, numpy.asarray(value))])
    if isinstance(value, numpy.dtype):
        return frame_all(b"Yt", [_dtype(encoder, value)])
    if isinstance(value, numpy.random.Generator):
        return encoder.encode_all(b"Yg", (type(value.bit_generator).__name__, value.bit_generator.state))
    return None if "pandas" not in sys.modules else _pandas(encoder, value)


def _ndarray(encoder: Encoder, array: np.ndarray[Any, Any]) -> bytes:
    numpy = sys.modules["numpy"]
    kind = type(array)
    plain = array.view(numpy.ndarray) if kind is not numpy.ndarray else array
    parts = [_dtype(encoder, array.dtype), encoder.encode(array.shape)]
    if array.dtype.hasobject or array.dtype.kind == "T":
        parts.append(encoder.encode(plain.ravel().tolist()))
    else:
        flat = numpy.ascontiguousarray(plain).reshape(-1).view(numpy.uint8) if plain.size else b""
        parts.append(encoder.buffer(memoryview(flat)))
    if kind not in (numpy.ndarray, numpy.memmap):
        parts.append(encoder.class_name(kind))
    return frame_all(b"Ya", parts)


def _dtype(encoder: Encoder, dtype: np.dtype[Any]) -> bytes:
    return encoder.encode(dtype.str if dtype.names is None else dtype.descr)


def _pandas(encoder: Encoder, value: Any) -> bytes | None:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        columns = [_column(encoder, value.iloc[:, place]) for place in range(value.shape[1])]
        return frame_all(b"Pf", [encoder.encode(value.columns), encoder.encode(value.index), *columns])
    if isinstance(value, pandas.Series):
        return frame_all(b"Ps", [encoder.encode(value.name), encoder.encode(value.index), _column(encoder, value)])
    if isinstance(value, pandas.RangeIndex):
        return encoder.encode_all(b"Pr", (value.name, value.start, value.stop, value.step))
    if isinstance(value, pandas.MultiIndex):
        levels = [_column(encoder, value.get_level_values(place)) for place in range(value.nlevels)]
        return frame_all(b"Pm", [encoder.encode(list(value.names)), *levels])
    if isinstance(value, pandas.Index):
        frequency = getattr(value, "freqstr", None)
        return frame_all(b"Pi", [encoder.encode(value.name), encoder.encode(frequency), _column(encoder, value)])
    return None


def _column(encoder: Encoder, column: Any) -> bytes:
    """One column: its dtype, where it is missing, and its values."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    dtype = column.dtype
    name = frame_str(str(dtype))
    if isinstance(dtype, pandas.CategoricalDtype):
        categorical = column.array
        parts = (categorical.codes, categorical.categories, categorical.ordered)
        return encoder.encode_all(b"Pc", parts)
    if isinstance(dtype, numpy.dtype) and not dtype.hasobject:
        return frame_all(b"Pn", [name, _ndarray(encoder, column.to_numpy())])
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return frame_all(b"Pz", [name, _ndarray(encoder, numpy.asarray(column.array.asi8))])
    missing = numpy.asarray(column.isna())
    values = column.to_numpy(dtype=object)[~missing].tolist()
    if values and all(type(item) is str for item in values):
        lengths = numpy.fromiter(map(len, values), dtype="<i8", count=len(values))
        text = encoder.buffer("".join(values).encode("utf-8", "surrogatepass"))
        return frame_all(b"Px", [name, _ndarray(encoder, missing), _ndarray(encoder, lengths), text])
    return frame_all(b"Po", [name, _ndarray(encoder, missing), encoder.encode(values)])
