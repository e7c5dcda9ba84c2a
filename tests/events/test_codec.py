"""Events as bytes."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.errors import Invalid, LogCorrupt
from lineal.events import catalogue as facts
from lineal.events.catalogue import CATALOGUE, Event, Unknown
from lineal.events.codec import EVENT_MAX_BYTES, EnvelopeReader, decode, encode
from lineal.events.ids import EventId, Fingerprint, RunId, StepRunId, StoreId

EVENT, ORIGIN = EventId.new(), StoreId.new()
texts = st.text(max_size=12)
digests = st.binary(min_size=32, max_size=32)
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts | st.lists(st.integers(0, 9), max_size=3)
values: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**62),
    str: texts,
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    str | None: st.none() | texts,
    int | None: st.none() | st.integers(0, 2**62),
    Digest: digests.map(Digest),
    Digest | None: st.none() | digests.map(Digest),
    Fingerprint: digests.map(Fingerprint),
    RunId: st.binary(min_size=16, max_size=16).map(RunId),
    StoreId: st.binary(min_size=16, max_size=16).map(StoreId),
    bytes: st.binary(max_size=32),
    dict[str, Any]: st.dictionaries(texts, plain, max_size=3),
    tuple[str, ...]: st.lists(texts, max_size=3).map(tuple),
    tuple[int, ...]: st.lists(st.integers(0, 2**62), max_size=3).map(tuple),
    tuple[float, ...]: st.lists(st.floats(allow_nan=False), max_size=3).map(tuple),
}


def of_fields(hints: dict[str, Any], names: list[str]) -> list[st.SearchStrategy[Any]]:
    """A strategy for each field."""
    return [values[hints[name]] for name in names]


values[facts.Element | None] = st.none() | st.builds(facts.Element, texts, digests.map(Digest))
for record in (
    facts.Input,
    facts.Output,
    facts.Failure,
    facts.Process,
    facts.Resources,
    facts.Again,
    facts.Subject,
    facts.MetricColumn,
    facts.MetricPoint,
    facts.Numbered,
    facts.StoredVisualization,
    facts.Difference,
    StepRunId,
):
    values[record] = st.builds(record, *of_fields(get_type_hints(record), list(record._fields)))
values[StepRunId | None] = st.none() | values[StepRunId]
values[facts.Again | None] = st.none() | values[facts.Again]
values[facts.Resources | None] = st.none() | values[facts.Resources]
values[tuple[facts.MetricColumn, ...]] = st.lists(values[facts.MetricColumn], max_size=2).map(tuple)
values[tuple[facts.MetricPoint, ...]] = st.lists(values[facts.MetricPoint], max_size=2).map(tuple)
values[tuple[facts.Numbered, ...]] = st.lists(values[facts.Numbered], max_size=2).map(tuple)
values[tuple[facts.Difference, ...]] = st.lists(values[facts.Difference], max_size=2).map(tuple)
values[tuple[facts.StoredVisualization, ...]] = st.lists(values[facts.StoredVisualization], max_size=2).map(tuple)
values[tuple[facts.Input, ...]] = st.lists(values[facts.Input], max_size=3).map(tuple)
values[tuple[facts.Subject, ...]] = st.lists(values[facts.Subject], max_size=3).map(tuple)
values[tuple[Digest, ...]] = st.lists(values[Digest], max_size=3).map(tuple)
values[tuple[facts.Output, ...]] = st.lists(values[facts.Output], max_size=3).map(tuple)


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Any event of a type."""
    return st.builds(kind, *of_fields(get_type_hints(kind), list(kind.FIELDS)))


events = st.one_of([events_of(kind) for kind in CATALOGUE.values()])


@given(events)
def test_every_event_of_the_catalogue_reads_back_equal_and_typed(event: Event) -> None:
    body = encode(event, event_id=EVENT, time_us=5, origin=ORIGIN)
    read = decode(7, b"c" * 32, body)
    assert read.event == event
    assert repr(read.event) == repr(event)
    assert (read.seq, read.id, read.time_us, read.origin) == (7, EVENT, 5, ORIGIN)
    assert (read.refs, read.stream, read.chain) == (event.refs, event.stream, b"c" * 32)


def test_the_envelope_is_as_documented_so_that_any_msgpack_reader_can_follow_the_log() -> None:
    run = RunId.new()
    body = encode(facts.RunFailed(run, "train", "boom"), event_id=EVENT, time_us=5, origin=ORIGIN)
    assert msgpack.unpackb(body) == [
        2,
        "run.failed/1",
        bytes(EVENT),
        5,
        bytes(ORIGIN),
        bytes(run),
        [],
        [bytes(run), "train", "boom"],
    ]


def test_an_event_of_a_newer_version_is_kept_as_it_is() -> None:
    payload = ["a thing", 3]
    body = msgpack.packb([9, "thing.done/4", EVENT, 5, ORIGIN, b"s", [], payload, "an added field"])
    assert decode(1, b"", body).event == Unknown("thing.done/4", payload)


def test_fields_that_a_newer_version_added_are_passed_over() -> None:
    run = RunId.new()
    body = msgpack.packb([2, "run.completed/1", EVENT, 5, ORIGIN, run, [], [run, "an added field"]])
    assert decode(1, b"", body).event == facts.RunCompleted(run)


