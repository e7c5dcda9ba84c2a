from __future__ import annotations

import collections
import decimal
import enum
import math
import pathlib
import struct
import subprocess
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import msgpack
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

import lineal
from lineal import Client
from lineal.cas import MemoryBlobs, digest_of
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Any]]
Same = Callable[[Any, Any], bool]

ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(timedelta(minutes=-90), "odd")])
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**62, max_value=2**70),
    st.floats(),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(exclude_categories=[])),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.dates(),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES | st.timezones()),
    st.timedeltas(),
    st.uuids(),
    st.builds(range, st.integers(), st.integers(), st.integers(min_value=1)),
    st.sampled_from([pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c:\\d"), pathlib.Path("/x")]),
)
KEYS = st.recursive(HASHABLE, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
VALUES = st.recursive(
    KEYS | st.builds(bytearray, st.binary()) | st.builds(slice, st.none() | st.integers(), st.integers()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(KEYS, max_size=4)
    ),
    max_leaves=20,
)


class Colour(enum.IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int


class Text(str):
    __slots__ = ()


@settings(deadline=None, max_examples=examples(300))
@given(VALUES)
def test_a_plain_value_comes_back_in_type_order_and_bits(round_trip: RoundTrip, same: Same, value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert same(loaded, value)
    assert not runs_code(manifest, MemoryBlobs())


@pytest.mark.parametrize(
    "value",
    [
        struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_BEEF))[0],
        -0.0,
        math.inf,
        complex(-0.0, math.nan),
        -(2**63),
        2**63,
        2**64,
        -(2**200),
        "\ud800 alone",
        Decimal("-0E+5"),
        Decimal("sNaN123") if not decimal.getcontext().traps[decimal.FloatOperation] else Decimal(1),
        datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        uuid.UUID(int=3, is_safe=uuid.SafeUUID.safe),
        {1: 1, 1.5: 2, None: 3, (1, (2,)): 4, frozenset({1}): 5, b"": 6, "": 7, True + 1: 8},
        slice(None, 3),
        [[], (), {}, set(), frozenset(), b"", bytearray()],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_odd_value_comes_back_as_it_was(round_trip: RoundTrip, same: Same, value: Any) -> None:
    loaded, _ = round_trip(value)
    if isinstance(value, Decimal):
        assert (type(loaded), str(loaded)) == (Decimal, str(value))
    else:
        assert same(loaded, value)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), (1, "1"), ("1", b"1"), (b"1", bytearray(b"1")), ([1], (1,)), ({1}, frozenset({1}))],
)
def test_equal_values_of_different_types_are_different_contents(one: Any, other: Any) -> None:
    assert content(one) != content(other)
    assert content([one]) != content([other])


def test_the_order_of_a_dict_is_part_of_it_and_that_of_a_set_is_not() -> None:
    assert content({"a": 1, "b": 2}) != content({"b": 2, "a": 1})
    assert content({8, 0, 16}) == content({16, 8, 0})


def test_equal_values_are_the_same_content_whether_or_not_they_are_one_object() -> None:
    one = [1, 2]
    assert content([one, one]) == content([[1, 2], [1, 2]])


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Point(1),
        Text("x"),
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        memoryview,
        print,
        ...,
    ],
    ids=repr,
)
def test_a_subclass_or_other_object_is_not_flattened(value: Any) -> None:
    blobs = MemoryBlobs()
    for wrapped in (value, [value], {"k": (value,)}):
        loaded = load(save(wrapped, blobs).manifest, blobs)
        assert loaded == wrapped
    assert type(load(save([value], blobs).manifest, blobs)[0]) is type(value)


@pytest.mark.parametrize("value", [msgpack.ExtType(8, b""), msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 2)])
def test_a_value_that_msgpack_takes_for_its_own_is_no_mark(value: Any) -> None:
    blobs = MemoryBlobs()
    for wrapped in ([value], (bytearray(b"x"), [value], {value: {value}})):
        assert load(save(wrapped, blobs).manifest, blobs) == wrapped


def test_a_bytearray_is_found_wherever_it_is(round_trip: RoundTrip, same: Same) -> None:
    for value in ([bytearray(b"x")], {"a": {"b": [1, (bytearray(),)]}}, [[0, "é"], {1: bytearray(b"\xc4")}]):
        assert same(round_trip(value)[0], value)


