"""What a store goes through while it is recorded: each workload first prepares a store, then works with it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from powercut.acknowledging import Acknowledge, Phase, numbers
from powercut.appending import APPENDING
from powercut.collecting import COLLECTING
from powercut.format_1 import make_format_1
from powercut.importing import IMPORTING

import lineal
from lineal import pipeline, step
from lineal.cas import BlobKind, BlobPart, Manifest, digest_of
from lineal.cas.durable import sync_directory
from lineal.cas.process import ProcessStamp
from lineal.events.catalogue import ArtifactSaved, Output


def nothing(store: Path, acknowledge: Acknowledge) -> None:
    """Begin without a store."""


def empty(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a store that has nothing in it yet."""
    with lineal.open(store) as client:
        acknowledge(store=str(client.store.id))


def filled(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a store that has a few things in it."""
    empty(store, acknowledge)
    with lineal.open(store) as client:
        for number in range(3):
            acknowledge.saved(client, client.save(numbers(number, 4000 * (number + 1)), f"before-{number}"))
            acknowledge.saved(client, client.save({"number": number}, f"small-{number}"))


def save(store: Path, acknowledge: Acknowledge) -> None:
    """Save small and large values, one by one and several at once."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save({"a": 1}, "small"))
        acknowledge.saved(client, client.save(numbers(10, 5000), "medium"))
        acknowledge.saved(client, client.save(numbers(11, 200_000), "large"))
        versions = [client.save(numbers(20 + number, 3000), f"one-of-many-{number}") for number in range(5)]
        acknowledge.saved(client, *versions)


def save_medium(store: Path, acknowledge: Acknowledge) -> None:
    """Save values of several medium buffers, which share a pack; the next one shares some of them."""
    buffers = [numbers(number, 3000 + number * 1000) for number in range(4)]
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save({"a": buffers[0], "b": buffers[1], "c": buffers[2]}, "medium"))
        acknowledge.saved(client, client.save({"a": buffers[0], "b": buffers[3], "c": buffers[1]}, "medium"))
        acknowledge.saved(client, client.save(buffers[2], "one-of-them"))


def one_large(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a store that has one large array in it."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(60, 180_000), "grows"))


def save_successors(store: Path, acknowledge: Acknowledge) -> None:
    """Save what succeeds a large array, of which only what is new is stored; then a successor of that."""
    first = numbers(60, 180_000)
    inserted = np.insert(first, 90_000, numbers(61, 500))
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(inserted, "grows"))
        acknowledge.saved(client, client.save(np.append(inserted, numbers(62, 9000)), "grows"))
        acknowledge.saved(client, client.save({"at": inserted[1000:], "more": numbers(63, 4000)}, "another"))


def save_streams(store: Path, acknowledge: Acknowledge) -> None:
    """Put bytes as they come, small, large and known, and commit them with one event."""
    data = numbers(70, 150_000).tobytes()
    with lineal.open(store) as client:
        with client.store.blobs.batch() as batch:
            streams = [[b"small"], [data[:500_000], data[500_000:]], [numbers(71, 5000).tobytes()], [data]]
            parts = tuple((str(number), batch.put_stream(chunks)) for number, chunks in enumerate(streams))
            manifest = Manifest("streams/1", "streams", None, parts)
            batch.put(manifest.encoded, BlobKind.MANIFEST)
            blobs = batch.publish()
        saved = Output("streams", "streams", manifest.digest, "streams/1", "streams", len(data), {})
        client.store.append([ArtifactSaved(saved)], blobs).wait()
        acknowledge(saved="streams", content=str(manifest.digest))


def save_directory(store: Path, acknowledge: Acknowledge) -> None:
    """Save a directory of files of all sizes, and once more after some have changed."""
    folder = Path.cwd() / "folder"
    (folder / "below").mkdir(parents=True)
    for number, count in enumerate((10, 3000, 5000, 150_000)):
        (folder / "below" / f"{number}.bin").write_bytes(numbers(100 + number, count).tobytes())
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(lineal.Directory(folder), "folder"))
        with open(folder / "below" / "3.bin", "ab") as file:
            file.write(numbers(110, 1000).tobytes())
        (folder / "1.bin").write_bytes(numbers(111, 4000).tobytes())
        acknowledge.saved(client, client.save(lineal.Directory(folder), "folder"))


@step
def many(seed: int) -> tuple[np.ndarray, np.ndarray, dict, str]:
    """Several outputs at once, large and small."""
    return numbers(seed, 30_000), numbers(seed + 1, 4000), {"seed": seed}, "text" * 10_000


@step
def total(first: np.ndarray, second: np.ndarray) -> float:
    """A small output of large ones."""
    return float(first.sum() + second.sum())


@pipeline
def several(seed: int) -> None:
    """A step of many outputs, and one that takes them."""
    first, second, _, _ = many(seed)
    total(first, second)


def run(store: Path, acknowledge: Acknowledge) -> None:
    """Run a pipeline anew, and once more from the cache."""
    with lineal.open(store):
        for seed in (1, 2, 1):
            acknowledge(run=str(several(seed).id))


def run_in_processes(store: Path, acknowledge: Acknowledge) -> None:
    """Run a pipeline whose steps put their outputs in other processes."""
    with lineal.open(store):
        acknowledge(run=str(several.with_options(executor="processes")(3).id))


@step
def die() -> int:
    """Take the process along, once what was before it is durable."""
    lineal.open().flush()
    os._exit(0)