def test_fields_that_an_older_version_did_not_have_are_filled_in_and_missing_ones_are_an_error() -> None:
    label, content = "best", b"d" * 32
    body = msgpack.packb([2, "pin.added/1", EVENT, 5, ORIGIN, b"", [], [label, content]])
    assert decode(1, b"", body).event == facts.PinAdded(label, Digest(content))
    with pytest.raises(LogCorrupt, match="too few"):
        decode(1, b"", msgpack.packb([2, "pin.added/1", EVENT, 5, ORIGIN, b"", [], [label]]))


def test_payloads_of_the_first_envelope_are_maps_by_name_in_any_order_and_with_unknown_names() -> None:
    run = RunId.new()
    payload = {"mood": "good", "message": "boom", "step": None, "run": run}
    body = msgpack.packb([1, "run.failed/1", EVENT, 5, ORIGIN, run, [], payload])
    assert decode(1, b"", body).event == facts.RunFailed(run, None, "boom")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("stopped by KeyboardInterrupt", facts.RunCancelled), ("process 7 on host died", facts.RunInterrupted)],
)
@pytest.mark.parametrize("version", [1, 2])
def test_an_interruption_of_the_first_version_is_read_as_what_its_reason_says(
    version: int, reason: str, kind: type[Event]
) -> None:
    run = RunId.new()
    payload: Any = {"reason": reason, "run": run} if version == 1 else [run, reason]
    read = decode(1, b"", msgpack.packb([version, "run.interrupted/1", EVENT, 5, ORIGIN, run, [], payload]))
    assert read.event == kind(run, reason)  # type: ignore[call-arg]
    assert read.type == kind.TYPE


@given(events, st.integers(0, 10_000), st.integers(0, 255))
def test_mutated_bytes_give_an_event_or_a_typed_error(event: Event, place: int, value: int) -> None:
    body = bytearray(encode(event, event_id=EVENT, time_us=5, origin=ORIGIN))
    body[place % len(body)] = value
    try:
        read: object = decode(3, b"", bytes(body)).event
    except LogCorrupt as error:
        read = error
    assert isinstance(read, Event) or (isinstance(read, LogCorrupt) and read.details["seq"] == 3)


def test_an_event_that_is_too_large_or_not_plain_is_refused() -> None:
    run = RunId.new()
    for message in ("x" * EVENT_MAX_BYTES, object()):
        with pytest.raises(Invalid):
            encode(facts.RunFailed(run, None, message), event_id=EVENT, time_us=5, origin=ORIGIN)  # type: ignore[arg-type]


def test_an_event_of_an_unknown_type_is_not_written_anew() -> None:
    with pytest.raises(Invalid, match="unknown type"):
        encode(Unknown("thing.done/4", ["a thing"]), event_id=EVENT, time_us=5, origin=ORIGIN)


def test_an_event_does_not_change_and_equals_only_one_of_its_type_with_its_fields() -> None:
    run = RunId.new()
    event = facts.RunRenewed(run, lease_until_us=5)
    with pytest.raises(AttributeError):
        event.run = RunId.new()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        event.mood = "good"  # type: ignore[attr-defined]
    assert event == facts.RunRenewed(run, 5) != facts.RunRenewed(run, 6)
    assert facts.RunCompleted(run) != (run,)
    assert hash(event) == hash(facts.RunRenewed(run, 5))
    with pytest.raises(TypeError):
        facts.RunRenewed(run, 5, "more")  # type: ignore[call-arg]


def test_event_ids_are_uuids_of_version_7_in_the_order_of_their_milliseconds() -> None:
    ids = [EventId.new() for _ in range(100)]
    assert {(one[6] >> 4, one[8] >> 6) for one in ids} == {(7, 2)}
    assert [one[:6] for one in ids] == sorted(one[:6] for one in ids)
    assert len(set(ids)) == 100


@given(st.lists(events, max_size=5))
def test_an_envelope_says_of_an_event_what_the_whole_of_it_says(several: list[Event]) -> None:
    reader = EnvelopeReader(decoded={facts.PinAdded.TYPE})
    for seq, event in enumerate(several, start=1):
        body = encode(event, event_id=EVENT, time_us=5, origin=ORIGIN)
        envelope = reader.read(seq, body)
        assert (envelope.seq, envelope.type, tuple(envelope.refs)) == (seq, event.TYPE, event.refs)
        assert (envelope.fields is not None) == isinstance(event, facts.PinAdded)


@given(st.data())
def test_an_envelope_that_is_cut_or_longer_spoils_none_that_is_read_after_it(data: st.DataObject) -> None:
    reader = EnvelopeReader()
    event = data.draw(events)
    body = encode(event, event_id=EVENT, time_us=5, origin=ORIGIN)
    for cut in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=3)):
        with pytest.raises(LogCorrupt, match="event 3"):
            reader.read(3, body[:cut])
    longer = msgpack.packb(
        [*msgpack.unpackb(body, strict_map_key=False, unicode_errors="surrogatepass"), "later", 7],
        unicode_errors="surrogatepass",
    )
    assert reader.read(4, longer).refs == reader.read(5, body).refs == list(event.refs)
