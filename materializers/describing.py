"""Describing: what a materializer says of a value, made fit for the record, and never at the value's cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

from ..cas.manifest import Plain
from .base import Materializer, is_built_in

OF_VALUES = frozenset(
    ("min", "max", "mean", "nulls", "not_finite", "sampled", "sampled_rows", "memory_bytes", "size_bytes")
)
"""Metadata that follows from the values and no type or layout."""
PROBLEM = "metadata_problem"
"""The metadata that says why others are missing."""
METADATA_MAX_BYTES = 16 * 1024
"""What is kept of one value, in msgpack; the largest entries are left out first."""
_BUFFER_BYTES = 1024
"""What a packer begins with; see `tree`."""
_DEPTH_MAX = 8
_SAID_MAX_CHARACTERS = 300
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1


def described(value: object, materializer: Materializer[Any]) -> dict[str, Plain]:
    """What a materializer says of a value; what it raises, and what is not plain or too much, goes under `PROBLEM`."""
    try:
        found: Mapping[str, Any] = materializer.metadata(value)
        if not found or (is_built_in(materializer) and _size_bytes(found) <= METADATA_MAX_BYTES):
            return dict(found)
        plain = {_key(name): _plain(one, str(name)) for name, one in found.items()}
        return _within_bounds(plain)
    except Exception as error:  # noqa: BLE001 — the materializer's own; that the value is saved comes first
        return {PROBLEM: said(error)}


def _size_bytes(found: Mapping[str, Any]) -> float:
    """How much it is in msgpack; without end where it is not plain through and through."""
    try:
        packer = msgpack.Packer(strict_types=True, unicode_errors="surrogatepass", buf_size=_BUFFER_BYTES)
        return len(packer.pack(found))
    except (TypeError, ValueError, OverflowError):
        return float("inf")


def _within_bounds(plain: dict[str, Plain]) -> dict[str, Plain]:
    sizes = {name: len(msgpack.packb([name, one], unicode_errors="surrogatepass")) for name, one in plain.items()}
    left_out = []
    while sum(sizes.values()) > METADATA_MAX_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        left_out.append(largest)
        del sizes[largest]
    if not left_out:
        return plain
    kept = {name: plain[name] for name in sizes}
    return {**kept, PROBLEM: f"too large and left out: {', '.join(left_out)}"[:_SAID_MAX_CHARACTERS]}


def _key(name: object) -> str:
    if type(name) is not str:
        raise TypeError(f"the key {name!r} is no text")
    return name


def _plain(value: Any, place: str, depth: int = 0) -> Plain:
    """A value of plain types alone; a scalar of NumPy becomes Python's."""
    kind = type(value)
    if kind in (str, bool, float, bytes) or value is None:
        return value  # type: ignore[no-any-return]
    if isinstance(value, int) and kind is not bool:
        return int(value) if _INT_MIN <= value <= _INT_MAX else str(int(value))
    if depth < _DEPTH_MAX and isinstance(value, Mapping):
        return {_key(name): _plain(one, f"{place}.{name}", depth + 1) for name, one in value.items()}
    if depth < _DEPTH_MAX and isinstance(value, list | tuple):
        return [_plain(one, place, depth + 1) for one in value]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)  # Not what an enumeration calls its member.
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _plain(value.item(), place, _DEPTH_MAX)
    raise TypeError(f"{place} is a {kind.__module__}.{kind.__qualname__}, not a plain value")


def said(error: BaseException) -> str:
    """An error on one line, whatever asking it what it says does."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 — the user's code
        text = ""
    name = type(error).__name__
    return f"{name}: {text}"[:_SAID_MAX_CHARACTERS] if text else name