@pipeline
def dying() -> None:
    """A run that its process does not outlive."""
    die()


def half_run(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a run that was under way, and with a scratch file, when their process died."""
    empty(store, acknowledge)
    child = os.fork()
    if child == 0:
        with lineal.open(store) as client:
            client.store.blobs.files.scratch()
            dying()
    os.waitpid(child, 0)


def recover(store: Path, acknowledge: Acknowledge) -> None:
    """Clear up after a dead process, and run again."""
    with lineal.open(store) as client:
        assert [run.status for run in client.runs()] == ["interrupted"]
        acknowledge(run=str(several(4).id))


def dedupe(store: Path, acknowledge: Acknowledge) -> None:
    """Save what is there already, and what another writer has just named without having synced the name."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(1, 8000), "the-same"))
        value = numbers(30, 8000)
        name_unsynced(store, client.store.blobs.files.path(digest_of(value.tobytes())), value.tobytes())
        acknowledge.saved(client, client.save(value, "of-another"))


def put_by_others(store: Path, acknowledge: Acknowledge) -> None:
    """Commit a blob whose file a collector took away meanwhile, and another writer has just put back, not yet durably.

    What the other processes do is done by hand, as their calls must come in this very order.
    """
    value = numbers(31, 8000)
    with lineal.open(store) as client:
        with client.store.blobs.batch() as batch:
            part = BlobPart(batch.put(value.tobytes()), value.nbytes)
            manifest = Manifest("by-others/1", "by-others", None, (("0", part),))
            batch.put(manifest.encoded, BlobKind.MANIFEST)
            blobs = batch.publish()
        file = client.store.blobs.files.path(part.digest)
        file.unlink()
        sync_directory(file.parent)
        name_unsynced(store, file, value.tobytes())
        saved = Output("by-others", "by-others", manifest.digest, "by-others/1", "by-others", part.size_bytes, {})
        client.store.append([ArtifactSaved(saved)], blobs).wait()
        acknowledge(saved="by-others", content=str(manifest.digest))


def name_unsynced(store: Path, file: Path, data: bytes) -> None:
    """Write a file as another process would that has not synced its directory yet."""
    scratch = store / "tmp" / f"{ProcessStamp.current().token}.other"
    with open(scratch, "wb") as writing:
        writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    scratch.rename(file)


def rebuild(store: Path, acknowledge: Acknowledge) -> None:
    """Replay the projections, and go on."""
    with lineal.open(store) as client:
        client.rebuild()
        acknowledge.saved(client, client.save(numbers(40, 5000), "after"))


def of_format_1(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a store of the first format."""
    filled(store, acknowledge)
    make_format_1(store)
    acknowledge(kept_log=str(digest_of((store / "log" / "data.mdb").read_bytes())))


def migrate(store: Path, acknowledge: Acknowledge) -> None:
    """Open a store of an older format, which leaves the old log beside the new one, and go on."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(80, 5000), "after"))


def damaged(store: Path, acknowledge: Acknowledge) -> None:
    """Begin with a pack one of whose blobs has a flipped byte."""
    buffers = [numbers(140 + number, 5000) for number in range(3)]
    with lineal.open(store, visualize=False) as client:
        acknowledge.saved(client, client.save(dict(zip("abc", buffers, strict=True)), "value"))
    (pack,) = (store / "packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[data.index(buffers[1].tobytes()) + 100] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    acknowledge(damaged=pack.name)
    acknowledge(damaged=str(digest_of(buffers[1].tobytes())))
    acknowledge(copy=str(digest_of(data)))


def repair(store: Path, acknowledge: Acknowledge) -> None:
    """Copy what is sound out of a damaged pack, move that away, and put what was lost again."""
    buffers = [numbers(140 + number, 5000) for number in range(3)]
    with lineal.open(store, visualize=False) as client:
        repaired = client.repair()
        assert (len(repaired.mended), len(repaired.quarantined), len(repaired.lost)) == (2, 1, 1)
        acknowledge.saved(client, client.save(dict(zip("abc", buffers, strict=True)), "value"))
        acknowledge(healed=str(digest_of(buffers[1].tobytes())))


def two_processes(store: Path, acknowledge: Acknowledge) -> None:
    """Save from a forked child and from its parent, in turn."""
    with lineal.open(store) as client:
        acknowledge.saved(client, client.save(numbers(50, 5000), "parent-0"))
        child = os.fork()
        if child == 0:
            acknowledge.saved(client, client.save(numbers(51, 5000), "child"))
            os._exit(0)
        acknowledge.saved(client, client.save(numbers(52, 5000), "parent-1"))
        os.waitpid(child, 0)


WORKLOADS: dict[str, tuple[Phase, Phase]] = {
    "create": (nothing, empty),
    "save": (filled, save),
    "save_medium": (empty, save_medium),
    "save_successors": (one_large, save_successors),
    "save_streams": (empty, save_streams),
    "save_directory": (empty, save_directory),
    "run": (empty, run),
    "run_in_processes": (empty, run_in_processes),
    "recover": (half_run, recover),
    "dedupe": (filled, dedupe),
    "put_by_others": (filled, put_by_others),
    "rebuild": (filled, rebuild),
    "migrate": (of_format_1, migrate),
    "repair": (damaged, repair),
    "two_processes": (empty, two_processes),
    **COLLECTING,
    **APPENDING,
    **IMPORTING,
}
