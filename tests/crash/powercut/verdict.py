"""What a store that was cut off owes: it opens, keeps what it acknowledged, names nothing it hasn't, and goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lineal
from lineal.cas import BlobKind, BlobPart, Digest, Manifest, digest_of
from lineal.errors import LinealError
from lineal.events.catalogue import ArtifactSaved, Output
from lineal.events.projections import PROJECTIONS
from lineal.store import Store

Rows = dict[str, list[tuple[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the process was told to be durable before the power went."""

    facts: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, lines: Sequence[str]) -> Acknowledged:
        """Read what the workload wrote down."""
        return cls(tuple(json.loads(line) for line in lines))


def faults(path: Path, acknowledged: Acknowledged, again: Sequence[bytes], *, replays: bool) -> list[str]:
    """Open a store after a power cut and give every promise that it breaks.

    Args:
        path: Where the store is, or was about to be.
        acknowledged: What it must still know.
        again: Blobs to put once more: none may be taken for one that is there and isn't.
        replays: Whether to replay the projections too, and compare.
    """
    if not (path / "FORMAT").exists() and acknowledged.facts:
        return ["the store was acknowledged and has no FORMAT"]
    try:
        with lineal.open(path) as client:
            found = [fault for check in _CHECKS for fault in check(client, acknowledged)]
            if replays and not found:
                found += _unlike_replay(client)
            if not found:
                found += _unfit_to_go_on(client, again)
        return found
    except Exception as error:  # noqa: BLE001 — whatever it is, it must not happen
        return [f"{type(error).__name__}: {error}"]


def _damaged_log(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    client.store.log.verify()
    yield from ()


def _lost_facts(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    made = {(output.artifact, str(output.content)) for event in client.events() for output in event.event.made}
    for fact in acknowledged.facts:
        match fact:
            case {"store": store}:
                if str(client.store.id) != store:
                    yield "the store was acknowledged and is another one"
            case {"saved": name, "content": content}:
                if (name, content) not in made:
                    yield f"{name} was acknowledged and is lost"
            case {"run": run}:
                if client.run(run).status != "completed":
                    yield f"run {run} was acknowledged and is {client.run(run).status}"
            case _:
                raise ValueError(f"nothing is known of {fact}")


def _facts_without_bytes(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    blobs = client.store.blobs
    whole: dict[Digest, BlobKind] = {}
    for entry in blobs.entries():
        try:
            blobs.verify(entry.digest)
            if digest_of(blobs.read(entry.digest)) == entry.digest:
                whole[entry.digest] = entry.kind
        except LinealError as error:
            yield f"a blob of the catalog: {error.what}"
    for recorded in client.store.log.scan():
        for ref in recorded.refs:
            if ref not in whole:
                yield f"event {recorded.seq} names {ref}, which is not there"
            elif whole[ref] is BlobKind.MANIFEST:
                for part in Manifest.decode(blobs.read(ref)).named():
                    if part.digest not in whole:
                        yield f"event {recorded.seq} needs {part.digest}, which is not there"


def _files_of_other_bytes(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    for folder in (client.path / "packs", *(client.path / "blobs").iterdir()):
        for entry in os.scandir(folder):
            if str(digest_of(Path(entry.path).read_bytes())) != entry.name:
                yield f"{entry.name} holds other bytes than its name says"


def _runs_for_ever(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    for run in client.runs():
        if run.status == "running":
            yield f"run {run.id} reads as running"


def _scratch(client: lineal.Client, acknowledged: Acknowledged) -> Iterator[str]:
    for path in (client.path / "tmp").iterdir():
        yield f"{path.relative_to(client.path)} is left"


_CHECKS: tuple[Callable[[lineal.Client, Acknowledged], Iterator[str]], ...] = (
    _damaged_log,
    _lost_facts,
    _facts_without_bytes,
    _files_of_other_bytes,
    _runs_for_ever,
    _scratch,
)


def _unlike_replay(client: lineal.Client) -> Iterator[str]:
    kept = all_rows(client.store)
    client.rebuild()
    replayed = all_rows(client.store)
    for projection, rows in kept.items():
        if rows != replayed[projection]:
            yield f"the rows of {projection} are not those of the replayed log"


def all_rows(store: Store) -> Rows:
    """Every row of every projection."""
    found = {}
    with store._env.begin() as txn:
        for projection in PROJECTIONS:
            cursor = txn.cursor(store._env.databases[projection.name])
            found[projection.name] = [(bytes(key), bytes(value)) for key, value in cursor]
    return found


def _unfit_to_go_on(client: lineal.Client, again: Sequence[bytes]) -> Iterator[str]:
    store = client.store
    with store.blobs.batch() as batch:
        parts = tuple((str(number), BlobPart(batch.put(data), len(data))) for number, data in enumerate(again))
        manifest = Manifest("again/1", "again", None, parts)
        batch.put(manifest.encoded, BlobKind.MANIFEST)
        blobs = batch.publish()
    store.append([ArtifactSaved(Output("again", "again", manifest.digest, "again/1", "again", 1, {}))], blobs)
    client.save({"saved": "after the power cut"}, "after")
    client.flush()
    if client.load("after") != {"saved": "after the power cut"}:
        yield "saved after the power cut, a value loads as another"
    for part in manifest.named():
        try:
            store.blobs.read(part.digest)
        except LinealError as error:
            yield f"put again, a blob can't be read: {error.what}"
