"""Heads of the log, and what can be proven under them to somebody who has nothing but the head."""

from __future__ import annotations

from ..cas.digest import Digest
from ..errors import InvalidReference, LogCorrupt
from ..events.log import GENESIS
from ..events.merkle import TreeHead, is_extension, known_head
from ..events.proof import ExtensionProof, InclusionProof
from .reader import Reader


def tree_head(reader: Reader) -> TreeHead:
    """The head as of the view."""
    return reader.store.hash_tree.head(reader.head_seq)


def prove_inclusion(
    reader: Reader, seq: int, artifact: str, content: Digest, head: TreeHead | str | None
) -> InclusionProof:
    """Prove that the event at a position, which made an artifact version, is in the log under a head.

    Raises:
        InvalidReference: The head is no head, or of before the event.
        LogCorrupt: The log does not lead to the head.
    """
    under = _reached(reader, head)
    if under.seq < seq:
        raise InvalidReference(
            f"{artifact} was made by event {seq:,}, after the head of event {under.seq:,}", hint="Give a later head."
        )
    path = reader.store.hash_tree.inclusion(seq, under)
    previous = reader.event(seq - 1).chain if seq > 1 else GENESIS
    return InclusionProof(under, seq, previous, reader.store.log.body(seq), tuple(path), artifact, content)


def prove_extension(reader: Reader, old: TreeHead | str, head: TreeHead | str | None) -> ExtensionProof:
    """Prove that the log under a head begins with what was under an older one.

    Raises:
        InvalidReference: One of them is no head, or the older one is the later one.
        LogCorrupt: The log does not lead to both.
    """
    older, under = known_head(old), _reached(reader, head)
    if not 1 <= older.seq <= under.seq:
        raise InvalidReference(
            f"the head of event {under.seq:,} can't extend that of event {older.seq:,}",
            hint="Give the older one first.",
        )
    path = reader.store.hash_tree.extension(older, under)
    if not is_extension(older, under, path):
        raise LogCorrupt(
            f"the log does not lead from the head of event {older.seq:,} to that of event {under.seq:,}",
            hint="Run `lineal verify --head` with both.",
        )
    return ExtensionProof(older, under, tuple(path))


def _reached(reader: Reader, head: TreeHead | str | None) -> TreeHead:
    """A head as far as the log goes, by default that of the view."""
    if head is None:
        return tree_head(reader)
    under, end = known_head(head), reader.store.head().seq
    if under.seq > end:
        raise LogCorrupt(
            f"the log ends at event {end:,}, before the head of event {under.seq:,}",
            hint="Run `lineal verify --head` with this head and with older ones.",
        )
    return under
