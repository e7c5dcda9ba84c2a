"""Stores of older formats are brought to today's by copy, verify, swap; what can't be is left as it was."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest
from mounting import can_mount
from old_stores import changed, check, contents, format_of, set_format

import lineal
from lineal import migration
from lineal.cas import ContentStore, Environment
from lineal.cas.progress import Stage
from lineal.errors import (
    Conflict,
    Corrupt,
    FormatTooNew,
    FormatTooOld,
    NotAStore,
)

DOCS = Path(__file__).parents[1] / "docs" / "format.md"


@pytest.fixture
def old(golden: Callable[[int], Path]) -> Path:
    """A store of format 1."""
    return golden(1)


class TestFeatures:
    @pytest.fixture(params=["store", "content store"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[Path], Any]]:
        opening: Callable[[Path], Any] = lineal.open if request.param == "store" else ContentStore
        opening(tmp_path / "made").close()
        return tmp_path / "made", opening

    def test_an_unknown_required_feature_is_named_and_the_store_refused(self, place: Any) -> None:
        path, opening = place
        set_format(path, required=["zipped", "sharded"])
        before = contents(path)
        with pytest.raises(FormatTooNew, match="zipped, sharded") as refused:
            opening(path)
        assert refused.value.details["features"] == ("zipped", "sharded")
        assert "newer Lineal" in str(refused.value.hint)
        assert contents(path) == before

    def test_a_newer_version_is_refused_with_what_it_requires(self, place: Any) -> None:
        path, opening = place
        set_format(path, version=7, required=["zipped"])
        with pytest.raises(FormatTooNew, match="format 7, which requires zipped"):
            opening(path)

    def test_an_unknown_optional_feature_is_passed_over(self, place: Any) -> None:
        path, opening = place
        set_format(path, optional=["told-by-a-newer-one"])
        opening(path).close()
        assert format_of(path)["optional"] == ["told-by-a-newer-one"]

    def test_features_that_are_no_list_of_names_are_damage(self, place: Any) -> None:
        path, opening = place
        for damaged in ({"required": "zipped"}, {"optional": [1]}, {"required": ["x" * 1000]}):
            original = (path / "FORMAT").read_text()
            set_format(path, **damaged)
            with pytest.raises(NotAStore):
                opening(path)
            (path / "FORMAT").write_text(original)

    def test_a_content_store_without_features_is_opened(self, tmp_path: Path) -> None:
        ContentStore(tmp_path / "made").close()
        (tmp_path / "made" / "FORMAT").write_text('{"magic": "lineal.cas", "version": 1}')
        with ContentStore(tmp_path / "made") as content:
            assert content.kept() == {}

    def test_optional_features_and_unknown_fields_stay_when_format_is_written_again(self, old: Path) -> None:
        set_format(old, optional=["indexed"], invented={"by": "a newer one"})
        check(old)
        assert format_of(old)["optional"] == ["indexed"]
        assert format_of(old)["invented"] == {"by": "a newer one"}


class TestMigrating:
    def test_a_store_of_format_1_is_brought_to_todays_when_it_is_opened(self, old: Path) -> None:
        before = contents(old)
        check(old)
        after = contents(old)
        assert after["log.1/data.mdb"] == before["log/data.mdb"]
        files = [name for name in before if name.startswith("blobs/")]
        assert {name: after[name] for name in files} == {name: before[name] for name in files}
        check(old)

    def test_the_way_back_gives_the_old_store_to_the_byte(self, old: Path) -> None:
        before = contents(old)
        with lineal.open(old) as client:
            client.save("after", "after")
        (block,) = re.findall(r"```sh\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
        subprocess.run(["sh", "-e", "-c", block], cwd=old, check=True)
        found = contents(old)
        assert {name: found[name] for name in before if name != "FORMAT"} == {
            name: data for name, data in before.items() if name != "FORMAT"
        }
        assert format_of(old) == {**json.loads(before["FORMAT"]), "optional": []}
        check(old)

    def test_one_who_only_reads_is_told_what_to_do_and_changes_nothing(self, old: Path) -> None:
        before = contents(old)
        with pytest.raises(FormatTooOld, match="lineal migrate"):
            lineal.open(old, read_only=True)
        assert contents(old) == before

    def test_a_log_that_is_migrated_already_only_gets_its_format(self, old: Path) -> None:
        check(old)
        before = (old / "log" / "data.mdb").stat().st_ino
        for state in ({"version": 1}, {"version": 1, "required": ["migrating"]}):
            set_format(old, **state)
            with pytest.raises(FormatTooOld):
                lineal.open(old, read_only=True)
            check(old)
            assert format_of(old)["required"] == []
        assert (old / "log" / "data.mdb").stat().st_ino == before

    def test_while_logs_are_swapped_format_requires_what_older_ones_do_not_know(
        self, old: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Any] = []
        real = os.replace

        def replace(source: Any, target: Any) -> None:
            if str(target).endswith("log/data.mdb"):
                seen.append((format_of(old)["version"], format_of(old)["required"]))
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        check(old)
        assert seen == [(1, ["migrating"])]

    def test_another_log_that_is_kept_is_not_written_over(self, old: Path) -> None:
        (old / "log.1").mkdir()
        (old / "log.1" / "data.mdb").write_bytes(b"of another day")
        before = contents(old)
        with pytest.raises(Conflict, match=r"log\.1 holds another log"):
            lineal.open(old)
        assert contents(old) == before

    def test_files_without_second_names_are_moved_and_half_a_swap_is_undone(
        self, old: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = (old / "log" / "data.mdb").read_bytes()

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        def cut(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "link", refuse)
        with monkeypatch.context() as half:
            half.setattr(migration, "_put_in_place", cut)
            with pytest.raises(KeyboardInterrupt):
                lineal.open(old)
        assert not (old / "log" / "data.mdb").exists()
        check(old)
        assert (old / "log.1" / "data.mdb").read_bytes() == before

    def test_progress_is_told(self, old: Path) -> None:
        heard: dict[str, list[lineal.client.Progress]] = {}
        with lineal.reporting(lambda one: heard.setdefault(one.stage, []).append(one)):
            lineal.open(old).close()
        assert heard["copying the log"][-1].done_bytes == (old / "log.1" / "data.mdb").stat().st_size
        assert heard["verifying the log"][-1].done_bytes == heard["verifying the log"][-1].total_bytes
        assert {"migrating the log", "verifying the catalog"} <= heard.keys()


def damaged_row(path: Path) -> None:
    def shorten(txn: lmdb.Transaction, place: Any) -> None:
        key, value = next(iter(txn.cursor(place)))
        txn.put(bytes(key), bytes(value)[:5], db=place)

    changed(path, b"blobs", shorten)


def changed_event(path: Path) -> None:
    def flip(txn: lmdb.Transaction, place: Any) -> None:
        key = (9).to_bytes(8, "big")
        value = bytearray(txn.get(key, db=place))
        value[-1] ^= 1
        txn.put(key, bytes(value), db=place)

    changed(path, b"events", flip)


def dropped_event(path: Path) -> None:
    changed(path, b"events", lambda txn, place: txn.delete((9).to_bytes(8, "big"), db=place))


def truncated(path: Path) -> None:
    os.truncate(path / "log" / "data.mdb", 100_000)


FILLING = """
import json, os, shutil, sys
from pathlib import Path

