"""The log: order, chain, and what tampering leaves to be seen."""

from __future__ import annotations

from typing import Any

import blake3
import pytest

from lineal.errors import LogCorrupt
from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.events.log import CHAIN_BYTES, EVENTS, GENESIS, Head

RUN = RunId.new()


def place(seq: int) -> bytes:
    """The key of an event."""
    return seq.to_bytes(8, "big")


def stored(ledger: Any) -> dict[int, bytes]:
    """The log as it is in the database."""
    with ledger.environment.begin() as txn:
        rows = list(txn.cursor(ledger.environment.databases[EVENTS]))
    return {int.from_bytes(key, "big"): bytes(value) for key, value in rows}


def change(ledger: Any, rows: dict[int, bytes | None]) -> None:
    """Change the log behind its back."""
    table = ledger.environment.databases[EVENTS]
    with ledger.environment.begin(write=True) as txn:
        for seq, value in rows.items():
            if value is None:
                txn.delete(place(seq), db=table)
            else:
                txn.put(place(seq), value, db=table)


@pytest.fixture
def filled(ledger: Any) -> Any:
    """A ledger with ten events."""
    for number in range(10):
        ledger.append(facts.RunFailed(RUN, None, f"message {number}"))
    return ledger


def test_positions_are_dense_and_events_come_back_in_order(filled: Any) -> None:
    read = list(filled.log.scan())
    assert [recorded.seq for recorded in read] == list(range(1, 11))
    assert [recorded.event.message for recorded in read] == [f"message {number}" for number in range(10)]
    assert [recorded.seq for recorded in filled.log.scan(after=3, upto=6)] == [4, 5, 6]


def test_the_chain_is_blake3_over_the_chain_before_and_the_event(filled: Any) -> None:
    chain = GENESIS
    for value in stored(filled).values():
        chain = blake3.blake3(chain + value[CHAIN_BYTES:]).digest()
        assert value[:CHAIN_BYTES] == chain
    assert filled.log.head() == filled.log.verify() == Head(10, chain)


def test_an_empty_log_has_a_head_too(ledger: Any) -> None:
    assert ledger.log.head() == ledger.log.verify() == Head(0, GENESIS)


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_flipped_bit_is_found_and_located(filled: Any, seq: int) -> None:
    value = bytearray(stored(filled)[seq])
    value[-1] ^= 1
    change(filled, {seq: bytes(value)})
    with pytest.raises(LogCorrupt) as caught:
        filled.log.verify()
    assert caught.value.details["seq"] == seq


def test_a_dropped_event_is_found_and_located(filled: Any) -> None:
    change(filled, {4: None})
    with pytest.raises(LogCorrupt) as caught:
        filled.log.verify()
    assert caught.value.details["seq"] == 4


def test_the_others_are_where_they_were_if_some_are_gone(filled: Any) -> None:
    change(filled, {4: None, 10: None})
    assert [seq for seq, _ in filled.log.stored()] == [1, 2, 3, 5, 6, 7, 8, 9]
    assert [seq for seq, _ in filled.log.stored(3, 7)] == [5, 6, 7]
    assert [recorded.event.message[-1] for recorded in filled.log.scan(2, 5)] == ["2", "4"]


def test_two_events_that_changed_places_are_found(filled: Any) -> None:
    rows = stored(filled)
    change(filled, {4: rows[5], 5: rows[4]})
    with pytest.raises(LogCorrupt) as caught:
        filled.log.verify()
    assert caught.value.details["seq"] == 4


def test_a_reader_sees_what_is_appended_while_it_reads_and_no_transaction_stays_open(ledger: Any) -> None:
    for _ in range(3):
        ledger.append(*(facts.RunFailed(RUN, None, "m") for _ in range(1000)))
    reader = ledger.log.scan()
    first = next(reader)
    ledger.append(facts.RunCompleted(RUN))
    rest = list(reader)
    assert (first.seq, rest[-1].seq) == (1, 3001)
    assert isinstance(rest[-1].event, facts.RunCompleted)


def test_asking_for_an_event_that_is_gone_is_a_typed_error(ledger: Any) -> None:
    with pytest.raises(LogCorrupt):
        ledger.log.get(1)
