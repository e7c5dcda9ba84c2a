"""One log, and processes of every descent that append to it: forked, spawned, forked again, from threads, in pools."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from children import ended_well, forked
from marks import SOME, append_some, append_some_at, mark, numbers

from lineal.errors import Conflict
from lineal.events.committer import Ticket
from lineal.store import Store

HELD_MAX_SUBMISSIONS = 20_000 + 1_000
"""What may wait, and a batch that is on its way."""
HELD_MAX_BYTES = (64 + 8 + 2) * 1024 * 1024
"""Likewise; each may end with one that goes beyond."""


def test_what_a_parent_has_on_its_way_when_it_forks_is_committed_once_and_by_the_parent(store: Store) -> None:
    tickets = [store.append([mark(1, number)]) for number in range(500)]

    def go_on() -> None:
        refused = [is_refused(ticket) for ticket in tickets]
        assert refused == sorted(refused)
        assert refused[-1]
        append_some(store, 2)

    child = forked(go_on)
    store.flush()
    assert ended_well([child])
    assert numbers(store) == {1: list(range(500)), 2: list(range(SOME))}


def is_refused(ticket: Ticket) -> bool:
    """Whether a ticket is of another process."""
    try:
        ticket.wait()
    except Conflict:
        return True
    return False


def test_children_forked_by_threads_while_others_append_keep_their_order_and_lose_nothing(store: Store) -> None:
    def work(writer: int) -> bool:
        children = []
        for child in range(3):
            store.append([mark(writer, child)])
            children.append(forked(partial(append_some, store, 10 * writer + child)))
        return ended_well(children)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(1, 5)))
    store.flush()
    found = numbers(store)
    assert [found.pop(writer) for writer in range(1, 5)] == [[0, 1, 2]] * 4
    assert found == {10 * writer + child: list(range(SOME)) for writer in range(1, 5) for child in range(3)}


def test_rows_that_a_parent_has_asked_for_are_there_for_a_child_that_it_forks(store: Store) -> None:
    store.append([mark(1, 0)]).wait()
    rows = store.rows("metadata")
    asked = rows.keys(b"m", 9)
    assert asked

    def ask_again() -> None:
        assert rows.keys(b"m", 9) == asked

    assert ended_well([forked(ask_again)])


def test_a_childs_child_goes_on_where_its_parent_and_grandparent_do(store: Store) -> None:
    def child() -> None:
        store.append([mark(2, 0)])
        grandchild = forked(partial(append_some, store, 3))
        append_some(store, 4)
        assert ended_well([grandchild])

    store.append([mark(1, 0)])
    forked_child = forked(child)
    append_some(store, 5)
    assert ended_well([forked_child])
    assert numbers(store) == {1: [0], 2: [0], **{writer: list(range(SOME)) for writer in (3, 4, 5)}}


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_the_processes_of_a_pool_append_beside_their_parent(store: Store, store_path: Path, method: str) -> None:
    store.append([mark(1, 0)])
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context(method)) as pool:
        work = pool.map(append_some_at, [str(store_path)] * 9, range(2, 11))
        append_some(store, 11)
        assert os.getpid() not in set(work)
    assert numbers(store) == {1: [0], **{writer: list(range(SOME)) for writer in range(2, 12)}}


@pytest.mark.parametrize(("count", "text"), [(25_000, ""), (200, "x" * 500_000)], ids=["many", "large"])
def test_what_waits_for_a_slow_disk_is_bounded_and_then_all_of_it_is_written(
    store: Store, count: int, text: str
) -> None:
    submitted = 0

    def submit() -> None:
        nonlocal submitted
        for number in range(count):
            store.append([mark(1, number, text)])
            submitted += 1

    thread = threading.Thread(target=submit)
    with store.exclusively():  # Nobody else commits meanwhile: no disk is slower.
        thread.start()
        before = -1
        while submitted != before:
            before = submitted
            thread.join(0.3)
        assert thread.is_alive()
        assert submitted <= HELD_MAX_SUBMISSIONS
        assert submitted * len(text) <= HELD_MAX_BYTES
    thread.join()
    store.flush()
    assert numbers(store) == {1: list(range(count))}
