"""The handle on a store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import BlobCorrupt, BlobMissing, InvalidName, StoreClosed, StoreNotFound, UnsavableValue
from lineal.events.log import EVENTS
from lineal.post_execution import get_pipelines, get_run


def test_equal_content_is_stored_once_whatever_it_is_called_and_whoever_saves_it(store_path: Path) -> None:
    script = (
        "import sys, lineal, numpy as np\n"
        "with lineal.open(sys.argv[1]) as store:\n"
        "    store.save({'words': {'a', 'b', 'c'}, 'x': np.arange(50_000)}, sys.argv[2])\n"
        "    print(store.artifact(sys.argv[2]).content)\n"
    )
    contents = set()
    for seed in ("1", "2", "3"):
        command = [sys.executable, "-P", "-c", script, str(store_path), f"name-{seed}"]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        contents.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(contents) == 1
    with lineal.open(store_path) as store:
        usage = store.usage()
        assert usage.logical_bytes > 3 * 400_000
        assert usage.stored_bytes < 410_000
        assert sum(path.is_file() for path in (store_path / "blobs").rglob("*")) == 1


def test_values_come_back_with_their_type_and_can_be_changed_without_changing_what_is_stored(client: Client) -> None:
    large = np.arange(300_000, dtype=np.float32).reshape(1000, 300)
    frame = pd.DataFrame({"x": [1.5, None], "s": ["a", "b"]}, index=["r", "q"])
    for name, value in (("array", large), ("frame", frame), ("text", "ünïcode"), ("nested", {"a": [1, (2, 3)]})):
        client.save(value, name)
    loaded = client.load("array")
    loaded[:] = 0
    assert np.array_equal(client.load("array"), large)
    pd.testing.assert_frame_equal(client.load("frame"), frame)
    assert client.load("text") == "ünïcode"
    assert client.load("nested") == {"a": [1, (2, 3)]}
    assert client.verify().is_sound


def test_a_saved_value_is_durable_after_flush_and_after_leaving_the_block(store_path: Path) -> None:
    script = (
        "import os, sys, lineal\nstore = lineal.open(sys.argv[1])\nstore.save(1, 'first')\nstore.flush()\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", script, str(store_path)], check=True)
    with lineal.open(store_path) as store:
        assert store.load("first") == 1
        store.save(2, "second")
    with lineal.open(store_path) as store:
        assert store.load("second") == 2


def test_what_was_saved_and_not_flushed_is_committed_when_the_program_ends(store_path: Path) -> None:
    script = "import sys, lineal\nlineal.open(sys.argv[1]).save([1], 'x')\n"
    subprocess.run([sys.executable, "-P", "-c", script, str(store_path)], check=True)
    with lineal.open(store_path, read_only=True) as store:
        assert store.load("x") == [1]


@pytest.mark.parametrize("name", ["", "a@1", "bell\x07", " x", "y" * 300, 3])
def test_a_name_that_could_not_be_written_is_refused(client: Client, name: object) -> None:
    with pytest.raises(InvalidName):
        client.save(1, name)  # type: ignore[arg-type]
    assert client.artifacts() == []


def test_a_value_without_a_byte_form_says_where_in_it_and_leaves_nothing(client: Client) -> None:
    head = client.head
    with pytest.raises(UnsavableValue, match="lock"):
        client.save({"a": [1, threading.Lock()]}, "x")
    assert client.head == head
    assert os.listdir(client.path / "tmp") == []


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damage_to_a_blob_is_found_and_named(client: Client, damage: str) -> None:
    version = client.save(np.arange(200_000), "x")
    client.flush()
    (part,) = version.manifest.named()
    path = client.path / "blobs" / str(part.digest)[:2] / str(part.digest)
    path.chmod(0o644)
    if damage == "flip":
        with path.open("r+b") as file:
            file.seek(1000)
            file.write(b"\xff")
    elif damage == "truncate":
        os.truncate(path, 100)
    else:
        path.unlink()
    (found,) = client.verify().damages
    assert (found.digest, found.is_missing, found.hurts) == (part.digest, damage == "remove", ("x@1",))
    if damage != "flip":
        with pytest.raises((BlobMissing, BlobCorrupt)):
            version.load()


def test_a_changed_event_is_found_by_verify(client: Client) -> None:
    for number in range(3):
        client.save(number, "x")
    client.flush()
    environment = client.store._env
    with environment.begin(write=True) as txn:
        key = (2).to_bytes(8, "big")
        value = bytearray(txn.get(key, db=environment.databases[EVENTS]))
        value[40] ^= 1
        txn.put(key, bytes(value), db=environment.databases[EVENTS])
    verification = client.verify()
    assert [(damage.kind, damage.what) for damage in verification.damages] == [
        ("log", "the log was changed at event 2")
    ]
    assert (verification.is_sound, verification.head.seq) == (False, 1)


def test_rebuild_changes_nothing_that_can_be_seen(client: Client) -> None:
    client.save(1, "x")
    client.save(2, "x")
    head = client.head
    assert client.rebuild() == head
    assert [version.version for version in client.artifact("x").artifact.versions] == [2, 1]


def test_a_closed_or_read_only_handle_refuses_to_write(store_path: Path) -> None:
    with lineal.open(store_path) as store:
        store.save(1, "x")
        with lineal.open(store_path, read_only=True) as reading:
            assert reading.load("x") == 1
            with pytest.raises(StoreClosed):
                reading.save(2, "x")
    with pytest.raises(StoreClosed):
        store.save(3, "x")
    store.close()


def test_a_store_that_is_not_there_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound):
        lineal.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


def test_reading_makes_no_store_where_there_is_none_and_saving_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LINEAL_STORE", raising=False)
    monkeypatch.chdir(tmp_path)

    @pipeline
    def nothing() -> None: ...

    asked: list[Callable[[], object]] = [
        lambda: lineal.load("x"),
        lambda: lineal.artifact("x"),
        lambda: list(lineal.runs()),
        lambda: get_pipelines(),
        lambda: get_run("nothing-1"),
        lambda: lineal.rerun("nothing-1"),
        lambda: lineal.reproduce("nothing-1"),
        lambda: nothing.resume("nothing-1"),
    ]
    for ask in asked:
        with pytest.raises(StoreNotFound, match="lineal init"):
            ask()
    assert list(tmp_path.iterdir()) == []
    lineal.save(1, "x")
    assert lineal.load("x") == 1
    assert [one.name for one in tmp_path.iterdir()] == [".lineal"]


def test_the_functions_of_the_package_use_the_store_in_force(client: Client) -> None:
    lineal.save("value", "name")
    assert lineal.load("name") == "value"
    assert lineal.artifact("name@1").version == 1
    assert list(lineal.runs()) == []
    assert client.load("name") == "value"


def test_the_repair_that_an_error_hints_at_repairs(client: Client) -> None:
    @step
    def make() -> np.ndarray:
        return np.arange(20_000)

    @pipeline
    def making() -> None:
        make()

    version = making().steps["make"].output
    (part,) = version.manifest.named()
    path = client.store.blobs.files.path(part.digest)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    with pytest.raises(BlobCorrupt, match="Run `lineal repair`"):
        version.load()
    (lost,) = client.repair().lost
    assert [use.remedy for use in lost.uses] == [f"Run `lineal recompute {version}`."]
    with pytest.raises(BlobMissing, match="Step 'make' of run making-1 made it"):
        version.load()
    making.with_options(cache=False)()
    assert version.load()[-1] == 19_999
    assert client.verify().is_sound
