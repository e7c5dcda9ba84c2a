"""Appends that wait together: written as one, refused each by itself."""

from __future__ import annotations

import multiprocessing

import pytest

from lineal.cas import digest_of
from lineal.errors import BlobMissing, Conflict
from lineal.events import catalogue as facts
from lineal.events.committer import Ticket
from lineal.events.ids import RunId
from lineal.store import Store

RUN = RunId(b"r" * 16)


def failed(number: int) -> facts.RunFailed:
    return facts.RunFailed(RUN, None, str(number))


def saved(name: str) -> facts.ArtifactSaved:
    """A fact that names a content which nobody has put."""
    return facts.ArtifactSaved(facts.Output("output", name, digest_of(name.encode()), "f/1", "t", 1, {}))


def test_each_of_many_appends_has_its_own_events_at_its_own_places(store: Store) -> None:
    tickets = [store.append([failed(number)] * (number % 4)) for number in range(200)]
    store.flush()
    for number, ticket in enumerate(tickets):
        assert [store.log.get(seq).event for seq in ticket.places] == [failed(number)] * (number % 4)
    assert [seq for ticket in tickets for seq in ticket.places] == list(range(2, store.head().seq + 1))


def test_one_that_names_what_is_not_there_is_refused_alone_with_what_comes_after_it(store: Store) -> None:
    before = [store.append([failed(number)]) for number in range(3)]
    refused = store.append([failed(3), saved("never put")])
    beside = [store.append([failed(number)]) for number in range(4, 7)]
    following = store.append([failed(7)], after=[refused])
    last = store.append([failed(8)])
    for ticket in (refused, following):
        with pytest.raises(BlobMissing):
            ticket.wait()
    store.flush()
    stand = [*before, *beside, last]
    assert [list(ticket.places) for ticket in stand] == [[seq] for seq in range(2, 9)]
    assert [recorded.event for recorded in store.log.scan(after=1)] == [failed(one) for one in (0, 1, 2, 4, 5, 6, 8)]
    assert store.log.verify().seq == 8


def test_events_that_a_caller_changes_the_list_of_are_those_that_were_submitted(store: Store) -> None:
    events = [failed(1), failed(2)]
    first, second = store.append(events), store.append(events)
    events[:] = [failed(9)]
    store.flush()
    told = [store.log.get(seq).event for ticket in (first, second) for seq in ticket.places]
    assert told == [failed(1), failed(2)] * 2


def test_what_the_parent_has_on_its_way_is_refused_in_a_forked_child_and_stands_in_the_parent(store: Store) -> None:
    context = multiprocessing.get_context("fork")
    outcomes = context.SimpleQueue()
    tickets = [store.append([failed(number)]) for number in range(50)]

    def child() -> None:
        outcomes.put([_outcome(ticket) for ticket in tickets])

    process = context.Process(target=child)
    process.start()
    told = outcomes.get()
    process.join()
    assert set(told) <= {"durable", "refused"}
    store.flush()
    assert [recorded.event for recorded in store.log.scan(after=1)] == [failed(number) for number in range(50)]


def _outcome(ticket: Ticket) -> str:
    try:
        ticket.wait()
    except Conflict:
        return "refused"
    return "durable"


def test_an_append_of_nothing_has_no_places_in_whatever_way_it_is_made(store: Store) -> None:
    ticket = store.append([])
    ticket.wait()
    assert list(ticket.places) == []
    with store.exclusively() as changes:
        assert store.append_within(changes, []) == ()
    assert store.head().seq == 1