@pytest.mark.parametrize("depth", [100, 400, 505])
def test_deep_nesting_comes_back(depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    blobs = MemoryBlobs()
    loaded = load(save(value, blobs).manifest, blobs)
    for _ in range(depth):
        (loaded,) = loaded
    assert loaded == []


def test_nested_frozensets_come_back(round_trip: RoundTrip) -> None:
    value: frozenset[Any] = frozenset()
    for number in range(40):
        value = frozenset({value, number})
    assert round_trip(value)[0] == value


def test_a_list_in_itself_comes_back_in_itself() -> None:
    value: list[Any] = [1]
    value.append((value, {"again": value}))
    blobs = MemoryBlobs()
    loaded = load(save(value, blobs).manifest, blobs)
    assert loaded[1][0] is loaded
    assert loaded[1][1]["again"] is loaded


@pytest.mark.parametrize(
    "value", ["é\ud800" * 100_000, b"x" * 100_000, bytearray(100_000)], ids=["str", "bytes", "bytearray"]
)
def test_a_large_text_is_a_blob_that_holds_nothing_else(round_trip: RoundTrip, value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert (type(loaded), loaded) == (type(value), value)
    (blob,) = manifest.named()
    assert blob.size_bytes == len(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)


def test_a_large_tree_is_a_blob_and_a_small_one_is_in_the_head(round_trip: RoundTrip) -> None:
    assert list(round_trip(list(range(100)))[1].named()) == []
    loaded, manifest = round_trip(list(range(100_000)))
    assert loaded == list(range(100_000))
    assert len(list(manifest.named())) == 1


def test_metadata_says_what_is_small_and_worth_a_search() -> None:
    assert save(0.93, MemoryBlobs()).metadata == {"value": 0.93}
    assert save("adam", MemoryBlobs()).metadata == {"value": "adam"}
    assert save({"lr": 0.1, "epochs": 3}, MemoryBlobs()).metadata == {"length": 2, "keys": ["lr", "epochs"]}
    assert save([1, 2, 3], MemoryBlobs()).metadata == {"length": 3}
    assert save(2**80, MemoryBlobs()).metadata == {}
    assert save(date(2020, 1, 1), MemoryBlobs()).metadata == {}
    assert save("\ud800", MemoryBlobs()).metadata == {"length": 1}
    assert save(time(1), MemoryBlobs()).manifest.type == "datetime.time"
    assert save(Fraction(1, 2), MemoryBlobs()).manifest.type == "fractions.Fraction"


def content(value: Any) -> bytes:
    return save(value, MemoryBlobs()).manifest.digest


@pytest.mark.parametrize("last", ["é", "a", "\ud800"], ids=["wide", "ascii", "surrogate"])
def test_a_text_that_is_encoded_in_pieces_has_the_content_of_one_encoded_whole(client: Client, last: str) -> None:
    text = "line of text\n" * 1_400_000 + last
    with lineal.open(client.path, visualize=False) as unseen:
        manifest = unseen.save(text, "text").manifest
    (part,) = manifest.named()
    assert part.digest == digest_of(text.encode("utf-8", "surrogatepass"))
    assert client.load("text") == text
    with lineal.open(client.path, visualize=False) as unseen:
        unseen.save(text[:5000] + "inserted" + text[5000:], "text")
    client.flush()
    assert client.load("text") == text[:5000] + "inserted" + text[5000:]
    assert sum(file.stat().st_size for file in (client.path / "packs").iterdir()) < 100


def test_a_long_text_is_saved_without_a_second_copy_of_it(tmp_path: pathlib.Path) -> None:
    script = """if True:
        import resource, sys
        import lineal
        text = "0123456789abcdef" * (12 << 20)
        with lineal.open(sys.argv[1]) as store:
            store.save("warm" * 1_000_000, "warm")
            store.flush()
            before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            store.save(text, "text")
            store.flush()
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
    """
    done = subprocess.run([sys.executable, "-P", "-c", script, tmp_path / "s"], capture_output=True, text=True)
    assert int(done.stdout) < 64 * 1024, done.stderr
