"""Atoms of NumPy: its scalars, each of its exact type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .atoms import Atom
from .numpy_dtypes import bytes_of, decode_dtype, encode_dtype

_NAMES = """
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 longdouble
    complex64 complex128 clongdouble datetime64 timedelta64 void
"""


def _fields(value: Any) -> tuple[Plain, bytes] | None:
    dtype = encode_dtype(value.dtype)
    if dtype is None:
        return None
    return dtype, bytes_of(np.asarray(value), "C").tobytes()


def _make(plain: Any, data: bytes) -> Any:
    dtype = decode_dtype(plain)
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise ManifestCorrupt(f"a scalar of {dtype.itemsize:,} bytes has others")
    return np.ndarray((), dtype, bytearray(data))[()]


ATOMS = (
    *(Atom(32, getattr(np, name), _fields, _make) for name in _NAMES.split()),
    # An array, and even str, would drop trailing zeros.
    Atom(33, np.str_, lambda value: (str.__getitem__(value, slice(None)),), np.str_),
    Atom(34, np.bytes_, lambda value: (bytes.__getitem__(value, slice(None)),), np.bytes_),
)
