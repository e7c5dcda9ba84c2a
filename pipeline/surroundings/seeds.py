"""Seeds: randomness that depends on a step's causes alone, whatever executor it runs on and in which order."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...cas.digest import Digest, digest_of
from ...errors import InvalidPipeline
from ...events.ids import Fingerprint

if TYPE_CHECKING:
    import numpy as np

SEED = "@seed"
"""What a declared seed is called among a step's inputs, as it determines the result: no parameter can be called so."""

_SEED_END = 1 << 64
_DOMAIN = b"lineal.seed/1\0"


@dataclass(frozen=True, slots=True)
class Entropy:
    """What the randomness of one step run is derived from: it travels with the task."""

    fingerprint: Fingerprint
    declared: int | None = None
    """What ``seed=`` said."""

    @property
    def seed(self) -> int | None:
        """A seed of 32 bits, which is as much as all libraries take; None where none was declared."""
        return None if self.declared is None else int.from_bytes(self._digest("global")[:4], "little")

    def rng(self) -> np.random.Generator:
        """A generator of its own."""
        import numpy as np

        return np.random.default_rng(int.from_bytes(self._digest("rng"), "little"))

    def _digest(self, purpose: str) -> Digest:
        return digest_of(_DOMAIN + f"{purpose} {self.declared} ".encode() + self.fingerprint)


def checked_seed(seed: Any, where: str) -> int | None:
    """Give back what ``seed=`` says. Raises `InvalidPipeline` for what is no whole number of 64 bits."""
    if seed is None or (type(seed) is int and 0 <= seed < _SEED_END):
        return seed
    raise InvalidPipeline(f"seed={seed!r} is no whole number from 0 to 2**64 - 1", where=where, hint="Say seed=0.")


_turn: ContextVar[Lock] = ContextVar("lineal_seeded", default=Lock())  # noqa: B039 — one lock for all is what is meant
"""Held by who has seeded the global generators; what runs inside of it has another one."""


def seeded(seed: int | None) -> AbstractContextManager[None]:
    """Seed the global generators of `random`, NumPy and, if it is imported, torch; afterwards put back their states.

    The generators are the process's: of seeded steps in several threads one runs at a time, and a thread that draws
    from them without being seeded disturbs the others. With None nothing is done.
    """
    return _AS_IT_IS if seed is None else _seeded(seed)


_AS_IT_IS = nullcontext()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with _turn.get():
        token = _turn.set(Lock())
        put_back = [seed_one(seed) for seed_one in _GENERATORS]
        try:
            yield
        finally:
            for restore in put_back:
                restore()
            _turn.reset(token)


def _seed_random(seed: int) -> Callable[[], object]:
    state = random.getstate()
    random.seed(seed)
    return lambda: random.setstate(state)


def _seed_numpy(seed: int) -> Callable[[], object]:
    import numpy as np  # The step may import it only later.

    state = np.random.get_state()
    np.random.seed(seed)
    return lambda: np.random.set_state(state)


def _seed_torch(seed: int) -> Callable[[], object]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return lambda: None
    state = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    torch.manual_seed(seed)

    def restore() -> None:
        torch.set_rng_state(state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)

    return restore


_GENERATORS = (_seed_random, _seed_numpy, _seed_torch)
