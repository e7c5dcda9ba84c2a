"""Verification of a store: its database, its log, what is derived from it, its blobs, and what damage to them hurts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from .cas import BlobKind, Changes, Digest, Environment
from .cas.durable import disk_errors
from .cas.structure import structural_faults, structural_faults_of
from .cas.verification import Findings, Orphan, verify_blobs, verify_files
from .errors import BlobMissing, LogCorrupt
from .events.comparison import differences
from .events.liveness import DECODED, Liveness
from .events.log import Head
from .events.projections import PROJECTIONS
from .events.projector import Projector
from .events.standing import META, databases_of
from .history.harm import Use, harm, named_blobs
from .store import Store, now_us

_TAIL_EVENTS = 1000
_FAULTS_SHOWN = 3


class DamageKind(StrEnum):
    """What is damaged, which decides what can be done."""

    DATABASE = "database"
    """The structure of the log's database: only a copy of it helps."""
    LOG = "log"
    """The chain of events: only a copy of it helps."""
    INDEX = "index"
    """Something derived, which `repair` derives again."""
    BLOB = "blob"
    """A blob's bytes, or what the catalog says of it."""
    FILE = "file"
    """Bytes of a file that no blob has."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was written."""

    kind: DamageKind
    what: str
    where: str | None
    digest: Digest | None = None
    """Of a blob."""
    size_bytes: int | None = None
    """Of a blob; None where nothing knows it any more."""
    is_missing: bool = False
    uses: tuple[Use, ...] = ()
    """What a blob is a part of."""
    projection: str | None = None
    """The index that is damaged, where it is one that a replay of the log gives."""

    @property
    def hurts(self) -> tuple[str, ...]:
        """The artifact versions, as ``name@3``, and things of runs that it is a part of."""
        return tuple(use.what for use in self.uses)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, and what is wrong with it."""

    is_quick: bool
    head: Head
    """The end of the log as it was read; where it is damaged, the last event before, without a chain hash."""
    blobs: int
    damages: tuple[Damage, ...]
    orphans: tuple[Orphan, ...]
    """Files that nothing names: no damage, a collection takes them away."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages


@dataclass(frozen=True, slots=True)
class Examination:
    """A verification with the findings behind it."""

    verification: Verification
    findings: Findings
    uses: dict[Digest, list[Use]]


def verify(store: Store, *, is_quick: bool = False) -> Verification:
    """Verify a store.

    Quick reads the catalog, the manifests, the sizes of all files and the end of the log. Otherwise every byte of all
    files and of the log is read, on several cores, and the projections are compared with a replay. Others may go on
    writing. Cost: the structure of the database at about 100 MB/s, files as fast as they can be read and hashed,
    and about 20 µs an event.
    """
    with disk_errors(store.path):
        return examine(store, is_quick=is_quick).verification


def require_structure(database: Path) -> None:
    """Raise `LogCorrupt` if pages of a database are damaged, before LMDB maps them: a bad size can end the process.

    Cost: about 100 MB/s. A missing file passes.
    """
    faults = structural_faults(database) if database.exists() else []
    if faults:
        raise LogCorrupt(_database_text(faults), where=database, hint="Restore it from a copy; do not write to it.")


def _database_text(faults: list[str]) -> str:
    shown = "; ".join(faults[:_FAULTS_SHOWN]) + ("; …" if len(faults) > _FAULTS_SHOWN else "")
    return f"the log's database is damaged: {shown}"


def examine(store: Store, *, is_quick: bool = False) -> Examination:
    """Verify a store, and keep what a repair wants to know."""
    faults = structural_faults_of(store.environment)
    if faults:
        return _without_database(store, is_quick, faults)
    try:
        damages, head = _check_log(store, is_quick)
        wanted = _wanted(store, max(0, head.seq - _TAIL_EVENTS) if is_quick else 0, head.seq)
        findings = verify_blobs(store.blobs, is_quick=is_quick, wanted=wanted)
        events = store.log.scan(upto=head.seq)
        uses = harm(store.blobs, events, findings.blobs.keys()) if findings.blobs else {}
    except LogCorrupt as error:
        return _without_database(store, is_quick, [error.what])
    damages += [*_index_damages(findings), *_blob_damages(findings, uses), *_file_damages(findings)]
    verified = Verification(is_quick, head, findings.checked_blobs, tuple(damages), tuple(findings.orphans))
    return Examination(verified, findings, uses)


def _without_database(store: Store, is_quick: bool, faults: list[str]) -> Examination:
    """What can be said where the database can't be read: which files are not those of their names."""
    damage = Damage(DamageKind.DATABASE, _database_text(faults), str(store.environment.data_file))
    findings = Findings() if is_quick else verify_files(store.blobs.files)
    damages = (damage, *_file_damages(findings))
    return Examination(Verification(is_quick, Head(0, b""), 0, damages, ()), findings, {})


def _check_log(store: Store, is_quick: bool) -> tuple[list[Damage], Head]:
    """Check the chain, and the projections against a replay of it; give the end of the log, or of what is sound."""
    head = store.head()
    try:
        head = store.log.verify(max(0, head.seq - _TAIL_EVENTS) if is_quick else 0)
    except LogCorrupt as error:
        damage = Damage(DamageKind.LOG, error.what, error.where or str(store.environment.data_file))
        return [damage], Head(error.details["seq"] - 1, b"")
    return [] if is_quick else list(_check_projections(store, head.seq)), head


def _check_projections(store: Store, upto: int) -> Iterator[Damage]:
    names = (META, *(name for projection in PROJECTIONS for name in databases_of(projection.name)))
    with TemporaryDirectory(prefix="lineal-verify-") as folder:
        replayed = Environment(Path(folder), names, map_size_bytes=store.environment.map_size_bytes, read_only=False)
        try:
            Projector(replayed, store.log, partial(Changes, replayed)).rebuild()
            for found in differences(store.environment, replayed, upto):
                what = f"the index {found.projection!r} differs from the log in {found.rows:,} rows"
                yield Damage(DamageKind.INDEX, what, str(store.environment.data_file), projection=found.projection)
        finally:
            replayed.close()


def _wanted(store: Store, after: int, upto: int) -> Iterator[tuple[Digest, BlobKind]]:
    """The blobs that events name, without those that nothing holds any more: they may be collected."""
    liveness = Liveness()
    liveness.fold(islice(store.log.envelopes(0, DECODED), upto))
    held = liveness.held(now_us())
    for named in named_blobs(store.log.scan(after, upto)):
        if named.digest in held:
            yield named.digest, named.kind


def _index_damages(findings: Findings) -> Iterable[Damage]:
    if findings.volume_rows:
        what = f"the catalog and its table of volumes disagree in {len(findings.volume_rows):,} rows"
        yield Damage(DamageKind.INDEX, what, None)


def _blob_damages(findings: Findings, uses: dict[Digest, list[Use]]) -> Iterable[Damage]:
    for digest, blob in findings.blobs.items():
        yield Damage(
            DamageKind.BLOB,
            blob.error.what,
            blob.error.where,
            digest,
            blob.size_bytes,
            isinstance(blob.error, BlobMissing),
            tuple(uses.get(digest, ())),
        )


def _file_damages(findings: Findings) -> Iterable[Damage]:
    """Damage to files in bytes that no blob has, or none that is hurt; the rest is told of the blobs."""
    for file in findings.files:
        if not any(digest in findings.blobs for digest in file.blobs):
            yield Damage(DamageKind.FILE, file.error.what, str(file.path))
