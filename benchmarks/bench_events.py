"""How many events does the log take, durably, from one process and from eight, and how fast is it read and replayed?"""

from __future__ import annotations

import gc
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
from histories import History, Moment, grow, small_blob
from measure import MIB, anonymous_memory_bytes, cpu_seconds, in_child, seconds, show_table, shown

from lineal.cas import Digest
from lineal.events import catalogue as facts
from lineal.events.ids import Fingerprint, RunId
from lineal.events.projections import PROJECTIONS
from lineal.store import Store, open_store

EVENTS = int(os.environ.get("LINEAL_BENCH_LOG_EVENTS", "100000"))
"""Length of the log that is replayed."""
SUBMITTED = 20_000
TURNS = 3
PROCESSES = 8
BARRIERS = 100
CONTENTS = [small_blob(bytes([number])) for number in range(100)]
RAW_EACH = 1000
"""Events a commit of the limit has, as a full group commit of the log's."""

Append = Callable[[Store], None]


def step_pairs(count: int, salt: int) -> list[tuple[facts.StepStarted, facts.StepCompleted]]:
    """What so many executed steps of one run say, of contents that are there."""
    run = RunId(salt.to_bytes(16, "big"))
    pairs = []
    for number in range(count):
        content: Digest = CONTENTS[number % len(CONTENTS)].digest
        fingerprint = Fingerprint(salt.to_bytes(16, "big") + number.to_bytes(16, "big"))
        taken = (facts.Input("x", content, "data", None, None),)
        given = (facts.Output("output", "model", content, "f/1", "t", 1000, {"rows": number}),)
        started = facts.StepStarted(run, f"s{number}", "m.f", fingerprint, taken, content)
        times = 1_700_000_000_000_000 + number, 1000
        done = facts.StepCompleted(run, f"s{number}", "m.f", fingerprint, content, taken, given, *times, None)
        pairs.append((started, done))
    return pairs


def appending(submissions: Sequence[Sequence[facts.Event]]) -> Append:
    """Submit each, and wait at the end until all are durable."""

    def append(store: Store) -> None:
        for events in submissions:
            store.append(events)
        store.flush()

    return append


def growing(moments: Sequence[Moment]) -> Append:
    """Submit what a history brings, its blobs too."""
    return lambda store: _grow(store, moments)


def _grow(store: Store, moments: Sequence[Moment]) -> None:
    grow(store, moments)


