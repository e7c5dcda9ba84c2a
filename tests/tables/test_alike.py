"""Rows of one shape: what is read of them together is what is read of each."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import LogCorrupt
from lineal.tables import shapes
from lineal.tables.alike import Alike
from lineal.tables.json_text import json_of
from lineal.tables.shapes import Shapes
from lineal.tables.values import Values

texts = st.text(max_size=8) | st.sampled_from(['"', "\\", "\n", "é", "x" * 40])
records = st.tuples(
    texts, st.none() | st.integers(-(2**63), 2**64 - 1), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
).map(list)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=8,
)
rows = st.tuples(texts, st.integers(-300, 70_000), anything, st.lists(records, max_size=6), st.binary(max_size=9))


def plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def groups_of(packed: list[bytes]) -> list[tuple[np.ndarray[Any, Any], Alike]]:
    """The rows by shape, each as one list that is entered."""
    cells = Values.of(packed).cells()
    return [(found.places, Alike(found.rows, found.shape)) for found in Shapes().groups(*cells.bounds())]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_FEW_ROWS", 1)


@settings(max_examples=examples(100))
@given(st.lists(rows, min_size=1, max_size=5), st.integers(1, 3))
def test_rows_of_one_shape_are_read_as_each_by_itself(drawn: list[tuple[Any, ...]], times: int) -> None:
    packed = [msgpack.packb(list(row)) for row in drawn] * times
    seen = []
    for places, alike in groups_of(packed):
        seen += places.tolist()
        inner, of = alike.opened(), [drawn[place % len(drawn)] for place in places.tolist()]
        assert json_of(inner.again()).whole(len(of)).to_pylist() == [plain(row[0]) for row in of]
        assert inner.skip().integers().arrow().to_pylist() == [row[1] for row in of]
        assert json_of(inner).whole(len(of)).to_pylist() == [plain(row[2]) for row in of]
        assert json_of(inner).whole(len(of)).to_pylist() == [plain(row[3]) for row in of]
        assert json_of(inner).whole(len(of)).to_pylist() == [plain(row[4].hex()) for row in of]
        assert json_of(inner).whole(len(of)).to_pylist() == ["null"] * len(of)
        assert inner.booleans().to_pylist() == inner.floats().to_pylist() == [None] * len(of)
        alike.go_behind(inner)
    assert sorted(seen) == list(range(len(packed)))


@settings(max_examples=examples(60))
@given(st.lists(records, min_size=1, max_size=4))
def test_records_of_one_shape_are_read_as_each_by_itself(drawn: list[list[Any]]) -> None:
    for places, alike in groups_of([msgpack.packb(row) for row in drawn]):
        of = [drawn[place] for place in places.tolist()]
        inner = alike.opened()
        assert json_of(inner.skip(1)).whole(len(of)).to_pylist() == [json.dumps(row[1]) for row in of]
        assert inner.booleans().to_pylist() == [row[2] for row in of]
        assert inner.floats().to_pylist() == [row[3] for row in of]


def test_rows_that_are_cut_short_or_have_many_values_have_no_shape() -> None:
    whole = msgpack.packb(["text", 1, [2, 3]])
    assert not groups_of([whole[:-1], whole + b"\xa5"])
    assert not groups_of([b"", b""])
    assert not groups_of([msgpack.packb([1] * 1000)])
    assert len(groups_of([whole, whole])) == 1


@pytest.mark.parametrize(("head", "first", "second"), [(0xC4, 40, 50), (0xC5, 300, 310), (0xC6, 70_000, 70_010)])
def test_rows_that_look_alike_wherever_a_head_or_a_length_is_in_one_differ_in_shape_if_lengths_do(
    head: int, first: int, second: int
) -> None:
    pairs = [(first, second), (second, first)]
    rows = [msgpack.packb([bytes([head]) * one, bytes([head]) * other]) for one, other in pairs]
    assert [len(found.rows) for found in Shapes().groups(*Values.of(rows).cells().bounds())] == [1, 1]


def test_a_value_of_another_type_is_an_error_of_ours() -> None:
    ((_, alike),) = groups_of([msgpack.packb([1])])
    with pytest.raises(LogCorrupt):
        json_of(alike.opened().opened())
    with pytest.raises(LogCorrupt):
        alike.opened().side_by_side()


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    packed = msgpack.packb("a\udcffb", unicode_errors="surrogatepass")
    ((_, alike),) = groups_of([packed])
    assert json_of(alike).whole(1).to_pylist() == ['"a?b"']
