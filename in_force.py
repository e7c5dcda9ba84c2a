"""Which store pipelines and the functions of the package use: the one entered, else the one found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from .directory import find_store
from .errors import StoreClosed
from .store import Store, open_store


class InForce(NamedTuple):
    """The store that pipelines and the functions of the package use, and how it was opened."""

    store: Store
    read_only: bool
    allow_pickle: bool

    def writable(self) -> Store:
        """The store, to write to. Raises `StoreClosed` if it was opened for reading only."""
        if self.read_only:
            raise StoreClosed(
                "the store was opened read-only", where=self.store.path, hint="Open it without read_only=True."
            )
        return self.store


_enclosing: ContextVar[InForce | None] = ContextVar("lineal_store", default=None)


@contextmanager
def entered(opened: InForce) -> Iterator[None]:
    """Make a store the one in force, in this thread or task."""
    token = _enclosing.set(opened)
    try:
        yield
    finally:
        _enclosing.reset(token)


def entered_store() -> InForce | None:
    """The store entered, if any."""
    return _enclosing.get()


def current_store() -> InForce:
    """The store entered, else the one found, made if need be."""
    return _enclosing.get() or InForce(open_store(find_store()), read_only=False, allow_pickle=True)
