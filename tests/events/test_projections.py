"""Projections: replay equals what was kept, and the past is what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import RunId
from lineal.events.projections.runs import RunRow
from lineal.events.rows import RowReader, key


@settings(deadline=None)
@given(st.data())
def test_log_is_truth_every_projection_can_be_deleted_and_replayed_row_by_row(
    new_ledger: Callable[[], Any], history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = data.draw(history_of_events)
    with new_ledger() as ledger:
        for event in history:
            ledger.append(event)
        kept = ledger.rows()
        ledger.projector.rebuild()
        assert ledger.rows() == kept


@settings(deadline=None)
@given(st.data())
def test_nothing_is_overwritten_the_rows_up_to_an_event_are_those_of_a_log_that_ends_there(
    new_ledger: Callable[[], Any], history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = data.draw(history_of_events)
    upto = data.draw(st.integers(0, len(history)))
    with new_ledger() as whole, new_ledger() as ended:
        for event in history:
            whole.append(event)
        for event in history[:upto]:
            ended.append(event)
        past = {
            name: [(place, value) for place, value in rows if int.from_bytes(place[-12:-4], "big") <= upto]
            for name, rows in whole.rows().items()
        }
        assert past == ended.rows()


@settings(deadline=None)
@given(st.data())
def test_many_events_in_one_transaction_make_the_rows_of_one_each(
    new_ledger: Callable[[], Any], history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = data.draw(history_of_events)
    with new_ledger() as together, new_ledger() as apart:
        together.append(*history)
        for event in history:
            apart.append(event)
        assert together.rows() == apart.rows()


def test_runs_of_a_pipeline_are_numbered_and_named_and_end_once(ledger: Any) -> None:
    process = facts.Process("h", "b", 1, 1)
    digest = Digest(b"d" * 32)
    first, second = RunId.new(), RunId.new()
    for run, name in ((first, None), (second, "mine")):
        ledger.append(facts.RunStarted(run, "p", digest, (), name, process, digest))
    ledger.append(facts.RunCompleted(first))
    ledger.append(facts.RunInterrupted(first, "too late"))
    rows = RowReader(ledger.environment, "runs", None)
    states = [RunRow.of(rows.latest(key("r", run)).row) for run in (first, second)]  # type: ignore[union-attr]
    assert [(state.name, state.number, state.status) for state in states] == [
        ("p-1", 1, "completed"),
        ("mine", 2, "running"),
    ]
    assert rows.latest(key("l")).row == [second]  # type: ignore[union-attr]


def test_rows_made_by_older_code_are_rebuilt(ledger: Any) -> None:
    ledger.projector.rebuild()
    assert ledger.projector.outdated() == []
    with ledger.environment.begin(write=True) as txn:
        txn.put(b"projection/runs", b"0", db=ledger.environment.databases["meta"])
    (outdated,) = ledger.projector.outdated()
    assert outdated.name == "runs"
    ledger.projector.rebuild([outdated])
    assert ledger.projector.outdated() == []
