"""Projections: replay equals what was kept, and the past is what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId
from lineal.events.projections.artifacts import numbered_in, versions_key
from lineal.events.projections.content_names import names_of
from lineal.events.projections.runs import RunRow
from lineal.events.rows import RowReader, key

FINGERPRINT = Fingerprint(b"f" * 32)
OTHERS = st.just("f/1"), st.just("t"), st.just(1), st.just({})


def content_of(number: int) -> Digest:
    """One of a few."""
    return Digest(bytes([number]) * 32)


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


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_version_is_found_by_its_name_and_number_and_a_content_by_its_names_as_of_every_event(
    new_ledger: Callable[[], Any], data: st.DataObject
) -> None:
    """As a list of what was saved says: of a few contents under a few names, some with a number of their own."""
    contents = [Digest(bytes([byte]) * 32) for byte in (0, 1, 0x6C, 255)]
    saves = st.tuples(st.sampled_from(["a", "ab", "a" * 300]), st.sampled_from(contents), st.integers(0, 9))
    versions: dict[str, dict[int, Digest]] = {}
    names: dict[Digest, list[tuple[str, int]]] = {}
    with new_ledger() as ledger:
        for seq, (name, content, number) in enumerate(data.draw(st.lists(saves, min_size=1, max_size=12)), start=1):
            output = facts.Output("output", name, content, "f/1", "t", 1, {})
            ledger.append(facts.ArtifactNamed(output, "elsewhere", number) if number else facts.ArtifactSaved(output))
            made = versions.setdefault(name, {})
            if content not in made.values():
                made[max([1, number, *(one + 1 for one in made)])] = content
                names.setdefault(content, []).append((name, max(made)))
            rows = RowReader(ledger.environment, "artifacts", None)
            for called, numbered in versions.items():
                found = {wanted: numbered_in(rows, called, wanted) for wanted in range(25)}
                assert {wanted: one for wanted, one in found.items() if one is not None} == numbered
            assert numbered_in(RowReader(ledger.environment, "artifacts", seq - 1), name, 1) in (None, made.get(1))
            ledger.projector.catch_up("content_names")
            named = {one: names_of(RowReader(ledger.environment, "content_names", None), rows, one) for one in contents}
            assert named == {one: names.get(one, []) for one in contents}


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_each_of_several_versions_that_one_event_made_is_found_by_its_number(
    new_ledger: Callable[[], Any], data: st.DataObject
) -> None:
    outputs = st.builds(facts.Output, st.just("o"), st.sampled_from("ab"), st.integers(0, 9).map(content_of), *OTHERS)
    with new_ledger() as ledger:
        for given_ in data.draw(st.lists(st.lists(outputs, max_size=4), min_size=1, max_size=6)):
            ledger.append(
                facts.StepCompleted(
                    RunId(b"r" * 16), "s", "m.f", FINGERPRINT, content_of(0), (), tuple(given_), 1, 2, None
                )
            )
        for upto in range(1, ledger.log.head().seq + 1):
            rows = RowReader(ledger.environment, "artifacts", upto)
            for name in "ab":
                listed = {row[0]: Digest(row[1]) for _, row in rows.history(versions_key(name))}
                found = {number: numbered_in(rows, name, number) for number in range(30)}
                assert {number: one for number, one in found.items() if one is not None} == listed


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


def test_what_a_run_says_of_itself_goes_before_that_others_took_it_for_dead(ledger: Any) -> None:
    process, digest = facts.Process("h", "b", 1, 1), Digest(b"d" * 32)
    rows = RowReader(ledger.environment, "runs", None)

    def state(run: RunId) -> tuple[str, str | None, int | None]:
        row = RunRow.of(rows.latest(key("r", run)).row)  # type: ignore[union-attr]
        return row.status, row.message, row.lease_until_us

    completed, failed, renewed = RunId.new(), RunId.new(), RunId.new()
    for run in (completed, failed, renewed):
        ledger.append(facts.RunStarted(run, "p", digest, (), None, process, digest, None, 5))
        ledger.append(facts.RunInterrupted(run, "no word"), facts.RunInterrupted(run, "said twice"))
        assert state(run) == ("interrupted", "no word", 5)
    ledger.append(facts.RunCompleted(completed), facts.RunFailed(failed, None, "boom"))
    assert state(completed) == ("completed", "it had been given up: no word", 5)
    assert state(failed) == ("failed", "boom; it had been given up: no word", 5)
    ledger.append(facts.RunInterrupted(completed, "too late"), facts.RunRenewed(failed, 9))
    assert [state(run)[0] for run in (completed, failed)] == ["completed", "failed"]
    assert rows.latest(key("l")).row == []  # type: ignore[union-attr]
    ledger.append(facts.RunRenewed(renewed, 9))
    assert state(renewed) == ("running", None, 9)
    assert rows.latest(key("l")).row == [renewed]  # type: ignore[union-attr]
    ledger.append(facts.RunCompleted(renewed))
    assert state(renewed) == ("completed", None, 9)


def test_a_claim_is_its_last_claimants_until_that_one_ends_it(ledger: Any) -> None:
    fingerprint = Fingerprint(b"f" * 32)
    first, second = RunId.new(), RunId.new()
    rows = RowReader(ledger.environment, "claims", None)
    claims = []
    for event in (
        facts.FingerprintClaimed(fingerprint, first, "a"),
        facts.FingerprintClaimed(fingerprint, second, "b"),
        facts.ClaimEnded(fingerprint, first),
        facts.ClaimEnded(fingerprint, second),
    ):
        ledger.append(event)
        found = rows.latest(key("f", fingerprint))
        claims.append((found.seq, found.row))  # type: ignore[union-attr]
    assert claims == [(1, [first, "a"]), (2, [second, "b"]), (3, [second, "b"]), (4, [])]


def test_rows_made_by_older_code_are_rebuilt(ledger: Any) -> None:
    ledger.projector.rebuild()
    assert ledger.projector.outdated() == []
    with ledger.environment.begin(write=True) as txn:
        txn.put(b"projection/runs", b"0", db=ledger.environment.databases["meta"])
    (outdated,) = ledger.projector.outdated()
    assert outdated.name == "runs"
    ledger.projector.rebuild([outdated])
    assert ledger.projector.outdated() == []
