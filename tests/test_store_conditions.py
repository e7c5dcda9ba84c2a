"""Appends that are held against the log: repeated by their ids, and refused where a stream went on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from children import ended_well, forked

from lineal.cas import digest_of
from lineal.errors import BlobMissing, Invalid, StreamMoved
from lineal.events import catalogue as facts
from lineal.events.ids import EventId, RunId
from lineal.events.rows import key
from lineal.store import Store, open_store

RUN, OTHER = RunId(b"r" * 16), RunId(b"o" * 16)


def failed(number: int, run: RunId = RUN) -> facts.RunFailed:
    return facts.RunFailed(run, None, str(number))


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that uses Lineal."""
    command = [sys.executable, "-P", "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_an_append_that_is_repeated_under_its_ids_changes_nothing_and_says_where_it_is(store: Store) -> None:
    ids = [EventId.new(), EventId.new()]
    first = store.append([failed(1), failed(2)], ids=ids)
    second = store.append([failed(1), failed(2)], ids=ids)
    first.wait()
    second.wait()
    third = store.append([failed(1), failed(2)], ids=ids, expected={RUN: 0})
    third.wait()
    assert [list(ticket.places) for ticket in (first, second, third)] == [[2, 3]] * 3
    assert store.log.verify().seq == 3


def test_what_an_append_has_more_than_an_earlier_one_is_added(store: Store) -> None:
    ids = [EventId.new() for _ in range(3)]
    store.append([failed(0)], ids=ids[:1]).wait()
    store.append([failed(7)]).wait()
    ticket = store.append([failed(1), failed(0), failed(2)], ids=[ids[1], ids[0], ids[2]])
    ticket.wait()
    assert list(ticket.places) == [4, 2, 5]
    assert [recorded.event for recorded in store.log.scan(after=3)] == [failed(1), failed(2)]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_an_id_is_found_however_far_back_it_is(store_path: Path, is_indexed: bool) -> None:
    store = open_store(store_path)
    old = EventId.new()
    store.append([failed(0)], ids=[old]).wait()
    for number in range(600):
        store.append([failed(number, OTHER)])
    store.flush()
    if is_indexed:
        store.rows("streams")
    store.close()
    store = open_store(store_path)
    ticket = store.append([failed(0)], ids=[old])
    ticket.wait()
    assert list(ticket.places) == [2]
    with pytest.raises(StreamMoved):
        store.append([failed(1)], expected={RUN: 0}).wait()
    store.append([failed(1)], expected={RUN: 2}).wait()
    store.close()


def test_an_append_is_refused_where_a_stream_went_on_and_all_of_it_is(store: Store) -> None:
    store.append([failed(1)], expected={RUN: 0}).wait()
    with pytest.raises(StreamMoved) as refused:
        store.append([failed(2, OTHER), failed(2)], expected={OTHER: 0, RUN: 0}).wait()
    assert (refused.value.details["expected"], refused.value.details["found"]) == (0, 2)
    assert store.head().seq == 2
    store.append([failed(2, OTHER), failed(2)], expected={OTHER: 0, RUN: 2}).wait()
    assert store.head().seq == 4


def test_appends_that_expect_the_same_of_a_stream_in_one_transaction_exclude_each_other(store: Store) -> None:
    tickets = [store.append([failed(number)], expected={RUN: 0}) for number in range(20)]
    store.append([], []).wait()
    assert [ticket.error is None for ticket in tickets] == [True] + [False] * 19
    with pytest.raises(StreamMoved):
        store.flush()


def test_ids_that_do_not_fit_the_events_are_refused(store: Store) -> None:
    one = EventId.new()
    for ids in ([], [one], [one, one]):
        with pytest.raises(Invalid):
            store.append([failed(1), failed(2)], ids=ids)
    assert store.head().seq == 1


def test_an_append_that_was_refused_for_a_blob_can_be_repeated_under_its_id(store: Store) -> None:
    id_, content = EventId.new(), digest_of(b"bytes")
    event = facts.PinAdded("label", content)
    with pytest.raises(BlobMissing):
        store.append([event], ids=[id_]).wait()
    with store.blobs.batch() as batch:
        batch.put(b"bytes")
        blobs = batch.publish()
    ticket = store.append([event], blobs, ids=[id_])
    ticket.wait()
    assert list(ticket.places) == [2]


def count_up(store: Store, run: RunId, times: int) -> None:
    """Append so many times what the last event of a stream says, and one more; begin anew where others were faster."""
    while times:
        last = store.rows("streams").latest(key("s", bytes([16]), run))
        seq = 0 if last is None else last.seq
        count = 0 if last is None else int(store.log.get(seq).event.message)  # type: ignore[attr-defined]
        with suppress(StreamMoved):
            store.append([failed(count + 1, run)], expected={run: seq}).wait()
            times -= 1


def test_of_eight_processes_that_count_up_one_stream_at_once_none_overwrites_another(store: Store) -> None:
    run = RunId(b"r" * 16)
    assert ended_well([forked(partial(count_up, store, run, 15)) for _ in range(8)])
    counted = [recorded.event.message for recorded in store.log.scan(after=1)]  # type: ignore[attr-defined]
    assert counted == [str(number) for number in range(1, 121)]


def test_a_process_that_died_before_it_heard_of_its_commit_may_repeat_it(store_path: Path) -> None:
    """The commit is durable, its acknowledgement is lost: the process is killed between the two."""
    open_store(store_path).close()
    script = """
        import os, sys, time
        from pathlib import Path
        from lineal.events.catalogue import RunFailed
        from lineal.events.ids import EventId, RunId
        from lineal.store import open_store
        store = open_store(Path(sys.argv[1]))
        ids = [EventId(bytes([number]) * 16) for number in range(3)]
        ticket = store.append([RunFailed(RunId(b"r" * 16), None, str(n)) for n in range(3)], ids=ids)
        while store.log.head().seq == 1:
            time.sleep(0.001)
        print("committed", flush=True)
        sys.stdin.read()
    """
    process = python(script, str(store_path))
    assert process.stdout is not None
    assert process.stdout.readline() == "committed\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    store = open_store(store_path)
    ids = [EventId(bytes([number]) * 16) for number in range(3)]
    ticket = store.append([failed(number) for number in range(3)], ids=ids, expected={RUN: 0})
    ticket.wait()
    assert list(ticket.places) == [2, 3, 4]
    assert store.log.verify().seq == 4
    store.close()
