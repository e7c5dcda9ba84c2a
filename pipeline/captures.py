"""Captures: the environments and the code that a store meets for the first time are facts of their own."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from ..cas import Batch, Digest
from ..events.catalogue import CodeCaptured, EnvironmentCaptured
from ..events.projections import Causes
from ..events.rows import key
from ..store import Store
from .fingerprint.graph import Node
from .sources import capture_sources

_recorded: WeakKeyDictionary[Store, set[bytes]] = WeakKeyDictionary()
"""By store, the rows that it is known to have: what is recorded stays so."""


def new_environment(store: Store, environment: Digest) -> list[EnvironmentCaptured]:
    """The fact that this process's environment was captured, unless the store has it. Two at once may both say it."""
    if _is_recorded(store, key("e", environment)):
        return []
    return [EnvironmentCaptured(environment, platform.python_version(), platform.platform())]


def new_code(
    store: Store, code: Digest, function: str, batch: Batch, reached: Callable[[], Iterable[Node]]
) -> list[CodeCaptured]:
    """The fact that a function had this code, unless the store has it. Two at once may both say it.

    Args:
        store: What has it or not.
        code: The digest of the code manifest.
        function: Module and qualified name of the step's function.
        batch: What takes its source files, which the fact names.
        reached: Gives the code that the step reaches; called only if it is new.
    """
    if _is_recorded(store, key("c", code, function)):
        return []
    return [CodeCaptured(code, function, *capture_sources(reached(), batch))]


def _is_recorded(store: Store, row_key: bytes) -> bool:
    recorded = _recorded.setdefault(store, set())
    if row_key not in recorded and store.committed_rows(Causes.name).latest(row_key) is not None:
        recorded.add(row_key)
    return row_key in recorded
