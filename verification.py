"""Verification of a store: its database, its log, what is derived from it, its blobs, and what damage to them hurts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from .cas import CATALOG, BlobKind, Changes, Digest, Environment
from .cas.durable import disk_errors
from .cas.progress import Stage
from .cas.structure import structural_faults, structural_faults_of
from .cas.verification import Findings, Orphan, verify_blobs, verify_files
from .errors import BlobMissing, LogCorrupt
from .events.catalogue import ContentVisualized
from .events.comparison import differences
from .events.heads import HeadCheck as HeadCheck
from .events.heads import HeadState, check_heads
from .events.kept_roots import HASH_TREE
from .events.liveness import DECODED, Liveness
from .events.log import Head
from .events.merkle import TreeHead
from .events.projections import PROJECTIONS
from .events.projector import Projector
from .events.standing import META, databases_of
from .history.harm import Use, harm, named_blobs
from .immutable import Immutable
from .store import Store, now_us

_TAIL_EVENTS = 1000
_FAULTS_SHOWN = 3
_PAGE_REFS = 4096
"""So many blobs that events name are looked up in one transaction."""
_HOLDING = DECODED - {ContentVisualized.TYPE}
"""The types of event that decide what is held by what else they say."""


class DamageKind(StrEnum):
    """What is damaged, which decides what can be done."""

    DATABASE = "database"
    """The structure of the log's database: only a copy of it helps."""
    LOG = "log"
    """The chain of events: only a copy of it helps."""
    HEAD = "head"
    """What a head from elsewhere commits to: the log is no longer, or never was, what it was kept of."""
    INDEX = "index"
    """Something derived, which `repair` derives again."""
    BLOB = "blob"
    """A blob's bytes, or what the catalog says of it."""
    FILE = "file"
    """Bytes of a file that no blob has."""


class Damage(Immutable):
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


class Verification(Immutable):
    """What was looked at, and what is wrong with it."""

    is_quick: bool
    head: Head
    """The end of the log as it was read; where it is damaged, the last event before, without a chain hash."""
    blobs: int
    damages: tuple[Damage, ...]
    orphans: tuple[Orphan, ...]
    """Files that nothing names: no damage, a collection takes them away."""
    heads: tuple[HeadCheck, ...] = ()
    """What each head from elsewhere tells, by its place in the log."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages


class Examination(Immutable):
    """A verification with the findings behind it."""

    verification: Verification
    findings: Findings
    uses: dict[Digest, list[Use]]


def verify(store: Store, *, is_quick: bool = False, heads: Iterable[TreeHead] = ()) -> Verification:
    """Verify a store, and that its log goes on from heads that were kept elsewhere.

    Quick reads the catalog, the manifests, the sizes of all files and the end of the log, or all of its chain if there
    are heads. Otherwise every byte of all
    files and of the log is read, on several cores, and the projections are compared with a replay. Others may go on
    writing. Cost: the structure of the database at about 100 MB/s, files as fast as they can be read and hashed,
    and about 20 µs an event.
    """
    with disk_errors(store.path):
        return examine(store, is_quick=is_quick, heads=heads).verification


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


def examine(store: Store, *, is_quick: bool = False, heads: Iterable[TreeHead] = ()) -> Examination:
    """Verify a store, and keep what a repair wants to know."""
    faults = structural_faults_of(store.environment)
    if faults:
        return _without_database(store, is_quick, faults)
    damages: list[Damage] = []
    checks: list[HeadCheck] = []
    try:
        head = _check_log(store, is_quick, heads, damages, checks)
        wanted = _wanted(store, max(0, head.seq - _TAIL_EVENTS) if is_quick else 0, head.seq)
        findings = verify_blobs(store.blobs, is_quick=is_quick, wanted=wanted)
        events = store.log.scan(upto=head.seq)
        uses = harm(store.blobs, events, findings.blobs.keys()) if findings.blobs else {}
    except LogCorrupt as error:
        return _without_database(store, is_quick, [error.what], damages, checks)
    damages += [*_index_damages(findings), *_blob_damages(findings, uses), *_file_damages(findings)]
    orphans = tuple(findings.orphans)
    verified = Verification(is_quick, head, findings.checked_blobs, tuple(damages), orphans, tuple(checks))
    return Examination(verified, findings, uses)


def _without_database(
    store: Store, is_quick: bool, faults: list[str], damages: Iterable[Damage] = (), checks: Iterable[HeadCheck] = ()
) -> Examination:
    """What can be said where the database can't be read: what was found by then, and which files are damaged."""
    damage = Damage(DamageKind.DATABASE, _database_text(faults), str(store.environment.data_file))
    findings = Findings() if is_quick else verify_files(store.blobs.files)
    found = (damage, *damages, *_file_damages(findings))
    return Examination(Verification(is_quick, Head(0, b""), 0, found, (), tuple(checks)), findings, {})


