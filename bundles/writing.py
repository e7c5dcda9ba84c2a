"""Writing a bundle: the same bytes for the same things of the same store at the same head; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from ..cas import BlobKind, BlobStore, Cut, Digest, Inline, Row, digest_of, read_manifest, walk
from ..cas.durable import disk_errors, move_durably
from ..cas.extents import ExtentReader
from ..cas.progress import Stage
from ..errors import BlobCorrupt, BlobMissing, Invalid
from ..events.catalogue import Numbered, Subject
from ..events.ids import StoreId
from ..events.log import Log
from ..events.projections import Artifacts, Pipelines, Runs
from ..events.projections.artifacts import version_in
from ..events.projections.pipeline_names import first_name_in
from ..events.projections.runs import RunRow
from ..events.rows import key
from ..history import Reader
from ..history.deletion import has_deletions, is_deleted
from ..store import Store
from .layout import HEADER_BYTES, Header, Held, Placed, Table, placed
from .selection import Scope, Selection, Thing, scope_of

_PAGE_EVENTS = 1000
_COPY_BYTES = 4 * 1024 * 1024


class Written(NamedTuple):
    """A bundle that was written."""

    path: Path
    id: Digest
    store: StoreId
    head_seq: int
    """Where the store's log ended."""
    events: int
    blobs: int
    size_bytes: int
    lacking: int
    """How many contents had been collected, so that only what is known of them is in it."""


def export_bundle(store: Store, path: Path, things: Iterable[Thing] | None) -> Written:
    """Write a bundle of some things and of all that explains them, or of everything; durable on return.

    Raises:
        Invalid: Something is at the path, or nothing was asked for.
        Conflict: A run goes on.
        BlobMissing, BlobCorrupt: Bytes are gone or damaged that should be there.
        StoreFull: There is no room.
    """
    head = store.head()
    reader = Reader(store, head.seq)
    asked = None if things is None else sorted({thing.subject for thing in things})
    scope = Scope(is_everything=True) if things is None else scope_of(list(things))
    if asked is not None and not asked:
        raise Invalid("nothing was named that is to be exported", hint="Name runs or artifact versions, or say --all.")
    if path.exists() or path.is_symlink():
        raise _taken(path)
    selection = Selection(reader, scope)
    blobs, lacking = _blobs_of(store.blobs, selection.refs)
    subjects = tuple(asked or ())
    deleted = _deleted(reader, selection)
    numbers = tuple(sorted(_numbers(reader, selection)))
    table = Table(store.id, head.seq, Digest(head.chain), subjects, numbers, deleted, tuple(lacking), tuple(blobs))
    header, id_ = _write_durably(path, table, store, selection.seqs)
    return Written(path, id_, store.id, head.seq, header.events, len(blobs), header.size_bytes, len(lacking))


def _taken(path: Path) -> Invalid:
    return Invalid("a file is there already", where=path, hint="Give another path.")


def _blobs_of(blobs: BlobStore, refs: Iterable[Digest]) -> tuple[list[Held], list[Digest]]:
    """All blobs that digests need, and the digests of which nothing is there."""
    held: dict[Digest, Held] = {}
    lacking = []
    for ref in refs:
        row = blobs.row(ref)
        if row is None:
            lacking.append(ref)
            continue
        held[ref] = Held(ref, row.kind, row.size_bytes)
        if row.kind is BlobKind.MANIFEST:
            for part in walk(blobs, read_manifest(blobs, ref)):
                if part.digest not in held:
                    held[part.digest] = _held(blobs, part.digest)
    return sorted(held.values()), sorted(lacking)


def _held(blobs: BlobStore, digest: Digest) -> Held:
    row = blobs.row(digest)
    if row is None:
        raise BlobMissing(f"blob {digest} is gone", hint="Run `lineal verify` for what that hurts.", digest=digest)
    return Held(digest, row.kind, row.size_bytes)


