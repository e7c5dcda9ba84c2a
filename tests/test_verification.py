"""Verification of a store: whatever is changed in it is found, and said of what it hurts."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from damage import change, flip, part_of

import lineal
from lineal import Client
from lineal.cas import CATALOG, VOLUMES, Cut, Digest, Inline, Whole, digest_of, reporting
from lineal.events.catalogue import ContentVisualized
from lineal.events.projections.artifacts import version_key
from lineal.events.standing import database_of
from lineal.verification import Damage, DamageKind


def place_of(client: Client, digest: Digest) -> Any:
    return next(entry.place for entry in client.store.blobs.entries() if entry.digest == digest)


def only(client: Client, **options: Any) -> Damage:
    """The one damage there is."""
    (damage,) = client.verify(**options).damages
    return damage


@pytest.mark.parametrize("quick", [False, True])
def test_a_store_with_blobs_in_every_kind_of_place_is_sound(furnished_copy: Path, quick: bool) -> None:
    with lineal.open(furnished_copy) as client:
        places = {type(entry.place) for entry in client.store.blobs.entries()}
        assert places == {Inline, Whole, Cut}
        verification = client.verify(quick=quick)
    assert verification.damages == ()
    assert verification.orphans == ()
    assert verification.is_quick == quick
    assert verification.blobs > 60


def test_a_read_only_store_is_verified_without_a_write_to_it(furnished_copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in furnished_copy.rglob("*") if "lock" not in path.name}
    with lineal.open(furnished_copy, read_only=True) as client:
        assert client.verify().is_sound
    assert {path: path.stat().st_mtime_ns for path in furnished_copy.rglob("*") if "lock" not in path.name} == before


def test_a_flipped_byte_in_a_large_file_hurts_all_versions_whose_extents_hold_it_and_no_other(
    furnished_copy: Path,
) -> None:
    with lineal.open(furnished_copy) as client:
        first, second = part_of(client, "large@1"), part_of(client, "large@2")
        assert any(extent.volume.digest == first.digest for extent in place_of(client, second.digest).extents)
        flip(client.store.blobs.files.path(first.digest), 5000)
        damages = {damage.digest: damage for damage in client.verify().damages}
        assert {digest: damage.hurts for digest, damage in damages.items()} == {
            first.digest: ("large@1",),
            second.digest: ("large@2",),
        }
        assert client.verify(quick=True).is_sound


def test_a_flipped_byte_in_a_pack_hurts_only_the_blob_that_has_it(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        parts = [part_of(client, "packed@1", number) for number in range(4)]
        (extent,) = place_of(client, parts[2].digest).extents
        flip(client.store.blobs.files.volume_path(extent.volume), extent.offset + 7)
        damage = only(client)
        assert (damage.kind, damage.digest, damage.hurts) == (DamageKind.BLOB, parts[2].digest, ("packed@1",))


def test_a_flipped_byte_between_the_blobs_of_a_pack_is_found_and_hurts_nothing(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        extents = sorted(
            extent
            for number in range(4)
            for extent in place_of(client, part_of(client, "packed@1", number).digest).extents
        )
        gap = next(a.offset + a.size_bytes for a, b in pairwise(extents) if a[1] + a[2] < b[1])
        flip(client.store.blobs.files.volume_path(extents[0].volume), gap)
        damage = only(client)
        assert (damage.kind, damage.digest, damage.hurts) == (DamageKind.FILE, None, ())


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("how", ["truncate", "remove"])
def test_a_pack_that_is_shorter_or_gone_hurts_all_that_it_holds(furnished_copy: Path, how: str, quick: bool) -> None:
    with lineal.open(furnished_copy) as client:
        (extent,) = place_of(client, part_of(client, "packed@1").digest).extents
        pack = client.store.blobs.files.volume_path(extent.volume)
        if how == "truncate":
            pack.chmod(0o644)
            with pack.open("r+b") as file:
                file.truncate(extent.volume.size_bytes - 1)
        else:
            pack.unlink()
        damages = client.verify(quick=quick).damages
        assert {damage.digest for damage in damages} == {part_of(client, "packed@1", n).digest for n in range(4)}
        assert {(damage.is_missing, damage.hurts) for damage in damages} == {(how == "remove", ("packed@1",))}


def test_a_flipped_byte_of_what_a_step_printed_names_the_step(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        event = next(one.event for one in client.events() if getattr(one.event, "log", None) is not None)
        flip(client.store.blobs.files.path(event.log), 9)  # type: ignore[attr-defined]
        assert only(client).hurts == ("log of furnishing-1/numbers",)


def small_content(client: Client) -> Digest:
    return client.artifact("small@1").content


DAMAGED_ROWS: list[tuple[str, Callable[[bytes], bytes | None], bool]] = [
    ("a flipped bit in its bytes", lambda row: row[:-1] + bytes([row[-1] ^ 1]), False),
    ("a flipped bit in its size", lambda row: row[:2] + bytes([row[2] ^ 1]) + row[3:], False),
    ("a flipped bit in its place", lambda row: bytes([row[0] ^ 1]) + row[1:], False),
    ("nothing", lambda row: b"", False),
    ("no row at all", lambda row: None, True),
]


@pytest.mark.parametrize(("damage", "is_missing"), [(one, gone) for _, one, gone in DAMAGED_ROWS])
def test_a_damaged_or_lost_row_of_a_small_blob_names_its_artifact(
    furnished_copy: Path, damage: Callable[[bytes], bytes | None], is_missing: bool
) -> None:
    with lineal.open(furnished_copy) as client:
        content = small_content(client)
        (row,) = client.store.blobs.committed([(CATALOG, content)])
        assert row is not None
        change(client, CATALOG, content, damage(row))
        found = only(client)
        assert (found.digest, found.is_missing, found.hurts) == (content, is_missing, ("small@1",))


def test_what_was_released_and_collected_is_not_missed_and_what_is_held_and_lost_is(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        client.release("small@1")
        drawn = next(one.event for one in client.store.log.scan() if isinstance(one.event, ContentVisualized))
        shown = drawn.refs[0]
        content = small_content(client)
        client.collect(grace_s=0)
        assert client.store.blobs.committed([(CATALOG, content)]) == [None]
        assert client.verify().is_sound
        change(client, CATALOG, shown, None)
        found = only(client)
        assert (found.digest, found.is_missing) == (shown, True)
        assert found.hurts == (f"visualization of content {str(drawn.content)[:12]}",)


@pytest.mark.parametrize("quick", [False, True])
def test_the_table_of_volumes_is_held_against_the_catalog_both_ways(furnished_copy: Path, quick: bool) -> None:
    with lineal.open(furnished_copy) as client:
        rows = list(client.store.blobs.rows(VOLUMES))
        change(client, VOLUMES, rows[0][0], None)
        assert only(client, quick=quick).kind is DamageKind.INDEX
        change(client, VOLUMES, *rows[0])
        assert client.verify(quick=quick).is_sound
        change(client, VOLUMES, rows[0][0][:-1] + b"\0", rows[0][1])
        assert only(client, quick=quick).kind is DamageKind.INDEX
        change(client, VOLUMES, rows[0][0][:-1] + b"\0", None)
        change(client, VOLUMES, rows[0][0], bytes(8))
        assert DamageKind.INDEX in {damage.kind for damage in client.verify(quick=quick).damages}


def test_an_index_that_a_replay_would_not_give_is_found(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        content = small_content(client)
        with client.store.environment.begin() as txn:
            databases = client.store.environment.databases
            cursor = txn.cursor(databases[database_of(txn, databases, "artifacts")])
            assert cursor.set_range(version_key("small", content))
            row_key = bytes(cursor.key())
        change(client, "artifacts", row_key, b"\x91\x09")
        damage = only(client)
        assert (damage.kind, damage.projection) == (DamageKind.INDEX, "artifacts")
        assert "1 rows" in damage.what


def test_a_file_that_nothing_names_is_an_orphan_and_no_damage(furnished_copy: Path) -> None:
    data = b"left behind" * 2000
    with lineal.open(furnished_copy) as client:
        path = client.store.blobs.files.path(digest_of(data))
        path.write_bytes(data)
        verification = client.verify()
        assert verification.is_sound
        assert [(orphan.path, orphan.size_bytes) for orphan in verification.orphans] == [(path, len(data))]
        flip(path, 3)
        assert only(client).kind is DamageKind.FILE


def test_a_page_of_the_database_with_a_wrong_number_is_found_without_asking_lmdb(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        database = client.store.environment.data_file
        last_page = database.stat().st_size // 4096 - 1
        for page in range(2, last_page):
            flip(database, page * 4096)
        damages = client.verify().damages
        assert [damage.kind for damage in damages] == [DamageKind.DATABASE]
        for page in range(2, last_page):
            flip(database, page * 4096)
    with lineal.open(furnished_copy, check_structure=True) as client:
        assert client.verify().is_sound


def test_verifying_reports_its_progress_up_to_all_bytes_of_all_files(furnished_copy: Path) -> None:
    heard = []
    with lineal.open(furnished_copy) as client, reporting(heard.append):
        client.verify()
    paths = [*(furnished_copy / "blobs").rglob("*"), *(furnished_copy / "packs").iterdir()]
    total_bytes = sum(path.stat().st_size for path in paths if path.is_file())
    assert [progress.stage for progress in heard[:2]] == ["verifying the log", "verifying"]
    assert {progress.stage for progress in heard[1:]} == {"verifying"}
    assert (heard[-1].done_bytes, heard[-1].total_bytes) == (total_bytes, total_bytes)


def test_what_a_writer_commits_meanwhile_is_no_damage(furnished_copy: Path) -> None:
    import threading

    with lineal.open(furnished_copy) as client:
        done = threading.Event()

        def save_on() -> None:
            number = 0
            while not done.wait(0.001):
                client.save([number, b"x" * 30_000 + number.to_bytes(4, "big"), b"y" * 20_000], f"saved-{number % 7}")
                client.flush()
                number += 1

        thread = threading.Thread(target=save_on)
        thread.start()
        try:
            for quick in (False, True) * 3:
                assert client.verify(quick=quick).damages == ()
        finally:
            done.set()
            thread.join()


def test_the_command_says_what_is_damaged_in_json(furnished_copy: Path, capsys: Any) -> None:
    from lineal.cli import main

    with lineal.open(furnished_copy) as client:
        part = part_of(client, "alone@1")
        flip(client.store.blobs.files.path(part.digest), 0)
    assert main(["verify", "--quick", "--store", str(furnished_copy)]) == 0
    assert "the log's end" in capsys.readouterr().out
    assert main(["verify", "--store", str(furnished_copy), "--json"]) == 5
    (damage,) = json.loads(capsys.readouterr().out)["damaged"]
    assert (damage["to"], damage["digest"], damage["hurts"]) == ("blob", str(part.digest), ["alone@1"])
