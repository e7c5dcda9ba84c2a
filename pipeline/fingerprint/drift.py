"""Live objects whose state is no cause: it drifts while code runs, or is hidden from pickling.

A lock, a queue, an open file or an iterator is in another state after each use, and a step that uses one would be
another step each time. What such an object *is* determines a result, not how far it has been used: it counts by its
type, and by the expression that made it. Containers and attributes that code fills as it runs are not among them: no
syntax tells a memo from a registry, so they count by what they hold.
"""

from __future__ import annotations

import copyreg
from types import FunctionType
from weakref import WeakKeyDictionary

_DRIFTING = frozenset(
    {
        *("random.Random", "random.SystemRandom"),
        *("numpy.random.mtrand.RandomState", "numpy.random._generator.Generator"),
        *("_thread.lock", "_thread.RLock", "_thread._local", "threading._RLock", "_threading_local.local"),
        *("threading.Condition", "threading.Event", "threading.Semaphore", "threading.Barrier", "threading.Thread"),
        *("queue.Queue", "_queue.SimpleQueue", "sched.scheduler", "subprocess.Popen", "socket.socket"),
        *("concurrent.futures._base.Executor", "concurrent.futures._base.Future", "_asyncio.Future"),
        *("asyncio.mixins._LoopBoundMixin", "asyncio.events.AbstractEventLoop"),
        *("multiprocessing.synchronize.SemLock", "multiprocessing.synchronize.Event", "multiprocessing.pool.Pool"),
        *("_io._IOBase", "tempfile._TemporaryFileWrapper", "tempfile.TemporaryDirectory", "logging.Handler"),
        *("builtins.map", "builtins.filter", "builtins.zip", "builtins.enumerate", "builtins.reversed"),
        *("builtins.generator", "builtins.coroutine", "builtins.async_generator"),
    }
)
_known: WeakKeyDictionary[type, bool] = WeakKeyDictionary()


def drifts(kind: type) -> bool:
    """Whether the state of this type's instances changes as they are used, and is not what they are."""
    known = _known.get(kind)
    if known is None:
        known = _known[kind] = _is_iterator(kind) or any(_full_name(base) in _DRIFTING for base in kind.__mro__)
    return known


def _is_iterator(kind: type) -> bool:
    return kind.__module__ == "itertools" or (kind.__module__ == "builtins" and kind.__name__.endswith("iterator"))


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def hides_state(kind: type) -> bool:
    """Whether the class says itself, in Python, how its instances are pickled, and may leave out what methods read."""
    if kind in copyreg.dispatch_table:
        return True
    names = ("__reduce_ex__", "__reduce__", "__getstate__")
    return any(isinstance(getattr(kind, name, None), FunctionType) for name in names)
