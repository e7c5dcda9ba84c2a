"""Dtypes as plain data, and arrays as bytes that say nothing but their values."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt

_SIMPLE = re.compile(r"[<>|](?:[?biufcSUV]\d+|[mM]8(?:\[(?:[1-9]\d*)?[A-Za-zμ]+\])?)")
_EXTENDED_LONGDOUBLE_BITS = 63
_EXTENDED_LONGDOUBLE_BYTES = 10
_LONGDOUBLE_HAS_PADDING = np.finfo(np.longdouble).nmant == _EXTENDED_LONGDOUBLE_BITS


def encode_dtype(dtype: np.dtype[Any]) -> Plain:
    """Describe a dtype of fixed-size values; None if only pickling can, as with objects and other libraries' dtypes."""
    plain = _describe(dtype)
    return plain if plain is not None and _is_same(decode_dtype(plain), dtype) else None


def _describe(dtype: np.dtype[Any]) -> Plain:
    if dtype.hasobject or dtype.metadata is not None:
        return None
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        inner = _describe(base)
        return None if inner is None else {"base": inner, "shape": list(shape)}
    if dtype.names is None:
        return dtype.str if _SIMPLE.fullmatch(dtype.str) else None
    fields = [dtype.fields[name] for name in dtype.names] if dtype.fields else []
    formats = [_describe(field[0]) for field in fields]
    if None in formats or any(len(field) > 2 for field in fields):
        return None
    return {
        "names": list(dtype.names),
        "formats": formats,
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def _is_same(one: np.dtype[Any], other: np.dtype[Any]) -> bool:
    # Equality alone takes a record for the structure that it is.
    is_same_kind = one.type is other.type or one.kind != "V"
    return one == other and is_same_kind and one.isalignedstruct == other.isalignedstruct


def decode_dtype(plain: Any) -> np.dtype[Any]:
    """Make a dtype again; its values never hold objects.

    Raises:
        ManifestCorrupt: The description is none.
        LookupError, TypeError, ValueError: The same.
    """
    if isinstance(plain, str) and _SIMPLE.fullmatch(plain):
        return np.dtype(plain)
    if not isinstance(plain, dict):
        raise ManifestCorrupt(f"{plain!r} describes no dtype")
    if "base" in plain:
        return np.dtype((decode_dtype(plain["base"]), tuple(plain["shape"])))
    formats = [decode_dtype(one) for one in plain["formats"]]
    ends = [offset + one.itemsize for offset, one in zip(plain["offsets"], formats, strict=True)]
    if max(ends, default=0) > plain["itemsize"]:
        # NumPy adds these up in 32 bits, and then reads whatever lies there.
        raise ManifestCorrupt("a field of a dtype ends beyond it")
    structure: Any = {name: plain[name] for name in ("names", "offsets", "itemsize")}
    structure["formats"] = formats
    dtype: np.dtype[Any] = np.dtype(structure, align=bool(plain["aligned"]))
    return dtype


def bytes_of(array: np.ndarray[Any, Any], order: Literal["C", "F"]) -> memoryview:
    """The array's bytes in an order: not copied where they lie so and have no padding, whose bytes would be noise."""
    if array.size == 0 or array.itemsize == 0:
        return memoryview(b"")
    if _has_padding(array.dtype):
        clean = np.zeros(array.shape, array.dtype, order)
        _copy_values(clean, array)
        array = clean
    return np.asarray(array, order=order).ravel(order="K").view(np.uint8).data


def _has_padding(dtype: np.dtype[Any]) -> bool:
    if dtype.subdtype is not None:
        return _has_padding(dtype.subdtype[0])
    if dtype.fields is None:
        return dtype.char in "gG" and _LONGDOUBLE_HAS_PADDING
    end = 0
    for field in sorted(dtype.fields.values(), key=lambda field: field[1]):
        inner, offset = field[:2]
        if offset != end or _has_padding(inner):
            return True
        end += inner.itemsize
    return end != dtype.itemsize


def _copy_values(target: np.ndarray[Any, Any], source: np.ndarray[Any, Any]) -> None:
    """Copy into zeroed memory without what lies between the values."""
    if target.dtype.names is not None:
        for name in target.dtype.names:
            _copy_values(target[name], source[name])
        return
    target[...] = source
    if target.dtype.char in "gG" and _LONGDOUBLE_HAS_PADDING:
        numbers = target[..., np.newaxis].view(np.longdouble)
        numbers[..., np.newaxis].view(np.uint8)[..., _EXTENDED_LONGDOUBLE_BYTES:] = 0
