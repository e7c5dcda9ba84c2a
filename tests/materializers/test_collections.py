from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from depth import examples
from golden_values import Colour, Item, Point
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import Record, load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]


def ordered_with_attribute() -> OrderedDict[str, Any]:
    value: OrderedDict[str, Any] = OrderedDict(b=1, a=[2])
    value._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]
    return value


@pytest.mark.parametrize(
    "value",
    [
        OrderedDict([("b", 1), ("a", (2, {3})), (("t", 1), None)]),
        Counter("hello"),
        Counter({"a": -1, "b": 0}),
        defaultdict(list, {"x": [1], 2: [bytearray(b"y")]}),
        defaultdict(None, a=1),
        defaultdict(Counter, {"x": Counter("aa")}),
        deque([1, "a", (2,)]),
        deque([1, 2, 3], maxlen=3),
        deque(maxlen=0),
        [{"nested": OrderedDict(a=deque([{1, 2}, Counter()]))}],
    ],
    ids=repr,
)
def test_a_container_comes_back_in_type_and_order(round_trip: RoundTrip, value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert type(loaded) is type(value)
    assert repr(loaded) == repr(value)
    assert not runs_code(manifest, MemoryBlobs())


def test_what_a_deque_and_a_defaultdict_do_next_is_kept(round_trip: RoundTrip) -> None:
    queue = round_trip(deque([1, 2], maxlen=2))[0]
    queue.append(3)
    assert list(queue) == [2, 3]
    lists = round_trip(defaultdict(list))[0]
    lists["new"].append(1)
    assert lists == {"new": [1]}


def test_attributes_of_an_ordered_dict_are_kept(round_trip: RoundTrip) -> None:
    loaded, _ = round_trip(ordered_with_attribute())
    assert loaded._metadata == OrderedDict(version=1)


def test_a_defaultdict_of_a_function_is_pickled_and_the_rest_is_not() -> None:
    blobs = MemoryBlobs()
    saved = save({"counts": defaultdict(lambda: 7), "array": np.arange(5000)}, blobs)
    assert runs_code(saved.manifest, blobs)
    assert [name for name, _ in saved.manifest.parts] == ["child.0", "opaque"]
    loaded: Any = load(saved.manifest, blobs)
    assert loaded["counts"]["x"] == 7


def test_arrays_in_a_deque_are_parts_of_their_own(round_trip: RoundTrip) -> None:
    loaded, manifest = round_trip(deque([np.arange(10_000), np.arange(3)]))
    np.testing.assert_array_equal(loaded[0], np.arange(10_000))
    assert len(list(manifest.named())) == 1


LEAVES = st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.binary(max_size=3)
POINTS = st.builds(Point, st.integers(), st.text(max_size=2))
KEYS = st.text(max_size=3) | st.integers() | POINTS | st.sampled_from(Colour)


def containers(inner: Any) -> Any:
    items = st.dictionaries(KEYS, inner, max_size=3)
    return st.one_of(
        st.lists(inner, max_size=3),
        st.builds(lambda found: (*found,), st.lists(inner, max_size=3)),
        st.builds(bytearray, st.binary(max_size=3)),
        st.builds(OrderedDict, items),
        st.builds(defaultdict, st.sampled_from([None, list, int]), items),
        st.builds(deque, st.lists(inner, max_size=3), st.none() | st.integers(3, 5)),
        st.builds(Counter, st.dictionaries(KEYS, st.integers(), max_size=3)),
        st.builds(Point, st.integers(), inner),
        st.builds(Item, st.text(max_size=3), st.lists(inner, max_size=2)),
        st.builds(ValueError, inner),
        items,
    )


@settings(deadline=None, max_examples=examples(200))
@given(st.recursive(LEAVES | KEYS, containers, max_leaves=15))
def test_any_nest_of_containers_and_records_comes_back(round_trip: RoundTrip, value: Any) -> None:
    loaded, manifest = round_trip(value)
    # Of equal things, as exceptions are none, the text tells types, order and what is in them.
    assert repr(loaded) == repr(value)
    assert not runs_code(manifest, MemoryBlobs())
    blobs = MemoryBlobs()
    again = load(save(value, blobs).manifest, blobs, allow_pickle=False)
    assert type(again) is type(value) or isinstance(again, Record)
