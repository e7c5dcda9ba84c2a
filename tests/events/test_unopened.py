"""Events that are left unopened: they say what opened ones say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.errors import LogCorrupt
from lineal.events import catalogue as facts
from lineal.events.codec import Recorded, encode
from lineal.events.ids import EventId, Fingerprint, RunId, StoreId
from lineal.events.log import CHAIN_BYTES
from lineal.events.projection_writer import Placed, ProjectionWriter
from lineal.events.projections import Projection, References, RowWriter, Streams
from lineal.events.unopened import HEADS, LENGTH_PLACE, TYPE_PLACE, Unopened, opened_in, unopened_in

from .conftest import events

EVENT, ORIGIN, RUN = EventId(b"e" * 16), StoreId(b"o" * 16), RunId(b"r" * 16)
DIGESTS = [Digest(bytes([number]) * 32) for number in range(20)]
CHAIN = b"c" * CHAIN_BYTES
NOW_US = 1_700_000_000_000_000


def unopened(row: bytes) -> Recorded:
    """The event of a row whose head is known."""
    place = TYPE_PLACE + (row[LENGTH_PLACE] & 0x1F)
    return unopened_in(7, row, HEADS[row[CHAIN_BYTES:place]], place)


def row_of(event: facts.Event, time_us: int = NOW_US) -> bytes:
    return CHAIN + encode(event, EVENT, time_us, ORIGIN)


def completed(names: int) -> facts.StepCompleted:
    """An event that names so many digests."""
    given = tuple(facts.Output(f"o{number}", "data", DIGESTS[number], "f/1", "t", 1, {}) for number in range(1, names))
    return facts.StepCompleted(RUN, "s", "m.f", Fingerprint(DIGESTS[0]), DIGESTS[0], (), given, 1, 2, None)


def said(recorded: Recorded) -> list[Any]:
    """All that an event says, its envelope first."""
    envelope = [recorded.seq, recorded.type, recorded.raw_id, recorded.time_us, recorded.stream, [*recorded.named]]
    return [*envelope, recorded.fields, recorded.event, recorded.chain]


@given(events, st.sampled_from([NOW_US, 5]))
def test_an_event_says_the_same_whether_it_is_opened_or_not(event: facts.Event, time_us: int) -> None:
    row = row_of(event, time_us)
    assert said(unopened(row)) == said(opened_in(7, row))
    assert (unopened(row).id, unopened(row).refs, unopened(row).origin) == (EVENT, event.refs, ORIGIN)


@pytest.mark.parametrize("names", [1, 2, 15, 16, 20])
def test_of_an_event_that_names_few_digests_only_the_envelope_is_read(names: int) -> None:
    row = row_of(completed(names))
    assert len(unopened(row).named) == names
    assert isinstance(unopened(row), Unopened) == (names <= 15)
    assert said(unopened(row)) == said(opened_in(7, row))


def test_what_is_damaged_is_an_error_or_says_what_it_says_opened() -> None:
    row, compared = row_of(completed(3)), 0
    for place, damage in product(range(CHAIN_BYTES, len(row)), (0x41, 0x1D)):  # By the one, bytes are a text.
        damaged = row[:place] + bytes([row[place] ^ damage]) + row[place + 1 :]
        if damaged[CHAIN_BYTES : TYPE_PLACE + (damaged[LENGTH_PLACE] & 0x1F)] in HEADS:
            assert said_or_unreadable(unopened, damaged) == said_or_unreadable(partial(opened_in, 7), damaged)
            compared += 1
    assert compared == 2 * (len(row) - TYPE_PLACE - len(facts.StepCompleted.TYPE))


@pytest.mark.parametrize("size_bytes", [0, 31, 33, 66])
def test_what_is_named_by_other_than_a_digest_is_read_as_what_it_is(size_bytes: int) -> None:
    row = CHAIN + msgpack.packb([2, "run.completed/1", EVENT, NOW_US, ORIGIN, RUN, [b"n" * size_bytes], [RUN]])
    assert said(unopened(row)) == said(opened_in(7, row))


def said_or_unreadable(reading: Callable[[bytes], Recorded], row: bytes) -> list[Any] | None:
    """All that the event of a row says; None where it can't be read."""
    try:
        return said(reading(row))
    except LogCorrupt:
        return None


