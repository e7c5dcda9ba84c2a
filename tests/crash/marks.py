"""Events that name their writer and number, in a module that spawned processes can import."""

from __future__ import annotations

import os
from pathlib import Path

from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.store import Store, open_store

SOME = 20


def mark(writer: int, number: int, text: str = "") -> facts.Event:
    """One such event, in its writer's stream."""
    return facts.Annotated(facts.Subject("run", "", RunId(writer.to_bytes(16, "big"))), {"number": number, "x": text})


def numbers(store: Store) -> dict[int, list[int]]:
    """By writer, the numbers in the log, in its order; the chain is verified."""
    store.log.verify()
    found: dict[int, list[int]] = {}
    for recorded in store.log.scan():
        if isinstance(recorded.event, facts.Annotated):
            writer = int.from_bytes(recorded.event.subject.id, "big")
            found.setdefault(writer, []).append(recorded.event.values["number"])
    return found


def append_some(store: Store, writer: int) -> None:
    """Append the numbers below `SOME`, and wait until they are durable."""
    for number in range(SOME):
        store.append([mark(writer, number)])
    store.flush()


def append_some_at(path: str, writer: int) -> int:
    """The same, in a process that opens the store by its path; give its pid."""
    append_some(open_store(Path(path)), writer)
    return os.getpid()
