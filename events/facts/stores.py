"""Facts of the store itself."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import StoreId
from .base import Event
from .records import Numbered


class StoreCreated(Event):
    """The first event of every log."""

    TYPE: ClassVar[str] = "store.created/1"
    store: StoreId
    format_version: int


class StoreImported(Event):
    """Events of another store were copied into this one, under their own ids and origins."""

    TYPE: ClassVar[str] = "store.imported/1"
    store: StoreId
    """The other store."""
    head_seq: int
    """Where its log ended."""
    head_chain: Digest
    """Chain hash there."""
    events: int
    """How many of its events were not here before: they follow this one."""
    bundle: Digest | None = None
    """Which bundle they came in."""
    numbers: tuple[Numbered, ...] = ()
    """What was numbered there, of what they bring."""


class ImportsTrusted(Event):
    """What was imported from a store until now counts as what was made here: it may execute code, and be reused."""

    TYPE: ClassVar[str] = "imports.trusted/1"
    store: StoreId
    """The store that it was imported from."""


class TrustRevoked(Event):
    """What was imported from a store is trusted no more."""

    TYPE: ClassVar[str] = "trust.revoked/1"
    store: StoreId
