"""What a store that was cut off owes: it opens, keeps what it acknowledged, names nothing it hasn't, and goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lineal
from lineal.cas import BlobKind, BlobPart, Digest, Manifest, digest_of
from lineal.errors import LinealError
from lineal.events.catalogue import ArtifactSaved, Output, Tagged
from lineal.events.liveness import DECODED, Liveness
from lineal.events.projections import PROJECTIONS
from lineal.events.standing import database_of
from lineal.store import Store, now_us

Rows = dict[str, list[tuple[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Owed:
    """What a store must still have after a power cut."""

    facts: Sequence[Mapping[str, str]]
    """What the process was told to be durable."""
    named: Sequence[Path] = ()
    """Files whose names say what is in them, below the store, if they are still there once it is open."""
    again: Sequence[bytes] | None = None
    """Blobs to put once more, after replaying the projections; left out, both are."""

    @property
    def damaged(self) -> set[str]:
        """The digests of what was damaged before, by no power cut, and nothing has healed yet."""
        healed = {fact.get("healed") for fact in self.facts}
        return {fact["damaged"] for fact in self.facts if "damaged" in fact} - healed


def faults(path: Path, owed: Owed) -> list[str]:
    """Open the store that is at a path, or was about to be, and give every promise that it breaks."""
    if not (path / "FORMAT").exists() and owed.facts:
        return ["the store was acknowledged and has no FORMAT"]
    try:
        with lineal.open(path) as client:
            found = [fault for check in _CHECKS for fault in check(client, owed)]
            if owed.again is not None and not found:
                found = [*_unlike_replay(client), *_unlike_when_put_again(client, owed)]
            return found or list(_unfit_to_go_on(client))
    except Exception as error:  # noqa: BLE001 — whatever it is, it must not happen
        return [f"{type(error).__name__}: {error}"]


def _damaged_log(client: lineal.Client, owed: Owed) -> Iterator[str]:
    client.store.log.verify()
    yield from ()


def _lost_facts(client: lineal.Client, owed: Owed) -> Iterator[str]:
    made = {(output.artifact, str(output.content)) for event in client.events() for output in event.event.made}
    appended = _appended(client)
    for fact in owed.facts:
        match fact:
            case {"writer": writer, "appended": number}:
                if int(number) not in appended.get(int(writer), ()):
                    yield f"number {number} of writer {writer} was acknowledged and is lost"
            case {"store": store}:
                if str(client.store.id) != store:
                    yield "the store was acknowledged and is another one"
            case {"saved": name, "content": content}:
                if (name, content) not in made:
                    yield f"{name} was acknowledged and is lost"
            case {"run": run}:
                if client.run(run).status != "completed":
                    yield f"run {run} was acknowledged and is {client.run(run).status}"
            case {"released": content, "upto": upto}:
                if _liveness(client).released_upto(Digest.parse(content)) < int(upto):
                    yield f"{content} was released and is held again"
            case {"kept_log": digest}:
                kept = client.path / "log.1" / "data.mdb"
                if not kept.exists() or str(digest_of(kept.read_bytes())) != digest:
                    yield "the log of the older format is not kept as it was"
            case {"copy": digest}:
                if not any(str(digest_of(file.read_bytes())) == digest for file in _files(client)):
                    yield f"the only copy of {digest} is gone"
            case {"together": listed}:
                there = [(name, content) in made for name, content in json.loads(listed)]
                if any(there) and not all(there):
                    yield f"of {len(there)} versions that come together {sum(there)} are there"
            case {"damaged": _} | {"healed": _}:
                pass
            case _:
                raise ValueError(f"nothing is known of {fact}")


def _appended(client: lineal.Client) -> dict[int, list[int]]:
    """By writer, the numbers that are in the log, in its order."""
    found: dict[int, list[int]] = {}
    for recorded in client.events():
        if isinstance(recorded.event, Tagged):
            writer, number = map(int, recorded.event.tags[0].split())
            found.setdefault(writer, []).append(number)
    return found


def _numbers_out_of_order(client: lineal.Client, owed: Owed) -> Iterator[str]:
    for writer, numbers in _appended(client).items():
        if numbers != list(range(len(numbers))):
            yield f"the numbers of writer {writer} are {numbers}"


def _files(client: lineal.Client) -> Iterator[Path]:
    """The files in which bytes of blobs may be."""
    for folder in ("packs", "quarantine", "blobs"):
        yield from (path for path in (client.path / folder).rglob("*") if path.is_file())


def _liveness(client: lineal.Client) -> Liveness:
    liveness = Liveness()
    liveness.fold(client.store.log.envelopes(0, DECODED))
    return liveness


def _facts_without_bytes(client: lineal.Client, owed: Owed) -> Iterator[str]:
    blobs = client.store.blobs
    whole: dict[Digest, BlobKind] = {}
    for entry in blobs.entries():
        try:
            if digest_of(blobs.read(entry.digest)) != entry.digest:
                yield f"blob {entry.digest} of the catalog reads as another"
            whole[entry.digest] = entry.kind
        except LinealError as error:
            if str(entry.digest) in owed.damaged:
                whole[entry.digest] = entry.kind
            else:
                yield f"a blob of the catalog: {error.what}"
    for digest in _liveness(client).held(now_us()) - whole.keys():
        yield f"an event or a pin holds {digest.hex()}, which is not there"
    for digest, kind in whole.items():
        if kind is BlobKind.MANIFEST:
            for part in Manifest.decode(blobs.read(digest)).named():
                if part.digest not in whole:
                    yield f"manifest {digest} needs {part.digest}, which is not there"


def _files_of_other_bytes(client: lineal.Client, owed: Owed) -> Iterator[str]:
    for path in (client.path / named for named in owed.named):
        is_known = path.name in owed.damaged
        if path.exists() and not is_known and str(digest_of(path.read_bytes())) != path.name:
            yield f"{path.name} holds other bytes than its name says"


def _runs_for_ever(client: lineal.Client, owed: Owed) -> Iterator[str]:
    for run in client.runs():
        if run.status == "running":
            yield f"run {run.id} reads as running"


def _scratch(client: lineal.Client, owed: Owed) -> Iterator[str]:
    for path in (client.path / "tmp").iterdir():
        yield f"{path.relative_to(client.path)} is left"


_CHECKS: tuple[Callable[[lineal.Client, Owed], Iterator[str]], ...] = (
    _damaged_log,
    _lost_facts,
    _numbers_out_of_order,
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
    """Every row of every projection, those kept behind caught up."""
    for projection in PROJECTIONS:
        store.rows(projection.name)
    found = {}
    with store._env.begin() as txn:
        for projection in PROJECTIONS:
            databases = store._env.databases
            cursor = txn.cursor(databases[database_of(txn, databases, projection.name)])
            found[projection.name] = [(bytes(key), bytes(value)) for key, value in cursor]
    return found


def _unlike_when_put_again(client: lineal.Client, owed: Owed) -> Iterator[str]:
    """No file may be taken for a blob that it doesn't hold."""
    store = client.store
    again = [data for data in owed.again or () if str(digest_of(data)) not in owed.damaged]
    with store.blobs.batch() as batch:
        parts = tuple((str(number), BlobPart(batch.put(data), len(data))) for number, data in enumerate(again))
        manifest = Manifest("again/1", "again", None, parts)
        batch.put(manifest.encoded, BlobKind.MANIFEST)
        blobs = batch.publish()
    store.append([ArtifactSaved(Output("again", "again", manifest.digest, "again/1", "again", 1, {}))], blobs).wait()
    for part in manifest.named():
        try:
            store.blobs.verify(part.digest)
        except LinealError as error:
            yield f"put again, a blob can't be read: {error.what}"


def _unfit_to_go_on(client: lineal.Client) -> Iterator[str]:
    value = {"saved": "after the power cut"}
    client.save(value, "after")
    client.flush()
    if client.load("after") != value:
        yield "saved after the power cut, a value loads as another"
