"""The structure of the database's file, looked at without LMDB, which trusts every page that it maps."""

from __future__ import annotations

from pathlib import Path

from lmdb.verify import VerifyError
from lmdb.verify import verify as verify_pages

from .environment import Environment, last_commit

_TRIES = 10


def structural_faults(path: Path) -> list[str]:
    """What is wrong with a database's pages: their numbers, kinds, bounds, order; and that each is used once or free.

    The bytes of values are not looked at. Cost: about 100 MB/s, in memory of a thousandth of the file. A commit
    meanwhile can show as a fault; so what shows is looked at anew, until nothing was committed meanwhile.
    """
    for _ in range(_TRIES):
        before = last_commit(path)
        faults = _faults(path)
        if not faults or last_commit(path) == before:
            return faults
    return []  # Never seen at rest, so nothing can be said; rows and events have checks of their own.


def structural_faults_of(environment: Environment) -> list[str]:
    """The same of a database that is open: what shows is looked at anew while nobody may write."""
    path = environment.data_file
    if environment.read_only:
        return structural_faults(path)
    if not _faults(path):
        return []
    with environment.begin(write=True):
        return _faults(path)


def _faults(path: Path) -> list[str]:
    try:
        return list(verify_pages(str(path), subdir=False))  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]
