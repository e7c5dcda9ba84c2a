"""The running step's context: what it knows of itself, and what it tells beside its outputs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ...during import During
from ...errors import InvalidPipeline, NoStepRunning
from ...events.ids import RunId
from ...history.references import near
from ...labels import plain_annotations
from ..capturing.threads import inherited
from ..surroundings.seeds import Entropy

if TYPE_CHECKING:
    import numpy as np

STEP = ""
"""Stands for the step run itself among what metadata can be about; no output is called so."""


class Point(NamedTuple):
    """A value of a metric on its way to the process that drives the run."""

    name: str
    value: float
    step: int | None
    time_us: int


class Reports(Protocol):
    """Where a step's reports go while it executes, and what only the outside of it can give. Threads may share it."""

    points: Sequence[Point]
    """What was taken of metrics and is still to be put into the store."""

    def run_name(self) -> str:
        """The name of its run."""

    def metric(self, name: str, value: Any, step: Any) -> None:
        """Take a point of a metric."""

    def progress(self, done: float, total: float | None, note: str) -> None:
        """Hear how far it is."""

    def scratch_directory(self) -> Path:
        """Make a directory for it."""


class StepContext:
    """The step that is running: `lineal.context` gives it. Threads that the step starts may use it, too."""

    def __init__(
        self,
        *,
        run_id: RunId,
        pipeline: str,
        step: str,
        attempt: int,
        outputs: Sequence[str],
        entropy: Entropy,
        reports: Reports,
        within: tuple[RunId, ...] = (),
    ) -> None:
        """Begin; use it in `running`."""
        self.run_id = run_id
        self.within = within
        """The runs in whose steps that run was begun, the outermost first."""
        self.pipeline = pipeline
        """Name of the pipeline."""
        self.step = step
        """Name of the step in the run."""
        self.attempt = attempt
        """Which execution this is of those that the step may take, from 1."""
        self.metadata: dict[str, dict[str, Any]] = {}
        """What was told of each output, and of the step run under `STEP`."""
        self._outputs = outputs
        self._entropy = entropy
        self._reports = reports
        self._directory: Path | None = None
        self._has_ended = False

    @property
    def run_name(self) -> str:
        """Name of the run."""
        return self._reports.run_name()

    @property
    def temporary_directory(self) -> Path:
        """A directory for this execution, made when first asked for; it is removed when the step ends."""
        self._require_running()
        if self._directory is None:
            self._directory = self._reports.scratch_directory()
        return self._directory

    @property
    def seed(self) -> int | None:
        """A seed of 32 bits, if the step or its pipeline has ``seed=``: the same wherever and whenever it runs."""
        return self._entropy.seed

    def rng(self) -> np.random.Generator:
        """A new generator at each call, which gives the same numbers each time for the same causes of the step.

        It is derived from ``seed=`` of the step or its pipeline, if there is one, and the step's fingerprint, and is
        nobody else's: use it where threads share the global ones.
        """
        return self._entropy.rng()

    def log_metadata(self, values: Mapping[str, Any] | None = None, /, *, to: str | None = None, **more: Any) -> None:
        """Note something of this step run, key by key; it is committed with the step's end. See `Client.annotate`.

        Args:
            values: By key, of plain types: None, bool, int, float, str, bytes, and lists and dicts of them; together
                no more than 64 KiB.
            to: The name of an output: then it is noted of the artifact version that this becomes.
            more: The same as ``values``.

        Raises:
            InvalidPipeline: The step has no such output.
            UnsavableValue, InvalidName: A value is not plain, a key can't be one, or they are too large.
        """
        self._require_running()
        if to is not None and to not in self._outputs:
            raise InvalidPipeline(f"step {self.step!r} has no output {to!r}", hint=near(to, self._outputs))
        subject = STEP if to is None else to
        self.metadata[subject] = plain_annotations({**self.metadata.get(subject, {}), **(values or {}), **more})

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Log a value of a metric of this step run; cheap enough for each batch of a training.

        Args:
            name: The metric's.
            value: A number, NaN and infinities included.
            step: Where it stands, as an epoch; by default one after the metric's last one, from 0.

        Raises:
            InvalidName, UnsavableValue: A metric can't be called so, or the value is no number.
        """
        self._require_running()
        self._reports.metric(name, value, step)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell whoever watches the run how far the step is: so much done of so much, in what unit ever."""
        self._require_running()
        self._reports.progress(done, total, note)

    def _require_running(self) -> None:
        if self._has_ended:
            raise NoStepRunning(
                f"step {self.step!r} has ended", hint="Wait for the threads that a step starts before it returns."
            )

    def end(self) -> None:
        """Take nothing more, and remove the temporary directory."""
        self._has_ended = True
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)  # What stays goes when its process has.

    def __repr__(self) -> str:
        return f"<StepContext {self.run_name}/{self.step}>"


_running: ContextVar[StepContext | None] = inherited(ContextVar("lineal_step", default=None))


class _Running(During[StepContext | None]):
    """A context in force, which ends with the block."""

    __slots__ = ()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._value is not None:
            self._value.end()


def running(context: StepContext) -> During[StepContext | None]:
    """Make this the context of what runs inside, and end it."""
    return _Running(_running, context)


def context() -> StepContext:
    """The context of the step that is running. Raises `NoStepRunning` where none is."""
    found = _running.get()
    if found is None:
        raise NoStepRunning(
            "no step is running here",
            hint="Call this in a step that a pipeline runs; a step that is called by itself is the plain function.",
        )
    return found


def enclosing_runs() -> tuple[RunId, ...]:
    """The runs whose steps are running here, the outermost first: none can end before what is begun here has."""
    found = _running.get()
    return () if found is None else (*found.within, found.run_id)


def log_metadata(values: Mapping[str, Any] | None = None, /, *, to: str | None = None, **more: Any) -> None:
    """Note something of the step run that is running, or of an output of it; see `StepContext.log_metadata`."""
    context().log_metadata(values, to=to, **more)


def log_metric(name: str, value: float, step: int | None = None) -> None:
    """Log a value of a metric of the step run that is running; see `StepContext.log_metric`."""
    context().log_metric(name, value, step)
