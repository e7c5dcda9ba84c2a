"""A process that appends numbered events to a stream of its own and to one that it shares, and says what is durable.

``log_writer.py STORE ACKNOWLEDGED NUMBER SEED [WEAKNESS]``: goes on until it is killed.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path
from random import Random

from lineal.cas import digest_of
from lineal.cas.process import ProcessStamp
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId
from lineal.store import Store, open_store

SHARED = RunId(b"s" * 16)
EACH = 3
"""Events that a number has, appended at once."""


def run_of(writer: int) -> RunId:
    """The stream of a writer."""
    return RunId(writer.to_bytes(16, "big"))


def begin(store: Store, writer: int) -> None:
    """Say that the writer's run is under way in this process."""
    stamp = ProcessStamp.current()
    with store.blobs.batch() as batch:
        graph = batch.put(b"graph")
        blobs = batch.publish()
    process = facts.Process(stamp.host, stamp.boot, stamp.pid, stamp.start_ticks)
    store.append([facts.RunStarted(run_of(writer), "p", graph, (), None, process, graph)], blobs).wait()


def value_of(writer: int, number: int) -> bytes:
    """What a step gives: the same as some earlier one, or something new."""
    return f"{writer} {number if number % 3 else 0}".encode()


def numbered(writer: int, number: int) -> list[Event]:
    """What is appended at once for a number: a step of the writer's run, and a mark in the shared stream.

    The step gives a version of an artifact that all writers give versions of, so that they count in turn.
    """
    run, step, code = run_of(writer), f"s{number}", digest_of(b"graph")
    fingerprint = Fingerprint(digest_of(f"{writer % 8} {number % 500}".encode()))
    content = digest_of(value_of(writer, number))
    output = facts.Output("output", f"shared-{number % 5}", content, "f/1", "t", 1, {"number": number})
    return [
        facts.StepStarted(run, step, "m.f", fingerprint, (), code),
        facts.Tagged(facts.Subject("run", "", SHARED), (f"{writer} {number}",)),
        facts.StepCompleted(run, step, "m.f", fingerprint, code, (), (output,), 1, 1, None),
    ]


def write(store: Store, acknowledged: int, writer: int, seed: int) -> None:
    """Append numbers from 0 on; write each to the file once it and all before it are durable."""
    chance = Random(seed)
    begin(store, writer)
    for number in count():
        with store.blobs.batch() as batch:
            batch.put(value_of(writer, number))
            blobs = batch.publish()
        ticket = store.append(numbered(writer, number), blobs)
        if chance.random() < 0.1:
            if chance.random() < 0.5:
                ticket.wait()
            else:
                store.flush()
            os.write(acknowledged, b"%d\n" % number)


def main(path: str, acknowledged: str, writer: str, seed: str, weakness: str = "") -> None:
    """Open the store, weakened if so told, and write to it."""
    if weakness:
        from powercut.weaknesses import WEAKNESSES

        WEAKNESSES[weakness]()
    fd = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    write(open_store(Path(path)), fd, int(writer), int(seed))


if __name__ == "__main__":
    main(*sys.argv[1:])
