"""The verb ``info``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from ..client import Client
from .kinds import Store
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import opened
from .records import newest_version
from .units import size_text

EXAMPLE = "lineal info --json"
_BLOCK_BYTES = 512
"""Unit of ``st_blocks`` (POSIX leaves it open; Linux, macOS and the BSDs agree)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options: none."""


def execute(options: argparse.Namespace, output: Output) -> int:
    """Describe the store."""
    with opened(options) as client:
        output.document(_record(client), _sections)
    return ExitCode.OK


def _record(client: Client) -> Store:
    head, usage = client.head, client.usage()
    artifacts = client.artifacts()
    return {
        "kind": "store",
        "v": 1,
        "path": str(client.path),
        "id": str(next(client.events()).origin),
        "head_seq": head.seq,
        "head_chain": head.chain.hex(),
        "runs": sum(1 for _ in client.runs()),
        "pipelines": len(client.pipelines()),
        "artifacts": len(artifacts),
        "artifact_versions": sum(newest_version(client, artifact.name).version for artifact in artifacts),
        "blobs": usage.blobs,
        "logical_bytes": usage.logical_bytes,
        "stored_bytes": usage.stored_bytes,
        "disk_bytes": _disk_bytes(str(client.path)),
    }


def _disk_bytes(directory: str) -> int:
    """What the files below a directory take; one that vanishes while it is looked at counts for nothing."""
    return sum(state.st_blocks * _BLOCK_BYTES for state in _states(directory))


def _states(directory: str) -> Iterator[os.stat_result]:
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue


def _sections(store: Store) -> Iterator[Section]:
    yield Fields(
        "",
        [
            ("store", store["path"]),
            ("id", store["id"]),
            ("head", f"event {store['head_seq']}, chain {store['head_chain']}"),
            ("runs", str(store["runs"])),
            ("pipelines", str(store["pipelines"])),
            ("artifacts", str(store["artifacts"])),
            ("versions", str(store["artifact_versions"])),
            ("blobs", str(store["blobs"])),
            ("logical size", size_text(store["logical_bytes"])),
            ("stored size", size_text(store["stored_bytes"])),
            ("size on disk", size_text(store["disk_bytes"])),
        ],
    )