def _check_log(
    store: Store, is_quick: bool, heads: Iterable[TreeHead], damages: list[Damage], checks: list[HeadCheck]
) -> Head:
    """Check the chain, heads from elsewhere, and what is derived; give the log's end, or that of what is sound.

    What is found is added as it is found: what comes later may not be readable.
    """
    known = tuple(heads)
    end = store.head().seq
    after = max(0, end - _TAIL_EVENTS) if is_quick and not known else 0
    try:
        head = store.log.verify(after, Stage("verifying the log").advance)
        end = head.seq
    except LogCorrupt as error:
        if "seq" not in error.details:
            raise
        damages.append(Damage(DamageKind.LOG, error.what, error.where or str(store.environment.data_file)))
        head = Head(error.details["seq"] - 1, b"")
    checks += check_heads(store.hash_tree, known, sound=head.seq, end=end)
    damages += [Damage(DamageKind.HEAD, one.what, None) for one in checks if one.state is not HeadState.REACHED]
    if after == 0:
        damages += _check_hash_tree(store, head.seq)
    if head.seq == end and not is_quick:
        damages += _check_projections(store, end)
    return head


def _check_hash_tree(store: Store, upto: int) -> Iterator[Damage]:
    """What is kept of the tree may tell of a change even where no head was kept elsewhere: few think of it."""
    fault = store.hash_tree.fault(upto)
    if fault is not None:
        what = f"{fault.what}: it is damaged, or the log was changed there"
        yield Damage(DamageKind.INDEX, what, str(store.environment.data_file), projection=HASH_TREE)


def _check_projections(store: Store, upto: int) -> Iterator[Damage]:
    names = (META, *(name for projection in PROJECTIONS for name in databases_of(projection.name)))
    with TemporaryDirectory(prefix="lineal-verify-") as folder:
        replayed = Environment(Path(folder), names, map_size_bytes=store.environment.map_size_bytes, read_only=False)
        try:
            with disk_errors(folder):
                Projector(replayed, store.log, partial(Changes, replayed)).rebuild()
            for found in differences(store.environment, replayed, upto):
                what = f"the index {found.projection!r} differs from the log in {found.rows:,} rows"
                yield Damage(DamageKind.INDEX, what, str(store.environment.data_file), projection=found.projection)
        finally:
            replayed.close()


def _wanted(store: Store, after: int, upto: int) -> Iterator[tuple[Digest, BlobKind]]:
    """The blobs that events name and the catalog lacks, without those that nothing holds: they may be collected.

    Memory: for those that it lacks, and for what was released; none for what is there.
    """
    lacking: set[bytes] = set()
    named = (ref for envelope in islice(store.log.envelopes(after), upto - after) for ref in envelope.refs)
    while refs := list(dict.fromkeys(islice(named, _PAGE_REFS))):
        rows = store.blobs.committed((CATALOG, ref) for ref in refs)
        lacking.update([ref for ref, row in zip(refs, rows, strict=True) if row is None])
    if lacking:
        held = lacking & _held(store, lacking, upto)
        for one in named_blobs(event for event in store.log.scan(after, upto) if not held.isdisjoint(event.named)):
            if one.digest in held:
                yield one.digest, one.kind


def _held(store: Store, blobs: Set[bytes], upto: int) -> set[bytes]:
    """What the events up to one hold of some blobs; what else they hold may be left out."""
    shown = islice(store.log.envelopes(0, {ContentVisualized.TYPE}), upto)
    contents = {one.fields.content for one in shown if one.fields is not None and not blobs.isdisjoint(one.refs)}
    asked, liveness = blobs | contents, Liveness()
    envelopes = (
        one._replace(refs=[ref for ref in one.refs if ref in asked]) for one in store.log.envelopes(0, DECODED)
    )
    liveness.fold(one for one in islice(envelopes, upto) if one.refs or one.type in _HOLDING)
    return liveness.held(now_us())


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
