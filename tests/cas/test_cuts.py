"""Cuts: where content picks them, for every kind of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas.cuts import BLOCK_BYTES, Cutter, element_bytes

Array = np.ndarray[Any, np.dtype[Any]]
ROW_BYTES = 4096
SIZE = 1 << 20

random = np.random.default_rng(5)
KINDS: dict[str, Array] = {
    "random bytes": random.integers(0, 256, SIZE, dtype=np.uint8),
    "DNA": np.frombuffer(b"ACGT", np.uint8)[random.integers(0, 4, SIZE)],
    "digits": random.integers(48, 58, SIZE, dtype=np.uint8),
    "rare booleans": random.random(SIZE) < 0.01,
    "codes of five": random.integers(0, 5, SIZE).astype(np.int8),
    "small integers": random.integers(0, 1000, SIZE // 2).astype(np.int16),
    "float32": random.normal(size=SIZE // 4).astype(np.float32),
    "float64": random.normal(size=SIZE // 8),
    "five values": random.integers(0, 5, SIZE // 8).astype(np.float64),
    "consecutive": np.arange(SIZE // 8),
    "consecutive floats": np.arange(SIZE // 8, dtype=np.float64),
    "sorted": np.sort(random.normal(size=SIZE // 8)),
    "mostly zero": (random.random(SIZE // 8) < 0.01).astype(np.float64),
}


def cuts(data: Array, width: int, row_bytes: int = ROW_BYTES) -> dict[int, int]:
    """Cut all of the data: places and their prints."""
    cutter = Cutter(width, row_bytes)
    raw = data.view(np.uint8)
    found: dict[int, int] = {}
    for at in range(0, len(raw), BLOCK_BYTES):
        places, prints = cutter.cut(raw[at : at + BLOCK_BYTES + cutter.ahead_bytes])
        found |= dict(zip((places + at).tolist(), prints.tolist(), strict=True))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_data_has_about_one_cut_in_each_row_at_whole_elements(kind: str) -> None:
    data = KINDS[kind]
    found = cuts(data, data.itemsize)
    assert 0.9 * SIZE / ROW_BYTES <= len(found) <= SIZE / ROW_BYTES
    assert all(place % data.itemsize == 0 for place in found)
    assert len({place // ROW_BYTES for place in found}) == len(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moved_by", [1, 123, 1001])
def test_bytes_that_moved_are_mostly_cut_where_they_were_and_printed_the_same(kind: str, moved_by: int) -> None:
    data = KINDS[kind]
    before = cuts(data, data.itemsize)
    after = cuts(data[moved_by:], data.itemsize)
    kept = [place for place, seen in after.items() if before.get(place + moved_by * data.itemsize) == seen]
    assert len(kept) >= 0.5 * len(after)


@pytest.mark.parametrize("kind", KINDS)
def test_prints_tell_most_places_apart(kind: str) -> None:
    data = KINDS[kind]
    found = cuts(data, data.itemsize)
    assert len(set(found.values())) >= 0.6 * len(found)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_constant_rows_are_cut_where_they_begin_and_printed_the_same(width: int) -> None:
    found = cuts(np.full(SIZE, 7, np.uint8), width)
    assert all(place % ROW_BYTES == 0 for place in found)
    assert len(found) >= SIZE // ROW_BYTES - 1
    assert len(set(found.values())) == 1


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("period", [2, 3, 5, 64])
def test_a_short_cycle_costs_no_more_cuts_than_it_has_rows(width: int, period: int) -> None:
    cycle = np.resize(np.arange(period, dtype=f"u{width}"), SIZE // width)
    assert len(cuts(cycle, width)) <= SIZE / ROW_BYTES


@given(st.binary(max_size=9000), st.sampled_from([1, 2, 4, 8]), st.integers(0, 7))
@settings(deadline=None)
def test_any_block_at_any_address_is_cut_within_its_bounds(data: bytes, width: int, skipped: int) -> None:
    cutter = Cutter(width, 1024)
    block = np.frombuffer(data, np.uint8)[skipped:] if len(data) > skipped else np.zeros(0, np.uint8)
    places, prints = cutter.cut(block)
    aligned, same = cutter.cut(block.copy())
    assert (places.tolist(), prints.tolist()) == (aligned.tolist(), same.tolist())
    assert all(0 <= place <= len(block) - cutter.ahead_bytes and place % width == 0 for place in places.tolist())


@pytest.mark.parametrize(("item_bytes", "width"), [(1, 1), (2, 2), (3, 1), (4, 4), (6, 2), (8, 8), (12, 4), (16, 8)])
def test_cuts_are_aligned_to_the_largest_power_of_two_in_an_item(item_bytes: int, width: int) -> None:
    assert element_bytes(item_bytes) == width


def test_longer_rows_keep_some_of_the_cuts_of_shorter_ones() -> None:
    data = KINDS["float64"]
    fine, coarse = cuts(data, 8, 2048), cuts(data, 8, 16384)
    assert len(fine) > 7 * len(coarse)
    assert coarse.items() <= fine.items()
