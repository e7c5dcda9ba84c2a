"""Msgpack by columns: what is read is what msgpack reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import LogCorrupt
from lineal.events.codec import UNREADABLE
from lineal.tables.json_text import json_of
from lineal.tables.packed import Cells
from lineal.tables.values import Values

texts = st.text(max_size=40) | st.sampled_from(["x" * 31, "x" * 32, "y" * 255, "y" * 256, "z" * 70_000])
integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [bound + by for width in (5, 7, 8, 15, 16, 31, 32) for bound in (2**width, -(2**width)) for by in (-1, 0, 1)]
)
anything = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False) | texts | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=20,
)
records = st.tuples(texts, st.none() | integers).map(list)
rows = st.tuples(
    integers,
    st.none() | texts,
    anything,
    st.none() | st.binary(max_size=300),
    st.none() | st.lists(records, max_size=20),
    st.none() | records,
    st.none() | st.booleans(),
    anything,
).map(list)
WIDTH = 8


def read(values: list[bytes]) -> list[list[Any]]:
    """All columns, but the one that is passed over."""
    cells = Values.of(values).cells().entered()
    columns = [cells.integers().arrow().to_pylist(), cells.texts().to_pylist()]
    cells.skip()
    columns.append(cells.hexes().to_pylist())
    holders, elements = cells.elements()
    elements = elements.entered()
    pairs = zip(elements.texts().to_pylist(), elements.integers().arrow().to_pylist(), strict=True)
    held: list[list[Any]] = [[] for _ in values]
    for holder, pair in zip(holders.tolist(), pairs, strict=True):
        held[holder].append(list(pair))
    columns.append(held)
    record = cells.record()
    columns.append(list(zip(record.texts().to_pylist(), record.integers().arrow().to_pylist(), strict=True)))
    columns += [cells.booleans().to_pylist(), cells.raw().to_pylist()]
    return [list(row) for row in zip(*columns, strict=True)]


def expected(row: list[Any]) -> list[Any]:
    integer, text, _, raw, records, record, boolean, last = [*row, *[None] * (WIDTH - len(row))]
    is_there = len(row) == WIDTH
    return [
        integer,
        text,
        None if raw is None else raw.hex(),
        records or [],
        tuple(record or (None, None)),
        boolean,
        msgpack.packb(last) if is_there else None,
    ]


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(rows, st.integers(0, WIDTH)), max_size=8))
def test_columns_are_what_msgpack_unpacks_and_missing_where_a_row_ends_before(drawn: list[Any]) -> None:
    shortened = [row[:width] for row, width in drawn]
    assert read([msgpack.packb(row) for row in shortened]) == [expected(row) for row in shortened]


@settings(max_examples=examples(40))
@given(st.lists(rows, min_size=1, max_size=5), st.data())
def test_some_of_the_rows_are_read_as_all_are(drawn: list[Any], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(drawn) - 1), unique=True).map(sorted))
    cells = Values.of([msgpack.packb(row) for row in drawn]).cells().entered().where([*chosen] or slice(0))  # type: ignore[arg-type]
    assert cells.integers().arrow().to_pylist() == [drawn[place][0] for place in chosen]
    assert cells.skip(5).booleans().to_pylist() == [drawn[place][6] for place in chosen]
    assert cells.raw().to_pylist() == [msgpack.packb(drawn[place][7]) for place in chosen]


def test_a_text_that_no_table_can_hold_has_question_marks() -> None:
    packed = msgpack.packb(["a\udcffb"], unicode_errors="surrogatepass")
    assert Values.of([packed, msgpack.packb(["c"])]).cells().entered().texts().to_pylist() == ["a?b", "c"]


def test_a_value_of_another_type_is_an_error_of_ours() -> None:
    with pytest.raises(LogCorrupt):
        Values.of([msgpack.packb([1])]).cells().entered().texts()
    with pytest.raises(LogCorrupt):
        Values.of([msgpack.packb("text")]).cells().entered()


FILLED = bytes(300)
BEYOND: dict[str, tuple[Callable[[Cells], Any], list[bytes]]] = {
    "one ends behind all": (Cells.bytes, [FILLED, b"\xc4\x01a", b"\xc4\xf0b"]),
    "each ends in the next": (Cells.bytes, [b"", b"\xc5\x01\x00", b"\xc5\x01\x00", FILLED]),
    "each ends in another": (Cells.bytes, [b"", b"\xc5\x01\x00", b"\xc5\x01\x01", FILLED]),
    "one has more than there are bytes": (Cells.raw, [FILLED, b"\x91\x01", b"\x91\xc6\x7f\xff\xff\xff"]),
    "a list has more than there are bytes": (Cells.elements, [FILLED, b"\xdd\xff\xff\xff\xff", b"\x90"]),
    "lists have more than there are bytes": (Cells.elements, [b"", b"\xdc\x01\x00", b"\xdc\x01\x00", FILLED]),
}


@pytest.mark.parametrize("what", BEYOND)
def test_what_would_be_read_beyond_the_rows_is_an_error_of_ours(what: str) -> None:
    method, values = BEYOND[what]
    with pytest.raises(LogCorrupt):
        method(Values.of(values).cells().where(slice(1, 3)))


heads = st.sampled_from([0x00, 0x81, 0x92, 0xA1, 0xC0, 0xC4, 0xC6, 0xCB, 0xCF, 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF])
damaged = st.lists(heads | st.integers(0, 255), min_size=1, max_size=30).map(bytes)
READERS = [
    lambda cells: cells.integers().arrow(),
    Cells.floats,
    Cells.booleans,
    Cells.texts,
    Cells.hexes,
    Cells.raw,
    lambda cells: cells.elements()[1].raw(),
    lambda cells: [part.raw() for part in cells.items()[1:]],
    lambda cells: json_of(cells).whole(len(cells)),
    lambda cells: cells.record().skip(2).texts(),
]


@settings(max_examples=examples(200))
@given(st.lists(damaged, min_size=1, max_size=6), st.lists(st.sampled_from(READERS), min_size=1, max_size=3))
def test_rows_of_any_bytes_are_columns_or_an_error(rows: list[bytes], readers: list[Callable[[Cells], Any]]) -> None:
    cells = Values.of(rows).cells()
    try:
        for read_column in readers:
            found = read_column(cells)
            for column in found if isinstance(found, list) else [found]:
                column.validate(full=True)
                assert column.nbytes < 1 << 20
    except (LogCorrupt, *UNREADABLE):
        pass
