"""Damage to stores, done by hand: flipped bits, and rows written past everything that keeps them right."""

from __future__ import annotations

from pathlib import Path

from lineal import Client
from lineal.cas import BlobPart
from lineal.events.standing import database_of


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def change(client: Client, database: str, row_key: bytes, value: bytes | None) -> None:
    """Write a row past everything that keeps it right."""
    environment = client.store.environment
    with environment.begin(write=True) as txn:
        place = environment.databases[database_of(txn, environment.databases, database)]
        if value is None:
            assert txn.delete(row_key, db=place)
        else:
            txn.put(row_key, value, db=place)


def part_of(client: Client, reference: str, number: int = 0) -> BlobPart:
    """A blob under an artifact version."""
    part = list(client.artifact(reference).manifest.named())[number]
    assert isinstance(part, BlobPart)
    return part
