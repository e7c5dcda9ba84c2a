"""A log that has grown for years: it verifies, its projections are those of a replay, and memory stays bounded.

How long things take is printed beside a new store's times, not asserted.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bench_growth
import pytest
from blake3 import blake3
from histories import History, grow
from measure import MIB, anonymous_memory_bytes, seconds

import lineal
from lineal.events.projections import PROJECTIONS
from lineal.events.standing import database_of
from lineal.store import Store

MEMORY_MAX_BYTES = 512 * MIB
"""More than what waits to be committed takes, which is bounded by its size as stored: as objects it is several times
that. Much less than a log of a million events, or its rows.
"""
_MOMENTS_EACH = 100


def rows_digests(store: Store) -> dict[str, bytes]:
    """A digest over every row of each projection, those kept behind caught up."""
    found = {}
    for projection in PROJECTIONS:
        store.rows(projection.name)
        hasher = blake3()
        with store.environment.begin() as txn:
            databases = store.environment.databases
            for key, value in txn.cursor(databases[database_of(txn, databases, projection.name)]):
                hasher.update(b"%d %d " % (len(key), len(value)))
                hasher.update(key)
                hasher.update(value)
        found[projection.name] = hasher.digest()
    return found


def at_rate(what: str, events: int, action: Callable[[], object]) -> None:
    """Do something with a log, within bounded memory; print how fast that was."""
    taken: list[float] = []
    memory_bytes = anonymous_memory_bytes(lambda: taken.append(seconds(action)))
    print(f"  {what}: {events / taken[0]:,.0f} events/s, {memory_bytes / MIB:,.0f} MiB")
    assert memory_bytes < MEMORY_MAX_BYTES


def soak(folder: Path, events: int) -> None:
    """Grow a log to so many events, then look at it in every way."""
    path = folder / "store"
    print(f"\nA log of {events:,} events")
    with lineal.open(path) as client:
        store = client.store
        at_rate("appended", events, lambda: grow(store, History(5).moments(events), _MOMENTS_EACH))
        at_rate("chain verified", events, store.log.verify)
        kept = rows_digests(store)
        at_rate("rebuilt", events, client.rebuild)
        assert rows_digests(store) == kept
        verifications = []
        at_rate("store verified", events, lambda: verifications.append(client.verify()))
        assert verifications[0].is_sound
        assert {run.status for run in client.runs()} == {"completed", "failed"}
    bench_growth.show(bench_growth.measured(path, folder, turns=5), events)
    bench_growth.show_sizes(path)
    shutil.rmtree(path)  # pytest would keep the last three.


def test_a_history_is_what_a_replay_of_it_gives_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    assert list(History(1).moments(500)) == list(History(1).moments(500)) != list(History(2).moments(500))
    with lineal.open(tmp_path / "store") as client:
        appended = grow(client.store, History(1).moments(3000), 50)
        assert client.head.seq == 1 + appended
        kept = rows_digests(client.store)
        client.rebuild()
        assert rows_digests(client.store) == kept
        assert client.verify().is_sound


@pytest.mark.torture
def test_a_log_of_a_million_events_is_what_a_replay_of_it_gives(tmp_path: Path) -> None:
    soak(tmp_path, 1_000_000)


@pytest.mark.soak
def test_a_log_of_ten_million_events_is_what_a_replay_of_it_gives(tmp_path: Path) -> None:
    soak(tmp_path, 10_000_000)
