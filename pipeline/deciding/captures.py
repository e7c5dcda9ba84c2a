"""Captures: the environments and the code that a store meets for the first time are facts of their own."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from ...cas import Batch, Digest
from ...events.catalogue import CodeCaptured, EnvironmentCaptured
from ...events.projections import Causes
from ...events.rows import key
from ...history import Trust
from ...store import Store
from ..fingerprint.graph import Node
from ..graph.graph import Graph
from .sources import capture_sources

_recorded: WeakKeyDictionary[Store, set[bytes]] = WeakKeyDictionary()
"""By store, the rows that it is known to have: what is recorded stays so."""
_pipelines: WeakKeyDictionary[Store, dict[Any, tuple[tuple[int, ...], list[Any], Digest]]] = WeakKeyDictionary()
"""By store and function: what told its code, by identity; the same, kept so that nothing takes its place; the code."""
_PIPELINES_MAX = 100


def new_environment(store: Store, environment: Digest) -> list[EnvironmentCaptured]:
    """The fact that this process's environment was captured, unless the store has it. Two at once may both say it."""
    if _is_recorded(store, key("e", environment)):
        return []
    return [EnvironmentCaptured(environment, platform.python_version(), platform.platform())]


def new_code(
    store: Store, code: Digest, function: str, batch: Batch, reached: Callable[[], Iterable[Node]]
) -> list[CodeCaptured]:
    """The fact that a function had this code, unless the store has it from who is trusted. Two may both say it.

    Args:
        store: What has it or not.
        code: The digest of the code manifest.
        function: Module and qualified name of the step's function.
        batch: What takes its source files, which the fact names.
        reached: Gives the code that the step reaches; called only if it is new.
    """
    if has_code(store, code, function):
        return []
    return [CodeCaptured(code, function, *capture_sources(reached(), batch))]


def has_code(store: Store, code: Digest, function: str) -> bool:
    """Whether the store has the fact that a function had this code."""
    return _is_recorded(store, key("c", code, function))


def known_pipeline(store: Store, function: Any, graph: Graph) -> Digest | None:
    """The code manifest of a pipeline's function that was remembered; None where it may have changed since.

    It counts as unchanged while the function's code, what the names it uses are bound to, and the functions of its
    steps are the very same objects. What steps reach beyond that is captured with the steps. Cost: about a microsecond.
    """
    known = _pipelines.get(store, {}).get(function)
    if known is None or tuple(map(id, _parts(function, graph))) != known[0]:
        return None
    return known[2]


def remember_pipeline(store: Store, function: Any, graph: Graph, code: Digest) -> None:
    """Let `known_pipeline` know; of many, those that came last."""
    pipelines = _pipelines.setdefault(store, {})
    pipelines.pop(function, None)
    parts = _parts(function, graph)
    pipelines[function] = tuple(map(id, parts)), parts, code
    if len(pipelines) > _PIPELINES_MAX:
        del pipelines[next(iter(pipelines))]


def qualified_name(function: Any) -> str:
    """Module and qualified name."""
    return f"{function.__module__}.{function.__qualname__}"


def _parts(function: Any, graph: Graph) -> list[Any]:
    code = function.__code__
    space = getattr(function, "__globals__", {})
    return [code, *map(space.get, code.co_names), *[node.step.function for node in graph.nodes]]


def _is_recorded(store: Store, row_key: bytes) -> bool:
    recorded = _recorded.setdefault(store, set())
    if row_key not in recorded:
        trust = Trust(store)
        found = trust.newest(store.committed_rows(Causes.name), row_key)
        if found is not None and trust.doubted_source(found.seq) is None:
            recorded.add(row_key)
    return row_key in recorded
