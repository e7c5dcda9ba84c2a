"""What a store knows as tables: streams of Arrow batches, made from the log and its projections by columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import TableNotFound
from ..store import Store

if TYPE_CHECKING:
    from .table import Table


class Tables(Mapping[str, "Table"]):
    """The tables of a store by name, as of a position or as they are whenever they are read."""

    def __init__(self, store: Store, upto: int | None) -> None:
        """Show the store up to this event, or all of it."""
        self._store = store
        self._upto = upto

    def __getitem__(self, name: str) -> Table:
        from .table import DEFINITIONS, Table

        if name not in DEFINITIONS:
            raise TableNotFound(f"no table is called {name!r}", hint=f"There are {', '.join(DEFINITIONS)}.")
        return Table(self._store, name, self._upto)

    def __iter__(self) -> Iterator[str]:
        from .table import DEFINITIONS

        return iter(DEFINITIONS)

    def __len__(self) -> int:
        from .table import DEFINITIONS

        return len(DEFINITIONS)

    def __repr__(self) -> str:
        return f"<Tables {', '.join(self)}>"


__all__ = ["Tables"]
