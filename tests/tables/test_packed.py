"""Msgpack by columns: what is read is what msgpack reads."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import LogCorrupt
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