import lineal
from lineal.errors import StoreFull
from old_stores import check, contents

shutil.copytree(sys.argv[1], "disk/store")
path = Path("disk/store")
before = contents(path)
with open("disk/ballast", "wb") as ballast:
    free = os.statvfs("disk").f_bavail * os.statvfs("disk").f_frsize
    os.posix_fallocate(ballast.fileno(), 0, free - int(sys.argv[2]))
try:
    lineal.open(path)
except StoreFull as error:
    print(json.dumps([error.what, error.details["needed_bytes"]]))
assert contents(path) == before
os.unlink("disk/ballast")
check(path)
"""


class TestRefusing:
    @pytest.mark.parametrize("damage", [damaged_row, changed_event, dropped_event, truncated])
    def test_a_damaged_store_is_not_migrated_and_stays_as_it_was(
        self, old: Path, damage: Callable[[Path], None]
    ) -> None:
        damage(old)
        before = contents(old)
        with pytest.raises(Corrupt, match="as it was"):
            lineal.open(old)
        assert contents(old) == before

    @pytest.mark.parametrize("is_verified", [True, False], ids=["verified", "weakened"])
    @pytest.mark.parametrize("way", ["drops a blob", "adds a blob", "changes a size", "drops an event"])
    def test_a_way_that_says_something_else_is_found_before_the_swap(
        self, old: Path, way: str, is_verified: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = migration.MIGRATIONS[1]

        def wrong(environment: Environment, stage: Stage) -> None:
            real.apply(environment, stage)
            blobs, events = environment.databases["blobs"], environment.databases["events"]
            with environment.begin(write=True) as txn:
                key, value = next((bytes(key), bytes(value)) for key, value in txn.cursor(blobs))
                if way == "drops a blob":
                    txn.delete(key, db=blobs)
                if way == "adds a blob":
                    txn.put(b"\xff" * 32, value, db=blobs)
                if way == "changes a size":
                    txn.put(key, value[:2] + bytes([value[2] ^ 1]) + value[3:], db=blobs)
                if way == "drops an event":
                    last = txn.cursor(events)
                    assert last.last()
                    txn.delete(bytes(last.key()), db=events)

        monkeypatch.setattr(migration, "MIGRATIONS", {1: real._replace(apply=wrong)})
        before = contents(old)
        if is_verified:
            with pytest.raises(Corrupt, match="as it was"):
                lineal.open(old)
            assert contents(old) == before
        else:
            monkeypatch.setattr(migration, "_verify", lambda *_: None)
            migration.migrate_store(old)
            assert contents(old) != before

    @pytest.mark.skipif(not can_mount(), reason="needs a file system of its own, and so root")
    @pytest.mark.parametrize("room_bytes", [100_000, 140_000], ids=["for no copy", "for the copy alone"])
    def test_a_full_disk_leaves_the_old_store_and_says_how_much_is_needed(self, old: Path, room_bytes: int) -> None:
        script = old.parent / "fill.py"
        script.write_text(FILLING, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "crash")}
        command = (
            f"mkdir disk && mount -t tmpfs -o size=16m none disk && {sys.executable} -P {script} {old} {room_bytes}"
        )
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        what, needed_bytes = json.loads(done.stdout)
        log_bytes = (old / "log" / "data.mdb").stat().st_size
        assert f"{needed_bytes:,} bytes" in what
        assert 2 * log_bytes <= needed_bytes <= 2 * log_bytes + (1 << 20)


class TestDamageInBlobs:
    def test_damage_that_was_there_before_is_no_reason_to_refuse_and_is_found_afterwards(self, old: Path) -> None:
        largest = max((old / "blobs").rglob("*"), key=lambda file: file.stat().st_size if file.is_file() else 0)
        largest.unlink()
        with lineal.open(old) as client:
            assert [damage.is_missing for damage in client.verify().damages] == [True]
