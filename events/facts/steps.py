"""Facts of step runs."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import Fingerprint, RunId, StepRunId
from .base import Event, literals
from .records import Difference, Failure, Input, Output, Resources


def _held(
    inputs: tuple[Input, ...], outputs: tuple[Output, ...], code: Digest, log: Digest | None
) -> tuple[Digest, ...]:
    held = []
    for output in outputs:
        held.append(output.content)
    held.append(code)
    held += literals(inputs)
    if log is not None:
        held.append(log)
    return tuple(held)


class StepStarted(Event):
    """A step run began to execute."""

    TYPE: ClassVar[str] = "step.started/1"
    run: RunId
    step: str
    function: str
    """Module and qualified name of the step's function."""
    fingerprint: Fingerprint
    inputs: tuple[Input, ...]
    code: Digest | None = None
    """Blob of the code manifest, stored with this event; None where an older version wrote it."""
    because: str | None = None
    """Why no result was taken though there may have been one: its policy was ``off`` or ``refresh``, or the result had
    ``expired``; None if there was none to take."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        held = literals(self.inputs)
        return held if self.code is None else (self.code, *held)


class StepCompleted(Event):
    """A step run executed to its end; its outputs are stored."""

    TYPE: ClassVar[str] = "step.completed/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    """Blob of the code manifest."""
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    started_us: int
    duration_us: int
    log: Digest | None
    """Blob of what the step printed; None if it printed nothing."""
    docstring: str | None = None
    resources: Resources | None = None
    is_offered: bool = True
    """Whether later runs may be served with the outputs."""
    missed: tuple[str, ...] = ()
    """References by which it looked for artifacts where there were none."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, self.outputs, self.code, self.log)


class StepReused(Event):
    """A step run was served from the cache: nothing executed."""

    TYPE: ClassVar[str] = "step.reused/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    reuses: StepRunId
    """The step run that executed."""
    started_us: int
    duration_us: int
    docstring: str | None = None
    missed: tuple[str, ...] = ()
    """As of `StepCompleted`."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, self.outputs, self.code, None)


class StepFailed(Event):
    """A step raised, or gave what can't be saved, and is not tried again."""

    TYPE: ClassVar[str] = "step.failed/1"
    run: RunId
    step: str
    function: str
    fingerprint: Fingerprint
    code: Digest
    inputs: tuple[Input, ...]
    failure: Failure
    started_us: int
    duration_us: int
    log: Digest | None
    docstring: str | None = None
    resources: Resources | None = None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return _held(self.inputs, (), self.code, self.log)


class StepRetried(Event):
    """An execution of a step raised, and it is to be tried again."""

    TYPE: ClassVar[str] = "step.retried/1"
    run: RunId
    step: str
    function: str
    attempt: int
    """Which execution it was that raised, from 1."""
    failure: Failure
    started_us: int
    duration_us: int
    delay_us: int
    """How long the next execution waits."""
    log: Digest | None

    @property
    def refs(self) -> tuple[Digest, ...]:
        return () if self.log is None else (self.log,)


class StepStopped(Event):
    """An execution of a step was stopped before its end, as its run was cancelled; the step has no end of its own."""

    TYPE: ClassVar[str] = "step.stopped/1"
    run: RunId
    step: str
    function: str
    attempt: int
    """Which execution it was, from 1."""
    started_us: int
    duration_us: int
    log: Digest | None
    """Blob of what it had printed by then, as far as that is known; None if that is nothing."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return () if self.log is None else (self.log,)


class StepSkipped(Event):
    """A step did not run because another one failed."""

    TYPE: ClassVar[str] = "step.skipped/1"
    run: RunId
    step: str
    function: str
    because: str


class DivergenceSeen(Event):
    """A step ran again for a fingerprint that had a result, and gave another one."""

    TYPE: ClassVar[str] = "divergence.seen/1"
    run: RunId
    step: str
    fingerprint: Fingerprint
    first: StepRunId
    """The step run that gave the result in the cache."""
    differences: tuple[Difference, ...]
