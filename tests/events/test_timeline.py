"""Where the log was at a time, however the clocks went."""

from __future__ import annotations

import random
from typing import Any

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import StoreFull
from lineal.events import catalogue as facts
from lineal.events import timeline
from lineal.events.codec import encode, time_us_of
from lineal.events.ids import EventId, RunId, StoreId
from lineal.events.log import LogWriter
from lineal.events.standing import META
from lineal.events.timeline import Timeline

EVENT = facts.RunCompleted(RunId(b"r" * 16))
ORIGIN = StoreId(b"o" * 16)
steady = list(range(0, 4000, 2))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a short log has many."""
    monkeypatch.setattr(timeline, "_BLOCK_EVENTS", 4)
    monkeypatch.setattr(timeline, "_SAVED_BLOCKS", 2)


def append(ledger: Any, times_us: list[int]) -> None:
    """Append an event at each of these times."""
    with ledger.environment.changing() as changes:
        log = LogWriter(changes)
        for time_us in times_us:
            log.append(encode(EVENT, event_id=EventId.new(), time_us=time_us, origin=ORIGIN))


def expected(times_us: list[int], time_us: int) -> int:
    """How many events there are before the first that is later."""
    return next((place for place, one in enumerate(times_us) if one > time_us), len(times_us))


def of(ledger: Any, *, may_write: bool = True) -> Timeline:
    """A new timeline of a log."""
    return Timeline(ledger.environment, ledger.log, ledger.changes if may_write else None)


clocks = st.lists(st.integers(-20, 60), min_size=1, max_size=60)
"""Ahead and back at random."""


@settings(max_examples=examples(40))
@given(times=clocks, more=clocks, asked=st.lists(st.integers(-30, 70), min_size=1, max_size=6), data=st.data())
def test_as_of_a_time_the_log_ends_before_its_first_later_event(
    new_ledger: Any, times: list[int], more: list[int], asked: list[int], data: st.DataObject
) -> None:
    with new_ledger() as ledger:
        append(ledger, times)
        kept = of(ledger)
        for time_us in asked:
            assert kept.position(time_us, len(times)) == expected(times, time_us)
        append(ledger, more)
        whole = [*times, *more]
        for time_us in asked:
            upto = data.draw(st.integers(0, len(whole)))
            for one in (kept, of(ledger), of(ledger, may_write=False)):
                assert one.position(time_us, len(whole)) == expected(whole, time_us)
                assert one.position(time_us, upto) == expected(whole[:upto], time_us)


def test_once_a_later_event_is_there_nothing_changes_what_was_the_case_at_a_time(ledger: Any) -> None:
    append(ledger, [10, 20, 30])
    kept = of(ledger)
    assert kept.position(20, 3) == 2
    append(ledger, [5, 15, 20, 12] * 5)
    assert kept.position(20, 23) == of(ledger).position(20, 23) == 2


def test_an_hour_of_a_clock_that_was_ahead_ends_when_real_time_has_caught_up(ledger: Any) -> None:
    append(ledger, [100, 200, 5000, *range(300, 400), 6000])
    assert [of(ledger).position(time_us, 104) for time_us in (250, 399, 4999, 5000, 6000)] == [2, 2, 2, 103, 104]


def row(ledger: Any) -> bytes | None:
    """What is kept."""
    with ledger.environment.begin() as txn:
        found = txn.get(timeline._ROW, db=ledger.environment.databases[META])
    return None if found is None else bytes(found)


def put(ledger: Any, value: bytes) -> None:
    """Change what is kept."""
    with ledger.environment.begin(write=True) as txn:
        txn.put(timeline._ROW, value, db=ledger.environment.databases[META])


def test_what_is_kept_is_used_and_any_damage_to_it_is_noticed(ledger: Any) -> None:
    append(ledger, steady)
    assert of(ledger).position(2001, len(steady)) == 1001
    kept = row(ledger)
    assert kept is not None
    reads: list[int] = []
    spied = of(ledger)
    spied._log = Spy(ledger.log, reads)
    assert spied.position(2001, len(steady)) == 1001
    assert sum(reads) <= 4
    for place in random.Random(3).sample(range(len(kept)), 40):
        damaged = bytearray(kept)
        damaged[place] ^= 1 << place % 8
        put(ledger, bytes(damaged))
        assert of(ledger, may_write=False).position(2001, len(steady)) == 1001
    for cut in (b"", kept[:3], kept[:-1], kept[:36], kept[:-8]):
        put(ledger, cut)
        assert of(ledger, may_write=False).position(2001, len(steady)) == 1001


class Spy:
    """A log that tells how many times were read."""

    def __init__(self, log: Any, reads: list[int]) -> None:
        self._log, self._reads = log, reads
        self.get = log.get

    def times(self, after: int, upto: int) -> Any:
        """As the log's."""
        for time_us in self._log.times(after, upto):
            self._reads.append(1)
            yield time_us


def test_it_is_caught_up_behind_the_log_now_and_then(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "_LAG_BLOCKS", 5)
    kept = of(ledger)
    append(ledger, steady[:19])
    kept.limit_lag()
    assert row(ledger) is None
    append(ledger, steady[19:21])
    kept.limit_lag()
    assert row(ledger) is not None


def test_what_another_log_left_is_not_used(new_ledger: Any) -> None:
    with new_ledger() as one, new_ledger() as other, new_ledger() as shorter:
        append(one, steady)
        of(one).position(0, len(steady))
        kept = row(one)
        assert kept is not None
        append(other, [time_us + 500 for time_us in steady])
        append(shorter, [500, 600])
        put(other, kept)
        put(shorter, kept)
        assert of(other).position(999, len(steady)) == 250
        assert of(shorter).position(550, 2) == 1


def test_a_full_disk_costs_the_index_and_not_the_answer(ledger: Any) -> None:
    append(ledger, steady)

    def full(txn: object) -> Any:
        raise StoreFull("no room", needed_bytes=1)

    assert Timeline(ledger.environment, ledger.log, full).position(2001, len(steady)) == 1001
    assert row(ledger) is None


@given(time_us=st.integers(-(2**63), 2**64 - 1), name=st.text("abc./1", min_size=1, max_size=40))
def test_the_time_of_an_event_is_read_without_the_rest_whatever_its_layout(time_us: int, name: str) -> None:
    import msgpack

    body = msgpack.packb([2, name, bytes(16), time_us, bytes(16), b"", [], ["x"]])
    assert time_us_of(b"chain" + body, 5) == time_us
    assert time_us_of(msgpack.packb([200, name, bytes(16), time_us, bytes(16), b"", [], [], "more"]), 0) == time_us
