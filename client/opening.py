"""Opening a store, and the one in force."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..cas.durable import disk_errors
from ..cas.environment import DATA_FILE
from ..directory import LOG, find_store
from ..errors import StoreClosed
from ..history import ArtifactVersionView, RunView
from ..in_force import InForce, entered_store, opened_to_write, store_in_use
from ..store import open_store
from .client import Client

if TYPE_CHECKING:
    from ..migration import Foreseen


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    create: bool = True,
    allow_pickle: bool | None = None,
    visualize: bool = True,
    check_structure: bool = False,
) -> Client:
    """Open a store, or a bundle as a store that is read only.

    To open one does not make it the one that pipelines and the functions of `lineal` use: who opens a second store, to
    look something up, must not move where runs go. Only ``with lineal.open(path):`` does, inside the block, or
    ``LINEAL_STORE`` for the whole process. Where a store is found and used while only another one is open to write,
    an `OtherStoreWarning` says so.

    Args:
        path: Its directory; by default ``LINEAL_STORE``, else the nearest ``.lineal`` upwards, else a new one here. Or
            the file that `Client.export_bundle` wrote.
        read_only: Write nothing to the directory; so it is with a bundle, whatever is said here.
        create: Make the store if there is none.
        allow_pickle: Load values whose format executes code; by default those of a store, and none of a bundle.
        visualize: Keep what values show of themselves, where neither a step nor its pipeline says otherwise.
        check_structure: Look at every page of the database first, as is wise before a store that may be damaged is
            used: a page with a flipped bit can end the process that maps it. Cost: a second for 100 MB of log.

    Raises:
        StoreNotFound, NotAStore, FormatTooNew, FormatTooOld, LogCorrupt, StoreFull, Conflict: As
            `lineal.store.open_store` says.
        BundleCorrupt, BundleRefused: The bundle is damaged, or was made to mislead.
    """
    found = find_store(path)
    with disk_errors(found):
        is_file = found.is_file()
    if is_file:
        from ..bundles import is_bundle, open_bundle  # Imported on use: hardly any opening has to.

        if is_bundle(found):
            return Client(InForce(open_bundle(found), True, bool(allow_pickle), visualize))
    if check_structure:
        from ..verification import require_structure

        require_structure(found / LOG / DATA_FILE)
    store = open_store(found, read_only=read_only, create=create)
    client = Client(InForce(store, read_only, allow_pickle is not False, visualize))
    if not read_only:
        opened_to_write(client, store.path)
    return client


def foreseen_migration(path: str | os.PathLike[str] | None = None) -> Foreseen:
    """What opening a store to write would do to its format first. Changes nothing.

    Raises:
        StoreNotFound, NotAStore, FormatTooNew: As `open` says.
    """
    from ..migration import foreseen

    return foreseen(find_store(path))


def open_to_read(path: str | os.PathLike[str] | None = None, *, check_structure: bool = False) -> Client:
    """Open a store that is there, to read it: like any other, so that a run whose process died reads as interrupted;
    and as it is where it can't be written to, as on a read-only mount. Raises as `open` does.
    """
    try:
        return open(path, create=False, check_structure=check_structure)
    except StoreClosed:
        return open(path, create=False, read_only=True, check_structure=check_structure)


def current() -> Client:
    """The store of the enclosing ``with lineal.open(…)``, else the one that `open` finds, to read it.

    Raises:
        StoreNotFound: There is none; reading makes none.
    """
    opened = entered_store()
    return open_to_read(store_in_use()) if opened is None else Client(opened, is_borrowed=True)


def save(value: Any, name: str) -> ArtifactVersionView:
    """Save a value in the store in force, made if need be; as `Client.save`."""
    opened = entered_store()
    client = open(store_in_use()) if opened is None else Client(opened, is_borrowed=True)
    return client.save(value, name)


def load(reference: str) -> Any:
    """Load a value from the store in force; as `Client.load`."""
    return current().load(reference)


def artifact(reference: str) -> ArtifactVersionView:
    """A version of an artifact in the store in force; as `History.artifact`."""
    return current().artifact(reference)


def runs(
    pipeline: str | None = None,
    *,
    status: str | None = None,
    tag: str | None = None,
    where: str | None = None,
    order: str = "newest",
    limit: int | None = None,
) -> Iterator[RunView]:
    """Runs in the store in force, newest first; as `History.runs`, which can be asked for more."""
    return current().runs(pipeline, status=status, tag=tag, where=where, order=order, limit=limit)
