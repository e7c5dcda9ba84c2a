"""JSON by columns: what is written is what `json` writes of each value by itself."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import msgpack
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.tables.json_text import json_of
from lineal.tables.values import Values

keys = st.text(max_size=5) | st.sampled_from(["shape", 'a "quoted" one', "k" * 300])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["", "line\n", "x" * 300, "\\"])
    | st.binary(max_size=40)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(keys, inner, max_size=6)
        | st.dictionaries(st.integers(0, 9) | st.booleans(), inner, max_size=3)
        | st.integers(60, 70).map(lambda length: [1] * length)
    ),
    max_leaves=12,
)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not isfinite(value) else value


def written(values: list[Any]) -> list[str]:
    """The first field of records that have one or more."""
    cells = Values.of([msgpack.packb([value, "behind"]) for value in values]).cells().entered()
    found: list[str] = json_of(cells).whole(len(values)).to_pylist()
    assert cells.texts().to_pylist() == ["behind"] * len(values)
    return found


@settings(max_examples=examples(100))
@given(st.lists(anything, min_size=1, max_size=6))
def test_json_by_columns_is_what_json_writes_of_each_value(values: list[Any]) -> None:
    assert written(values) == [json.dumps(plain(value), ensure_ascii=False) for value in values]


@settings(max_examples=examples(40))
@given(anything, st.integers(1, 4))
def test_json_of_equal_values_is_what_json_writes(value: Any, rows: int) -> None:
    assert written([value] * rows) == [json.dumps(plain(value), ensure_ascii=False)] * rows


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    packed = msgpack.packb(["a\udcffb", {"c\udcff": "\udcff"}], unicode_errors="surrogatepass")
    assert json_of(Values.of([packed]).cells()).whole(1).to_pylist() == ['["a?b", {"c?": "?"}]']
