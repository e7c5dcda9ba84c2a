"""The projector: rebuilding beside what is in force, catching up behind, and refusing what another version keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

import pytest

from lineal.cas import Digest, digest_of
from lineal.errors import LogCorrupt, StoreBroken
from lineal.events import catalogue as facts
from lineal.events import log, projector, replay, sorted_rows
from lineal.events.gathered_rows import GatheredRows
from lineal.events.ids import Fingerprint, RunId
from lineal.events.log import EVENTS
from lineal.events.projections import KEPT
from lineal.events.projector import Projector
from lineal.events.replay import Replay
from lineal.events.rows import RowReader, Stamped, key
from lineal.events.standing import (
    META,
    Standing,
    database_of,
    decode_standing,
    encode_standing,
    shadow_key,
    standing_key,
)
from lineal.events.tail import TailedReader

RUN, CONTENT = RunId(b"r" * 16), Digest(b"c" * 32)


def fingerprint(number: int) -> Fingerprint:
    """One of many, in no order."""
    return Fingerprint(bytes([number]) * 32 if number < 99 else digest_of(number.to_bytes(4, "big")))


def completed(number: int) -> facts.StepCompleted:
    """A step run that takes one content and gives another, or the same now and then."""
    output = facts.Output("output", "data", Digest(bytes([number % 5]) * 32), "f/1", "t", 1, {})
    taken = facts.Input("x", CONTENT, "other", None, None)
    return facts.StepCompleted(RUN, f"s{number}", "m.f", fingerprint(number), CONTENT, (taken,), (output,), 1, 2, None)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild and a catching up of three events at a time, hardly any of which is kept in memory."""
    monkeypatch.setattr(projector, "_PIECE_EVENTS", 3)
    monkeypatch.setattr(replay, "_READ_EVENTS", 3)
    monkeypatch.setattr(replay, "_PIECE_ROWS", 1)
    monkeypatch.setattr(replay, "_COMMIT_ROWS", 4)
    monkeypatch.setattr(replay, "_KNOWN_MAX_ROWS", 5)
    monkeypatch.setattr(sorted_rows, "_MEMORY_BYTES", 1)
    monkeypatch.setattr(sorted_rows, "_BLOCK_ROWS", 2)
    monkeypatch.setattr(sorted_rows, "_RANGE_BLOCKS", 1)


def standing_of(ledger: Any, name: str) -> Standing:
    with ledger.environment.begin() as txn:
        found = decode_standing(txn.get(standing_key(name), db=ledger.environment.databases[META]))
    assert found is not None
    return found


def shadows(ledger: Any) -> list[str]:
    with ledger.environment.begin() as txn:
        meta = ledger.environment.databases[META]
        return [one.name for one in KEPT if txn.get(shadow_key(one.name), db=meta) is not None]


def raw_rows(ledger: Any, database: str) -> int:
    with ledger.environment.begin() as txn:
        return int(txn.stat(ledger.environment.databases[database])["entries"])


@pytest.mark.usefixtures("small_pieces")
def test_a_rebuild_in_pieces_gives_the_rows_that_were_kept_and_leaves_the_other_database_empty(ledger: Any) -> None:
    ledger.append(*map(completed, range(10)))
    kept, before = ledger.rows(), standing_of(ledger, "cache").database
    ledger.projector.rebuild()
    assert ledger.rows() == kept
    after = standing_of(ledger, "cache").database
    assert {before, after} == {"cache", "cache~"}
    assert raw_rows(ledger, before) == 0
    assert raw_rows(ledger, after) == len(kept["cache"]) == 10
    assert shadows(ledger) == []


