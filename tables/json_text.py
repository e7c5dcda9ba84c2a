"""Values as JSON, written by columns: what many rows have in common is looked at once.

Ids and digests are hex digits there, and a number that JSON has no form for is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import groupby
from json.encoder import encode_basestring
from typing import Any, TypeAlias

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .alike import Alike, Reader
from .cuts import Positions, are_alike, hex_digits, hexed, of_one_width, text, unreadable
from .heads import FALSE, IS_INTEGER, IS_LIST, IS_MAP, IS_TEXT, NIL, TRUE
from .packed import Cells

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_FEW = 4
"""Where all rows have the same number of items, they are written place by place; no more than these if rows differ."""
_LONG = 64
"""Lists and maps with more than so many values are written one by one: by columns each takes a turn for all."""
_PLAIN = 0x60
"""So many characters are written as they are from the space on, but for the quotation mark and the backslash."""
_SPACE, _QUOTE, _BACKSLASH = np.frombuffer(b' "\\', np.uint8)
_IS_ESCAPED = np.isin(np.arange(256), [*range(0x20), ord('"'), ord("\\")])

Piece: TypeAlias = str | pa.Array | NDArray[np.uint8]
"""What every row has; or a text for each; or texts of one length, as the rows of a matrix."""


class Json:
    """A column of JSON: parts that are put together at the end, so that what lies in something is copied once."""

    def __init__(self, *parts: Piece) -> None:
        """Texts one behind the other, row by row."""
        self.parts = parts

    def whole(self, rows: int) -> pa.Array:
        """The texts of so many rows."""
        joined: list[str | pa.Array] = []
        for is_array, found in groupby(self.parts, lambda part: isinstance(part, pa.Array)):
            parts = list(found)
            joined += parts if is_array else [_side_by_side(parts, rows)]
        if not joined:
            return pa.repeat("", rows)
        if len(joined) == 1:
            return pa.repeat(joined[0], rows) if isinstance(joined[0], str) else joined[0]
        return pc.binary_join_element_wise(*joined, "")


def _side_by_side(parts: list[str | NDArray[np.uint8]], rows: int) -> str | pa.Array:
    """Texts of one length as one: of the whole, what all rows have is written first."""
    first = b"".join(part.encode() if isinstance(part, str) else bytes(part.shape[1]) for part in parts)
    if all(isinstance(part, str) for part in parts):
        return first.decode()
    written = np.empty((rows, len(first)), np.uint8)
    written[:] = np.frombuffer(first, np.uint8)
    at = 0
    for part in parts:
        if isinstance(part, str):
            at += len(part.encode())
        else:
            written[:, at : at + part.shape[1]] = part
            at += part.shape[1]
    return of_one_width(written, pa.string())


def json_of(cells: Reader) -> Json:
    """The value that each row has here, whatever it is; the rows go on behind it."""
    missing = cells.missing()
    if missing is not None and missing.all():
        return Json("null")
    code = cells.shared(_CODES) if missing is None else None
    if code is not None:
        return _WRITERS[code](cells)
    values = cells.value()
    codes = _CODES.take(values.heads())
    places = [(codes == code).nonzero()[0] for code in np.flatnonzero(np.bincount(codes))]
    if not places:
        return Json()
    written = [_WRITERS[codes[chosen[0]]](values.where(chosen)).whole(len(chosen)) for chosen in places]
    order = np.empty(len(codes), np.int64)
    order[np.concatenate(places)] = np.arange(len(codes))
    return Json(pa.concat_arrays(written).take(pa.array(order)))


def json_list(cells: Reader, read: Callable[[Reader], Json]) -> Json:
    """The list that each row has here, each item read so; the rows go on behind it."""
    each = cells.all_have()
    if isinstance(cells, Cells) and (each is None or each > _FEW):
        rows, items = cells.elements()
        return Json("[", _in_rows(rows, read(items).whole(len(items)), len(cells)), "]")
    inner = cells.opened()
    written = [read(inner).parts for _ in range(each or 0)]
    cells.go_behind(inner)
    return Json("[", *[part for parts in written for part in (", ", *parts)][1:], "]")


def _in_rows(rows: Positions, items: pa.Array, count: int) -> pa.Array:
    """Items of so many rows, which are in order, with commas between them."""
    offsets = np.searchsorted(rows, np.arange(count + 1)).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), items), ", ")


def _null(values: Reader) -> Json:
    values.skip()
    return Json("null")


def _truth(cells: Reader) -> Json:
    truths = cells.booleans()
    if truths.true_count in (0, len(truths)):
        return Json("true" if truths.true_count else "false")
    return Json(pc.if_else(truths, "true", "false"))


def _integer(cells: Reader) -> Json:
    numbers = cells.integers().values
    return Json(str(numbers[0]) if are_alike(numbers) else pa.array(numbers).cast(pa.string()))


def _large_integer(values: Reader) -> Json:
    return Json(pa.array(values.integers().values.view(np.uint64)).cast(pa.string()))


def _float(values: Reader) -> Json:
    numbers = values.floats().to_pylist()
    return Json(pa.array([repr(one) if math.isfinite(one) else "null" for one in numbers], pa.string()))


def _text(values: Reader) -> Json:
    return Json('"', *_within(values), '"')


def _within(values: Reader) -> list[Piece]:
    """What is within the quotation marks of texts."""
    if isinstance(values, Alike):
        found = values.side_by_side()
        different = found[:1] if _are_same(found) else found
        if not ((different - _SPACE >= _PLAIN) | (different == _QUOTE) | (different == _BACKSLASH)).any():
            return [different[0].tobytes().decode() if len(different) < len(found) else found]
        texts = text(of_one_width(found))
    else:
        texts = values.texts()
    same = _same(texts)
    return [_escaped(texts) if same is None else encode_basestring(same)[1:-1]]


def _digits(values: Reader) -> Json:
    if isinstance(values, Alike):
        found = values.side_by_side()
        return Json('"', hex_digits(found), '"')
    digits = values.bytes()
    same = _same(digits)
    return Json('"', hexed(digits) if same is None else same.hex(), '"')


def _are_same(rows: NDArray[np.uint8]) -> bool:
    """Whether all rows of a matrix are the same: mostly the last tells."""
    return rows[0].tobytes() == rows[-1].tobytes() and bool((rows[1:] == rows[:-1]).all())


def _escaped(texts: pa.Array) -> pa.Array:
    """Texts as they are within quotation marks."""
    _, offsets, data = texts.buffers()
    written = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    found = _IS_ESCAPED.take(written).nonzero()[0]
    if not found.size:
        return texts
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    rows = np.unique(np.searchsorted(starts, found, side="right") - 1)
    rows = rows[(rows >= 0) & (rows < len(texts))]
    told = [encode_basestring(one)[1:-1] for one in texts.take(pa.array(rows)).to_pylist()]
    mask = np.zeros(len(texts), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(told, pa.string()))


def _list(cells: Reader) -> Json:
    return _one_by_one(cells) if cells.most_inside() > _LONG else json_list(cells, json_of)


def _map(cells: Reader) -> Json:
    each = cells.all_have()
    if cells.most_inside() > _LONG:
        return _one_by_one(cells)
    if isinstance(cells, Cells) and (each is None or each > 2 * _FEW):
        return _map_of_many(cells)
    before, inner = cells.again(), cells.opened()
    parts: list[Piece] = []
    for _ in range((each or 0) // 2):
        if not inner.shared(_IS_STR):
            cells.go_behind(None)
            return _one_by_one(before)
        parts += [", ", *_key_text(inner), *json_of(inner).parts]
    cells.go_behind(inner)
    return Json("{", *parts[1:], "}")


def _map_of_many(cells: Cells) -> Json:
    rows, keys, items = cells.again().items()
    if not keys.shared(_IS_STR):
        return _one_by_one(cells)
    cells.skip()
    pairs = Json(*_key_text(keys), *json_of(items).parts).whole(len(items))
    return Json("{", _in_rows(rows, pairs, len(cells)), "}")


def _key_text(keys: Reader) -> tuple[Piece, ...]:
    return '"', *_within(keys), '": '


def _same(column: pa.Array) -> Any:
    """The bytes or text that all rows have, where none is missing; None if they differ."""
    if not len(column) or column.null_count:
        return None
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    written = np.frombuffer(data, np.uint8)[places[0] : places[-1]] if data is not None else np.empty(0, np.uint8)
    width = int(places[1] - places[0])
    if len(written) != width * len(column) or written[:width].tobytes() != written[-width:].tobytes():
        return None
    if not (np.diff(places) == width).all():
        return None
    # All are the same if each byte is that of the one before.
    is_same = (written[width:] == written[: len(written) - width]).all()
    return column[0].as_py() if is_same else None


def _one_by_one(values: Reader) -> Json:
    options: dict[str, Any] = {"strict_map_key": False, "unicode_errors": "surrogatepass"}
    unpacked = (msgpack.unpackb(one, **options) for one in values.raw().to_pylist())
    return Json(pa.array([_readable(_ENCODER.encode(_plain(one))) for one in unpacked], pa.string()))


def _readable(text: str) -> str:
    """A text as Arrow takes it: half a surrogate pair has no form there."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {_key(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(_plain(name))


def _unknown(values: Reader) -> Json:
    raise unreadable("a value is of a type that events don't have")


_WRITERS: list[Callable[[Reader], Json]] = [
    _unknown,
    _null,
    _truth,
    _integer,
    _large_integer,
    _float,
    _text,
    _digits,
    _list,
    _map,
]
_IS_STR = IS_TEXT & ~np.isin(np.arange(256), [0xC4, 0xC5, 0xC6])


def _codes() -> np.ndarray[Any, np.dtype[np.int64]]:
    codes = np.zeros(256, np.int64)
    for writer, heads in (
        (_truth, [FALSE, TRUE]),
        (_integer, IS_INTEGER),
        (_large_integer, [0xCF]),
        (_float, [0xCA, 0xCB]),
        (_text, _IS_STR),
        (_digits, IS_TEXT & ~_IS_STR),
        (_list, IS_LIST),
        (_map, IS_MAP),
        (_null, [NIL]),
    ):
        codes[heads] = _WRITERS.index(writer)
    return codes


_CODES = _codes()
"""By head, which writer writes the value."""
