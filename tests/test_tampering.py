"""Tampering with the log of a store: whatever is done to it is found and located, given heads kept elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest

import lineal
from lineal import Client
from lineal.client import TreeHead
from lineal.errors import InvalidReference
from lineal.events.catalogue import ArtifactSaved, Output
from lineal.events.heads import HeadState
from lineal.events.log import CHAIN_BYTES, EVENTS, chained
from lineal.verification import DamageKind, Verification

SEQS = (1, 100, 200, 300, 402)
Rows = dict[int, bytes]
DOCUMENT = Path(__file__).parents[1] / "docs" / "tamper-evidence.md"


@pytest.fixture
def heads(client: Client) -> dict[int, TreeHead]:
    """Heads of a log with 402 events, by their place."""
    for number in range(401):
        client.save(number, f"artifact-{number % 3}")
    client.flush()
    return {seq: client.as_of(seq).tree_head() for seq in SEQS}


def read(client: Client) -> Rows:
    with client.store.environment.begin() as txn:
        stored = list(txn.cursor(client.store.environment.databases[EVENTS]))
    return {int.from_bytes(key, "big"): bytes(value) for key, value in stored}


def write(client: Client, rows: Rows) -> None:
    """Put other rows in the place of the log's."""
    table = client.store.environment.databases[EVENTS]
    with client.store.environment.begin(write=True) as txn:
        txn.drop(table, delete=False)
        for seq, value in rows.items():
            txn.put(seq.to_bytes(8, "big"), value, db=table)


def rechained(rows: Rows) -> Rows:
    """The same events, numbered and chained as if they had always been the log."""
    chain, made = bytes(CHAIN_BYTES), {}
    for seq, (_, value) in enumerate(sorted(rows.items()), 1):
        chain = chained(chain, value[CHAIN_BYTES:])
        made[seq] = chain + value[CHAIN_BYTES:]
    return made


def flipped(rows: Rows, seq: int, place: int) -> Rows:
    changed = bytearray(rows[seq])
    changed[place] ^= 1
    return rows | {seq: bytes(changed)}


def retold(rows: Rows, seq: int) -> Rows:
    """Another id in an event, which can be read as ever: a bit of the bytes that follow the name of its type."""
    return flipped(rows, seq, rows[seq].index(b"/1", CHAIN_BYTES) + len(b"/1") + 2)


def without(rows: Rows, *dropped: int) -> Rows:
    return {seq: value for seq, value in rows.items() if seq not in dropped}


def numbered(rows: Rows, start: int, end: int, again: int, last: int) -> Rows:
    """The rows of two ranges, one after the other."""
    return {place: rows[seq] for place, seq in enumerate([*range(start, end), *range(again, last)], 1)}


def skipping(rows: Rows, left_out: int) -> Rows:
    """The rows with a number left out."""
    return {seq + (seq >= left_out): value for seq, value in rows.items()}


def states(verification: Verification) -> dict[int, HeadState]:
    return {check.head.seq: check.state for check in verification.heads}


def kinds(verification: Verification) -> set[DamageKind]:
    return {damage.kind for damage in verification.damages}


@pytest.mark.parametrize("quick", [False, True])
def test_a_log_that_only_grew_goes_on_from_all_its_heads(
    client: Client, heads: dict[int, TreeHead], quick: bool
) -> None:
    client.save("more", "artifact-9")
    verification = client.verify(quick=quick, heads=[*map(str, heads.values()), client.tree_head()])
    assert verification.is_sound
    assert states(verification) == dict.fromkeys([*SEQS, 403], HeadState.REACHED)


LOCATED: list[tuple[str, Callable[[Rows], Rows], int]] = [
    ("a byte of an event is changed", lambda rows: flipped(rows, 150, -1), 150),
    ("a byte of a chain hash is changed", lambda rows: flipped(rows, 150, 3), 150),
    ("an event is dropped", lambda rows: without(rows, 150), 150),
    ("an event is dropped and the rest moved up", lambda rows: numbered(rows, 1, 150, 151, 403), 150),
    ("two events are swapped", lambda rows: rows | {150: rows[151], 151: rows[150]}, 150),
    ("an event is put in twice", lambda rows: numbered(rows, 1, 151, 150, 403), 151),
    ("an event is cut short", lambda rows: rows | {150: rows[150][:20]}, 150),
    ("the first event is dropped", lambda rows: without(rows, 1), 1),
    ("the last event is changed", lambda rows: flipped(rows, 402, -1), 402),
    ("chained anew, but a number left out", lambda rows: skipping(rechained(without(rows, 150)), 150), 150),
]


