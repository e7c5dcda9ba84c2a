"""Are a file and a stream of 2 GB saved in constant memory, and how fast beside a plain copy?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import MIB, extra_memory_bytes, in_child, seconds

import lineal
from lineal.store import open_store

SIZE_BYTES, CHUNK_BYTES = 2_000_000_000, 4_000_000


def _chunks() -> Iterator[bytes]:
    random = np.random.default_rng(0)
    block = random.bytes(CHUNK_BYTES)
    for number in range(SIZE_BYTES // CHUNK_BYTES):
        yield number.to_bytes(8, "little") + block[8:]


def _plainly(folder: Path) -> None:
    with (folder / "copy").open("wb") as stream:
        for chunk in _chunks():
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())


def _copy(folder: Path) -> None:
    with (folder / "file").open("rb") as source, (folder / "copy").open("wb") as stream:
        shutil.copyfileobj(source, stream, 1 << 20)
        stream.flush()
        os.fsync(stream.fileno())


def _stream(folder: Path) -> None:
    store = open_store(folder / "store")
    with store.blobs.batch() as batch:
        batch.put_stream(_chunks())
        store.append([], batch.publish()).wait()
    store.close()


def _file(folder: Path) -> None:
    with lineal.open(folder / "store") as store:
        store.save(lineal.File(folder / "file"), "file")


WAYS = {
    "stream, plainly": _plainly,
    "stream, by lineal.cas": _stream,
    "file, copied": _copy,
    "file, saved": _file,
    "file, saved again": _file,
}


def measure(names: list[str]) -> list[tuple[float, int]]:
    """Seconds, and bytes of memory that each way took at its peak; in a process of its own."""
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if any(way.startswith("file") for way in names):
            (folder / "file").write_bytes(b"")
            with (folder / "file").open("wb") as stream:
                stream.writelines(_chunks())
                os.fsync(stream.fileno())
        for way in names:
            taken_s: list[float] = []
            extra_bytes = extra_memory_bytes(lambda: taken_s.append(seconds(lambda: WAYS[way](folder))))  # noqa: B023
            results.append((taken_s[0], extra_bytes))
    return results


def main() -> None:
    """Print the comparison."""
    print("\n2 GB in constant memory, durable   budget 64 MiB")
    for kind in ("stream", "file"):
        names = [name for name in WAYS if name.startswith(kind)]
        if kind == "file" and not hasattr(lineal, "File"):
            print("  file: this store has no such values")
            continue
        for way, (taken_s, extra_bytes) in zip(names, in_child(measure, names), strict=True):
            print(f"  {way:<44}{SIZE_BYTES / taken_s / 1e6:>7,.0f} MB/s   {extra_bytes / MIB:>7,.1f} MiB")


if __name__ == "__main__":
    main()
