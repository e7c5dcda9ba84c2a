"""Collection at the public face: what goes, what stays, what it frees, and how an evicted version comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

import lineal
from lineal import Artifact, Client, Retention, pipeline, step
from lineal.cas import CATALOG, BlobFiles, Cut, PlacedBlobs
from lineal.collection import Collection
from lineal.errors import ArtifactEvicted, BlobCorrupt, Conflict, NotFound, PinNotFound, StoreClosed
from lineal.events import catalogue as facts


@step
def make(n: int) -> Annotated[np.ndarray, Artifact("made")]:
    return np.full(300_000, n)


@step
def summed(made: np.ndarray) -> Annotated[float, Artifact("sum")]:
    return float(made.sum())


@pipeline
def making(n: int) -> None:
    summed(make(n))


def files(client: Client) -> set[str]:
    """The names of all files that hold blobs."""
    directories = (client.path / "blobs", client.path / "packs")
    return {path.name for directory in directories for path in directory.rglob("*") if path.is_file()}


def collect(client: Client, retention: Retention | None = None, grace_s: float = 0) -> Collection:
    """Collect, having seen that a dry run says just what then happens and does nothing."""
    client.flush()
    head, before, usage = client.head, files(client), client.usage()
    foreseen = client.collect(retention, dry_run=True, grace_s=grace_s)
    assert (client.head, files(client), client.usage()) == (head, before, usage)
    done = client.collect(retention, grace_s=grace_s)
    assert foreseen.replaced(is_dry_run=False) == done
    assert client.verify().is_sound
    return done


def test_without_a_policy_nothing_goes_that_an_event_names(client: Client) -> None:
    making(1)
    making(2)
    done = collect(client)
    assert (done.blobs, done.files, done.freed_bytes, done.released) == (0, 0, 0, ())


def test_a_policy_frees_the_bytes_of_what_it_releases_and_lineage_stays(client: Client) -> None:
    runs = [making(n) for n in (1, 2, 3)]
    before = client.usage()
    done = collect(client, Retention(keep_last=1))
    assert {str(one) for one in done.released} == {"made@1", "made@2", "sum@1", "sum@2"}
    assert done.freed_bytes >= 2 * 2_400_000
    assert before.stored_bytes - client.usage().stored_bytes == done.freed_bytes
    made = client.artifact("made@1")
    assert (made.is_evicted, made.is_available) == (True, False)
    assert [node.name for node in client.artifact("sum@1").lineage()] == ["sum", "made"]
    assert runs[0].steps["make"].status == "completed"
    with pytest.raises(ArtifactEvicted, match=r"made@1 was evicted at event .*: not the newest version"):
        made.load()
    assert client.load("made@3")[0] == 3
    assert client.load("sum@3") == 900_000.0


def test_collecting_again_finds_nothing(client: Client) -> None:
    for n in range(4):
        client.save(np.full(300_000, n), "x")
    # Of each of three: the manifest, the values, and the two drawings that they show.
    assert collect(client, Retention(keep_last=1)).blobs == 12
    again = collect(client, Retention(keep_last=1))
    assert (again.released, again.blobs, again.files) == ((), 0, 0)


def test_a_blob_that_a_kept_version_shares_stays(client: Client) -> None:
    shared = np.arange(300_000)
    client.save({"shared": shared, "own": np.full(300_000, 1)}, "x")
    client.save({"shared": shared, "own": np.full(300_000, 2)}, "x")
    done = collect(client, Retention(keep_last=1))
    assert done.files == 1
    assert np.array_equal(client.load("x@2")["shared"], shared)


def test_a_file_that_later_versions_are_cut_from_stays_until_they_go_too(client: Client) -> None:
    first = np.random.default_rng(1).integers(0, 2**60, 400_000)
    client.save(first, "x")
    client.save(np.concatenate([first, first[:1000] + 1]), "x")
    client.flush()
    done = collect(client, Retention(keep_last=1))
    assert [str(one) for one in done.released] == ["x@1"]
    assert done.files == 0
    assert len(client.load("x@2")) == 401_000
    client.release("x@2")
    assert collect(client).files == 2
    assert files(client) == set()


def test_a_version_made_again_after_its_release_is_held_again(client: Client) -> None:
    client.save(np.arange(300_000), "x")
    client.release("x")
    client.save(np.arange(300_000), "x")
    assert collect(client).blobs == 0
    assert client.load("x")[5] == 5


def test_a_version_saved_again_after_it_was_swept_is_there_again(client: Client) -> None:
    client.save(np.arange(300_000), "x")
    client.release("x")
    assert collect(client).files == 1
    assert client.artifact("x").is_evicted
    client.save(np.arange(300_000), "x")
    client.flush()
    assert client.load("x@1")[5] == 5
    assert not client.artifact("x").is_evicted


def test_a_new_version_can_succeed_one_that_was_evicted(client: Client) -> None:
    client.save(np.arange(300_000), "x")
    client.release("x")
    collect(client)
    client.save(np.arange(300_001), "x")
    client.flush()
    assert client.load("x@2")[-1] == 300_000


def test_a_cached_step_whose_output_was_evicted_executes_again(client: Client) -> None:
    making(1)
    client.release("made")
    collect(client)
    run = making(1)
    assert {name: one.status for name, one in run.steps.items()} == {"make": "completed", "summed": "cached"}
    assert client.load("made@1")[0] == 1


def test_a_pinned_version_lives_whatever_is_released_until_its_pin_is_gone(client: Client) -> None:
    client.save(np.arange(300_000), "x")
    client.pin("x", "champion")
    client.release("x")
    assert collect(client).blobs == 0
    assert [(pin.label, pin.content) for pin in client.pins()] == [("champion", client.artifact("x").content)]
    client.unpin("champion")
    assert client.pins() == []
    assert collect(client).files == 1


def test_a_pin_can_expire_and_move_and_an_unknown_one_can_not_be_removed(client: Client) -> None:
    client.save(1.5, "x")
    client.save(2.5, "x")
    client.pin("x@1", "best", expires=datetime.now(UTC) - timedelta(seconds=1))
    assert client.pins() == []
    client.pin("x@1", "best")
    client.pin("x@2", "best")
    assert [pin.content for pin in client.pins()] == [client.artifact("x@2").content]
    with pytest.raises(PinNotFound):
        client.unpin("worst")


def test_what_is_gone_can_not_be_pinned(client: Client) -> None:
    client.save(1.5, "x")
    client.release("x")
    collect(client)
    with pytest.raises(ArtifactEvicted):
        client.pin("x", "late")
    client.flush()


def test_what_no_event_ever_named_goes_once_it_is_old(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        batch.put(np.full(300_000, 7).tobytes())
        batch.put(np.full(20_000, 8).tobytes())
        batch.publish()
    assert collect(client, grace_s=3600).files == 0
    assert collect(client).files == 2
    assert files(client) == set()


def test_files_of_others_are_left_alone(client: Client) -> None:
    stray = client.path / "packs" / "notes.txt"
    stray.write_text("mine")
    os.utime(stray, (0, 0))
    collect(client)
    assert stray.read_text() == "mine"


def test_failed_steps_leave_nothing_but_their_logs_and_their_code(client: Client) -> None:
    @step
    def fail() -> tuple[np.ndarray, int]:
        print("before")
        return np.full(300_000, 3), threading.Lock()  # type: ignore[return-value]

    @pipeline
    def failing() -> None:
        fail()

    with pytest.raises(lineal.LinealError):
        failing()
    failed = next(client.runs()).steps["fail"]
    assert failed.sources is not None
    assert files(client) <= {str(file.digest) for file in failed.sources.files}
    assert collect(client).files == 0
    assert failed.log == "before\n"


def test_while_a_run_goes_on_its_code_and_what_its_steps_gave_stay(client: Client) -> None:
    seen: list[Collection] = []

    @step
    def meanwhile(made: np.ndarray) -> int:
        seen.append(client.collect(Retention(max_bytes=0, keep_latest=False), grace_s=0))
        return int(made[0])

    @pipeline
    def busy() -> None:
        meanwhile(make(5))

    making(1)
    run = busy()
    assert {str(one) for one in seen[0].released} == {"made@1", "sum@1"}
    assert run.status == "completed"
    assert run.steps["make"].output.load()[0] == 5
    assert client.verify().is_sound


def test_a_reader_keeps_the_value_that_it_has_loaded(client: Client) -> None:
    client.save(np.full(300_000, 3), "x")
    client.flush()
    loaded = client.load("x")
    client.release("x")
    assert collect(client).files == 1
    assert loaded.sum() == 900_000
    loaded[:] = 1


def test_a_reader_in_another_process_keeps_what_it_has_mapped_and_is_told_of_what_it_has_not(client: Client) -> None:
    script = (
        "import sys, lineal\n"
        "store = lineal.open(sys.argv[1], read_only=True)\n"
        "loaded = store.load('x@1')\n"
        "print('loaded', flush=True)\n"
        "input()\n"
        "print(loaded.sum())\n"
        "try:\n"
        "    store.load('x@1')\n"
        "except lineal.LinealError as error:\n"
        "    print(type(error).__name__)\n"
    )
    client.save(np.full(300_000, 3), "x")
    client.save(1, "x")
    client.flush()
    command = [sys.executable, "-P", "-c", script, str(client.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "loaded\n"
        assert collect(client, Retention(keep_last=1)).files == 1
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.read() == "900000\nArtifactEvicted\n"


def test_a_second_collector_is_told_that_there_is_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[Exception] = []

    def meanwhile(*_: object, **__: object) -> object:
        with pytest.raises(Conflict, match="another collection") as caught:
            client.collect()
        inside.append(caught.value)
        return original(*_, **__)

    from lineal import collection

    original: Callable[..., object] = collection.sweep
    monkeypatch.setattr(collection, "sweep", meanwhile)
    client.collect()
    assert len(inside) == 1
    client.collect(dry_run=True)


def test_a_manifest_that_can_not_be_read_stops_the_collection_before_anything_goes(client: Client) -> None:
    client.save(np.full(300_000, 4), "x")
    client.save(np.full(300_000, 5), "y")
    client.release("y")
    content = client.artifact("x").content
    with client.store.exclusively() as changes:
        row = changes.get(CATALOG, content)
        assert row is not None
        changes.put(CATALOG, content, row[:-1] + bytes([row[-1] ^ 1]))
    before = files(client)
    for dry_run in (True, False):
        with pytest.raises(BlobCorrupt, match=r"what content .* needs can't be told"):
            client.collect(grace_s=0, dry_run=dry_run)
    assert files(client) == before
    client.release("x")
    client.collect(grace_s=0)
    assert files(client) == set()


def test_a_release_of_the_past_shows_in_the_past(client: Client) -> None:
    client.save(1.5, "x")
    before = client.head.seq
    client.release("x")
    collect(client)
    assert client.as_of(before).artifact("x").released is None
    with pytest.raises(ArtifactEvicted):
        client.as_of(before).load("x")
    released = client.artifact("x").released
    assert released is not None
    assert released.reason == "released by hand"


def test_why_a_blob_is_kept_is_told_by_reference_or_digest(client: Client) -> None:
    version = client.save(np.arange(300_000), "x")
    client.flush()
    (part,) = version.manifest.named()
    assert client.why_kept("x").digest == client.why_kept("x@1").digest == version.content
    assert client.why_kept(str(part.digest)[:10]).holds[0].versions == ("x@1",)
    client.release("x")
    assert not client.why_kept(str(part.digest)).is_kept
    collect(client)
    for which in ("x@1", str(part.digest)):
        with pytest.raises(NotFound, match=r"has no blob|begins with"):
            client.why_kept(which)


def test_a_read_only_handle_collects_nothing(store_path: Path) -> None:
    with lineal.open(store_path) as client:
        client.save(1, "x")
    with lineal.open(store_path, read_only=True) as client:
        for act in (client.collect, lambda: client.release("x"), lambda: client.pin("x", "p")):
            with pytest.raises(StoreClosed):
                act()


def test_many_contents_are_released_in_events_of_bounded_size(client: Client) -> None:
    for n in range(2500):
        client.save(n + 0.5, "x")
    done = collect(client, Retention(keep_last=1))
    assert len(done.released) == 2499
    sizes = [len(one.event.contents) for one in client.events() if isinstance(one.event, facts.ContentsReleased)]
    assert sizes == [1000, 1000, 499]


def test_a_pack_that_is_mostly_dead_is_compacted_unless_a_run_goes_on(client: Client) -> None:
    rows = np.random.default_rng(3).integers(0, 2**60, (9, 8_000))
    seen: list[Collection] = []

    @step
    def meanwhile() -> int:
        seen.append(client.collect(Retention(keep_last=1), grace_s=0))
        return 1

    @pipeline
    def busy() -> None:
        meanwhile()

    client.save({number: row[::-1].copy() for number, row in enumerate(rows)}, "z")
    client.save({0: rows[0][::-1].copy()}, "z")
    busy()
    assert [one.compacted for one in seen] == [0]
    done = collect(client)
    assert (done.compacted, done.blobs) == (1, 0)
    assert done.freed_bytes > 400_000
    assert np.array_equal(client.load("z@2")[0], rows[0][::-1])


def test_a_directory_goes_but_for_what_a_later_version_of_it_shares(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for number in range(20):
        (folder / f"d{number % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"d{number % 3}" / f"{number}.bin").write_bytes(os.urandom(30_000))
    client.save(lineal.Directory(folder), "folder")
    (folder / "d0" / "0.bin").write_bytes(os.urandom(30_000))
    client.save(lineal.Directory(folder), "folder")
    client.flush()
    assert collect(client, Retention(keep_last=1)).blobs >= 2
    client.artifact("folder@2").load().restore(tmp_path / "restored")
    for path in folder.rglob("*.bin"):
        assert (tmp_path / "restored" / path.relative_to(folder)).read_bytes() == path.read_bytes()
    client.release("folder")
    collect(client)
    assert files(client) == set()


def test_repacking_makes_any_version_one_that_is_mapped(client: Client) -> None:
    first = np.random.default_rng(0).random(300_000)
    client.save({"x": first}, "data")
    second = np.concatenate([first[:1000], [1.0, 2.0], first[1000:]])
    client.save({"x": second}, "data")
    assert client.repack("data@1") == 0
    assert client.repack("data@2") == 1
    assert client.repack("data@2") == 0
    loaded = client.load("data@2")["x"]
    assert (loaded == second).all()
    assert client.verify().is_sound
    assert (client.load("data@1")["x"] == first).all()


def test_what_a_dead_process_held_is_freed_too(client: Client) -> None:
    script = """
        import os, sys
        from lineal.cas import Batch, BlobFiles
        from pathlib import Path
        batch = Batch(BlobFiles(Path(sys.argv[1])))
        batch.put(bytes(2_000_000))
        batch.publish()
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(client.path)], check=True, timeout=60)
    assert len(list((client.path / "tmp").iterdir())) == 1
    assert collect(client).files == 1
    assert list((client.path / "tmp").iterdir()) == []


def test_a_worker_with_old_rows_reads_what_was_repacked_and_collected_meanwhile(client: Client) -> None:
    old = np.random.default_rng(1).bytes(4_000_000)
    new = old[:2_000_000] + b"new" + old[2_000_000:]
    for data in (old, new):
        client.save(data, "data")
    client.flush()
    rows = client.store.blobs.rows_under([client.artifact("data@2").content])
    (digest,) = (digest for digest, row in rows.items() if row.size_bytes == len(new))
    assert isinstance(rows[digest].place, Cut)
    assert client.repack("data@2") == 1
    client.release("data@1")
    collect(client)
    worker = PlacedBlobs(BlobFiles(client.path), rows.get)
    assert bytes(worker.view(digest, len(new))) == worker.read(digest) == new
    assert bytes(worker.view(digest, len(new), 1_999_999, 2_000_004)) == new[1_999_999:2_000_004]
