from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.cas.blob import walk
from lineal.cas.manifest import BlobPart, ManifestPart
from lineal.errors import ManifestCorrupt, UnsavableValue
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "count",
    [
        *(0, 1, 255, 256, 257, 1000, 256 * 256 + 1),
        *(pytest.param(count, marks=pytest.mark.torture) for count in (256 * 256, 256 * 256 + 300)),
    ],
)
def test_items_come_back_in_order_as_often_as_they_are_asked_for(round_trip: RoundTrip, count: int) -> None:
    loaded, manifest = round_trip(number for number in range(count))
    assert len(loaded) == count
    assert list(loaded) == list(loaded) == list(range(count))
    assert manifest.type == "generator"


def test_items_are_values_of_any_kind_each_of_its_own(round_trip: RoundTrip) -> None:
    arrays = [np.arange(10_000.0) + number for number in range(5)]
    loaded, manifest = round_trip(iter_of([{"x": 1}, "text", *arrays, None]))
    assert [type(one) for one in loaded] == [dict, str, *[np.ndarray] * 5, type(None)]
    assert [part.size_bytes for part in manifest.named()] == [80_000] * 5
    assert not runs_code(manifest, MemoryBlobs())
    first = list(loaded)[2]
    first[0] = -1
    assert list(loaded)[2][0] == 0


def iter_of(items: Any) -> Iterator[Any]:
    yield from items


def test_nothing_is_loaded_before_its_turn() -> None:
    blobs = MemoryBlobs()
    manifest = save((np.arange(10_000.0) + number for number in range(600)), blobs).manifest
    arrays = [part for part in walk(blobs, manifest) if isinstance(part, BlobPart)]
    kept = MemoryBlobs()
    for part in walk(blobs, manifest):
        if isinstance(part, ManifestPart) or part in arrays[-256:]:
            kept.put(blobs.read(part.digest))
    loaded: Any = load(manifest, kept)
    assert len(loaded) == 600
    with pytest.raises(LookupError):
        list(loaded)


def test_the_manifest_stays_small_however_many_items_there_are() -> None:
    blobs = MemoryBlobs()
    manifest = save(({"number": number, "text": "x" * 50} for number in range(20_000)), blobs).manifest
    assert len(manifest.encoded) < 8192
    largest = max(len(blobs.read(part.digest)) for part in walk(blobs, manifest))
    assert largest < 128 * 1024


def test_bytes_are_one_blob_however_they_were_cut() -> None:
    data = np.random.default_rng(0).bytes(3 * MIB + 5)
    digests = set()
    for chunk_bytes in (1000, 77_777, MIB, len(data)):
        blobs = MemoryBlobs()
        chunks = (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))
        manifest = save(chunks, blobs).manifest
        digests.add(manifest.digest)
        loaded: Any = load(manifest, blobs)
        assert loaded.read() == data
        assert b"".join(loaded) == b"".join(loaded) == data
        assert (loaded.size_bytes, len(loaded)) == (len(data), 4)
        assert bytes(loaded.view(5, 9)) == data[5:9]
        assert save(loaded, MemoryBlobs()).manifest == manifest
    assert len(digests) == 1


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_begin_a_stream_of_bytes_and_nothing_else_may_follow(kind: Any) -> None:
    blobs = MemoryBlobs()
    loaded: Any = load(save((kind(b"ab") for _ in range(2)), blobs).manifest, blobs)
    assert loaded.read() == b"abab"
    with pytest.raises(UnsavableValue, match="yielded a int"):
        save(iter_of([kind(b"ab"), 3]), blobs)


def test_the_metadata_of_a_generator_leaves_it_alone_and_that_of_a_stream_says_how_much_there_is() -> None:
    blobs = MemoryBlobs()
    saved = save((number for number in range(3)), blobs)
    untouched = (number for number in range(3))
    assert saved.materializer.metadata(untouched) == {}
    assert list(untouched) == [0, 1, 2]
    assert save(load(saved.manifest, blobs), blobs).metadata == {"items": 3}
    stream = load(save(iter_of([b"abc"]), blobs).manifest, blobs)
    assert save(stream, blobs).metadata == {"size_bytes": 3}


def test_a_generator_inside_a_container_is_a_stream_in_it() -> None:
    blobs = MemoryBlobs()
    loaded: Any = load(save({"numbers": (number for number in range(3))}, blobs).manifest, blobs)
    assert list(loaded["numbers"]) == [0, 1, 2]


@pytest.mark.parametrize("kind", [bytearray, lambda data: np.frombuffer(bytearray(data), "u1")], ids=["bytes", "items"])
def test_a_generator_may_fill_one_buffer_again_and_again(kind: Any) -> None:
    buffer = kind(b"00")

    def filled() -> Iterator[Any]:
        for number in range(300):
            buffer[1] = number % 256
            yield buffer

    blobs = MemoryBlobs()
    loaded: Any = load(save(filled(), blobs).manifest, blobs)
    assert [one % 256 for one in range(300)] == list(b"".join(map(bytes, loaded))[1::2])


def test_an_error_in_the_generator_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        save((1 // (3 - number) for number in range(9)), MemoryBlobs())


def test_a_stream_with_another_number_of_items_than_it_says_is_damaged() -> None:
    blobs = MemoryBlobs()
    manifest = save((number for number in range(3)), blobs).manifest
    for head in ({"kind": "items", "items": 4}, {"kind": "items", "items": -1}, {"kind": "else"}):
        with pytest.raises(ManifestCorrupt):
            list(load(Manifest(manifest.format, "generator", head, manifest.parts), blobs))  # type: ignore[call-overload]
    other = save([1], blobs).manifest
    with pytest.raises(ManifestCorrupt, match="something else"):
        list(load(Manifest(manifest.format, "generator", manifest.head, (("group.0", other),)), blobs))  # type: ignore[call-overload]


PROGRAM = """if True:
    import resource, sys
    from pathlib import Path
    import numpy as np
    from lineal.cas import Batch, BlobFiles
    from lineal.materializers import load, save
    files = BlobFiles(Path(sys.argv[1]))
    files.create()
    def items(number):
        for index in range(number):
            yield np.full(1_000_000, index)
    with Batch(files) as batch:
        save(items(2), batch)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        manifest = save(items(100), batch).manifest
        batch.publish()
    total = sum(int(array[0]) for array in load(manifest, files))
    assert total == sum(range(100)), total
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_items_are_saved_and_loaded_in_constant_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", PROGRAM, str(tmp_path)]
    more_kib = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert more_kib < 64 * 1024
