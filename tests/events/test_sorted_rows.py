"""Rows sorted by pieces: they come back whole, and in order."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.events import sorted_rows
from lineal.events.sorted_rows import SortedRows

pieces = st.lists(st.dictionaries(st.binary(min_size=1, max_size=3), st.binary(max_size=2), max_size=12), max_size=8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little fits in memory, and is read at once."""
    monkeypatch.setattr(sorted_rows, "_MEMORY_BYTES", 50)
    monkeypatch.setattr(sorted_rows, "_BLOCK_ROWS", 2)
    monkeypatch.setattr(sorted_rows, "_RANGE_BLOCKS", 3)


@pytest.mark.usefixtures("small")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces, pieces)
def test_what_was_added_by_pieces_comes_back_in_the_order_of_all_keys(
    tmp_path: Path, ones: list[dict[bytes, bytes]], others: list[dict[bytes, bytes]]
) -> None:
    with SortedRows(tmp_path) as rows:
        wanted: dict[str, dict[bytes, bytes]] = {"one": {}, "other": {}}
        for added, database in ((ones, "one"), (others, "other")):
            for number, piece in enumerate(added):  # No key is added twice.
                own = {key + bytes([number]): value for key, value in piece.items()}
                rows.add(database, own)
                wanted[database] |= own
        for database, all_rows in wanted.items():
            given_back = [*rows.take(database)]
            assert [pair for some in given_back for pair in zip(*some, strict=True)] == sorted(all_rows.items())
            assert all(len(keys) <= 2 * 3 * (len(ones) + len(others)) for keys, _ in given_back)


@pytest.mark.usefixtures("small")
def test_rows_are_added_after_some_were_taken(tmp_path: Path) -> None:
    with SortedRows(tmp_path) as rows:
        rows.add("one", {bytes([number]): b"1" * 30 for number in range(20)})
        rows.add("other", {b"o": b"2"})
        assert sum(len(keys) for keys, _ in rows.take("one")) == 20
        rows.add("one", {b"a": b"3", b"c": b"4"})
        rows.add("other", {b"n": b"5"})
        assert [*rows.take("one")] == [([b"a", b"c"], [b"3", b"4"])]
        assert [*rows.take("other")] == [([b"n", b"o"], [b"5", b"2"])]
        assert [key for keys, _ in rows.take("other") for key in keys] == []


@pytest.mark.usefixtures("small")
def test_they_are_given_back_by_ranges_that_overlap_nowhere(tmp_path: Path) -> None:
    with SortedRows(tmp_path) as rows:
        for first in range(7):
            rows.add("one", {bytes([number]): b"" for number in range(first, 210, 7)})
        ranges = [keys for keys, _ in rows.take("one")]
    assert len(ranges) > 10
    assert all(before[-1] < after[0] for before, after in pairwise(ranges))


@pytest.mark.usefixtures("small")
def test_no_file_has_a_name(tmp_path: Path) -> None:
    with SortedRows(tmp_path) as rows:
        rows.add("one", {bytes([number]): b"1" * 30 for number in range(20)})
        assert [*tmp_path.iterdir()] == []


def test_of_long_rows_fewer_are_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_rows, "_BLOCK_BYTES", 1000)
    monkeypatch.setattr(sorted_rows, "_RANGE_BLOCKS", 3)
    with SortedRows(tmp_path) as rows:
        for first in range(4):
            rows.add("one", {bytes([number]): bytes(400) for number in range(first, 200, 4)})
        ranges = [values for _, values in rows.take("one")]
    assert sum(map(len, ranges)) == 200
    assert max(sum(map(len, values)) for values in ranges) < 10_000
