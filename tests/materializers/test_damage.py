"""Manifests that were changed by accident or on purpose: a typed error or a value, and nothing else."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import random
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import golden_values
import msgpack
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.cas import BlobKind, Manifest, ManifestPart, MemoryBlobs
from lineal.errors import LinealError, ManifestCorrupt
from lineal.materializers import load, save
from lineal.materializers.streams import ItemStream

FRAME = pd.DataFrame(
    {
        "i": range(3),
        "s": ["a", None, "é"],
        "o": [1, "x", (1, 2)],
        "z": pd.date_range("2020", periods=3, tz="Europe/Berlin"),
        "c": pd.Categorical(list("aba"), ordered=True),
        "I": pd.array([1, None, 3], dtype="Int64"),
        "p": pd.period_range("2020", periods=3, freq="M"),
        "l": pd.array([[1], None, []], dtype=pd.ArrowDtype(pa.list_(pa.int32()))),
        "v": pd.cut(range(3), 2),
    },
    index=pd.MultiIndex.from_product([["a"], range(3)], names=["x", None]),
)
TREE = {
    "a": (1, {2**70, None, frozenset({3})}),
    "t": [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), decimal.Decimal("1.5"), uuid.UUID(int=5)],
    "p": pathlib.Path("/x"),
    "b": bytearray(b"x"),
    "n": (np.float32(1), pd.Timestamp("2020"), slice(1, 2), range(3), 1j),
    "child": np.arange(3),
}
VALUES = [
    TREE,
    FRAME,
    pd.Series(range(4), index=pd.date_range("2020", periods=4, freq="D"), name=("a", 1)),
    np.arange(6.0).reshape(2, 3).T,
    np.array([1, "a", None], object),
    np.zeros(2, [("a", "i1"), ("b", "f8", (2,))]),
    pl.DataFrame({"a": [1, None], "c": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), "l": [["x"], []]}),
    (number for number in range(3)),
    pa.table({"a": [1, None], "d": pa.array(["a", "b"]).dictionary_encode(), "t": [{"a": [1]}, None]}),
]
GOLDEN = {file.stem: file.read_bytes() for file in sorted(golden_values.HERE.glob(f"*{golden_values.SUFFIX}"))}
"""Manifests of every format; those of libraries that are not here say that they are missing."""
ENCODED = [save(value, MemoryBlobs()).manifest.encoded for value in VALUES] + [*GOLDEN.values()]
ODD = [
    *(None, True, 0, -1, 2**40, 2**63 - 1, 1.5, "", "a", "<f8", "|O", "object", "C"),
    *(b"", b"\0" * 9, [], [1], {}, {"a": 1}, [-1], [2**62, 2**62]),
]


def damaged_bytes(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 4])):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed[: dice.randrange(len(changed))] if dice.random() < 0.15 else changed)


def damaged_structure(node: Any, dice: random.Random) -> Any:
    """The same structure with one thing in it changed, dropped or doubled."""
    if isinstance(node, list) and node and dice.random() < 0.85:
        index = dice.randrange(len(node))
        kept = [node[index]] * dice.choice([0, 1, 1, 1, 1, 2])
        changed = [damaged_structure(node[index], dice)] if len(kept) == 1 else kept
        return [*node[:index], *changed, *node[index + 1 :]]
    if isinstance(node, dict) and node and dice.random() < 0.85:
        key = dice.choice(list(node))
        changed = {} if dice.random() < 0.2 else {key: damaged_structure(node[key], dice)}
        return {name: one for name, one in node.items() if name != key} | changed
    if isinstance(node, bytes) and node and dice.random() < 0.8:
        return damaged_bytes(node, dice)
    return dice.choice(ODD)


def outcome(data: bytes) -> str:
    try:
        value = load(Manifest.decode(data), MemoryBlobs(), allow_pickle=False)
        if isinstance(value, ItemStream):
            list(value)
    except LinealError as error:
        return type(error).__name__
    return "value"


@settings(deadline=None, max_examples=examples(1500))
@given(st.sampled_from(ENCODED), st.randoms(use_true_random=False))
def test_a_manifest_with_damaged_bytes_is_an_error_of_ours_or_another_value(data: bytes, dice: random.Random) -> None:
    assert outcome(damaged_bytes(data, dice)) in OUTCOMES


@settings(deadline=None, max_examples=examples(1500))
@given(st.sampled_from(ENCODED), st.randoms(use_true_random=False))
def test_a_manifest_with_damaged_structure_is_an_error_of_ours_or_another_value(
    data: bytes, dice: random.Random
) -> None:
    structure = msgpack.unpackb(data, strict_map_key=False)
    assert outcome(msgpack.packb(damaged_structure(structure, dice))) in OUTCOMES


OUTCOMES = {
    "value",
    "ManifestCorrupt",
    "BlobCorrupt",
    "BlobMissing",
    "MaterializerMissing",
    "Unsupported",
    "LoadRefused",
}


@pytest.mark.parametrize("data", ENCODED, ids=lambda data: Manifest.decode(data).type)
def test_a_manifest_cut_anywhere_is_damaged(data: bytes) -> None:
    step = max(1, len(data) // 300)
    assert {outcome(data[:length]) for length in range(0, len(data), step)} == {"ManifestCorrupt"}


@pytest.mark.parametrize(
    "tree",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        b"\xc7\x00\x08",
        b"\x91\xc7\x01\x08\x00",
        b"\x92\x01\xc7\x00\x08",
        b"\x92\xc7\x00\x7f\x01",
        b"\x92\xc7\x00\x02\xcf\x00\x00\x01\x00\x00\x00\x00\x00",
        b"\x92\xc7\x00\x0b\x00",
        b"\x92\xc7\x00\x0b\xff",
        b"\x92\xc7\x00\x09\x90",
        b"\x81\x90\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 5000,
        b"\x92\xc7\x00\x16\xa1x",
        b"\x93\xc7\x00\x17\x01\x00",
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("layout", [0, 1])
def test_bytes_that_are_no_tree_are_refused(layout: int, tree: bytes) -> None:
    manifest = Manifest("python.plain/1", "list", [layout, tree])
    assert outcome(manifest.encoded) == "ManifestCorrupt"


@pytest.mark.parametrize("head", [None, [], [0], [9, b"\x01"], ["0", b"\x01"], [0, 5], [0, None], [2, None], "ab", 7])
def test_a_head_that_is_none_of_a_plain_value_is_refused(head: Any) -> None:
    assert outcome(Manifest("python.plain/1", "list", head).encoded) == "ManifestCorrupt"


@pytest.mark.torture
@pytest.mark.parametrize("name", GOLDEN)
def test_a_manifest_damaged_over_and_over_takes_neither_the_process_nor_its_memory(name: str) -> None:
    script = """if True:
        import random, resource, sys, warnings
        sys.path[:0] = sys.argv[2:]
        import test_damage
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        data, dice = test_damage.GOLDEN[sys.argv[1]], random.Random(sys.argv[1])
        for _ in range(20_000):
            changed = test_damage.damaged_bytes(data, dice)
            if dice.random() < 0.5:
                structure = test_damage.msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogatepass")
                changed = test_damage.msgpack.packb(
                    test_damage.damaged_structure(structure, dice), unicode_errors="surrogatepass"
                )
            assert test_damage.outcome(changed) in test_damage.OUTCOMES
    """
    command = [sys.executable, "-P", "-c", script, name, str(Path(__file__).parent), *sys.path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_few_bytes_that_stand_for_more_than_the_world_has_are_refused() -> None:
    """Manifests that name one another ten times at each of fifteen levels."""
    blobs = MemoryBlobs()
    manifest = save([np.arange(3)], blobs).manifest
    for _ in range(15):
        blobs.put(manifest.encoded, BlobKind.MANIFEST)
        part = ManifestPart(manifest.digest, manifest.size_bytes)
        tree: Any = save([np.arange(3) for _ in range(10)], blobs).manifest.head
        manifest = Manifest("python.plain/1", "list", tree, tuple((f"child.{number}", part) for number in range(10)))
    with pytest.raises(ManifestCorrupt, match="claims"):
        load(manifest, blobs)
    parts = tuple((name, ManifestPart(part.digest, 100)) for name, _ in manifest.parts)
    with pytest.raises(ManifestCorrupt, match="a part of 100 bytes"):
        load(manifest.replaced(parts=parts), blobs)
