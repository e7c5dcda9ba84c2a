"""Facts of runs."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import RunId
from .base import Event, literals
from .records import Again, Input, Process


class RunStarted(Event):
    """A pipeline was called."""

    TYPE: ClassVar[str] = "run.started/1"
    run: RunId
    pipeline: str
    structure: Digest
    """Blob of the graph: what tells one pipeline version from another."""
    parameters: tuple[Input, ...]
    name: str | None
    """None where the run is to be named after its pipeline and number."""
    process: Process
    environment: Digest
    """Blob that describes Python, machine, packages and variables."""
    docstring: str | None = None
    lease_until_us: int | None = None
    """Until when other hosts take the run for alive, unless it is renewed; None where an older version wrote it."""
    function: str | None = None
    """Module and qualified name of the pipeline's function; None of a run that has none, or of an older version."""
    code: Digest | None = None
    """Blob of the code manifest of that function."""
    again: Again | None = None
    """The earlier run that it does again."""
    checkout: Digest | None = None
    """Blob that describes the git checkout that the code came from; None if it came from none."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        more = [blob for blob in (self.code, self.checkout) if blob is not None]
        return (self.structure, self.environment, *more, *literals(self.parameters))


class RunRenewed(Event):
    """A run that takes long said that it is alive."""

    TYPE: ClassVar[str] = "run.renewed/1"
    run: RunId
    lease_until_us: int


class RunCompleted(Event):
    """All steps of a run were executed or reused."""

    TYPE: ClassVar[str] = "run.completed/1"
    run: RunId


class RunFailed(Event):
    """A run ended because a step failed."""

    TYPE: ClassVar[str] = "run.failed/1"
    run: RunId
    step: str | None
    message: str


class RunCancelled(Event):
    """A run ended because somebody stopped it, as with Ctrl-C."""

    TYPE: ClassVar[str] = "run.cancelled/1"
    run: RunId
    reason: str


class RunInterrupted(Event):
    """A run was found to have ended without a word of its own: its process died, or its lease ran out."""

    TYPE: ClassVar[str] = "run.interrupted/2"
    run: RunId
    reason: str
