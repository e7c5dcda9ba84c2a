"""Group commit: order, all or nothing, and failures that reach whom they belong to."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from lineal.cas import Changes, Environment
from lineal.errors import BlobMissing, Conflict, StoreBroken, StoreClosed
from lineal.events import committer as committing
from lineal.events.committer import Committer, Ticket


class Gathered(Changes):
    """What one transaction writes."""

    def write(self, batch: Sequence[Rows]) -> None:
        """Write those that are not refused."""
        for row in [row for rows in batch for row in rows.tickets]:
            if isinstance(row.fails, BlobMissing):
                row.error = row.fails
            else:
                row.write(self)

    def committed(self) -> None:
        """Nothing is to be kept for the next one."""


class Rows:
    """Those that wait together, three at most."""

    def __init__(self) -> None:
        self.tickets: list[Row] = []
        self.size_bytes = 0

    def settle(self) -> None:
        """Note it of each."""
        for row in self.tickets:
            row.settled = True


class Row(Ticket):
    """One that puts one row, or is refused, or breaks half-way."""

    def __init__(self, environment: Environment, value: bytes, *, fails: BaseException | None = None) -> None:
        self._environment = environment
        self._value = value
        super().__init__()
        self.fails = fails
        self.size_bytes = 10
        self.settled = False

    def write(self, changes: Gathered) -> None:
        """Put it, and fail afterwards."""
        table = self._environment.databases["a"]
        changes.txn.put(changes.txn.stat(table)["entries"].to_bytes(8, "big"), self._value, db=table)
        if self.fails is not None:
            raise self.fails

    def join(self, last: Rows | None) -> Rows:
        group = Rows() if last is None or len(last.tickets) == 3 else last
        group.tickets.append(self)
        group.size_bytes += self.size_bytes
        return group


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """A new environment."""
    opened = Environment(tmp_path, ["a"], map_size_bytes=1 << 30, read_only=False)
    yield opened
    opened.close()


@pytest.fixture
def committer(environment: Environment) -> Iterator[Committer]:
    """A committer that is closed afterwards."""
    made = Committer(environment, partial(Gathered, environment))
    yield made
    made.close()


def rows(environment: Environment) -> list[bytes]:
    """What is committed, in order."""
    with environment.begin() as txn:
        return [bytes(value) for _, value in txn.cursor(environment.databases["a"])]


def test_threads_that_submit_at_once_keep_each_its_order_and_lose_nothing(
    environment: Environment, committer: Committer
) -> None:
    def submit(writer: int) -> None:
        for number in range(300):
            committer.submit(Row(environment, bytes([writer]) + number.to_bytes(2, "big")))

    threads = [threading.Thread(target=submit, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committer.flush()
    found = rows(environment)
    assert len(found) == 1200
    for writer in range(4):
        own = [value[1:] for value in found if value[0] == writer]
        assert own == sorted(own)


def test_a_ticket_that_waited_is_committed_and_settled(environment: Environment, committer: Committer) -> None:
    row = Row(environment, b"x")
    committer.submit(row).wait()
    assert rows(environment) == [b"x"]
    assert row.settled


def test_a_refused_submission_leaves_its_neighbours_alone(environment: Environment, committer: Committer) -> None:
    tickets = [
        committer.submit(Row(environment, value, fails=BlobMissing("gone") if value == b"2" else None))
        for value in (b"1", b"2", b"3")
    ]
    tickets[0].wait()
    tickets[2].wait()
    with pytest.raises(BlobMissing, match="gone"):
        tickets[1].wait()
    assert rows(environment) == [b"1", b"3"]
    committer.flush()


def test_flush_raises_a_failure_that_nobody_waited_for_once(environment: Environment, committer: Committer) -> None:
    committer.submit(Row(environment, b"1", fails=BlobMissing("gone")))
    with pytest.raises(BlobMissing):
        committer.flush()
    committer.flush()
    assert rows(environment) == []


def test_after_an_unforeseen_failure_nothing_more_is_taken(environment: Environment, committer: Committer) -> None:
    with pytest.raises(ZeroDivisionError):
        committer.submit(Row(environment, b"1", fails=ZeroDivisionError())).wait()
    assert rows(environment) == []
    with pytest.raises(StoreBroken):
        committer.submit(Row(environment, b"2"))


def test_closing_commits_what_is_queued_and_then_refuses(environment: Environment) -> None:
    committer = Committer(environment, partial(Gathered, environment))
    for number in range(50):
        committer.submit(Row(environment, bytes([number])))
    committer.close()
    assert len(rows(environment)) == 50
    with pytest.raises(StoreClosed):
        committer.submit(Row(environment, b"x"))


def test_what_can_wait_is_done_bit_by_bit_in_pauses_and_behind_what_is_submitted(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "IDLE_S", 0.001)
    bits: list[int] = []
    third, goes_on, done = threading.Event(), threading.Event(), threading.Event()

    def afterwards(is_idle: bool) -> bool:
        if is_idle:
            bits.append(len(rows(environment)))
            if len(bits) == 3:
                third.set()
                assert goes_on.wait(30)
            if len(bits) == 6:
                done.set()
        return is_idle and len(bits) < 6

    committer = Committer(environment, partial(Gathered, environment), afterwards)
    committer.submit(Row(environment, b"first")).wait()
    assert third.wait(30)
    ticket = committer.submit(Row(environment, b"second"))
    goes_on.set()
    ticket.wait()
    assert done.wait(30)
    committer.close()
    assert bits == [1, 1, 1, 2, 2, 2]


def test_a_forked_child_commits_with_a_thread_of_its_own(environment: Environment, committer: Committer) -> None:
    committer.submit(Row(environment, b"parent")).wait()

    def child() -> None:
        committer.submit(Row(environment, b"child")).wait()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    committer.submit(Row(environment, b"again")).wait()
    assert rows(environment) == [b"parent", b"child", b"again"]


def test_what_waits_for_room_while_the_committer_is_closed_is_refused(environment: Environment) -> None:
    entered, released = threading.Event(), threading.Event()

    class Slow(Row):
        def write(self, changes: Gathered) -> None:
            entered.set()
            assert released.wait(30)

    committer = Committer(environment, partial(Gathered, environment))
    committer.submit(Slow(environment, b"slow"))
    assert entered.wait(30)
    large = Row(environment, b"large")
    large.size_bytes = 1 << 30
    committer.submit(large)
    outcomes: list[object] = []

    def submit() -> None:
        try:
            outcomes.append(committer.submit(Row(environment, b"late")))
        except StoreClosed as error:
            outcomes.append(error)

    waiting, closing = threading.Thread(target=submit), threading.Thread(target=committer.close)
    waiting.start()
    while not committer._room._waiters:  # type: ignore[attr-defined]
        threading.Event().wait(0.001)
    closing.start()
    while not committer._closing:
        threading.Event().wait(0.001)
    released.set()
    waiting.join(30)
    closing.join(30)
    assert [type(one) for one in outcomes] == [StoreClosed]
    assert rows(environment) == [b"large"]


def test_a_child_that_is_forked_while_a_batch_is_taken_is_refused_its_submissions(
    environment: Environment, committer: Committer
) -> None:
    codes: list[int] = []

    class Forking(Row):
        def join(self, last: Rows | None) -> Rows:
            return super().join(Counted())

    class Counted(Rows):
        """Forks when it is asked how much it is, which nobody but the one who takes it does."""

        @property  # type: ignore[override]
        def size_bytes(self) -> int:
            if threading.current_thread().name == "lineal-committer" and not codes:
                child = os.fork()
                if child == 0:
                    os._exit(0 if isinstance(row.error, Conflict) else 1)
                codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return 10

        @size_bytes.setter
        def size_bytes(self, size_bytes: int) -> None:
            """It is always the same."""

    row = Forking(environment, b"x")
    committer.submit(row).wait()
    assert codes == [0]
    assert rows(environment) == [b"x"]
