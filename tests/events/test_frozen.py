"""What is frozen: the fields of every type of event, the bytes of one of each, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest
from frozen import breaches, frozen_schemas, golden, schemas, unfrozen
from samples import EVENT, ORIGIN, TIME_US, sample_of

import lineal
from lineal.events.catalogue import CATALOGUE, Event, Unknown
from lineal.events.codec import decode, encode
from lineal.events.projections import Streams
from lineal.events.rows import key
from lineal.events.schema import SCHEMAS
from lineal.events.upcasts import UPCASTS
from lineal.store import open_store

GOLDEN = [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in golden()]
SCHEMA = {"T/1": [["a", "int", False], ["b", "str", True]]}


def test_the_fields_of_every_type_are_those_that_are_frozen_or_more() -> None:
    assert breaches(frozen_schemas(), schemas(), set(UPCASTS)) == []


def test_all_types_are_frozen_as_they_are_now() -> None:
    assert frozen_schemas().keys() >= schemas().keys(), "run make docs"
    assert {name: frozen_schemas()[name] for name in schemas()} == schemas(), "run make docs"
    assert unfrozen() == [], "run make docs"


@pytest.mark.parametrize(
    ("fields", "is_fine"),
    [
        ([["a", "int", False], ["b", "str", True]], True),
        ([["a", "int", False], ["b", "str", True], ["c", "int", True]], True),
        ([["a", "int", False], ["b", "str", True], ["c", "int", False]], False),
        ([["a", "int", False]], False),
        ([["b", "str", True], ["a", "int", False]], False),
        ([["a", "float", False], ["b", "str", True]], False),
        ([["a", "int", False], ["c", "str", True]], False),
        (None, False),
    ],
)
def test_only_fields_at_the_end_with_defaults_are_no_breach(fields: list[list[Any]] | None, is_fine: bool) -> None:
    found = breaches(SCHEMA, {} if fields is None else {"T/1": fields}, set())
    assert (found == []) is is_fine
    assert is_fine or "T/1" in found[0]


def test_a_type_may_go_that_has_an_upcast() -> None:
    assert breaches(SCHEMA, {}, {"T/1"}) == []


@pytest.mark.parametrize(("type_", "width", "body"), GOLDEN)
def test_golden_bytes_are_read_as_the_event_they_were_made_from(type_: str, width: int, body: bytes) -> None:
    stored = msgpack.unpackb(body)
    assert stored[:6] == [stored[0], type_, EVENT, TIME_US, ORIGIN, stored[5]]
    assert len(stored[7]) == width
    recorded = decode(9, b"c" * 32, body)
    assert (recorded.id, recorded.origin, recorded.time_us) == (EVENT, ORIGIN, TIME_US)
    if type_ in CATALOGUE:
        expected = sample_of(CATALOGUE[type_], width)
        assert recorded.event == expected
        assert recorded.named == stored[6]
        if width == len(SCHEMAS[type_].names):
            assert (recorded.stream, recorded.refs) == (expected.stream, expected.refs)
    else:
        assert recorded.type in CATALOGUE
        assert type(recorded.event) is CATALOGUE[recorded.type]


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)
def test_the_event_of_today_gives_the_golden_bytes(kind: type[Event]) -> None:
    body = encode(sample_of(kind), event_id=EVENT, time_us=TIME_US, origin=ORIGIN)
    assert (kind.TYPE, len(SCHEMAS[kind.TYPE].names), body) in golden()


def test_a_record_that_has_grown_since_takes_its_defaults() -> None:
    body = encode(sample_of(CATALOGUE["run.started/1"]), event_id=EVENT, time_us=TIME_US, origin=ORIGIN)
    stored = msgpack.unpackb(body)
    stored[7][5].append("a column that a newer version added")
    assert decode(1, b"", msgpack.packb(stored)).event == sample_of(CATALOGUE["run.started/1"])


def test_docs_events_says_what_the_catalogue_says() -> None:
    writer = Path(__file__).parents[2] / "docs" / "write.py"
    done = subprocess.run([sys.executable, writer, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


NEWER = msgpack.packb(
    [2, "step.dreamt/7", EVENT, TIME_US, ORIGIN, b"r" * 16, [], {"deep": [1, {"er": b"\x00\xff"}], "ü": 1.5}]
)


def append_raw(path: Path, body: bytes) -> None:
    """Append an event as a newer version would: its type is not in this one's catalogue."""
    store = open_store(path)
    with store.environment.begin(write=True) as txn:
        writer = store._open_writer(txn)
        writer.projections.apply(decode(*writer.log.append(body), body))
        writer.flush()
    store.close()


def test_what_a_newer_version_wrote_passes_through_scan_projections_and_verification_unharmed(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        client.save(1, "before")
    append_raw(store_path, NEWER)
    with lineal.open(store_path) as client:
        client.save(2, "after")
        client.flush()
        seq = next(recorded.seq for recorded in client.events() if recorded.type == "step.dreamt/7")
        unknown = client.store.log.get(seq)
        assert unknown.event == Unknown("step.dreamt/7", {"deep": [1, {"er": b"\x00\xff"}], "ü": 1.5})
        assert [value[32:] for place, value in client.store.log.stored(seq - 1, seq)] == [NEWER]
        assert (unknown.id, unknown.time_us, unknown.stream) == (EVENT, TIME_US, b"r" * 16)
        client.rebuild()
        assert client.verify().is_sound
        assert client.store.rows(Streams.name).latest(key("i", EVENT)).seq == seq  # type: ignore[union-attr]
        assert [client.load(name) for name in ("before", "after")] == [1, 2]
