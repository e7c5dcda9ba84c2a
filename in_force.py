"""Which store pipelines and the functions of the package use: the one entered, else the one found."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from .cas.blob import Blob
from .cas.digest import Digest
from .directory import ENVIRONMENT_VARIABLE, find_store
from .errors import StoreClosed
from .events.catalogue import Event
from .events.elsewhere import commit_of
from .events.ids import EventId, StepRunId
from .store import Store, open_store

_HOW_TO_WRITE = "Open it without read_only=True; if it is a bundle, import it into a store."


class OtherStoreWarning(UserWarning):
    """A store was found and is used, though the process has opened another one, and only that, to write."""


class InForce(NamedTuple):
    """The store that pipelines and the functions of the package use, and how it was opened."""

    store: Store
    read_only: bool
    allow_pickle: bool
    visualizes: bool = True
    """Whether visualizations are kept of what is saved, where neither step nor pipeline says so."""

    def writable(self) -> Store:
        """The store, to write to. Raises `StoreClosed` if it was opened for reading only."""
        if self.read_only:
            raise StoreClosed("the store was opened read-only", where=self.store.place, hint=_HOW_TO_WRITE)
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
    return _enclosing.get() or InForce(open_store(store_in_use()), read_only=False, allow_pickle=True)


def existing_store() -> InForce:
    """The store entered, else the one found, for what goes on with a run that is there. Raises `StoreNotFound`."""
    return _enclosing.get() or InForce(open_store(store_in_use(), create=False), read_only=False, allow_pickle=True)


_open_to_write: WeakKeyDictionary[object, Path] = WeakKeyDictionary()
"""The handles that are open, by which stores are known to the user, with the paths of those."""


def opened_to_write(handle: object, path: Path) -> None:
    """Note that the user has a handle on a store."""
    _open_to_write[handle] = path


def closed(handle: object) -> None:
    """Note that a handle was closed."""
    _open_to_write.pop(handle, None)


def store_in_use() -> Path:
    """As `nearest_store`. It warns, once for each, where the user is likely to have meant another one."""
    path = nearest_store()
    others = dict.fromkeys(_open_to_write.values())
    if others and LISTENING.get() is None and not os.environ.get(ENVIRONMENT_VARIABLE):
        found = path.resolve()
        if found not in others:
            other = next(reversed(others))
            warnings.warn(
                f"the store at {found} is used, not the one that is open at {other}: to open one does not put it in "
                f"force. Use `with lineal.open({str(other)!r}):`, or set {ENVIRONMENT_VARIABLE}.",
                OtherStoreWarning,
                stacklevel=2,
            )
    return path


def visualizes_here() -> bool:
    """Whether the store in force keeps visualizations of what is saved, unless told otherwise."""
    opened = _enclosing.get()
    return opened is None or opened.visualizes


class Resolved(NamedTuple):
    """A reference to an artifact that a running step has asked for, and the version that it meant then."""

    reference: str
    name: str
    content: Digest | None
    """None where there was no such version."""


class Listening(NamedTuple):
    """A step that is running: the store of its run, and what it has asked of that."""

    path: Path
    step: StepRunId
    resolved: dict[str, Resolved]
    """By reference."""


LISTENING: ContextVar[Listening | None] = ContextVar("lineal_listening", default=None)
"""The step that is running here; the store of its run is the nearest one."""


def tell_resolved(path: Path, resolved: Resolved) -> None:
    """Let a step that is running know what it asked for; of one reference, what it meant first."""
    step = LISTENING.get()
    if step is not None and step.path == path:
        step.resolved.setdefault(resolved.reference, resolved)


def running_step(path: Path) -> StepRunId | None:
    """The step run that is running, if its run's store is this one."""
    step = LISTENING.get()
    return step.step if step is not None and step.path == path else None


def record(store: Store, events: Sequence[Event], blobs: Sequence[Blob]) -> None:
    """Submit events with the receipts of their blobs; where another process commits them, they are durable on return:
    this one may be killed as soon as its step is done."""
    ticket = store.append(events, blobs)
    if commit_of(store.path) is not None:
        ticket.wait()


def recorded(store: Store, events: Sequence[Event]) -> Sequence[int]:
    """Record events that name no new blobs, in one commit; durable on return. Give their positions."""
    ticket = store.append(events, ids=[EventId.new() for _ in events])
    ticket.wait()
    return ticket.places


def nearest_store() -> Path:
    """Where the store is that is used if none was entered: that of the step which is running, else the one found."""
    step = LISTENING.get()
    return find_store() if step is None else step.path
