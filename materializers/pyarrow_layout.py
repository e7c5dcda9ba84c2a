"""What the types of Arrow say of their buffers, and bitmaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

BITS_A_BYTE = 8


def is_fixed(kind: Any) -> bool:
    """Whether the elements are bits, or bytes of a fixed number."""
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind))


def is_text(kind: Any) -> bool:
    """Whether the elements are texts or byte strings, one after the other."""
    of = pa.types
    return bool(of.is_string(kind) or of.is_binary(kind) or of.is_large_string(kind) or of.is_large_binary(kind))


def has_lengths(kind: Any) -> bool:
    """Whether the elements are of differing lengths."""
    of = pa.types
    return bool(is_text(kind) or of.is_list(kind) or of.is_large_list(kind) or of.is_map(kind) or is_list_view(kind))


def is_list_view(kind: Any) -> bool:
    """Whether the elements are lists that lie anywhere."""
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def offset_dtype(kind: Any) -> np.dtype[Any]:
    """What offsets are counted in."""
    of = pa.types
    is_large = of.is_large_list(kind) or of.is_large_list_view(kind) or of.is_large_string(kind)
    is_large = is_large or of.is_large_binary(kind)
    return np.dtype("<i8" if is_large else "<i4")


def inner_type(kind: Any) -> Any:
    """The type of what lists and maps hold."""
    return kind.field(0).type if pa.types.is_map(kind) else kind.value_type


def without_views(kind: Any) -> Any:
    """The type that holds the same one after the other, for texts and byte strings that lie anywhere."""
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else None


def bytes_of_buffer(buffer: Any) -> np.ndarray[Any, Any]:
    """The bytes of a buffer, or none of one that is not there."""
    return np.frombuffer(b"" if buffer is None else buffer, np.uint8)


def size_of_bits(count: int) -> int:
    """How many bytes a bitmap of so many bits has."""
    return -(-count // BITS_A_BYTE)


def clean_bits(buffer: Any, offset: int, count: int) -> np.ndarray[Any, Any]:
    """Bits of a bitmap, from the first of a byte on and with zeros after the last."""
    data = bytes_of_buffer(buffer)[offset // BITS_A_BYTE : size_of_bits(offset + count)]
    if offset % BITS_A_BYTE == 0 and count % BITS_A_BYTE == 0:
        return data
    skipped = offset % BITS_A_BYTE
    return np.packbits(np.unpackbits(data, count=skipped + count, bitorder="little")[skipped:], bitorder="little")
