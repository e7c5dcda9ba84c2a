"""What does the content-addressed store cost alone: blobs put durably in one batch, then read one by one?"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import diskcache
import joblib
import lmdb
from disk_objectstore import Container
from measure import disk_bytes, show_table, sync_files

from lineal.cas import DATABASES, BlobFiles, BlobStore, Changes, Digest, Environment

KIB = 1024
COUNTS = {100: 10_000, 4 * KIB: 4_000, 64 * KIB: 1_000, 1024 * KIB: 100, 16 * 1024 * KIB: 8}
TURNS = 3
HEAD = ("", "put", "", "CPU", "get", "", "CPU", "disk / payload")


class Keeper(Protocol):
    """Keeps blobs below a folder."""

    def put(self, blobs: list[bytes]) -> list[str]:
        """Keep new blobs, and give their keys; all are durable on return where that can be had."""

    def get(self, key: str) -> object:
        """Give one back."""


class Cas:
    """`lineal.cas`, without log or runs: one batch, one commit."""

    def __init__(self, folder: Path) -> None:
        (folder / "log").mkdir(parents=True)
        files = BlobFiles(folder)
        files.create()
        self._environment = Environment(folder / "log", DATABASES, map_size_bytes=1 << 36, read_only=False)
        self._blobs = BlobStore(self._environment, files)

    def put(self, blobs: list[bytes]) -> list[Digest]:
        with self._blobs.batch() as batch:
            digests = [batch.put(blob) for blob in blobs]
            receipts = batch.publish()
            with self._environment.begin(write=True) as txn:
                changes = Changes(self._environment, txn)
                self._blobs.check(changes, receipts, ())
                self._blobs.record(changes, receipts)
                changes.flush()
            self._blobs.settle(receipts, 0)
        return digests

    def get(self, key: Digest) -> bytes:
        return self._blobs.read(key)

    def view(self, key: Digest, size_bytes: int) -> memoryview:
        return self._blobs.view(key, size_bytes)


class DiskCache:
    """diskcache, one transaction; it syncs when it checkpoints."""

    def __init__(self, folder: Path) -> None:
        self._cache = diskcache.Cache(str(folder), size_limit=1 << 40)
        self._numbers = itertools.count()

    def put(self, blobs: list[bytes]) -> list[int]:
        keys = []
        with self._cache.transact():
            for blob in blobs:
                keys.append(next(self._numbers))
                self._cache.set(keys[-1], blob)
        return keys

    def get(self, key: int) -> object:
        return self._cache.get(key)


class ObjectStore:
    """disk-objectstore, directly to packs, synced."""

    def __init__(self, folder: Path) -> None:
        self._container = Container(folder)
        self._container.init_container()

    def put(self, blobs: list[bytes]) -> list[str]:
        return self._container.add_objects_to_pack(blobs)

    def get(self, key: str) -> bytes:
        return self._container.get_object_content(key)


class Joblib:
    """``joblib.dump`` to a file named by ``joblib.hash``; nothing is synced."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def put(self, blobs: list[bytes]) -> list[str]:
        keys = [joblib.hash(blob) for blob in blobs]
        for key, blob in zip(keys, blobs, strict=True):
            joblib.dump(blob, self._folder / key)
        return keys

    def get(self, key: str) -> object:
        return joblib.load(self._folder / key)


class RawLmdb:
    """The limit of small ones: LMDB, one synced transaction, random keys."""

    def __init__(self, folder: Path) -> None:
        self._environment = lmdb.open(str(folder), map_size=1 << 36)

    def put(self, blobs: list[bytes]) -> list[bytes]:
        keys = [os.urandom(32) for _ in blobs]
        with self._environment.begin(write=True) as txn, txn.cursor() as cursor:
            cursor.putmulti(sorted(zip(keys, blobs, strict=True)))
        return keys

    def get(self, key: bytes) -> object:
        with self._environment.begin() as txn:
            return txn.get(key)


class RawFile:
    """The limit of large ones: one file, all blobs one after the other, synced once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._numbers = itertools.count()
        self._folder = folder

    def put(self, blobs: list[bytes]) -> list[tuple[int, int, int]]:
        fd = os.open(self._folder / str(next(self._numbers)), os.O_RDWR | os.O_CREAT)
        keys, offset = [], 0
        for blob in blobs:
            os.write(fd, blob)
            keys.append((fd, len(blob), offset))
            offset += len(blob)
        os.fsync(fd)
        return keys

    def get(self, key: tuple[int, int, int]) -> bytes:
        return os.pread(*key)


@dataclass
class Times:
    """Seconds of wall clock and of CPU for one blob, a turn each."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, action: Callable[[], object], count: int) -> None:
        """Measure what is done to so many blobs."""
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        self.wall.append((time.perf_counter() - wall) / count)
        self.cpu.append((time.process_time() - cpu) / count)

    def cells(self, size_bytes: int) -> tuple[str, str, str]:
        """Operations a second with their spread, MB/s, CPU for one."""
        if not self.wall:
            return "", "", ""
        median_s = statistics.median(self.wall)
        spread = f"{1 / median_s:,.0f}/s ({1 / max(self.wall):,.0f} to {1 / min(self.wall):,.0f})"
        return spread, f"{size_bytes / median_s / 1e6:,.0f} MB/s", f"{statistics.median(self.cpu) * 1e6:,.1f} µs"


def measure(size_bytes: int, count: int) -> None:
    """Print what blobs of one size cost."""
    with tempfile.TemporaryDirectory() as name:
        kinds = {
            "raw LMDB, one commit": RawLmdb,
            "raw file, one fsync": RawFile,
            "lineal.cas": Cas,
            "diskcache (synced later)": DiskCache,
            "disk-objectstore": ObjectStore,
            "joblib (not durable)": Joblib,
        }
        folders = {kind: Path(name) / str(number) for number, kind in enumerate(kinds)}
        keepers = {kind: make(folders[kind]) for kind, make in kinds.items()}
        empty = {kind: disk_bytes(folder) for kind, folder in folders.items()}
        puts = {kind: Times() for kind in kinds}
        gets = {kind: Times() for kind in [*kinds, "lineal.cas, as views"]}
        for _ in range(TURNS):
            blobs = [os.urandom(size_bytes) for _ in range(count)]
            for kind, keeper in keepers.items():
                keys: list[object] = []
                puts[kind].take(lambda: keys.extend(keeper.put(blobs)), count)  # noqa: B023
                sync_files(folders[kind])
                gets[kind].take(lambda: [keeper.get(key) for key in keys], count)  # noqa: B023
                if isinstance(keeper, Cas):
                    views = gets["lineal.cas, as views"]
                    views.take(lambda: [keeper.view(key, size_bytes) for key in keys], count)  # noqa: B023
        payload_bytes = TURNS * count * size_bytes
        rows = []
        for kind in gets:
            put = puts[kind].cells(size_bytes) if kind in puts else ("", "", "")
            took = f"{(disk_bytes(folders[kind]) - empty[kind]) / payload_bytes:.2f} ×" if kind in puts else ""
            rows.append((kind, *put, *gets[kind].cells(size_bytes), took))
        size = f"{size_bytes // KIB:,} KiB" if size_bytes >= KIB else f"{size_bytes} B"
        show_table(f"Blobs of {size}, {count:,} at once, put durably", HEAD, rows)


def main() -> None:
    """Print the comparison for each size."""
    for size_bytes, count in COUNTS.items():
        measure(size_bytes, count)


if __name__ == "__main__":
    main()
