"""Pools that are kept warm between runs: one for each description, while what its processes see stays as it is."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .pool import Processes, WorkerPool

_Surroundings = tuple[dict[str, str], str, tuple[str, ...]]


class WarmPools:
    """The pools of this process. Threads may share it; a forked child begins with none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[Processes, tuple[WorkerPool, _Surroundings]] = {}
        os.register_at_fork(after_in_child=self._abandon)
        atexit.register(self._end)

    @contextmanager
    def leased(self, processes: Processes) -> Iterator[WorkerPool]:
        """A pool of this description; runs at the same time share its workers."""
        pool = self._lease(processes)
        try:
            yield pool
        finally:
            pool.release()

    def _lease(self, processes: Processes) -> WorkerPool:
        surroundings = dict(os.environ), os.getcwd(), tuple(sys.path)
        with self._lock:
            known = self._pools.get(processes)
            if known is not None and known[1] == surroundings and known[0].lease():
                return known[0]
            if known is not None:
                known[0].retire()
            pool = WorkerPool(processes)
            pool.lease()
            self._pools[processes] = pool, surroundings
            return pool

    def _abandon(self) -> None:
        self._lock = threading.Lock()
        for pool, _ in self._pools.values():
            pool.abandon()
        self._pools.clear()

    def _end(self) -> None:
        for pool, _ in self._pools.values():
            pool.kill()


warm_pools = WarmPools()
"""Those of this process."""
