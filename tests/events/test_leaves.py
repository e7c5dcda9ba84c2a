"""Leaves: what is read of the log's pages is what the log gives event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.errors import LogCorrupt, Unsupported
from lineal.events import catalogue as facts
from lineal.events.log import LogWriter
from lineal.tables import leaves
from lineal.tables.base import Source
from lineal.tables.leaves import Leaves
from lineal.tables.table import DEFINITIONS

sizes = st.integers(0, 300) | st.integers(1500, 2500) | st.sampled_from([4079, 4080, 4081, 20_000])
commits = st.lists(st.lists(sizes, min_size=1, max_size=40), min_size=1, max_size=8)


def append(ledger: Any, sizes_bytes: list[int]) -> None:
    """Append events of such sizes, and have other pages of the file used and let go."""
    head = ledger.log.head().seq
    with ledger.environment.begin(write=True) as txn:
        changes = ledger.changes(txn)
        log = LogWriter(changes)
        for number, size_bytes in enumerate(sizes_bytes):
            log.append(bytes([(head + number) % 251]) * size_bytes)
        changes.flush()
        others = ledger.environment.databases["streams"]
        for number in range(len(sizes_bytes)):
            txn.put(b"%d" % (head + number), bytes(1000), db=others)
            txn.delete(b"%d" % (head - number), db=others)


def read(found: Leaves, after: int, upto: int) -> list[bytes]:
    """The events between two, one by one."""
    bodies: list[bytes] = []
    while after < upto:
        run = found.after(after)
        assert run.seqs.tolist() == list(range(after + 1, after + 1 + max(len(run.seqs), 1)))
        bodies += run.cells.whole().to_pylist()
        after += len(run.seqs)
    return bodies


def one_by_one(ledger: Any, after: int, upto: int) -> list[bytes]:
    return [ledger.log.body(seq) for seq in range(after + 1, upto + 1)]


@settings(deadline=None, max_examples=examples(40))
@given(commits, st.data())
def test_leaves_have_what_the_log_has(
    new_ledger: Callable[[], Any], written: list[list[int]], data: st.DataObject
) -> None:
    with new_ledger() as ledger, pytest.MonkeyPatch.context() as patched:
        patched.setattr(leaves, "_LEAVES_BYTES", data.draw(st.sampled_from([4096, 3 * 4096, 1 << 20])))
        patched.setattr(leaves, "_BRANCHES", data.draw(st.sampled_from([1, 2, 16])))
        patched.setattr(leaves, "_VALUES_BYTES", data.draw(st.sampled_from([1, 10_000, 1 << 20])))
        found = Leaves(ledger.environment)
        assert not len(found.after(0).seqs)
        for sizes_bytes in written:
            append(ledger, sizes_bytes)
            head = ledger.log.head().seq
            after = data.draw(st.integers(0, head))
            assert read(found, after, head) == one_by_one(ledger, after, head)
        assert not len(found.after(head).seqs)


def test_a_tree_of_several_levels_is_read_from_any_event_on(ledger: Any) -> None:
    for _ in range(6):
        append(ledger, [1500] * 500)
    with ledger.environment.begin() as txn:
        assert txn.stat(ledger.environment.databases["events"])["depth"] == 3
    found, head = Leaves(ledger.environment), ledger.log.head().seq
    for after in (0, 1, 1321, head - 1):
        upto = min(after + 3000, head)
        assert read(found, after, head)[: upto - after] == one_by_one(ledger, after, upto)


def test_what_was_read_stays_while_others_write(ledger: Any) -> None:
    append(ledger, [500] * 100)
    expected = one_by_one(ledger, 0, 100)
    run = Leaves(ledger.environment).after(0)
    for _ in range(20):
        append(ledger, [500] * 100)
    assert run.cells.whole().to_pylist() == expected


class Busy:
    """A database in which others write as soon as nobody reads."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger
        self.databases = ledger.environment.databases
        self.data_file = ledger.environment.data_file

    @contextmanager
    def begin(self) -> Iterator[Any]:
        """A transaction, after which pages that nobody sees any more are used for something else."""
        with self._ledger.environment.begin() as txn:
            yield txn
        for _ in range(3):
            append(self._ledger, [500] * 20)


