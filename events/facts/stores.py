"""Facts of the store itself."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import StoreId
from .base import Event


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
    """How many of its events were not here before."""
