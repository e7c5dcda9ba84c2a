"""The verb ``verify``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ..client import Client
from ..errors import BlobMissing, Corrupt
from .kinds import Damage, Verification
from .layout import Fields, Section, Table
from .outcome import ExitCode
from .output import Output
from .past import opened
from .units import ID_DIGITS, NOTHING, size_text

EXAMPLE = "lineal verify"
_COLUMNS = ("blob", "size", "part of", "what is wrong", "where")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options: none."""


def execute(options: argparse.Namespace, output: Output) -> int:
    """Read every byte."""
    with opened(options) as client:
        record = _record(client)
        output.document(record, _sections)
    return ExitCode.OK if record["is_sound"] else ExitCode.DAMAGED


def _record(client: Client) -> Verification:
    found = client.verify()
    users = _users(client, {entry.digest for entry, _ in found}) if found else {}
    damaged: list[Damage] = [
        {
            "kind": "damage",
            "v": 1,
            "digest": str(entry.digest),
            "size_bytes": entry.size_bytes,
            "is_missing": isinstance(error, BlobMissing),
            "what": error.what,
            "where": error.where,
            "artifacts": users.get(entry.digest, []),
        }
        for entry, error in found
    ]
    head = client.head
    return {
        "kind": "verification",
        "v": 1,
        "path": str(client.path),
        "is_sound": not damaged,
        "head_seq": head.seq,
        "head_chain": head.chain.hex(),
        "damaged": damaged,
    }


def _users(client: Client, damaged: set[Any]) -> dict[Any, list[str]]:
    """The artifact versions that damaged blobs are a part of, as far as their manifests can be read."""
    users: dict[Any, list[str]] = {}
    for artifact in client.artifacts():
        for version in artifact.versions:
            blobs: set[Any] = set()
            try:
                for digest in version.blobs():
                    blobs.add(digest)
            except (BlobMissing, Corrupt) as error:
                blobs.add(error.details.get("digest"))  # A manifest itself is what is damaged.
            for digest in blobs & damaged:
                users.setdefault(digest, []).append(str(version))
    return users


def _sections(verification: Verification) -> Iterator[Section]:
    damaged = verification["damaged"]
    yield Fields(
        "",
        [
            ("store", verification["path"]),
            ("log", f"{verification['head_seq']} events, sound; chain {verification['head_chain']}"),
            ("blobs", f"{len(damaged)} damaged or gone" if damaged else "all sound"),
        ],
    )
    yield Table("", _COLUMNS, map(_row, damaged))


def _row(damage: Damage) -> tuple[str, ...]:
    return (
        damage["digest"][:ID_DIGITS],
        size_text(damage["size_bytes"]),
        ", ".join(damage["artifacts"]) or NOTHING,
        damage["what"],
        damage["where"] or NOTHING,
    )
