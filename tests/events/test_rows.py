"""Rows: a key's history, against a plain list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.events.rows import RowReader, RowWriter, key

parts = st.lists(st.text(max_size=3) | st.just("x" * 250), min_size=1, max_size=3)


@given(parts, parts)
def test_no_key_is_the_beginning_of_another(one: list[str], other: list[str]) -> None:
    first, second = key("t", *one), key("t", *other)
    assert (first == second) == (one == other)
    if len(one) == len(other) and first != second:
        assert not second.startswith(first)


def test_keys_fit_into_lmdb_whatever_the_names() -> None:
    assert len(key("t", "é" * 200, "x" * 10_000, b"d" * 32)) + 12 <= 511


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=30), st.integers(0, 35))
def test_a_key_as_of_any_position_is_what_a_list_says(
    new_ledger: Callable[[], Any], writes: list[tuple[str, int]], upto: int
) -> None:
    with new_ledger() as ledger:
        model: list[tuple[int, str, int]] = []
        for seq, (name, count) in enumerate(writes, start=1):
            with ledger.environment.begin(write=True) as txn:
                changes = ledger.changes(txn)
                rows = RowWriter(changes, "runs").at(seq.to_bytes(8, "big"))
                earlier = [[at, number] for at, known, number in model if known == name]
                assert rows.latest(key("t", name)) == (earlier[-1] if earlier else None)
                for number in range(count):
                    rows.add(key("t", name), [seq, number])
                    assert rows.latest(key("t", name)) == [seq, number]
                    model.append((seq, name, number))
                changes.flush()
        reader, now = RowReader(ledger.environment, "runs", upto), RowReader(ledger.environment, "runs", None)
        for name in "abc":
            past = [[seq, number] for seq, known, number in model if known == name and seq <= upto]
            assert [row for _, row in reader.history(key("t", name))] == past
            assert [row for _, row in reader.history(key("t", name), newest_first=True)] == past[::-1]
            latest = reader.latest(key("t", name))
            assert (None if latest is None else [latest.seq, latest.row]) == ([past[-1][0], past[-1]] if past else None)
            everything = [[seq, number] for seq, known, number in model if known == name]
            assert [row for _, row in now.history(key("t", name))] == everything
        known = {name for seq, name, _ in model if seq <= upto}
        assert reader.keys(b"t", 10) == sorted(key("t", name) for name in known)


@pytest.mark.parametrize("newest_first", [False, True])
def test_long_histories_are_read_whole_and_in_order(ledger: Any, newest_first: bool) -> None:
    with ledger.environment.begin(write=True) as txn:
        changes = ledger.changes(txn)
        for seq in range(1, 2502):
            RowWriter(changes, "runs").at(seq.to_bytes(8, "big")).add(b"t", [seq])
        changes.flush()
    found = [row[0] for _, row in RowReader(ledger.environment, "runs", 2400).history(b"t", newest_first=newest_first)]
    assert found == sorted(range(1, 2401), reverse=newest_first)


def test_a_row_with_a_lone_surrogate_is_kept_and_so_are_those_after_it(new_ledger: Callable[[], Any]) -> None:
    with new_ledger() as ledger:
        with ledger.environment.begin(write=True) as txn:
            changes = ledger.changes(txn)
            rows = RowWriter(changes, "runs").at((1).to_bytes(8, "big"))
            rows.add(b"a", ["x", "\udc80"])
            rows.mark(b"b", ["y", "\udcff"])
            rows.add(b"c", ["z"])
            changes.flush()
        reader = RowReader(ledger.environment, "runs", None)
        found = [one.row for one in map(reader.latest, (b"a", b"b", b"c")) if one is not None]
        assert found == [["x", "\udc80"], ["y", "\udcff"], ["z"]]
