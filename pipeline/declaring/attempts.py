"""Attempts: how often, how long and on what failures a step is tried; none of it counts in a fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self, TypedDict

from blake3 import blake3

from ...errors import InvalidPipeline
from ...events.ids import RunId
from ...history.references import near

Kinds = type[BaseException] | tuple[type[BaseException], ...]


class AttemptOptions(TypedDict, total=False):
    """How a step is tried, as users say it; see `Attempts`."""

    retries: int
    retry_delay_s: float
    retry_backoff: float
    retry_jitter: float
    retry_on: Kinds
    retry_if: Callable[[BaseException], bool] | None
    timeout_s: float | None


_FIELDS = {"retry_delay_s": "delay_s", "retry_backoff": "backoff", "retry_jitter": "jitter"}


def name_of(kind: type[BaseException]) -> str:
    """A kind of exception, by module and name."""
    return f"{kind.__module__}.{kind.__qualname__}"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How a step is tried."""

    retries: int = 0
    """How often it is tried again at most."""
    delay_s: float = 0.0
    """How long the first retry waits."""
    backoff: float = 1.0
    """By what each further wait is longer than the one before."""
    jitter: float = 0.0
    """Which part of a wait is left to chance, from 0 to 1: the run's own, so that it is known beforehand."""
    retry_on: Kinds = Exception
    """What it must have raised to be tried again."""
    retry_if: Callable[[BaseException], bool] | None = None
    """What must be true of that, too."""
    timeout_s: float | None = None
    """How long an attempt may take; then it is stopped. A step with a limit executes in a process of its own."""

    def but(self, said: AttemptOptions) -> Self:
        """These, except for what was said.

        Raises:
            InvalidPipeline: One of the options is unknown, or can't be what it was said to be.
        """
        known = AttemptOptions.__annotations__.keys()
        unknown = said.keys() - known
        if unknown:
            raise InvalidPipeline(f"there is no option {min(unknown)!r}", hint=near(min(unknown), known))
        changes: dict[str, Any] = {_FIELDS.get(name, name): value for name, value in said.items()}
        attempts = replace(self, **changes)
        attempts._check()
        return attempts

    def _check(self) -> None:
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise InvalidPipeline(f"retries is {self.retries!r}", hint="Say how often it may be tried again.")
        if self.delay_s < 0 or self.backoff < 1 or not 0 <= self.jitter <= 1:
            raise InvalidPipeline(
                "a retry can't wait so", hint="Delays are not negative, backoff is 1 or more, jitter from 0 to 1."
            )
        if self.timeout_s is not None and self.timeout_s <= 0:
            raise InvalidPipeline(f"timeout_s is {self.timeout_s!r}", hint="Give more than 0 seconds.")
        kinds = self.retry_on if isinstance(self.retry_on, tuple) else (self.retry_on,)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise InvalidPipeline(f"retry_on is {self.retry_on!r}", hint="Give types of exceptions.")

    def may_retry(self, attempt: int, error: BaseException | None, kinds: tuple[str, ...]) -> bool:
        """Whether another attempt follows one, from 1, that raised this.

        Where nothing could carry the exception here, only the names of its kinds, there is nothing to be true of it.
        """
        if attempt > self.retries:
            return False
        if error is None:
            wanted = self.retry_on if isinstance(self.retry_on, tuple) else (self.retry_on,)
            return self.retry_if is None and any(name_of(kind) in kinds for kind in wanted)
        return isinstance(error, self.retry_on) and self._is_wanted(error)

    def _is_wanted(self, error: BaseException) -> bool:
        """What ``retry_if`` says; where it raises, no, and the error that it was asked about says so."""
        if self.retry_if is None:
            return True
        try:
            return bool(self.retry_if(error))
        except Exception as another:  # noqa: BLE001 — the user's; what the step raised must be recorded all the same
            error.add_note(f"It is not tried again: retry_if raised {type(another).__qualname__}: {another}")
            return False

    def delay_after_s(self, attempt: int, run: RunId, step: str) -> float:
        """How long to wait after an attempt, from 1: the same for the same attempt of the same run."""
        wait_s = self.delay_s * self.backoff ** (attempt - 1)
        drawn = int.from_bytes(blake3(run + f"/{step}/{attempt}".encode()).digest(8), "little") / 2**64
        return wait_s * (1 - self.jitter * drawn)


ONCE = Attempts()
"""One attempt, however long it takes."""
