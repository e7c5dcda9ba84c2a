"""Matches: always byte-equal, hardly ever missing what is shared, in constant memory, from memory and files alike."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas.matching import Match, matches
from lineal.cas.source import BufferSource, FileSource
from lineal.errors import BlobCorrupt

Array = np.ndarray[Any, np.dtype[Any]]
Edit = Callable[[Array, np.random.Generator], tuple[Array, int, int]]
LEAST_BYTES = 4096
SIZE = 2 << 20
COLUMN_LENGTH = 1 << 19


def bytes_of(data: Array) -> memoryview:
    """The bytes of an array."""
    return memoryview(np.ascontiguousarray(data)).cast("B")


def checked(new: Array, old: Array) -> list[Match]:
    """The matches, after everything that must hold of them does."""
    found = matches(BufferSource(bytes_of(new)), BufferSource(bytes_of(old)), item_bytes=new.itemsize)
    new_bytes, old_bytes = bytes_of(new), bytes_of(old)
    end = 0
    for match in found:
        assert match.start >= end
        end = match.start + match.size_bytes
        assert end <= len(new_bytes)
        assert match.size_bytes >= LEAST_BYTES
        assert new_bytes[match.start : end].tobytes() == old_bytes[match.origin :][: match.size_bytes].tobytes()
    for first, second in itertools.pairwise(found):
        touch = first.start + first.size_bytes == second.start
        assert not (touch and first.origin + first.size_bytes == second.origin), "neighbours of one shift are one match"
    return found


def uncovered_bytes(new: Array, old: Array) -> int:
    """How much of the new lies in no match."""
    return new.nbytes - sum(match.size_bytes for match in checked(new, old))


def text(random: np.random.Generator) -> Array:
    """Numbered lines of few words."""
    words = [bytes(random.integers(97, 123, length).tolist()) for length in random.integers(2, 9, 500)]
    picked = random.integers(0, len(words), (SIZE // 40, 6)).tolist()
    lines = [b"%d %s\n" % (number, b" ".join(words[word] for word in line)) for number, line in enumerate(picked)]
    return np.frombuffer(b"".join(lines), np.uint8)[:SIZE]


KINDS: dict[str, Callable[[np.random.Generator], Array]] = {
    "random bytes": lambda random: random.integers(0, 256, SIZE, dtype=np.uint8),
    "text": text,
    "DNA": lambda random: np.frombuffer(b"ACGT", np.uint8)[random.integers(0, 4, SIZE)],
    "digits": lambda random: random.integers(48, 58, SIZE, dtype=np.uint8),
    "booleans": lambda random: random.random(SIZE) < 0.5,
    "rare booleans": lambda random: random.random(SIZE) < 0.01,
    "codes of five": lambda random: random.integers(0, 5, SIZE).astype(np.int8),
    "small integers": lambda random: random.integers(0, 1000, SIZE // 2).astype(np.int16),
    "float32": lambda random: random.normal(size=SIZE // 4).astype(np.float32),
    "float64": lambda random: random.normal(size=SIZE // 8),
    "five values": lambda random: random.integers(0, 5, SIZE // 8).astype(np.float64),
    "consecutive": lambda random: np.arange(SIZE // 8),
    "consecutive floats": lambda random: np.arange(SIZE // 8, dtype=np.float64),
    "sorted": lambda random: np.sort(random.normal(size=SIZE // 8)),
    "mostly zero": lambda random: (random.random(SIZE // 8) < 0.01).astype(np.float64),
    "zeros": lambda random: np.zeros(SIZE // 8),
    "cycle": lambda random: np.arange(SIZE // 8) % 5,
}


def some(data: Array, count: int, random: np.random.Generator) -> Array:
    """New elements of the same kind, though in an order that the data does not have."""
    return data[random.integers(0, len(data), count)]


def scattered(data: Array, count: int, random: np.random.Generator) -> Array:
    """So many places in the data, each in a part of its own and at least half a part from the others."""
    part = len(data) // count
    return np.arange(count) * part + random.integers(part // 4, 3 * part // 4, count)


def appended(data: Array, random: np.random.Generator) -> tuple[Array, int, int]:
    """One hundredth appended."""
    fresh = len(data) // 100
    return np.concatenate([data, some(data, fresh, random)]), fresh, 1


def inserted(count: int, places: int) -> Edit:
    """So many elements inserted at so many places."""

    def edit(data: Array, random: np.random.Generator) -> tuple[Array, int, int]:
        parts = np.split(data, scattered(data, places, random))
        fresh = [some(data, count, random) for _ in parts[1:]]
        return (
            np.concatenate([parts[0], *(part for pair in zip(fresh, parts[1:], strict=True) for part in pair)]),
            count * places,
            places,
        )

    return edit


def deleted(count: int, places: int) -> Edit:
    """So many elements deleted at so many places."""

    def edit(data: Array, random: np.random.Generator) -> tuple[Array, int, int]:
        starts = scattered(data, places, random)
        return np.delete(data, (starts[:, None] + np.arange(count)).ravel()), 0, places

    return edit


def moved(data: Array, random: np.random.Generator) -> tuple[Array, int, int]:
    """Eight parts in another order."""
    parts = np.array_split(data, 8)
    return np.concatenate([parts[which] for which in (3, 0, 6, 1, 7, 2, 5, 4)]), 0, 8


def windowed(data: Array, random: np.random.Generator) -> tuple[Array, int, int]:
    """The first part dropped and as much appended."""
    fresh = len(data) // 20
    return np.concatenate([data[fresh:], some(data, fresh, random)]), fresh, 1


EDITS: dict[str, Edit] = {
    "appended": appended,
    "1,000 inserted": inserted(1000, 1),
    "1,000 deleted": deleted(1000, 1),
    "20 insertions": inserted(500, 20),
    "20 deletions": deleted(50, 20),
    "moved": moved,
    "windowed": windowed,
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("kind", KINDS)
def test_hardly_more_than_what_is_new_stays_uncovered(kind: str, edit: str) -> None:
    random = np.random.default_rng([len(kind), len(edit)])
    old = KINDS[kind](random)
    new, fresh, places = EDITS[edit](old, random)
    assert uncovered_bytes(new, old) <= 1.1 * fresh * new.itemsize + 300 * places


@pytest.mark.parametrize("kind", ["text", "float64", "five values"])
def test_two_hundred_insertions_cost_their_own_bytes(kind: str) -> None:
    random = np.random.default_rng(200)
    old = np.concatenate([KINDS[kind](random) for _ in range(5)])
    new, fresh, places = inserted(80, 200)(old, random)
    assert uncovered_bytes(new, old) <= 1.1 * fresh * new.itemsize + 300 * places


def test_cells_changed_in_place_leave_most_of_a_column_shared() -> None:
    random = np.random.default_rng(6)
    old = random.normal(size=COLUMN_LENGTH)
    new = old.copy()
    new[random.random(len(new)) < 0.0005] += 1
    assert uncovered_bytes(new, old) <= 0.05 * new.nbytes


@pytest.mark.parametrize("count", range(150_000, 300_000, 10_001))
def test_a_part_replaced_in_place_costs_its_own_bytes(count: int) -> None:
    random = np.random.default_rng(15)
    old = random.normal(size=COLUMN_LENGTH)
    new = old.copy()
    new[[0, -1]] += 1
    new[100_000 : 100_000 + count] = random.normal(size=count)
    assert 0 <= (count + 2) * 8 - uncovered_bytes(new, old) < 100


def test_rows_inserted_into_sorted_codes_shift_what_follows_and_no_more() -> None:
    random = np.random.default_rng(7)
    old = np.sort(random.integers(0, 5, COLUMN_LENGTH)).astype(np.float64)
    new = np.sort(np.concatenate([old, random.integers(0, 5, 1000).astype(np.float64)]))
    assert uncovered_bytes(new, old) <= 1.1 * 8000 + 5 * 300


def test_a_part_repeated_from_elsewhere_is_found() -> None:
    random = np.random.default_rng(8)
    old = random.normal(size=COLUMN_LENGTH)
    part = old[100_000:200_000]
    new = np.concatenate([[1.0], old[50_000:400_000], part, part, old[:50_000], [2.0]])
    assert uncovered_bytes(new, old) <= 1000


def test_bytes_repeated_as_a_whole_are_found() -> None:
    old = np.random.default_rng(12).normal(size=COLUMN_LENGTH)
    assert uncovered_bytes(np.concatenate([old, old, [1.0], old]), old) == 8


def test_what_is_shared_beyond_much_that_is_new_is_found_to_its_first_byte() -> None:
    random = np.random.default_rng(13)
    old = random.normal(size=COLUMN_LENGTH)
    fresh = random.normal(size=SIZE)
    new = np.concatenate([fresh, old[:300_000], fresh[::-1], old[300_000:]])
    assert uncovered_bytes(new, old) == 2 * fresh.nbytes


def test_wholly_different_bytes_share_nothing() -> None:
    random = np.random.default_rng(9)
    assert checked(KINDS["float64"](random), KINDS["float64"](random)) == []


def test_equal_bytes_are_one_match_and_none_have_none() -> None:
    data = np.arange(SIZE // 8)
    assert checked(data, data) == [Match(0, 0, SIZE)]
    assert checked(data[:0], data) == checked(data, data[:0]) == checked(data[:0], data[:0]) == []


# Few values, lengths on either side of what is compared or cut at once, and edits that may overlap.
pieces = st.tuples(st.sampled_from(["old", "fresh", "zeros"]), st.integers(0, 1 << 20), st.integers(0, 300_000))


@given(
    st.lists(pieces, max_size=6),
    st.lists(st.integers(0, 1 << 20), max_size=5),
    st.sampled_from(["u1", "u2", "u4", "u8"]),
    st.sampled_from([2, 5, 256]),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=examples(60))
def test_every_match_is_byte_equal_whatever_was_edited(
    made_of: list[tuple[str, int, int]], changed: list[int], element: str, values: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    old = random.integers(0, values, 500_000 // np.dtype(element).itemsize).astype(element)
    sources = {"old": old, "fresh": random.integers(0, values, len(old)).astype(element), "zeros": np.zeros_like(old)}
    parts = [sources[source][at % len(old) :][: size // old.itemsize] for source, at, size in made_of]
    new = np.concatenate([old[:0], *parts])
    for place in changed:
        if len(new):
            new[place % len(new)] ^= 1
    checked(new, old)


@given(st.binary(max_size=200), st.integers(1, 7), st.integers(0, 7))
@settings(deadline=None, max_examples=examples(30))
def test_bytes_that_are_no_whole_elements_are_matched_too(extra: bytes, dropped: int, skipped: int) -> None:
    base = np.random.default_rng(3).integers(0, 256, 400_000, dtype=np.uint8)
    old = base[skipped:]
    new = np.concatenate([np.frombuffer(extra, np.uint8), old[dropped:-dropped]])
    for item_bytes in (1, 2, 4, 8, 12):
        for match in matches(BufferSource(bytes_of(new)), BufferSource(old.data), item_bytes=item_bytes):
            part = new[match.start : match.start + match.size_bytes]
            assert np.array_equal(part, old[match.origin : match.origin + match.size_bytes])


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Array], FileSource]]:
    """Writes data to a file and opens it as a source."""
    fds: list[int] = []

    def open_source(data: Array) -> FileSource:
        path = tmp_path / str(len(fds))
        path.write_bytes(bytes_of(data))
        fds.append(os.open(path, os.O_RDONLY))
        return FileSource(fds[-1], data.nbytes)

    yield open_source
    for fd in fds:
        os.close(fd)


def test_an_empty_table_is_no_bytes() -> None:
    assert BufferSource(memoryview(np.zeros((0, 3)))).size_bytes == 0


class Scattered:
    """Bytes in several pieces, as a source of which no view can be had."""

    def __init__(self, data: Array) -> None:
        self._pieces = np.array_split(data.view(np.uint8), 7)
        self.size_bytes = data.nbytes

    def read_into(self, offset: int, target: memoryview) -> None:
        """Fill the target from the pieces it lies in."""
        assert 0 <= offset <= offset + len(target) <= self.size_bytes
        target[:] = np.concatenate(self._pieces)[offset : offset + len(target)].data


def test_any_source_will_do_and_is_never_read_beyond_its_ends() -> None:
    random = np.random.default_rng(14)
    old = random.normal(size=COLUMN_LENGTH)
    new, _, _ = inserted(300, 3)(moved(old, random)[0], random)
    assert matches(Scattered(new), Scattered(old), item_bytes=8) == checked(new, old)


@pytest.mark.parametrize("kind", ["text", "float64", "small integers"])
def test_files_and_memory_give_the_same_matches(kind: str, opened: Callable[[Array], FileSource]) -> None:
    random = np.random.default_rng(10)
    old = KINDS[kind](random)
    new, _, _ = inserted(700, 9)(moved(old, random)[0], random)
    expected = checked(new, old)
    in_memory = BufferSource(bytes_of(old))
    assert matches(opened(new), opened(old), item_bytes=new.itemsize) == expected
    assert matches(opened(new), in_memory, item_bytes=new.itemsize) == expected


def test_a_file_cut_short_under_the_reader_is_an_error_that_says_where(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(bytes(SIZE))
    with path.open("rb") as file:
        source = FileSource(file.fileno(), SIZE)
        os.truncate(path, SIZE // 2 + 1)
        with pytest.raises(BlobCorrupt, match=f"ends at byte {SIZE // 2 + 1:,} of {SIZE:,}"):
            matches(BufferSource(bytes(SIZE)), source)


MEASURED = """
import os, resource, sys
from lineal.cas.matching import matches
from lineal.cas.source import FileSource
fds = [os.open(path, os.O_RDONLY) for path in sys.argv[1:3]]
matches(*(FileSource(fd, 1 << 20) for fd in fds), item_bytes=8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = matches(*(FileSource(fd, os.fstat(fd).st_size) for fd in fds), item_bytes=8)
print(len(found), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("size", [32 << 20, 256 << 20])
def test_memory_does_not_grow_with_what_is_compared(tmp_path: Path, size: int) -> None:
    random = np.random.default_rng(11)
    old = random.integers(0, 2**63, size // 8)
    paths = [tmp_path / "new", tmp_path / "old"]
    paths[0].write_bytes(bytes_of(np.concatenate([old[size // 32 :], random.integers(0, 2**63, size // 64)])))
    paths[1].write_bytes(bytes_of(old))
    done = subprocess.run(
        [sys.executable, "-P", "-c", MEASURED, *map(str, paths)], capture_output=True, text=True, check=True
    )
    count, grown_kib = map(int, done.stdout.split())
    assert count == 1
    assert grown_kib <= 4 * 1024