def _numbers(reader: Reader, selection: Selection) -> Iterator[Numbered]:
    artifacts, runs, pipelines = (reader.rows(one.name) for one in (Artifacts, Runs, Pipelines))
    for name, content in selection.versions:
        found = version_in(artifacts, name, content)
        if found is not None:
            yield Numbered("version", name, content, found.row[1])
    structures = {(started.pipeline, started.structure) for started in selection.runs.values()}
    for name, structure in structures:
        found = pipelines.latest(key("s", first_name_in(pipelines, name), structure))
        if found is not None:
            yield Numbered("pipeline", name, structure, found.row[0])
    for run, started in selection.runs.items():
        found = runs.latest(key("r", run))
        if found is not None:
            yield Numbered("run", started.pipeline, run, RunRow.of(found.row).number)


def _deleted(reader: Reader, selection: Selection) -> tuple[Subject, ...]:
    if not has_deletions(reader):
        return ()
    subjects = [Subject("run", "", run) for run in selection.runs]
    subjects += [Subject("version", name, content) for name, content in selection.versions]
    return tuple(sorted(subject for subject in subjects if is_deleted(reader, subject)))


def _write_durably(path: Path, table: Table, store: Store, seqs: list[int]) -> tuple[Header, Digest]:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with disk_errors(path, sum(held.size_bytes for held in table.blobs)):
            try:
                with scratch.open("xb", buffering=_COPY_BYTES) as file:
                    header, id_ = _write(file, table, store, seqs)
                    file.flush()
                    os.fsync(file.fileno())
                move_durably(scratch, path)
            except FileExistsError as error:
                raise _taken(path) from error
            except (FileNotFoundError, NotADirectoryError) as error:
                raise Invalid("there is no such directory", where=path.parent, hint="Make it first.") from error
    finally:
        scratch.unlink(missing_ok=True)
    return header, id_


def _write(file: BinaryIO, table: Table, store: Store, seqs: list[int]) -> tuple[Header, Digest]:
    encoded = table.encoded()
    file.write(bytes(HEADER_BYTES) + encoded)
    hasher, events_bytes = blake3(), 0
    for framed in _framed(store.log, seqs):
        hasher.update(framed)
        events_bytes += len(framed)
        file.write(framed)
    begin = HEADER_BYTES + len(encoded) + events_bytes
    places, size_bytes = placed(begin, table.blobs)
    stage = Stage("exporting", size_bytes)
    stage.advance(begin)
    done = begin
    for one in places:
        file.write(bytes(one.offset - done))
        _copy(file, store.blobs, one, stage)
        done = one.offset + one.held.size_bytes
    header = Header(size_bytes, len(encoded), events_bytes, len(seqs), digest_of(encoded), Digest(hasher.digest()))
    file.seek(0)
    written = header.encoded()
    file.write(written)
    return header, Digest(written[-len(header.table) :])


def _framed(log: Log, seqs: list[int]) -> Iterator[bytes]:
    for start in range(0, len(seqs), _PAGE_EVENTS):
        for recorded in log.get_all(seqs[start : start + _PAGE_EVENTS]):
            yield len(recorded.body).to_bytes(4, "little") + recorded.body


def _copy(file: BinaryIO, blobs: BlobStore, one: Placed, stage: Stage) -> None:
    """Copy a blob's bytes in constant memory, and refuse them if they are not its own."""
    digest, _, size_bytes = one.held
    row = blobs.row(digest)
    if row is None:
        raise BlobMissing(f"blob {digest} was collected meanwhile", hint="Export again.", digest=digest)
    if isinstance(row.place, Inline):
        file.write(blobs.read(digest))
        stage.advance(size_bytes)
        return
    found = _copy_extents(file, blobs, digest, row, stage)
    if found != digest:
        raise BlobCorrupt(
            f"blob {str(digest)[:12]}… is damaged", hint="Run `lineal repair`.", digest=digest, where=blobs.files.root
        )


def _copy_extents(file: BinaryIO, blobs: BlobStore, digest: Digest, row: Row, stage: Stage) -> Digest:
    place = row.place
    extents = place.extents if isinstance(place, Cut) else (blobs.files.whole(digest, row.size_bytes),)
    hasher = blake3()
    buffer = memoryview(bytearray(min(_COPY_BYTES, row.size_bytes)))
    with ExtentReader(blobs.files, extents) as reader:
        for start in range(0, row.size_bytes, _COPY_BYTES):
            piece = buffer[: min(_COPY_BYTES, row.size_bytes - start)]
            reader.read_into(start, piece)
            hasher.update(piece)
            file.write(piece)
            stage.advance(len(piece))
    return Digest(hasher.digest())
