"""Imports: which events came from other stores, and whether what came from those is trusted.

Tables: ``i`` → ``[store, events]``, an import each: so many events after the one that made the row came from there;
``t store`` → whether the imports up to there from it are trusted.
"""

from __future__ import annotations

from ..catalogue import ImportsTrusted, StoreImported, TrustRevoked
from ..codec import Recorded
from ..rows import RowWriter, key
from .base import Projection


class Imports(Projection):
    """The fold."""

    name = "imports"
    events = (StoreImported, ImportsTrusted, TrustRevoked)

    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        fields = recorded.fields
        if recorded.type == StoreImported.TYPE:
            rows.mark(key("i"), [fields.store, fields.events])
        else:
            rows.add(key("t", bytes(fields.store)), recorded.type == ImportsTrusted.TYPE)
