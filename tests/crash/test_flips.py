"""Flipped bits: wherever one is, a full verification finds it and says what it hurts, or it does no harm at all."""

from __future__ import annotations

import os
import pickle
import random
import resource
import signal
import struct
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import lineal
from lineal import Client
from lineal.errors import LinealError, LogCorrupt
from lineal.events.projections import PROJECTIONS
from lineal.events.standing import database_of
from lineal.verification import DamageKind

PAGE_BYTES = 4096
_ROLL_BACK = {(page * PAGE_BYTES + 144, 2) for page in (0, 1)}
"""The bit of each meta page that makes the file the very one that was there before the last commit, or may: nothing
inside it can tell; whoever has kept the head of the log can."""


class Flip(NamedTuple):
    """A bit of a file of the store."""

    file: str
    offset: int
    bit: int


class Content(NamedTuple):
    """Everything that a store says."""

    values: dict[str, Any]
    rows: dict[str, list[tuple[bytes, bytes]]]
    events: list[bytes]


def content_of(client: Client) -> Content:
    """Read everything."""
    environment = client.store.environment
    rows = {}
    for projection in PROJECTIONS:
        client._reader.store.rows(projection.name)
    with environment.begin() as txn:
        for projection in PROJECTIONS:
            databases = environment.databases
            cursor = txn.cursor(databases[database_of(txn, databases, projection.name)])
            rows[projection.name] = [(bytes(key), bytes(value)) for key, value in cursor]
    values = {str(version): version.load() for artifact in client.artifacts() for version in artifact.versions}
    return Content(values, rows, [recorded.chain for recorded in client.events()])


def node_offsets(data: bytes) -> Iterator[int]:
    """Where LMDB's nodes begin in the pages of a file of data format 1 (``mdb.c``, MDB_page and MDB_node)."""
    for page in range(2 * PAGE_BYTES, len(data), PAGE_BYTES):
        flags, lower = struct.unpack_from("<HH", data, page + 10)
        if flags in (1, 2) and 16 <= lower <= PAGE_BYTES:
            for pointer in struct.iter_unpack("<H", data[page + 16 : page + lower]):
                yield page + pointer[0]


def flips(store: Path, dice: random.Random) -> Iterator[Flip]:
    """Bits of all files: of blobs and packs, of manifests, and of the database, whose structure is met more often."""
    database = store / "log" / "data.mdb"
    data = database.read_bytes()
    nodes = list(node_offsets(data))
    manifests = [place for place in range(len(data)) if data.startswith(b"lineal.manifest", place)]
    files = [path for folder in ("blobs", "packs") for path in sorted((store / folder).rglob("*")) if path.is_file()]
    while True:
        place = dice.choice(["file", "manifest", "page", "node", "meta", "anywhere"])
        path = dice.choice(files) if place == "file" else database
        offset = {
            "file": dice.randrange(path.stat().st_size),
            "manifest": dice.choice(manifests) + dice.randrange(-10, 120),
            "page": dice.randrange(len(data) // PAGE_BYTES) * PAGE_BYTES + dice.randrange(32),
            "node": dice.choice(nodes) + dice.randrange(10),
            "meta": dice.randrange(2) * PAGE_BYTES + dice.randrange(160),
            "anywhere": dice.randrange(len(data)),
        }[place]
        bit = 1 << dice.randrange(8)
        if path != database or (offset, bit) not in _ROLL_BACK:
            yield Flip(str(path.relative_to(store)), offset, bit)


def outcome_of(store: Path, flip: Flip, expected: Content) -> str:
    """Flip a bit, look at the store in a process of its own, and put everything back."""
    path, database = store / flip.file, store / "log" / "data.mdb"
    pristine = database.read_bytes()
    _flip(path, flip)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            outcome = _look(store, expected)
        except BaseException:  # noqa: BLE001 — the parent reports it
            outcome = f"failed: {traceback.format_exc()}"
        os.write(sending, pickle.dumps(outcome))
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    _flip(path, flip)
    database.write_bytes(pristine)
    return str(pickle.loads(data)) if data else f"failed: the process ended with status {status}"


def _flip(path: Path, flip: Flip) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(flip.offset)
        (byte,) = file.read(1)
        file.seek(flip.offset)
        file.write(bytes([byte ^ flip.bit]))


def _look(store: Path, expected: Content) -> str:
    try:
        client = lineal.open(store, check_structure=True)
    except LogCorrupt:
        return "refused"
    damages = client.verify().damages
    if not damages:
        found = content_of(client)
        np.testing.assert_equal(found.values, expected.values)
        assert found.rows == expected.rows
        assert found.events == expected.events
        return "harmless"
    if {damage.kind for damage in damages} <= {DamageKind.BLOB, DamageKind.FILE}:
        hurt = {name for damage in damages for name in damage.hurts}
        assert _changed(client, expected) <= hurt
        assert hurt or all(damage.kind is DamageKind.FILE for damage in damages)
    return "found"


def _changed(client: Client, expected: Content) -> set[str]:
    """The artifact versions that don't load as they should."""
    changed = set()
    for reference, value in expected.values.items():
        try:
            np.testing.assert_equal(client.load(reference), value)
        except (LinealError, AssertionError):
            changed.add(reference)
    return changed


def outcomes(store: Path, count: int, seed: int) -> Counter[str]:
    """Try so many bits; give how often which outcome came."""
    with lineal.open(store) as client:
        expected = content_of(client)
        expected = expected._replace(values={name: _copied(value) for name, value in expected.values.items()})
    counted: Counter[str] = Counter()
    chosen = flips(store, random.Random(seed))
    for _ in range(count):
        flip = next(chosen)
        outcome = outcome_of(store, flip, expected)
        counted[outcome if not outcome.startswith("failed") else f"{flip} {outcome}"] += 1
    return counted


def _copied(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_a_flipped_bit_is_found_and_said_of_what_it_hurts_or_does_no_harm(furnished_copy: Path) -> None:
    counted = outcomes(furnished_copy, 60, seed=1)
    assert set(counted) == {"found", "refused", "harmless"}


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(4))
def test_250_more_flipped_bits_are_found_or_do_no_harm(furnished_copy: Path, seed: int) -> None:
    counted = outcomes(furnished_copy, 250, seed=100 + seed)
    print(counted)
    assert set(counted) == {"found", "refused", "harmless"}
    assert counted["found"] > 50