@pytest.mark.parametrize(("what", "tampered", "seq"), LOCATED, ids=[what for what, *_ in LOCATED])
def test_the_first_event_that_was_tampered_with_is_named(
    client: Client, heads: dict[int, TreeHead], what: str, tampered: Callable[[Rows], Rows], seq: int
) -> None:
    write(client, tampered(read(client)))
    verification = client.verify(quick=True, heads=heads.values())
    texts = [damage.what for damage in verification.damages if damage.kind is DamageKind.LOG]
    assert texts == [f"the log was changed at event {seq}"]
    known = {at: HeadState.REACHED if at < seq else HeadState.UNKNOWN for at in SEQS}
    assert states(verification) == known | ({402: HeadState.CUT} if 402 not in read(client) else {})


REWRITTEN: list[tuple[str, Callable[[Rows], Rows], int]] = [
    ("an event is changed", lambda rows: rechained(retold(rows, 250)), 250),
    ("an event is put in twice", lambda rows: rechained(numbered(rows, 1, 402, 401, 403)), 402),
    ("two events are swapped", lambda rows: rechained(rows | {150: rows[151], 151: rows[150]}), 150),
    ("the first event is changed", lambda rows: rechained(retold(rows, 1)), 1),
    ("all from one on are others", lambda rows: rechained(rows | {n: rows[n - 9] for n in range(301, 403)}), 301),
]


@pytest.mark.parametrize(("what", "tampered", "seq"), REWRITTEN, ids=[what for what, *_ in REWRITTEN])
def test_a_log_that_was_rewritten_with_all_chains_anew_is_found_by_a_head_and_located_between_two(
    client: Client, heads: dict[int, TreeHead], what: str, tampered: Callable[[Rows], Rows], seq: int
) -> None:
    write(client, tampered(read(client)))
    client.store.hash_tree.forget()  # As whoever thinks of it would.
    assert kinds(client.verify(quick=True)) == set()
    verification = client.verify(quick=True, heads=heads.values())
    assert states(verification) == {at: HeadState.REACHED if at < seq else HeadState.REWRITTEN for at in SEQS}
    assert DamageKind.HEAD in kinds(verification)
    newest = max((at for at in SEQS if at < seq), default=0)
    oldest = min(at for at in SEQS if at >= seq)
    where = f"at event {newest + 1}" + (f" or one up to {oldest}" if oldest > newest + 1 else "")
    for check in verification.heads:
        assert check.state is HeadState.REACHED or check.what.endswith(f"first {where}")
    (head,) = client.verify(quick=True, heads=[heads[402]]).heads
    assert head.what == "the log was rewritten under the head of event 402, first at event 1 or one up to 402"


def test_a_log_that_was_rewritten_with_what_is_no_event_is_told_of_by_its_heads_all_the_same(
    client: Client, heads: dict[int, TreeHead]
) -> None:
    rows = read(client)
    write(client, rechained(rows | {150: rows[150][:40]}))
    verification = client.verify(heads=heads.values())
    assert {DamageKind.DATABASE, DamageKind.HEAD} <= kinds(verification)
    assert states(verification)[100] is HeadState.REACHED
    assert states(verification)[200] is HeadState.REWRITTEN


def test_a_log_that_was_cut_back_is_found_by_a_head(client: Client, heads: dict[int, TreeHead]) -> None:
    write(client, without(read(client), *range(251, 403)))
    verification = client.verify(quick=True, heads=heads.values())
    cut, reached = HeadState.CUT, HeadState.REACHED
    assert states(verification) == {1: reached, 100: reached, 200: reached, 300: cut, 402: cut}
    (text,) = {damage.what for damage in verification.damages if "event 300" in damage.what}
    assert text == "the log was cut back: it ends at event 250, before the head of event 300"


