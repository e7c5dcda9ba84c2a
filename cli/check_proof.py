"""The verb ``check-proof``, which needs no store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ..client import PROOF_MAX_BYTES, ExtensionProof, InclusionProof, TreeHead, read_proof
from ..history.reader import moment
from .kinds import Extension, Inclusion
from .layout import Fields, Section
from .outcome import ExitCode
from .output import Output
from .units import time_text

EXAMPLE = "lineal check-proof proof.json"
_UNKNOWN = "the proof's own: compare it with one that you have from elsewhere, or give that with --head"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument("file", metavar="FILE", help="what `lineal prove` printed; - for stdin")
    parser.add_argument("--head", metavar="HEAD", help="the head that you know; the proof has to be under it")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Check a proof, and say what it proves."""
    head = None if options.head is None else TreeHead.parse(options.head)
    proof = read_proof(_read(options.file))
    if isinstance(proof, InclusionProof):
        output.document(_inclusion(proof, head), _inclusion_sections)
    else:
        output.document(_extension(proof, head), _extension_sections)
    return ExitCode.OK


def _inclusion(proof: InclusionProof, head: TreeHead | None) -> Inclusion:
    _, recorded, output = proof.check(head)
    return {
        "kind": "inclusion",
        "v": 1,
        "head": str(proof.head),
        "is_known_head": head is not None,
        "artifact": output.artifact,
        "content": str(output.content),
        "format": output.format,
        "type": output.type,
        "seq": recorded.seq,
        "event": recorded.type,
        "time": moment(recorded.time_us).isoformat(),
        "run": _field(recorded.event, "run"),
        "step": _field(recorded.event, "step"),
        "store": str(recorded.origin),
    }


def _field(event: object, name: str) -> str | None:
    value = getattr(event, name, None)
    return str(value) if isinstance(value, bytes | str) else None


def _extension(proof: ExtensionProof, head: TreeHead | None) -> Extension:
    proof.check(head)
    return {
        "kind": "extension",
        "v": 1,
        "head": str(proof.head),
        "is_known_head": head is not None,
        "old": str(proof.old),
    }


def _read(name: str) -> bytes:
    """The file, or as much of it as a proof can have."""
    if name == "-":
        return sys.stdin.buffer.read(PROOF_MAX_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(PROOF_MAX_BYTES + 1)


def _inclusion_sections(record: Inclusion) -> Iterator[Section]:
    run, step = record["run"], record["step"]
    yield Fields(
        "",
        [
            ("proven", f"{record['artifact']} was made with this content, and the log says so"),
            ("content", record["content"]),
            ("format", f"{record['format']}, of {record['type']}"),
            ("event", f"{record['seq']}, {record['event']}, at {time_text(record['time'])}"),
            *([] if run is None else [("run", run)]),
            *([] if step is None else [("step", step)]),
            ("store", record["store"]),
            *_head_fields(record),
        ],
    )


def _extension_sections(record: Extension) -> Iterator[Section]:
    yield Fields(
        "",
        [
            ("proven", "the log begins with all that was in it under the older head, unchanged"),
            ("older head", record["old"]),
            *_head_fields(record),
        ],
    )


def _head_fields(record: Inclusion | Extension) -> list[tuple[str, str]]:
    return [("head", record["head"]), ("head is", "the one given" if record["is_known_head"] else _UNKNOWN)]
