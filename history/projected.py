"""Projections of users: folded from the log like our own, in databases of their own, which may be deleted at any time.

They are in ``projections/<name>/<version>/`` of the store, or, where nothing may be written, in a temporary directory.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from ..cas.durable import disk_errors
from ..cas.environment import Changes, Environment
from ..errors import Invalid, InvalidName, ProjectionFailed
from ..events.log import Log
from ..events.projections import Projection
from ..events.projector import Projector
from ..events.rows import STAMP_BYTES, RowReader
from ..events.standing import META, Standing, databases_of, decode_standing, encode_standing, standing_key
from ..store import Store

if TYPE_CHECKING:
    import lmdb

DIRECTORY = "projections"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_KEY_MAX_BYTES = 511
"""LMDB's limit."""
_MAP_SIZE_BYTES = 64 << 30
_CHAIN = b"chain"
"""Where the chain hash over all that is folded in is kept: another log may be put into the store's place."""


def projected(store: Store, projection: Projection, upto: int | None) -> RowReader:
    """A projection's rows as of a position, or as they are; as `History.projected` says."""
    _check(projection)
    environment = _shelf_of(store).environment(projection)
    name = projection.name
    projector = Projector(
        environment,
        store.log,
        lambda txn: _OwnChanges(environment, txn, store.log, name),
        kept=(),
        behind=(projection,),
    )
    store.head()  # What this process has on its way is in the log then.
    if not _is_of_this_log(environment, store.log, projection):
        _start_over(environment, projection)
    projector.catch_up(name)
    _shelf_of(store).remove_older(projection)
    return RowReader(environment, name, upto)


def _check(projection: Projection) -> None:
    if not _NAME.fullmatch(projection.name):
        raise InvalidName(
            f"a projection can't be called {projection.name!r}",
            hint="Use lower-case letters, digits, - and _, up to 64 of them.",
        )
    if not isinstance(projection.version, int) or projection.version < 1:
        raise Invalid(f"{projection.name} has the version {projection.version!r}", hint="Count versions from 1.")


def _is_of_this_log(environment: Environment, log: Log, projection: Projection) -> bool:
    """Whether rows are there, and were folded from events that the log has."""
    with environment.begin() as txn:
        meta = environment.databases[META]
        standing, chain = decode_standing(txn.get(standing_key(projection.name), db=meta)), txn.get(_CHAIN, db=meta)
        chain = None if chain is None else bytes(chain)
    if standing is None or standing.upto is None:
        return False
    if standing.upto == 0:
        return True
    return standing.upto <= log.head().seq and log.get(standing.upto).chain == chain


def _start_over(environment: Environment, projection: Projection) -> None:
    with environment.begin(write=True) as txn:
        txn.drop(environment.databases[projection.name], delete=False)
        standing = encode_standing(Standing(projection.version, projection.name, 0))
        txn.put(standing_key(projection.name), standing, db=environment.databases[META])


class _OwnChanges(Changes):
    """What is folded in of the log: the user's rows, and in the same transaction how far they go."""

    def __init__(self, environment: Environment, txn: lmdb.Transaction, log: Log, name: str) -> None:
        super().__init__(environment, txn)
        self._log = log
        self._name = name

    def flush(self) -> None:
        """Hand everything to LMDB, unless it has no place for a key."""
        for place in self.gathered(self._name):
            if len(place) > _KEY_MAX_BYTES:
                seq = int.from_bytes(place[-STAMP_BYTES:-4], "big")
                raise ProjectionFailed(
                    f"{self._name} has given event {seq} a row under a key of {len(place) - STAMP_BYTES} bytes",
                    hint="Make keys with lineal.events.projections.key: it shortens long texts.",
                    seq=seq,
                )
        standing = decode_standing(self.get(META, standing_key(self._name)))
        if standing is not None and standing.upto:
            self.put(META, _CHAIN, self._log.get(standing.upto).chain)
        super().flush()


class _Shelf:
    """The databases of projections that one store has open; each is opened once a process."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._opening = threading.Lock()
        self._open: dict[Path, tuple[Environment, tuple[int, int]]] = {}

    def environment(self, projection: Projection) -> Environment:
        """The one of a projection, made if need be; one that was deleted meanwhile is made anew."""
        directory = self._home / projection.name / str(projection.version)
        with self._opening, disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
            state = os.stat(directory)
            identity = (state.st_dev, state.st_ino)
            environment, opened = self._open.get(directory, (None, None))
            if environment is None or opened != identity:
                # Whoever reads in the one that was deleted has it until then; nobody else gets it.
                databases = (META, *databases_of(projection.name))
                environment = Environment(directory, databases, map_size_bytes=_MAP_SIZE_BYTES, read_only=False)
                self._open[directory] = environment, identity
            return environment

    def remove_older(self, projection: Projection) -> None:
        """Remove what older versions left. A process that has one open reads on in it."""
        import shutil  # Imported on use: it brings every kind of compression.

        for directory in list((self._home / projection.name).iterdir()):
            if directory.name.isdigit() and int(directory.name) < projection.version:
                shutil.rmtree(directory, ignore_errors=True)

    def close(self) -> None:
        """Let go of all."""
        for environment, _ in self._open.values():
            environment.close()
        self._open.clear()


_shelves: weakref.WeakKeyDictionary[Store, _Shelf] = weakref.WeakKeyDictionary()
_shelving = threading.Lock()


def _shelf_of(store: Store) -> _Shelf:
    with _shelving:
        shelf = _shelves.get(store)
        if shelf is None:
            home = store.path / DIRECTORY
            if store.read_only:
                import tempfile  # Imported on use, as most stores can be written to.

                scratch = store.until_closed.enter_context(tempfile.TemporaryDirectory(prefix="lineal-"))
                home = Path(scratch)
            shelf = _shelves[store] = _Shelf(home)
            store.until_closed.callback(shelf.close)
        return shelf