def test_a_head_of_another_log_is_told_from_a_change_where_a_later_head_is_reached(
    client: Client, heads: dict[int, TreeHead]
) -> None:
    foreign = heads[200]._replace(root=heads[100].root)
    verification = client.verify(quick=True, heads=[foreign, heads[300]])
    assert states(verification) == {200: HeadState.FOREIGN, 300: HeadState.REACHED}
    assert not verification.is_sound


@pytest.mark.parametrize("how", ["rewritten", "cut"])
def test_even_without_a_head_what_is_kept_of_the_tree_tells_of_a_log_that_was_changed_beneath_it(
    client: Client, heads: dict[int, TreeHead], how: str
) -> None:
    rows = read(client)
    write(client, rechained(flipped(rows, 77, -1)) if how == "rewritten" else without(rows, *range(200, 403)))
    client.tree_head()
    texts = [damage.what for damage in client.verify().damages if damage.projection == "hash_tree"]
    expected = "events 1 to 256 is of others" if how == "rewritten" else "over 256 events, and the log has 199"
    assert len(texts) == 1
    assert expected in texts[0]


def test_damage_to_what_is_kept_of_the_tree_is_repaired(client: Client, heads: dict[int, TreeHead]) -> None:
    table = client.store.environment.databases["hash_tree"]
    with client.store.environment.begin(write=True) as txn:
        ((key, value),) = [(bytes(key), bytes(value)) for key, value in txn.cursor(table)]
        txn.put(key, value[::-1], db=table)
    assert client.tree_head() == heads[402]
    assert [damage.projection for damage in client.verify().damages] == ["hash_tree"]
    assert client.repair().is_whole
    assert client.verify(heads=heads.values()).is_sound


def test_a_store_opened_read_only_gives_the_same_heads_and_writes_none_of_the_tree(
    store_path: Path, client: Client, heads: dict[int, TreeHead]
) -> None:
    client.store.hash_tree.forget()
    client.close()
    before = (store_path / "log" / "data.mdb").read_bytes()
    with lineal.open(store_path, read_only=True) as reader:
        assert {seq: reader.as_of(seq).tree_head() for seq in SEQS} == heads
        reader.artifact("artifact-0@3").prove().check(heads[402])
        assert reader.verify(quick=True, heads=heads.values()).is_sound
    assert (store_path / "log" / "data.mdb").read_bytes() == before


def test_a_store_of_before_the_tree_gives_its_heads_to_a_reader(
    store_path: Path, client: Client, heads: dict[int, TreeHead]
) -> None:
    client.close()
    with lmdb.open(str(store_path / "log"), max_dbs=64, map_size=1 << 30) as environment:
        table = environment.open_db(b"hash_tree")
        with environment.begin(write=True) as txn:
            txn.drop(table)
    with lineal.open(store_path, read_only=True) as reader:
        assert reader.tree_head() == heads[402]
        assert reader.verify(heads=heads.values()).is_sound
    with lineal.open(store_path) as writer:
        assert writer.tree_head() == heads[402]


def test_with_a_head_even_a_quick_verification_reads_the_whole_chain(client: Client) -> None:
    output = Output("a", "a", client.save(1, "a").content, "f/1", "t", 1, {})
    client.store.append([ArtifactSaved(output) for _ in range(1500)])
    client.flush()
    head = client.tree_head()
    write(client, retold(read(client), 5))
    assert client.verify(quick=True).is_sound
    verification = client.verify(quick=True, heads=[head])
    assert states(verification) == {1502: HeadState.UNKNOWN}
    assert DamageKind.LOG in kinds(verification)


def test_a_head_that_is_none_is_refused(client: Client) -> None:
    with pytest.raises(InvalidReference, match="is not a head"):
        client.verify(heads=["12:abc"])


def test_the_documents_python_runs_as_a_script(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    script = tmp_path / "anchored.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, "-P", script.name], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True", "report python.plain/1", "True"]


def test_the_documents_shell_commands_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    with lineal.open(tmp_path / ".lineal") as client:
        client.save([1], "report")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    done: Any = subprocess.run(["sh", "-ec", block[1]], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "report was made with this content" in done.stdout