def test_all_is_read_while_the_transaction_keeps_it_as_it_is(ledger: Any) -> None:
    append(ledger, [500] * 20)
    found = Leaves(Busy(ledger))  # type: ignore[arg-type]
    for head in (20, 80, 140):
        run = found.after(head - 10)
        assert run.seqs.tolist() == list(range(head - 9, head + 1))
        assert run.cells.whole().to_pylist() == one_by_one(ledger, head - 10, head)


def overwrite(ledger: Any, place: int, written: bytes) -> None:
    """Change the database's file where it stands."""
    with open(ledger.environment.data_file, "r+b") as file:
        file.seek(place)
        file.write(written)


def first_node(ledger: Any, page: int) -> int:
    """Where the first node of a page is in the database's file."""
    file = ledger.environment.data_file.read_bytes()
    return page * 4096 + int.from_bytes(file[page * 4096 + 16 : page * 4096 + 18], "little")


@pytest.mark.parametrize(("offset", "name"), [(0, "its number"), (10, "what it is"), (12, "how much it has")])
def test_a_page_that_is_not_what_it_should_be_is_an_error_of_ours(ledger: Any, offset: int, name: str) -> None:
    append(ledger, [1200] * 20)
    assert len(Leaves(ledger.environment).after(0).seqs)
    page = ledger.environment.data_file.read_bytes().rindex(ledger.log.body(20)) // 4096
    overwrite(ledger, page * 4096 + offset, b"\xff\xff")
    with pytest.raises(LogCorrupt, match="page"):
        Leaves(ledger.environment).after(0)


@pytest.mark.parametrize(
    ("of", "size_bytes"),
    [
        ("where an event is", 1200),
        ("how long an event is", 1200),
        ("how long an event is", 9000),
        ("where a long event is", 9000),
        ("where a leaf is", 1200),
    ],
)
def test_a_page_that_leads_out_of_the_file_is_an_error_of_ours(ledger: Any, of: str, size_bytes: int) -> None:
    append(ledger, [size_bytes] * 300)
    with ledger.environment.begin() as txn:
        root = int.from_bytes(bytes(txn.get(b"events"))[40:48], "little")
    branch = first_node(ledger, root)
    leaf = int.from_bytes(ledger.environment.data_file.read_bytes()[branch : branch + 4], "little")
    event = first_node(ledger, leaf)
    place, written = {
        "where an event is": (leaf * 4096 + 16, b"\xfa\x0f"),
        "how long an event is": (event, b"\xff\xff\xff\x7f"),
        "where a long event is": (event + 16, b"\xff\xff\xff"),
        "where a leaf is": (branch, b"\xff\xff\xff"),
    }[of]
    assert len(Leaves(ledger.environment).after(0).seqs)
    overwrite(ledger, place, written)
    with pytest.raises(LogCorrupt, match="page"):
        Leaves(ledger.environment).after(0)


def test_a_file_of_another_format_is_not_read(ledger: Any, tmp_path: Path) -> None:
    append(ledger, [100])
    written = bytearray(ledger.environment.data_file.read_bytes())
    written[20] += 1  # The version, behind the head of the page and four bytes that say what file it is.
    file = tmp_path / "data.mdb"
    file.write_bytes(written)
    newer = SimpleNamespace(begin=ledger.environment.begin, databases=ledger.environment.databases, data_file=file)
    with pytest.raises(Unsupported, match="format"):
        Leaves(newer).after(0)


@pytest.mark.parametrize(("name", "size_bytes"), [("events", 33), ("payloads", 40), ("computed_metadata", 33)])
def test_an_event_that_is_cut_short_is_no_row_of_a_table(ledger: Any, name: str, size_bytes: int) -> None:
    ledger.append(facts.ArtifactSaved(facts.Output("output", "data", Digest(b"d" * 32), "f/1", "t", 1, {"rows": 1})))
    with ledger.environment.begin(write=True) as txn:
        log, first = ledger.environment.databases["events"], (1).to_bytes(8, "big")
        txn.put(first, bytes(txn.get(first, db=log))[:size_bytes], db=log)
    with pytest.raises(LogCorrupt):
        list(DEFINITIONS[name].batches(Source(ledger.environment, 1)))
