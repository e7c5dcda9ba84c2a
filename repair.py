"""Repair of a store: what can be mended from within is, what is bad is moved away, what is lost is named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .cas.digest import Digest
from .cas.mending import Mending, mend
from .immutable import Immutable
from .store import Store, now_us
from .verification import Damage, DamageKind, Examination, examine


class Mended(Immutable):
    """Something that is whole again."""

    what: str
    digest: Digest | None = None
    """Of a blob."""


class Repair(Immutable):
    """What was done, or, on a trial, what would be."""

    is_trial: bool
    mended: tuple[Mended, ...]
    quarantined: tuple[Path, ...]
    """Where bad files, and bad rows of the catalog, were moved to; on a trial, the bad files where they are."""
    lost: tuple[Damage, ...]
    """What is in no other place of the store; each says what it hurts, and how that is made again."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost."""
        return not self.lost


def repair(store: Store, *, is_trial: bool = False) -> Repair:
    """Verify every byte of a store, and put right what can be.

    Bytes that are elsewhere in the store, be it in a file, an extent or a row, are found there; sound blobs of a bad
    file are copied out of it; what is derived is derived again. Nothing is deleted: what is bad is moved to the
    store's ``quarantine``. A lost blob counts as missing from then on, so that whoever puts its bytes again heals it.
    """
    store.flush()
    examined = examine(store)
    damages = examined.verification.damages
    if any(damage.kind is DamageKind.DATABASE for damage in damages):
        return Repair(is_trial, (), (), damages)
    moment = datetime.fromtimestamp(now_us() / 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    mending = mend(store.blobs, store.environment, examined.findings, moment=moment, is_trial=is_trial)
    mended = [*_mended_blobs(mending), *_mended_indexes(store, examined, is_trial)]
    digests = {blob.digest for blob in mending.lost}
    lost = [damage for damage in damages if damage.kind is DamageKind.LOG or damage.digest in digests]
    return Repair(is_trial, tuple(mended), tuple(mending.quarantined), tuple(lost))


def _mended_blobs(mending: Mending) -> Iterator[Mended]:
    for digest, source in mending.restored.items():
        yield Mended(f"found again in {source}", digest)
    for digest in mending.moved:
        yield Mended("sound, and copied out of a damaged file", digest)
    if mending.index_rows:
        yield Mended(f"{mending.index_rows:,} rows of the table of volumes, by the catalog")


def _mended_indexes(store: Store, examined: Examination, is_trial: bool) -> Iterator[Mended]:
    projections = [damage for damage in examined.verification.damages if damage.projection is not None]
    if projections and not is_trial:
        store.rebuild()
    for damage in projections:
        yield Mended(f"the index {damage.projection!r}, replayed from the log")