def test_a_rebuild_sorts_the_rows_of_large_events_a_few_at_a_time(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_READ_EVENTS", 1)
    monkeypatch.setattr(replay, "_PIECE_BYTES", 10_000)
    sizes: list[int] = []

    class Measuring(sorted_rows.SortedRows):
        def add(self, database: str, rows: Mapping[bytes, bytes]) -> None:
            sizes.append(sum(map(len, rows.values())))
            super().add(database, rows)

    monkeypatch.setattr(replay, "SortedRows", Measuring)
    subject = facts.Subject("run", "", RUN)
    ledger.append(*(facts.Annotated(subject, {"note": bytes([number]) * 3000}) for number in range(20)))
    kept = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == kept
    assert sum(sizes) > 60_000
    assert max(sizes) < 20_000


def test_of_a_long_log_pieces_grow_so_that_few_are_merged_and_a_replay_gives_the_same_rows(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_READ_EVENTS", 1)
    monkeypatch.setattr(replay, "_PIECE_ROWS", 1)
    monkeypatch.setattr(replay, "_PIECES", 4)
    monkeypatch.setattr(replay, "_PIECE_MAX_ROWS", 16)
    sizes: list[int] = []

    class Measuring(sorted_rows.SortedRows):
        def add(self, database: str, rows: Mapping[bytes, bytes]) -> None:
            if database.startswith("cache"):
                sizes.append(len(rows))
            super().add(database, rows)

    monkeypatch.setattr(replay, "SortedRows", Measuring)
    ledger.append(*map(completed, range(100)))
    kept = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == kept
    assert sizes == [1] * 4 + [2] * 4 + [4] * 4 + [8] * 4 + [16] * 2 + [8]


def test_a_rebuild_whose_rows_are_out_of_order_is_an_error_and_not_one_with_fewer_rows(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append(*map(completed, range(10)))
    kept = ledger.rows()
    in_order = sorted_rows._in_order

    def backwards(*rows: Any) -> sorted_rows.Rows:
        keys, values = in_order(*rows)
        return [*keys[:-2], keys[-1], keys[-2]] if len(keys) > 1 else keys, values

    monkeypatch.setattr(sorted_rows, "_in_order", backwards)
    with pytest.raises(StoreBroken, match="not taken"):
        ledger.projector.rebuild()
    assert ledger.rows() == kept


def test_large_events_are_caught_up_a_few_at_a_time(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "_GATHERED_EVENTS", 1)
    monkeypatch.setattr(projector, "_PIECE_BYTES", 10_000)
    sizes: list[int] = []

    class Measuring(GatheredRows):
        def gathered(self, database: str) -> dict[bytes, bytes]:
            rows = super().gathered(database)
            sizes.append(sum(map(len, rows.values())))
            return rows

    monkeypatch.setattr(projector, "GatheredRows", Measuring)
    taken = tuple(facts.Input(f"i{number}", CONTENT, "x" * 3000, None, None) for number in range(2))
    for number in range(20):
        done = completed(number)
        ledger.append(facts.StepCompleted(*[taken if one is done.inputs else one for one in done]))
    ledger.projector.catch_up("lineage")
    kept = ledger.rows()
    assert 6000 < max(sizes) < 20_000
    ledger.projector.rebuild()
    assert ledger.rows() == kept


def pages_of(ledger: Any, name: str) -> int:
    with ledger.environment.begin() as txn:
        return int(txn.stat(ledger.environment.databases[standing_of(ledger, name).database])["leaf_pages"])


def test_a_rebuild_fills_the_pages_that_commits_have_left_half_empty(ledger: Any) -> None:
    for first in range(0, 2000, 50):
        ledger.append(*(completed(number) for number in range(first, first + 50)))
        ledger.projector.catch_up("references")
    before = pages_of(ledger, "cache"), pages_of(ledger, "references")
    ledger.projector.rebuild()
    after = pages_of(ledger, "cache"), pages_of(ledger, "references")
    assert [4 * some < 3 * many for some, many in zip(after, before, strict=True)] == [True, True]


class Interposed:
    """A log that lets something happen whenever an event of it is to be read."""

    def __init__(self, ledger: Any, happen: Any) -> None:
        self._ledger, self._happen = ledger, happen
        self.head = ledger.log.head

    def stored(self, after: int, upto: int | None = None) -> Iterator[tuple[int, bytes]]:
        """The events after one, each once it has happened."""
        for stored in self._ledger.log.stored(after, upto):
            self._happen()
            yield stored


@pytest.mark.usefixtures("small_pieces")
def test_readers_see_the_old_rows_until_the_last_piece_is_in(ledger: Any) -> None:
    ledger.append(*map(completed, range(10)))
    reader = RowReader(ledger.environment, "cache", None)
    seen: list[bool] = []

    def look() -> None:
        seen.append(all(reader.latest(key("f", bytes([number]) * 32)) is not None for number in range(10)))

    Projector(ledger.environment, Interposed(ledger, look), ledger.changes).rebuild()  # type: ignore[arg-type]
    assert seen == [True] * 10
    assert reader.latest(key("f", bytes([9]) * 32)) is not None


def started(number: int) -> facts.RunStarted:
    """A run of a pipeline, which has the number after that of the last one."""
    process = facts.Process("h", "b", 1, 1)
    return facts.RunStarted(RunId(bytes([number]) * 16), "p", CONTENT, (), None, process, CONTENT)


@pytest.mark.usefixtures("small_pieces")
def test_what_others_append_while_the_log_is_replayed_is_folded_in_once(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_SCAN_EVENTS", 2)
    ledger.append(*map(started, range(4)))
    numbers = iter(range(4, 8))

    def append_another() -> None:
        for number in islice(numbers, 1):
            ledger.append(started(number))

    Projector(ledger.environment, Interposed(ledger, append_another), ledger.changes).rebuild()  # type: ignore[arg-type]
    replayed = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == replayed
    assert len(replayed["streams"]) == 2 * 8


def test_what_lies_where_a_rebuild_is_to_put_its_rows_is_not_among_them(ledger: Any) -> None:
    ledger.append(*map(completed, range(3)))
    kept, in_force = ledger.rows(), standing_of(ledger, "cache").database
    with ledger.environment.begin(write=True) as txn:
        other = ledger.environment.databases["cache" if in_force == "cache~" else "cache~"]
        txn.put(key("f", bytes(32)) + bytes(12), b"\x01", db=other)
    ledger.projector.rebuild()
    assert ledger.rows() == kept


@pytest.mark.parametrize(("appended", "most"), [((10, 4, 1), 1), ((10, 4, 3), 3), ((10, 6), 6), ((10, 2), 2)])
def test_while_a_rebuild_folds_what_others_have_appended_nobody_waits_unless_they_append_half_as_fast(
    ledger: Any, monkeypatch: pytest.MonkeyPatch, appended: tuple[int, ...], most: int
) -> None:
    monkeypatch.setattr(projector, "_LAST_EVENTS", 2)
    numbers = iter(range(1000))

    def append(count: int) -> None:
        ledger.append(*map(completed, islice(numbers, count)))

    append(appended[0])
    later, folded = iter(appended[1:]), 0

    class Watched(Replay):
        def fill(self, after: int, upto: int) -> None:
            nonlocal folded
            super().fill(after, upto)
            folded = upto
            for count in islice(later, 1):
                append(count)

    monkeypatch.setattr(projector, "Replay", Watched)
    ledger.projector.rebuild()
    assert ledger.log.head().seq - folded == most
    replayed = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == replayed


@pytest.mark.usefixtures("small_pieces")
def test_what_others_append_between_the_pieces_of_a_rebuild_is_in_it(ledger: Any) -> None:
    ledger.append(*map(completed, range(7)))
    rebuilding = ledger.projector
    Replay(ledger.environment, ledger.log, rebuilding._empty_shadows(KEPT)).fill(0, 7)
    upto: int | None = 7
    ledger.append(*map(completed, range(7, 12)))
    assert raw_rows(ledger, standing_of(ledger, "cache").database) == 12
    while upto is not None:
        upto = rebuilding._fold_piece(KEPT, upto)
    kept = ledger.rows()
    assert len(kept["cache"]) == 12
    ledger.projector.rebuild()
    assert ledger.rows() == kept


@pytest.mark.usefixtures("small_pieces")
def test_a_rebuild_that_was_cut_short_does_no_harm_and_its_rows_are_cleared_or_begun_anew(ledger: Any) -> None:
    ledger.append(*map(completed, range(10)))
    kept, before = ledger.rows(), standing_of(ledger, "cache")
    Replay(ledger.environment, ledger.log, ledger.projector._empty_shadows(KEPT)).fill(0, 7)
    assert shadows(ledger) == [one.name for one in KEPT]
    assert (ledger.rows(), standing_of(ledger, "cache")) == (kept, before)
    ledger.projector.clear_shadows()
    assert shadows(ledger) == []
    assert {raw_rows(ledger, database) for database in ("cache", "cache~")} == {0, 10}
    Replay(ledger.environment, ledger.log, ledger.projector._empty_shadows(KEPT)).fill(0, 7)
    ledger.projector.rebuild()
    assert (ledger.rows(), shadows(ledger)) == (kept, [])


def test_nobody_writes_to_an_index_that_another_version_keeps(ledger: Any) -> None:
    ledger.append(completed(1))
    newer = standing_of(ledger, "runs")._replace(version=99)
    with ledger.environment.begin(write=True) as txn:
        txn.put(standing_key("runs"), encode_standing(newer), db=ledger.environment.databases[META])
    head = ledger.log.head()
    with pytest.raises(StoreBroken, match="another version"):
        ledger.append(completed(2))
    assert ledger.log.head() == head


@pytest.mark.usefixtures("small_pieces")
def test_an_index_that_is_kept_behind_is_caught_up_to_what_a_rebuild_gives(ledger: Any) -> None:
    ledger.append(*map(completed, range(4)))
    ledger.projector.catch_up("lineage")
    ledger.append(*map(completed, range(4, 11)))
    assert ledger.projector.lag("lineage") == 7
    ledger.projector.catch_up("lineage")
    assert (ledger.projector.lag("lineage"), ledger.projector.lag("cache")) == (0, 0)
    kept = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == kept
    assert len(kept["lineage"]) == 11 * len(["input", "output", "function"])


@pytest.mark.usefixtures("small_pieces")
def test_others_append_while_events_are_folded_into_an_index_that_is_kept_behind(ledger: Any) -> None:
    ledger.append(*map(completed, range(7)))
    numbers = iter(range(20, 24))

    def append_another() -> None:
        ledger.append(*map(completed, islice(numbers, 1)))

    Projector(ledger.environment, Interposed(ledger, append_another), ledger.changes).catch_up(  # type: ignore[arg-type]
        "lineage", "references"
    )
    assert (ledger.projector.upto("lineage"), ledger.projector.upto("references")) == (11, 11)
    kept = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == kept


@pytest.mark.usefixtures("small_pieces")
def test_rows_that_are_caught_up_are_committed_with_how_far_they_go(ledger: Any) -> None:
    ledger.append(*map(completed, range(9)))
    looks: list[tuple[int, int]] = []

    def look(txn: Any) -> Any:
        found = standing_of(ledger, "lineage")
        places = [
            bytes(place) for place in txn.cursor(ledger.environment.databases[found.database]).iternext(True, False)
        ]
        looks.append((found.upto or 0, max((int.from_bytes(place[-12:-4], "big") for place in places), default=0)))
        return ledger.changes(txn)

    Projector(ledger.environment, ledger.log, look).catch_up("lineage")
    with ledger.environment.begin() as txn:
        look(txn)
    assert looks == [(upto, upto) for upto in (0, 3, 6, 9)]


def test_what_another_version_keeps_behind_is_left_as_it_is(ledger: Any) -> None:
    ledger.append(*map(completed, range(3)))
    newer = standing_of(ledger, "lineage")._replace(version=99)
    with ledger.environment.begin(write=True) as txn:
        txn.put(standing_key("lineage"), encode_standing(newer), db=ledger.environment.databases[META])
    ledger.projector.catch_up("lineage", "references")
    assert (standing_of(ledger, "lineage"), raw_rows(ledger, newer.database)) == (newer, 0)
    assert ledger.projector.lag("references") == 0


def test_what_two_catch_up_at_once_is_never_further_back_than_the_first_of_them_has_put_it(ledger: Any) -> None:
    ledger.append(*map(completed, range(7)))
    others = iter([lambda: ledger.append(*map(completed, range(7, 10))), lambda: ledger.projector.catch_up("lineage")])

    def another_is_faster() -> None:
        for act in others:
            act()

    Projector(ledger.environment, Interposed(ledger, another_is_faster), ledger.changes).catch_up(  # type: ignore[arg-type]
        "lineage", "references"
    )
    assert (ledger.projector.upto("lineage"), ledger.projector.upto("references")) == (10, 10)
    kept = ledger.rows()
    ledger.projector.rebuild()
    assert ledger.rows() == kept


@pytest.mark.parametrize("upto", [None, *range(12)])
def test_what_is_not_caught_up_reads_from_memory_as_if_it_were(ledger: Any, upto: int | None) -> None:
    ledger.append(*map(completed, range(4)))
    ledger.projector.catch_up("lineage")
    ledger.append(*map(completed, range(4, 8)))
    ledger.projector.tail("lineage")
    ledger.append(*map(completed, range(8, 11)))
    tailed = TailedReader(ledger.environment, "lineage", upto, ledger.projector.tail("lineage"))
    places = [key("c", CONTENT), *(key("p", bytes([number]) * 32) for number in range(6))]
    said = _said(tailed, places)
    bounded = [tailed.latest_upto(place, seq) for place, seq in product(places, range(13))]
    assert bounded == [_newest_of(tailed.history(place), seq) for place, seq in product(places, range(13))]
    even = [row for row in tailed.under([places[0]], 99)[0] if row.seq % 2 == 0]
    assert tailed.under([places[0]], 3, range(1, 99, 2)) == [even[:3]]
    assert ledger.projector.lag("lineage") == 7
    ledger.projector.catch_up("lineage")
    stored = RowReader(ledger.environment, "lineage", upto)
    assert said == _said(stored, places) == _said(tailed, places)
    assert bounded == [stored.latest_upto(place, seq) for place, seq in product(places, range(13))]


def test_what_somebody_has_caught_up_meanwhile_is_no_longer_kept_in_memory(ledger: Any) -> None:
    ledger.append(*map(completed, range(4)))
    assert ledger.projector.tail("lineage").start == 0
    ledger.projector.catch_up("lineage")
    ledger.append(completed(4))
    tail = ledger.projector.tail("lineage")
    assert (tail.start, tail.upto) == (4, 5)
    assert ledger.projector.tail("lineage") is tail


def named(name: str, source: str) -> facts.ArtifactNamed:
    """A content that had another name is given one by hand."""
    return facts.ArtifactNamed(facts.Output("output", name, CONTENT, "f/1", "t", 1, {}), source)


def test_a_row_that_is_made_once_is_made_once_in_memory_too_however_often_that_is_gone_on_with(ledger: Any) -> None:
    appended = [[named("b", "a")], [named("c", "a"), named("b", "x")], [named("c", "y"), named("b", "z")]]
    for events in appended:
        ledger.append(*events)
        tail = ledger.projector.tail("content_names")
    reader = TailedReader(ledger.environment, "content_names", None, tail)
    said = [list(reader.history(place)) for place in reader.keys(b"")]
    ledger.projector.catch_up("content_names")
    stored = RowReader(ledger.environment, "content_names", None)
    assert said == [list(stored.history(place)) for place in stored.keys(b"")]
    assert len(said) == 2 * len("bc")


def test_what_is_in_memory_follows_a_rebuild_that_came_between(ledger: Any) -> None:
    ledger.append(named("b", "a"))
    ledger.projector.catch_up("content_names")
    assert ledger.projector.tail("content_names").upto == 1
    ledger.projector.rebuild()
    ledger.append(named("c", "a"))
    reader = TailedReader(ledger.environment, "content_names", None, ledger.projector.tail("content_names"))
    assert [row for _, row in reader.newest(b"c")] == ["b", "c"]


def test_what_is_in_memory_is_whole_after_an_event_that_could_not_be_read_can_be(ledger: Any) -> None:
    ledger.append(named("b", "a"))
    ledger.projector.tail("content_names")
    ledger.append(named("c", "a"), named("d", "a"))
    events, last = ledger.environment.databases[EVENTS], (3).to_bytes(8, "big")
    with ledger.environment.begin(write=True) as txn:
        written = bytes(txn.get(last, db=events))
        txn.put(last, written[:60], db=events)
    with pytest.raises(LogCorrupt):
        ledger.projector.tail("content_names")
    with ledger.environment.begin(write=True) as txn:
        txn.put(last, written, db=events)
    reader = TailedReader(ledger.environment, "content_names", None, ledger.projector.tail("content_names"))
    assert [row for _, row in reader.newest(b"c")] == ["b", "c", "d"]


def _newest_of(rows: Iterable[Stamped], seq: int) -> Stamped | None:
    return max((row for row in rows if row.seq <= seq), default=None, key=lambda row: row.seq)


def _said(reader: RowReader, places: list[bytes]) -> list[Any]:
    return [
        [reader.latest(place) for place in places],
        reader.latest_of(places),
        reader.latest_seqs_of(places),
        [reader.under([place], count) for count in (1, 3, 99) for place in (*places, b"p")],
        [reader.under([place], 3, range(1, 99, 2)) for place in (*places, b"p")],
        [list(reader.history(place)) for place in places],
        [list(reader.history(place, newest_first=True)) for place in places],
        [reader.keys(b"p"), reader.keys(b"p", 2), reader.keys(b"")],
        [reader.has_any(prefix) for prefix in (b"", b"c", b"o", b"p\xff")],
    ]


def test_the_database_in_force_is_the_one_that_the_standing_names(ledger: Any) -> None:
    with ledger.environment.begin() as txn:
        databases = ledger.environment.databases
        assert database_of(txn, databases, "runs") == standing_of(ledger, "runs").database
        assert database_of(txn, databases, "blobs") == "blobs"
