"""Indexes that are kept behind the log: when they are caught up, and that they are read whole all the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lineal import store as store_module
from lineal.cas import Digest
from lineal.events import catalogue as facts
from lineal.events import committer, projector
from lineal.events.ids import RunId
from lineal.events.projections import Lineage
from lineal.events.projections.content_names import names_of
from lineal.events.rows import RowReader, key
from lineal.store import Store, open_store


def append_saves(store: Store, count: int) -> Digest:
    """Save one content so many times, each durable before the next."""
    with store.blobs.batch() as batch:
        content = batch.put(b"content")
        store.append([], batch.publish()).wait()
    output = facts.Output("output", "data", content, "f/1", "t", 1, {})
    for _ in range(count):
        store.append([facts.ArtifactSaved(output)]).wait()
    return content


def test_an_index_that_is_kept_behind_is_caught_up_in_the_first_pause_in_which_it_lacks_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lineage, "lag_max", 50)
    append_saves(store, 60)
    until = time.monotonic() + 30
    while store.lag("lineage") and time.monotonic() < until:
        time.sleep(0.01)
    assert (store.lag("lineage"), store.lag("streams") > 50) == (0, True)


def test_an_index_that_is_kept_behind_is_never_far_behind_a_writer_that_makes_no_pause(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lineage, "lag_max", 50)
    monkeypatch.setattr(projector, "_BUSY_LAG", 1)
    monkeypatch.setattr(store_module, "_LOOKED_EVERY_EVENTS", 10)
    monkeypatch.setattr(committer, "IDLE_S", 3600)
    store = open_store(store_path)
    content = append_saves(store, 140)
    store.close()
    store = open_store(store_path, read_only=True)
    rows = sum(1 for _ in RowReader(store.environment, "lineage", None).history(key("p", content)))
    assert 80 <= rows < 140
    assert sum(1 for _ in store.rows("lineage").history(key("p", content))) == 140
    store.close()


def test_whoever_opens_a_store_whose_indexes_lack_much_catches_up_a_piece_at_its_first_event_and_no_more(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "IDLE_S", 3600)
    store = open_store(store_path)
    append_saves(store, 60)
    store.close()
    monkeypatch.setattr(Lineage, "lag_max", 1)
    monkeypatch.setattr(projector, "_BUSY_LAG", 1)
    monkeypatch.setattr(projector, "_PIECE_EVENTS", 3)
    for _ in range(2):
        store = open_store(store_path)
        lag = store.lag("lineage")
        store.append([facts.RunCompleted(RunId(b"r" * 16))]).wait()
        store.close()  # What follows a commit is done by then.
        store = open_store(store_path, read_only=True)
        assert store.lag("lineage") == lag + 1 - 3
        store.close()


def test_an_index_that_nobody_has_caught_up_is_read_whole_from_a_read_only_store(store_path: Path) -> None:
    store = open_store(store_path)
    with store.blobs.batch() as batch:
        content = batch.put(b"content")
        blobs = batch.publish()
    output = facts.Output("output", "data", content, "f/1", "t", 1, {})
    for _ in range(3):
        store.append([facts.ArtifactSaved(output)], blobs)
    store.close()
    size_bytes = (store_path / "log" / "data.mdb").stat().st_size
    store = open_store(store_path, read_only=True)
    seen = list(store.rows("lineage").history(key("p", content)))
    assert len(seen) == 3
    assert [row.seq for row in store.rows("lineage", upto=3).history(key("p", content))] == [2, 3]
    store.close()
    assert (store_path / "log" / "data.mdb").stat().st_size == size_bytes
    store = open_store(store_path)
    assert list(store.rows("lineage").history(key("p", content))) == seen
    store.close()


def test_the_names_of_a_content_are_read_whole_from_a_read_only_store_whose_index_was_rebuilt_and_lacks_some(
    store_path: Path,
) -> None:
    store = open_store(store_path)
    content = append_saves(store, 2)
    store.rebuild()
    append_saves(store, 2)
    store.append([facts.ArtifactNamed(facts.Output("output", "other", content, "f/1", "t", 1, {}), "data")])
    store.close()
    store = open_store(store_path, read_only=True)
    assert store.lag("content_names") == 3
    names = names_of(store.rows("content_names"), store.rows("artifacts"), content)
    assert (
        names == names_of(store.rows("content_names"), store.rows("artifacts"), content) == [("data", 1), ("other", 1)]
    )
    store.close()