def in_new_store(action: Callable[[Store], float]) -> float:
    """What an action measures in a store that has just the contents in it."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store")
        store.append([], CONTENTS).wait()
        try:
            return action(store)
        finally:
            store.close()


def raw_lmdb(bodies: Sequence[bytes]) -> float:
    """Seconds to put these durably: what the disk and LMDB alone take."""
    with tempfile.TemporaryDirectory() as folder:
        environment = lmdb.open(folder, map_size=1 << 34)

        def write() -> None:
            for first in range(0, len(bodies), RAW_EACH):
                with environment.begin(write=True) as txn, txn.cursor() as cursor:
                    some = enumerate(bodies[first : first + RAW_EACH], first)
                    cursor.putmulti([(seq.to_bytes(8, "big"), body) for seq, body in some])

        try:
            return seconds(write)
        finally:
            environment.close()


def one_process() -> None:
    """Compare ways to submit, each beside LMDB writing the very bytes that one of them stored."""
    pairs = step_pairs(SUBMITTED // 2, 1)
    moments = list(History(1).moments(SUBMITTED))
    bodies = stored_by(appending(pairs))
    ways: dict[str, Append] = {
        "one event at a time": appending([[event] for pair in pairs for event in pair]),
        "two at a time, as a step": appending(pairs),
        "a thousand at a time": appending(
            [[event for pair in pairs[first : first + 500] for event in pair] for first in range(0, len(pairs), 500)]
        ),
        "a history with its blobs, one moment at a time": growing(moments),
    }
    times: dict[str, list[float]] = {name: [] for name in ("raw LMDB, a thousand a commit", *ways)}
    gc.collect()
    gc.freeze()  # Else a full collection, of all that is prepared here, falls into the one turn or the other.
    cpu: dict[str, list[float]] = {name: [] for name in times}
    for _ in range(TURNS):
        for name in times:
            begun = cpu_seconds()
            action = partial(raw_lmdb, bodies) if name not in ways else partial(in_new_store, _timed(ways[name]))
            times[name].append(action() / SUBMITTED)
            cpu[name].append((cpu_seconds() - begun) / SUBMITTED)
    rows = [_rate_row(name, times[name], f"{statistics.median(cpu[name]) * 1e6:,.1f} µs") for name in times]
    show_table(
        f"{SUBMITTED:,} events submitted by one process, and durable   budget 100,000/s",
        ("", "events/s", "worst", "CPU, opening included"),
        rows,
    )
    gc.unfreeze()


def _timed(append: Append) -> Callable[[Store], float]:
    return lambda store: seconds(lambda: append(store))


def stored_by(append: Append) -> list[bytes]:
    """The rows of the log that appending makes."""
    found: list[bytes] = []

    def keep(store: Store) -> float:
        append(store)
        found.extend(value for _, value in store.log.stored())
        return 0.0

    in_new_store(keep)
    return found


def _rate_row(name: str, times: Sequence[float], *more: str) -> tuple[str, ...]:
    return (name, f"{1 / statistics.median(times):,.0f}", f"{1 / max(times):,.0f}", *more)


def _write_when_told(path: str, number: int, count: int, ready: Any, told: Any, ended: Any) -> None:
    pairs = step_pairs(count // 2, number)
    store = open_store(Path(path))
    ready.release()
    told.wait()
    for pair in pairs:
        store.append(pair)
    store.flush()
    ended.put(time.perf_counter())
    store.close()


def at_once(processes: int) -> float:
    """Seconds until so many processes, each with its share of the events, have all of them durable."""
    context = multiprocessing.get_context("spawn")
    ready, told, ended = context.Semaphore(0), context.Event(), context.Queue()

    def write(store: Store) -> float:
        share = SUBMITTED * 2 // processes
        writers = [
            context.Process(target=_write_when_told, args=(str(store.path), number, share, ready, told, ended))
            for number in range(1, processes + 1)
        ]
        for writer in writers:
            writer.start()
        for _ in writers:
            ready.acquire()
        begun = time.perf_counter()
        told.set()
        last = max(ended.get() for _ in writers)
        for writer in writers:
            writer.join()
        assert store.head().seq == 1 + share * processes
        return last - begun

    return in_new_store(write)


def many_processes() -> None:
    """Compare the same number of events from one process and from many."""
    times = {processes: [at_once(processes) / (2 * SUBMITTED) for _ in range(TURNS)] for processes in (1, PROCESSES)}
    names = {1: "one process", PROCESSES: f"{PROCESSES} processes, each its share"}
    ratio = statistics.median(times[PROCESSES]) / statistics.median(times[1])
    show_table(
        f"{2 * SUBMITTED:,} events, two at a time, on {os.cpu_count()} CPUs   {ratio:.2f} × one process, budget 2",
        ("", "events/s", "worst"),
        [_rate_row(names[processes], times[processes]) for processes in times],
    )


def barriers() -> None:
    """Show how long it takes from submitting one event until it is durable, beside LMDB's own commit."""
    ((started, _),) = step_pairs(1, 1)

    def wait_for_each(store: Store) -> float:
        times["append, wait"] = [seconds(lambda: store.append([started]).wait()) for _ in range(BARRIERS)]
        for _ in range(BARRIERS // 5):
            for _ in range(100):
                store.append([started])
            times["flush with 100 on their way"].append(seconds(store.flush))
        times["flush with nothing on its way"] = [seconds(store.flush) for _ in range(BARRIERS)]
        return 0.0

    times: dict[str, list[float]] = {"flush with 100 on their way": []}
    with tempfile.TemporaryDirectory() as folder:
        environment = lmdb.open(folder, map_size=1 << 30)

        def commit(number: int) -> None:
            with environment.begin(write=True) as txn:
                txn.put(number.to_bytes(8, "big"), bytes(300))

        times["raw LMDB, one commit"] = [seconds(partial(commit, number)) for number in range(BARRIERS)]
        environment.close()
    in_new_store(wait_for_each)
    rows = [(name, shown(statistics.median(taken)), shown(max(taken))) for name, taken in times.items()]
    show_table("Barriers", ("", "median", "worst"), rows)


def _exhaust(iterable: Iterable[object]) -> None:
    deque(iterable, maxlen=0)


def readings(store: Store) -> Mapping[str, Callable[[], object]]:
    """Ways to go through the whole log."""
    log, projector = store.log, store._projector
    return {
        "raw: rows of the log": lambda: _exhaust(log.stored()),
        "verify the chain   budget 500,000/s": log.verify,
        "envelopes": lambda: _exhaust(log.envelopes(0)),
        "events, by field": lambda: _exhaust(log.scan()),
        "events, typed": lambda: _exhaust(recorded.event for recorded in log.scan()),
        **{f"replay {one.name}": partial(projector.rebuild, [one]) for one in PROJECTIONS},
        "replay all   budget 200,000/s": store.rebuild,
    }


def read_and_replay(path: str) -> list[tuple[str, ...]]:
    """Go through the log of a store in every way."""
    store = open_store(Path(path))
    events = store.head().seq
    rows = []
    for name, reading in readings(store).items():
        times = [seconds(reading) / events for _ in range(1 if name.startswith("replay") else TURNS)]
        memory = anonymous_memory_bytes(reading) if name.startswith(("replay all", "verify", "events, t")) else None
        rows.append(_rate_row(name, times, "" if memory is None else f"{memory / MIB:,.0f} MiB"))
    store.close()
    return rows


def replays() -> None:
    """Show how fast a log is read, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "store")
        grow(store, History(2).moments(EVENTS), 100)
        store.close()
        rows = in_child(read_and_replay, str(Path(folder) / "store"))
    show_table(f"A log of {EVENTS:,} events", ("", "events/s", "worst", "memory it takes, mapped pages not"), rows)


def main() -> None:
    """Print the comparisons."""
    one_process()
    many_processes()
    barriers()
    replays()


if __name__ == "__main__":
    main()
