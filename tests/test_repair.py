"""Repair of a store: what is elsewhere is found there, what is bad is kept aside, what is lost is named."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import change, flip, part_of

import lineal
from lineal import Client
from lineal.cas import CATALOG, VOLUMES, Cut, Digest, Extent, Volume, VolumeKind
from lineal.cas.store import Entry
from lineal.cli import main
from lineal.errors import BlobMissing, Corrupt
from lineal.events.standing import database_of


def entry_of(client: Client, digest: Digest) -> Entry:
    return next(entry for entry in client.store.blobs.entries() if entry.digest == digest)


def raw_row(client: Client, digest: Digest) -> bytes:
    (row,) = client.store.blobs.committed([(CATALOG, digest)])
    assert row is not None
    return row


def loaded(client: Client) -> dict[str, Any]:
    """Every value there is, copied: what is mapped would follow its file."""
    return {str(version): deepcopy(version.load()) for artifact in client.artifacts() for version in artifact.versions}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    np.testing.assert_equal(one, other)
    return True


def quarantined(path: Path) -> list[str]:
    folder = path / "quarantine"
    return sorted(one.name.rsplit(".", 1)[0] for one in folder.iterdir()) if folder.exists() else []


def test_a_sound_store_has_nothing_to_repair(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        repaired = client.repair()
        assert (repaired.mended, repaired.quarantined, repaired.lost) == ((), (), ())
    assert quarantined(furnished_copy) == []


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        part = part_of(client, "alone@1")
        flip(client.store.blobs.files.path(part.digest), 3)
        change(client, CATALOG, part_of(client, "large@1").digest, None)
        before = client.verify().damages
        trial = client.repair(dry_run=True)
        assert client.verify().damages == before
        assert quarantined(furnished_copy) == []
        repaired = client.repair()
    assert trial.is_trial
    assert not repaired.is_trial
    assert trial.mended == repaired.mended
    assert trial.lost == repaired.lost
    assert [damage.digest for damage in repaired.lost] == [part.digest]


@pytest.mark.parametrize("damage", ["gone", "flipped", "nothing"])
def test_a_row_of_a_file_blob_is_made_again_from_the_file(furnished_copy: Path, damage: str) -> None:
    with lineal.open(furnished_copy) as client:
        before = loaded(client)
        digest = part_of(client, "large@1").digest
        row = raw_row(client, digest)
        change(client, CATALOG, digest, {"gone": None, "flipped": row[:3] + b"\xff" + row[4:], "nothing": b""}[damage])
        repaired = client.repair()
        assert [mended.digest for mended in repaired.mended] == [digest]
        assert (repaired.is_whole, repaired.quarantined) == (True, ())
        assert raw_row(client, digest) == row
        assert client.verify().is_sound
        assert same(loaded(client), before)


def test_a_row_of_a_manifest_file_that_is_made_again_still_says_that_it_is_a_manifest(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        version = client.save([np.arange(number, number + 9) for number in range(500)], "x")
        client.flush()
        row = raw_row(client, version.content)
        change(client, CATALOG, version.content, None)
        assert not client.verify().is_sound
        client.repair()
        assert raw_row(client, version.content) == row


def test_a_row_whose_checksum_alone_is_wrong_is_believed_if_its_bytes_have_the_digest(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        before = loaded(client)
        for digest in (part_of(client, "packed@1").digest, client.artifact("small@1").content):
            row = raw_row(client, digest)
            for place in (1, 3, 10, 13):
                change(client, CATALOG, digest, row[:place] + bytes([row[place] ^ 1]) + row[place + 1 :])
                assert not client.verify().is_sound
                assert client.repair().is_whole
                assert raw_row(client, digest) == row
        assert client.verify().is_sound
        assert same(loaded(client), before)


def test_bytes_that_are_there_as_a_pack_too_are_taken_from_there(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        files, part = client.store.blobs.files, part_of(client, "large@1")
        pack = Volume(VolumeKind.PACK, part.digest, part.size_bytes)
        before = loaded(client)
        shutil.copy(files.path(part.digest), files.volume_path(pack))
        flip(files.path(part.digest), 99)
        repaired = client.repair()
        assert part.digest in {mended.digest for mended in repaired.mended}
        assert entry_of(client, part.digest).place == Cut((Extent(pack, 0, part.size_bytes),))
        assert quarantined(furnished_copy) == [f"blob.{part.digest}"]
        lost = {damage.digest: damage.hurts for damage in repaired.lost}
        assert lost == {part_of(client, "large@2").digest: ("large@2",)}
        assert np.array_equal(client.load("large@1"), before["large@1"])


@pytest.mark.parametrize("how", ["flip", "truncate"])
def test_sound_blobs_are_copied_out_of_a_bad_pack_before_it_is_moved_away(furnished_copy: Path, how: str) -> None:
    with lineal.open(furnished_copy) as client:
        before = {number: part_of(client, "packed@1", number) for number in range(4)}
        data = {number: client.store.blobs.read(part.digest) for number, part in before.items()}
        place = entry_of(client, before[3].digest).place
        assert isinstance(place, Cut)
        (extent,) = place.extents
        pack = client.store.blobs.files.volume_path(extent.volume)
        damaged = pack.stat().st_size - 5
        if how == "flip":
            flip(pack, damaged)
        else:
            pack.chmod(0o644)
            with pack.open("r+b") as file:
                file.truncate(damaged)
        bad = pack.read_bytes()
        repaired = client.repair()
        assert list((furnished_copy / "tmp").iterdir()) == []
        (lost,) = repaired.lost
        assert (lost.digest, lost.hurts) == (before[3].digest, ("packed@1",))
        assert [use.remedy for use in lost.uses] == ["It was saved by hand: save it again."]
        assert [client.store.blobs.read(before[number].digest) for number in range(3)] == [data[n] for n in range(3)]
        (kept,) = repaired.quarantined
        assert kept.read_bytes() == bad
        assert kept.name.startswith(f"pack.{extent.volume.digest}.2")
        assert not pack.exists()
        with pytest.raises(BlobMissing, match="saved by hand"):
            client.load("packed@1")
        client.save([np.random.default_rng(1).bytes(4)], "another")
        with client.store.blobs.batch() as batch:
            batch.put(data[3])
            client.store.append([], batch.publish()).wait()
        assert client.verify().is_sound
        assert client.store.blobs.read(before[3].digest) == data[3]


def test_a_blob_that_succeeds_a_damaged_one_and_has_not_its_bad_bytes_survives(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        part = part_of(client, "large@1")
        shorter = np.asarray(client.load("large@1"))[:200_000].copy()
        client.save(shorter, "large")
        client.flush()
        place = entry_of(client, part_of(client, "large@3").digest).place
        assert isinstance(place, Cut)
        assert {volume.digest for volume in place.volumes()} == {part.digest}
        flip(client.store.blobs.files.path(part.digest), part.size_bytes - 5)
        lost = {damage.hurts for damage in client.repair().lost}
        assert lost == {("large@1",), ("large@2",)}
        assert np.array_equal(client.load("large@3"), shorter)


def test_what_is_damaged_in_the_catalog_and_nowhere_else_is_kept_aside(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        content = client.artifact("small@1").content
        row = raw_row(client, content)
        bad = row[:-2] + bytes([row[-2] ^ 8]) + row[-1:]
        change(client, CATALOG, content, bad)
        (lost,) = client.repair().lost
        assert lost.hurts == ("small@1",)
        assert quarantined(furnished_copy) == [f"row.{content}"]
        (kept,) = (furnished_copy / "quarantine").iterdir()
        assert kept.read_bytes() == bad
        with pytest.raises(BlobMissing, match="saved by hand"):
            client.load("small@1")
        client.save({"a": [1, 2, 3]}, "small")
        client.flush()
        assert client.load("small@1") == {"a": [1, 2, 3]}
        assert client.verify().is_sound


def test_the_table_of_volumes_is_made_again_from_the_catalog(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        rows = list(client.store.blobs.rows(VOLUMES))
        change(client, VOLUMES, rows[0][0], None)
        change(client, VOLUMES, rows[1][0], bytes(8))
        change(client, VOLUMES, rows[2][0] + b"x", bytes(7))
        assert client.repair().is_whole
        assert list(client.store.blobs.rows(VOLUMES)) == rows
        assert client.verify().is_sound


def test_indexes_are_replayed(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        names = [artifact.name for artifact in client.artifacts()]
        with client.store.environment.begin(write=True) as txn:
            databases = client.store.environment.databases
            txn.drop(databases[database_of(txn, databases, "artifacts")], delete=False)
        assert client.artifacts() == []
        assert [mended.what for mended in client.repair().mended] == ["the index 'artifacts', replayed from the log"]
        assert [artifact.name for artifact in client.artifacts()] == names


def test_a_broken_chain_is_not_mended_and_the_blobs_are(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        digest = part_of(client, "large@1").digest
        change(client, CATALOG, digest, None)
        change(client, "events", (5).to_bytes(8, "big"), b"\0" * 60)
        repaired = client.repair()
        assert [damage.kind for damage in repaired.lost] == ["log"]
        assert [mended.digest for mended in repaired.mended] == [digest]


def test_a_put_mends_a_row_that_cannot_be_read(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        digest = part_of(client, "packed@1").digest
        data = client.store.blobs.read(digest)
        change(client, CATALOG, digest, b"nonsense")
        with pytest.raises(Corrupt, match="row"):
            client.store.blobs.read(digest)
        with client.store.blobs.batch() as batch:
            batch.put(data)
            client.store.append([], batch.publish()).wait()
        assert client.store.blobs.read(digest) == data


def test_what_ran_is_made_again_as_the_repair_says(furnished_copy: Path, capsys: Any) -> None:
    with lineal.open(furnished_copy) as client:
        run = client.run("furnishing-1")
        output = run.steps["numbers"].output
        part = next(iter(output.manifest.named()))
        value, reference = np.array(output.load()), str(output)
        flip(client.store.blobs.files.path(part.digest), 12)
    assert main(["repair", "--store", str(furnished_copy), "--dry-run"]) == 5
    assert "would be" not in capsys.readouterr().out.split("lost", 1)[1]
    assert main(["repair", "--store", str(furnished_copy), "--json"]) == 5
    record = json.loads(capsys.readouterr().out)
    remedies = [remedy for damage in record["lost"] for remedy in damage["remedies"]]
    assert f"Run `lineal recompute {reference}`." in remedies
    assert len(record["quarantined"]) == 1
    with lineal.open(furnished_copy) as client:
        client.save(value, "again")
        client.flush()
        assert np.array_equal(client.artifact(reference).load(), value)
        assert client.verify().is_sound


def test_a_repair_of_a_repaired_store_moves_nothing(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        flip(client.store.blobs.files.path(part_of(client, "alone@1").digest), 3)
        first, second = client.repair(), client.repair()
        assert len(first.quarantined) == 1
        assert (second.quarantined, second.mended) == ((), ())
        assert [damage.is_missing for damage in second.lost] == [True]


def test_what_is_damaged_again_within_the_same_second_is_moved_away_again(furnished_copy: Path) -> None:
    with lineal.open(furnished_copy) as client:
        value = deepcopy(client.artifact("alone@1").load())
        path = client.store.blobs.files.path(part_of(client, "alone@1").digest)
        kept: set[Path] = set()
        for place in range(4):
            flip(path, place)
            kept.update(client.repair().quarantined)
            client.save(value, "again")
            client.flush()
            assert client.verify().is_sound
        assert len({one.read_bytes() for one in kept}) == 4


def test_a_writer_that_relied_on_a_file_that_is_moved_away_meanwhile_is_told_and_does_not_bring_it_back(
    furnished_copy: Path,
) -> None:
    with lineal.open(furnished_copy) as client:
        digest = part_of(client, "alone@1").digest
        data = client.store.blobs.read(digest)
        path = client.store.blobs.files.path(digest)
        flip(path, 3)
        with client.store.blobs.batch() as batch:
            batch.put(data)
            blobs = batch.publish()
            client.repair()
            with pytest.raises(BlobMissing):
                client.store.append([], blobs).wait()
        assert not path.exists()
