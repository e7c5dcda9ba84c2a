"""The verb ``info``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from ..client import Client
from ..history import History
from .kinds import Store
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened
from .records import newest_version
from .units import size_text

EXAMPLE = "lineal info --json"
_BLOCK_BYTES = 512
"""Unit of ``st_blocks`` (POSIX leaves it open; Linux, macOS and the BSDs agree)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Describe the store: identity, counts, sizes. With --as-of: how far it was and what it had then, and what "
        "there is on the disk now."
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Describe the store."""
    with opened(options) as client:
        then = client if options.as_of is None else client.as_of(options.as_of)
        output.document(_record(client, then), _sections)
    return ExitCode.OK


def _record(client: Client, then: History) -> Store:
    head, usage = then.head, client.usage()
    artifacts = then.artifacts()
    return {
        "kind": "store",
        "v": 1,
        "path": str(client.path),
        "id": str(next(client.events()).origin),
        "head_seq": head.seq,
        "head_chain": head.chain.hex(),
        "runs": sum(1 for _ in then.runs()),
        "pipelines": len(then.pipelines()),
        "artifacts": len(artifacts),
        "artifact_versions": sum(newest_version(then, artifact.name).version for artifact in artifacts),
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
