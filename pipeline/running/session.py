"""A session: what runs of the same pipeline share that follow each other, as those of a sweep do."""

from __future__ import annotations

from ...store import Store
from ..deciding.cache import StepCache
from ..deciding.preparing import Preparer
from ..declaring.policy import UNSAID, Policy


class Session:
    """Their cache, where each finds what an earlier one has on its way, and their walk over the code.

    Not for several threads at once. The code is taken as it was when a run first met it.
    """

    def __init__(
        self, store: Store, policy: Policy = UNSAID, seed: int | None = None, *, allow_pickle: bool = True
    ) -> None:
        """Begin a session of runs under one policy and seed."""
        self.cache = StepCache(store)
        self.preparer = Preparer(store, policy, seed, allow_pickle=allow_pickle)
