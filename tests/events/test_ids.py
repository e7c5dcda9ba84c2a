"""Identities."""

from __future__ import annotations

import os
import pickle
import threading

import pytest

from lineal.errors import InvalidReference
from lineal.events.ids import EventId, RunId, StepRunId


def test_identities_are_of_their_own_type_and_survive_pickling() -> None:
    run = RunId.new()
    restored = pickle.loads(pickle.dumps(run))
    assert (type(restored), restored, len(str(run))) == (RunId, run, 32)
    assert str(StepRunId(run, "train")) == f"{run}/train"
    with pytest.raises(InvalidReference):
        RunId(b"short")


def test_no_identity_is_given_twice_to_threads_or_to_a_forked_child() -> None:
    given: list[bytes] = []
    threads = [threading.Thread(target=lambda: given.extend(RunId.new() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == 2000
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, b"".join(EventId.new() + RunId.new() for _ in range(10)))
        os._exit(0)
    os.wait()
    os.close(writing)
    theirs = os.read(reading, 10_000)
    os.close(reading)
    tails = {theirs[place + 9 : place + 16] for place in range(0, len(theirs), 16)}
    ours = {bytes(one)[9:] for _ in range(10) for one in (EventId.new(), RunId.new())}
    assert len(tails) == 20
    assert not tails & ours
