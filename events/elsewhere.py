"""Commits by another process: what a worker submits to the store of its run, the process that drives the run commits.

Invariant: while a store's commits are made elsewhere, this process changes nothing in its log.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..errors import LinealError, NoStepRunning
from .catalogue import Event
from .ids import EventId


class Submission(NamedTuple):
    """A submission on its way to the process that commits it."""

    events: Sequence[Event]
    ids: Sequence[EventId]
    blobs: Sequence[Any]
    """Receipts of what the events name."""
    after: Sequence[int]
    """Those that it comes after, of what is sent with it: their places there, from 0."""
    expected: Mapping[bytes, int] | None = None


Outcome = Sequence[int] | LinealError
"""Where the events of a submission are, or why it was refused."""
Commit = Callable[[Sequence[Submission]], Sequence[Outcome]]
"""Has submissions committed, each whole or not at all; they are durable, or refused, on return."""


class Sendable(Protocol):
    """A ticket that can be told to another process."""

    error: BaseException | None
    places: Sequence[int]

    def sent(self, places: Mapping[Any, int]) -> Submission:
        """What is sent, given the places of what is sent before it. Raises what one failed with that it comes after."""


def send(batch: Sequence[Sendable], commit: Commit) -> bool:
    """Have a batch of tickets committed, and note what came of each; True, as that is done then."""
    places: dict[Sendable, int] = {}
    submissions = []
    for ticket in batch:
        try:
            submissions.append(ticket.sent(places))
        except LinealError as refusal:
            ticket.error = refusal
        else:
            places[ticket] = len(places)
    for ticket, outcome in zip(places, commit(submissions), strict=True):
        if isinstance(outcome, LinealError):
            ticket.error = outcome
        else:
            ticket.places = outcome
    return True


class Call(NamedTuple):
    """A call whose submissions to a store are committed elsewhere."""

    store: Path
    commit: Commit


_commits: dict[Path, tuple[Commit, ...]] = {}
"""By store, how calls have what they submit committed that have begun; the last is in force. Threads read it as it is
replaced."""
_replacing = threading.Lock()
CALL: ContextVar[Call | None] = ContextVar("lineal_call", default=None)
"""The call that runs here, of those that a process is given."""


def commit_elsewhere(store: Path, commit: Commit) -> None:
    """From now on, have it so committed what this process submits to a store, for a call that begins here."""
    _commits[store] = (commit,)
    CALL.set(Call(store, commit))


@contextmanager
def committed_elsewhere(store: Path, commit: Commit) -> Iterator[None]:
    """The same until the block ends, in a process that has a life of its own; calls may overlap in its threads."""
    with _replacing:
        _commits[store] = (*_commits.get(store, ()), commit)
    token = CALL.set(Call(store, commit))
    try:
        yield
    finally:
        CALL.reset(token)
        with _replacing:
            others = [*_commits[store]]
            others.remove(commit)
            _commits[store] = tuple(others)


def commit_of(store: Path) -> Commit | None:
    """How submissions to a store are committed elsewhere; None where this process commits them itself."""
    found = _commits.get(store)
    return found[-1] if found else None


def refuse_late(store: Path) -> None:
    """Raise `NoStepRunning` where who submits is left of a call that has ended: the next one's line is not its own."""
    ours = CALL.get()
    if ours is not None and ours.store == store and ours.commit not in _commits.get(store, ()):
        raise NoStepRunning("the step has ended", hint="Wait for the threads that it starts before it returns.")


def _renew() -> None:
    global _replacing
    _replacing = threading.Lock()  # Whoever held it is not in this process.


os.register_at_fork(after_in_child=_renew)
