"""Values as JSON, written by columns: what many rows have in common is looked at once.

Ids and digests are hex digits there, and a number that JSON has no form for is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any

import msgpack
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .cuts import Positions, are_alike, hexed
from .heads import FALSE, IS_INTEGER, IS_LIST, IS_MAP, IS_TEXT, NIL, TRUE
from .packed import Cells, unreadable

_ENCODER = json.JSONEncoder(ensure_ascii=False)
_FEW = 4
"""Where all rows have the same number of items, and no more than that, the items are written place by place."""
_LONG = 64
"""Lists and maps with more than so many values are written one by one: by columns each takes a turn for all."""
_IS_ESCAPED = np.isin(np.arange(256), [*range(0x20), ord('"'), ord("\\")])


class Json:
    """A column of JSON: parts that are put together at the end, so that what lies in something is copied once."""

    def __init__(self, *parts: pa.Array | str) -> None:
        """Texts one behind the other, row by row; a text by itself is that of every row."""
        self.parts = parts

    def whole(self, rows: int) -> pa.Array:
        """The texts of so many rows."""
        merged: list[pa.Array | str] = [""]
        for part in self.parts:
            if isinstance(part, str) and isinstance(merged[-1], str):
                merged[-1] += part
            else:
                merged.append(part)
        if len(merged) == 1:
            return pa.repeat(merged[0], rows)
        return pc.binary_join_element_wise(*merged, "")


def json_of(cells: Cells) -> Json:
    """The value that each row has here, whatever it is; the rows go on behind it."""
    missing = cells.missing()
    if missing is not None and missing.all():
        return Json("null")
    if missing is None:
        codes = _CODES.take(cells.heads())
        if are_alike(codes):
            return _WRITERS[int(codes[0])](cells)
    values = cells.value()
    codes = _CODES.take(values.heads())
    places = [(codes == code).nonzero()[0] for code in np.flatnonzero(np.bincount(codes))]
    if not places:
        return Json()
    written = [_WRITERS[codes[chosen[0]]](values.where(chosen)).whole(len(chosen)) for chosen in places]
    order = np.empty(len(codes), np.int64)
    order[np.concatenate(places)] = np.arange(len(codes))
    return Json(pa.concat_arrays(written).take(pa.array(order)))


def json_list(cells: Cells, read: Callable[[Cells], Json]) -> Json:
    """The list that each row has here, each item read so; the rows go on behind it."""
    each = cells.all_have()
    if each is None or each > _FEW:
        rows, items = cells.elements()
        return Json("[", _in_rows(rows, read(items).whole(len(items)), len(cells)), "]")
    inner = cells.opened()
    written = [read(inner).parts for _ in range(each)]
    cells.go_behind(inner)
    return Json("[", *[part for parts in written for part in (", ", *parts)][1:], "]")


def _in_rows(rows: Positions, items: pa.Array, count: int) -> pa.Array:
    """Items of so many rows, which are in order, with commas between them."""
    offsets = np.searchsorted(rows, np.arange(count + 1)).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), items), ", ")


def _null(values: Cells) -> Json:
    values.skip()
    return Json("null")


def _truth(cells: Cells) -> Json:
    truths = cells.booleans()
    if truths.true_count in (0, len(truths)):
        return Json("true" if truths.true_count else "false")
    return Json(pc.if_else(truths, "true", "false"))


def _integer(cells: Cells) -> Json:
    numbers = cells.integers().values
    return Json(str(numbers[0]) if are_alike(numbers) else pa.array(numbers).cast(pa.string()))


def _large_integer(values: Cells) -> Json:
    return Json(pa.array(values.integers().values.view(np.uint64)).cast(pa.string()))


def _float(values: Cells) -> Json:
    numbers = values.floats().to_pylist()
    return Json(pa.array([repr(one) if math.isfinite(one) else "null" for one in numbers], pa.string()))


def _text(values: Cells) -> Json:
    return Json('"', _once(_escaped(values.texts())), '"')


def _digits(values: Cells) -> Json:
    digits = values.bytes()
    same = _same(digits)
    return Json('"', hexed(digits) if same is None else same.hex(), '"')


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


def _list(cells: Cells) -> Json:
    return _one_by_one(cells) if cells.most_inside() > _LONG else json_list(cells, json_of)


def _map(cells: Cells) -> Json:
    each = cells.all_have()
    if cells.most_inside() > _LONG:
        return _one_by_one(cells)
    if each is None or each > 2 * _FEW:
        return _map_of_many(cells)
    before, inner = cells.where(slice(None)), cells.opened()
    parts: list[pa.Array | str] = []
    for _ in range(each // 2):
        if not _IS_STR.take(inner.heads()).all():
            cells.go_behind(None)
            return _one_by_one(before)
        parts += [", ", *_key_text(inner), *json_of(inner).parts]
    cells.go_behind(inner)
    return Json("{", *parts[1:], "}")


def _map_of_many(cells: Cells) -> Json:
    rows, keys, items = cells.where(slice(None)).items()
    if not _IS_STR.take(keys.heads()).all():
        return _one_by_one(cells)
    cells.skip()
    pairs = Json(*_key_text(keys), *json_of(items).parts).whole(len(items))
    return Json("{", _in_rows(rows, pairs, len(cells)), "}")


def _key_text(keys: Cells) -> tuple[pa.Array | str, ...]:
    return '"', _once(_escaped(keys.texts())), '": '


def _once(texts: pa.Array) -> pa.Array | str:
    """The one that all of some texts are; else they."""
    same = _same(texts)
    return texts if same is None else same


def _same(column: pa.Array) -> Any:
    """The bytes or text that all rows have, where none is missing; None if they differ."""
    if not len(column) or column.null_count:
        return None
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    written = np.frombuffer(data, np.uint8)[places[0] : places[-1]] if data is not None else np.empty(0, np.uint8)
    width = int(places[1] - places[0])
    if len(written) != width * len(column) or not (np.diff(places) == width).all():
        return None
    # All are the same if each byte is that of the one before.
    is_same = (written[width:] == written[: len(written) - width]).all()
    return column[0].as_py() if is_same else None


def _one_by_one(values: Cells) -> Json:
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


def _unknown(values: Cells) -> Json:
    raise unreadable("a value is of a type that events don't have")


_WRITERS: list[Callable[[Cells], Json]] = [
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
