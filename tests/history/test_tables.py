"""Tables at the public face: read by others, as of any event, while the store is written to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import duckdb
import msgpack
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pytest

import lineal
from lineal.errors import LogCorrupt, StoreClosed, TableNotFound
from lineal.events.codec import decode
from lineal.events.log import CHAIN_BYTES


@pytest.fixture
def filled(client: lineal.Client) -> lineal.Client:
    for number in range(20):
        client.save({"number": number}, f"artifact-{number % 4}")
    client.pin("artifact-0", "best")
    return client


def test_duckdb_polars_and_pandas_read_the_same_rows_from_the_stream_itself(filled: lineal.Client) -> None:
    versions = filled.tables["versions"]
    expected = sorted((one.name, one.version) for name in filled.artifacts() for one in name.versions)
    assert len(expected) == 20
    assert duckdb.sql("select artifact, version from versions order by all").fetchall() == expected
    assert pl.DataFrame(versions).select("artifact", "version").sort("artifact", "version").rows() == expected
    frame = pd.DataFrame.from_arrow(versions)
    assert sorted(zip(frame["artifact"], frame["version"], strict=True)) == expected


@pytest.mark.parametrize("name", ["events", "payloads", "runs", "steps", "cache", "releases"])
def test_a_table_of_the_past_ends_at_its_event(filled: lineal.Client, name: str) -> None:
    table = filled.as_of(7).tables[name].to_arrow()
    assert table.schema == filled.tables[name].schema
    assert max(table["seq"].to_pylist(), default=7) == 7


def test_what_materializers_said_is_a_table_of_each_version_whatever_made_it(client: lineal.Client) -> None:
    @lineal.step
    def make() -> Annotated[np.ndarray, lineal.Artifact("array")]:
        return np.arange(6.0).reshape(2, 3)

    @lineal.pipeline
    def making() -> None:
        make()

    client.save(pd.DataFrame({"x": [1.0, None, 4.0], "y": ["a", "b", "c"]}), "frame")
    before = client.head.seq
    making()
    client.rename("frame", "weather")
    computed = client.tables["computed_metadata"]
    assert duckdb.sql("""
        select artifact, version, item, number from computed where key = 'mean' and number > 2 order by artifact
    """).fetchall() == [("array", 1, None, 2.5), ("frame", 1, "x", 2.5), ("weather", 1, "x", 2.5)]
    assert duckdb.sql("select value from computed where key = 'shape'").fetchall() == [("[2, 3]",)]
    for version in client.versions():
        rows = computed.to_arrow().filter(pc.field("content") == str(version.content)).to_pylist()
        told = {row["key"] for row in rows if row["artifact"] == version.name}
        assert told == set(version.computed_metadata)
    assert set(client.as_of(before).tables["computed_metadata"].to_arrow()["artifact"].to_pylist()) == {"frame"}


def test_a_pin_that_was_removed_is_gone_now_and_there_in_the_past(filled: lineal.Client) -> None:
    pinned = filled.head.seq
    filled.unpin("best")
    assert filled.tables["pins"].to_arrow().num_rows == 0
    assert filled.as_of(pinned).tables["pins"].to_arrow()["label"].to_pylist() == ["best"]


def test_a_reading_shows_the_store_as_it_was_when_it_began(filled: lineal.Client) -> None:
    table = filled.tables["events"]
    head = filled.head.seq
    batches = table.batches()
    first = next(batches)
    filled.save("later", "artifact-0")
    assert first.num_rows + sum(batch.num_rows for batch in batches) == head
    assert table.to_arrow().num_rows == head + 1


def test_what_a_newer_version_wrote_is_exported_unharmed(filled: lineal.Client) -> None:
    payload = msgpack.packb({"deep": [1, {"er": b"\x00\xff"}], "nan": float("nan")})
    head = [2, "step.dreamt/7", b"i" * 16, 7, b"o" * 16, b"r" * 16, []]
    body = msgpack.packb([*head, 0])[:-1] + payload
    store = filled.store
    store.flush()
    with store.environment.begin(write=True) as txn:
        writer = store._open_writer(txn)
        writer.projections.apply(decode(*writer.log.append(body), body))
        writer.flush()
    database = duckdb.connect()
    database.register("events", filled.tables["events"])
    (row,) = database.sql("select type, stream, payload from events where type = 'step.dreamt/7'").fetchall()
    assert row == ("step.dreamt/7", (b"r" * 16).hex(), payload)
    (decoded,) = [one["payload"] for one in filled.tables["payloads"].to_arrow().to_pylist() if one["type"] == row[0]]
    assert decoded == '{"deep": [1, {"er": "00ff"}], "nan": null}'


def test_a_table_that_there_is_not_names_those_there_are(client: lineal.Client) -> None:
    with pytest.raises(TableNotFound, match="no table is called 'step'") as raised:
        client.tables["step"]
    assert "steps" in str(raised.value.hint)
    assert "step" not in client.tables
    assert "steps" in client.tables


def test_a_table_of_a_closed_store_is_an_error_of_ours(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        table = client.tables["events"]
    with pytest.raises(StoreClosed):
        list(table.batches())


def test_asking_for_the_tables_imports_neither_arrow_nor_numpy_before_one_is_read(store_path: Path) -> None:
    script = (
        "import sys, lineal\n"
        f"with lineal.open({str(store_path)!r}) as client:\n"
        "    tables = client.tables\n"
        "print([name for name in ('numpy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_table_of_an_event_that_is_nested_too_deeply_is_an_error_of_ours(client: lineal.Client) -> None:
    """No event is written so, nor taken from a bundle."""
    head = [2, "step.dreamt/7", b"i" * 16, 7, b"o" * 16, b"r" * 16, []]
    body = msgpack.packb([*head, 0])[:-1] + b"\x91" * 1000 + b"\x01"
    environment = client.store.environment
    with environment.begin(write=True) as txn:
        txn.put(client.head.seq.to_bytes(8, "big"), bytes(CHAIN_BYTES) + body, db=environment.databases["events"])
    with pytest.raises(LogCorrupt, match="RecursionError"):
        list(client.tables["payloads"].batches())


@pytest.mark.parametrize("damage", ["\xa0", "\xc4", "\xdc", ""])
def test_tables_of_damaged_events_are_errors_of_ours_or_tables(client: lineal.Client, damage: str) -> None:
    for number in range(40):  # So many are read as rows of one shape.
        client.save({"number": number, "text": "abc"}, f"artifact-{number % 10}")
    environment, head = client.store.environment, client.head.seq
    log, places = environment.databases["events"], [seq.to_bytes(8, "big") for seq in range(head - 30, head + 1)]
    with environment.begin() as txn:
        events = [bytes(txn.get(place, db=log)) for place in places]
    errors = 0
    for offset in range(36, min(map(len, events)), 7):
        with environment.begin(write=True) as txn:
            for place, event in zip(places, events, strict=True):
                rest = event[offset + 1 :] if damage else b""  # Else it is cut short.
                txn.put(place, event[:offset] + damage.encode("latin-1") + rest, db=log)
        for name in ("events", "payloads", "computed_metadata", "artifact_saved"):
            try:
                list(client.tables[name].batches())
            except LogCorrupt:
                errors += 1
    assert errors