class Everything(Projection):
    """A fold of all events, that looks into each."""

    name = "streams"
    events = None

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        rows.add(b"e", [recorded.type, recorded.fields and list(recorded.fields)])


class Gathering:
    """Where rows go."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[bytes, bytes]] = {}

    def gathered(self, database: str) -> dict[bytes, bytes]:
        """The rows of a database."""
        return self.rows.setdefault(database, {})

    def cursor(self, database: str) -> Any:
        """Nobody asks for rows."""
        raise LookupError(database)


def folded(projections: list[Projection], *rows: bytes) -> dict[str, list[Any]]:
    """The rows of a fold, by projection."""
    gathering = Gathering()
    writer = ProjectionWriter(gathering, [Placed(one, one.name) for one in projections])
    assert writer.fold(enumerate(rows, 1)) == (len(rows), sum(map(len, rows)))
    return {name: [msgpack.unpackb(row) for row in made.values()] for name, made in gathering.rows.items()}


def test_a_fold_of_all_events_is_given_the_fields_that_it_asks_for() -> None:
    odd = [
        CHAIN + msgpack.packb([9, "thing.done/4", EVENT, 5, ORIGIN, b"s", [], [1], "more"]),
        row_of(completed(17), 5),
    ]
    wide = CHAIN + msgpack.packb([2, "run.completed/1", EVENT, NOW_US, ORIGIN, RUN, [], [RUN], "more"])
    found = folded([Everything()], row_of(facts.RunCompleted(RUN)), *odd, wide)["streams"]
    assert [type_ for type_, _ in found] == ["run.completed/1", "thing.done/4", "step.completed/1", "run.completed/1"]
    assert [fields if fields is None else fields[0] for _, fields in found] == [RUN, None, RUN, RUN]


def test_a_fold_of_some_types_takes_them_in_envelopes_of_newer_and_older_versions() -> None:
    class Ends(Everything):
        events = (facts.RunCompleted, facts.RunCancelled)

    newer = CHAIN + msgpack.packb([3, "run.completed/1", EVENT, NOW_US, ORIGIN, RUN, [], [RUN], "more"])
    newest = CHAIN + msgpack.packb([4, "run.completed/1", EVENT, NOW_US, ORIGIN, RUN, [], [RUN], *range(9)])
    older = CHAIN + msgpack.packb([1, "run.completed/1", EVENT, NOW_US, ORIGIN, RUN, [], {"run": RUN}])
    upcast = CHAIN + msgpack.packb([2, "run.interrupted/1", EVENT, 5, ORIGIN, RUN, [], [RUN, "stopped by somebody"]])
    others = row_of(completed(3)), row_of(facts.RunFailed(RUN, None, "boom"))
    found = folded([Ends()], others[0], newer, newest, older, upcast, others[1])
    assert [type_ for type_, _ in found["streams"]] == ["run.completed/1"] * 3 + [facts.RunCancelled.TYPE]


def test_an_error_of_whoever_reads_the_log_is_not_told_as_one_of_a_projection() -> None:
    def rows() -> Iterator[tuple[int, bytes]]:
        yield 1, row_of(completed(3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        ProjectionWriter(Gathering(), [Placed(Streams(), "streams")]).fold(rows())


@pytest.mark.parametrize(
    "row", [b"", CHAIN, CHAIN + b"\x98\x02", row_of(completed(3))[:60], row_of(completed(3))[:100]]
)
def test_a_row_that_is_too_short_for_an_event_is_an_error(row: bytes) -> None:
    with pytest.raises(LogCorrupt, match="event 1 can't be read"):
        folded([References(), Streams()], row)
