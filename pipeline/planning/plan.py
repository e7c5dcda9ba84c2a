"""The plan of a run: what to run, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...events.catalogue import Again
from ...history import RunView
from ..declaring.policy import UNSAID, Policy
from ..executing.hooks import NO_HOOKS, Hooks
from ..graph.graph import Graph
from ..graph.live import LiveRun
from .earlier import Done

FailurePolicy = Literal["stop", "continue"]
"""``stop``: what executes ends, and nothing more begins. ``continue``: what doesn't depend on what failed runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how."""

    pipeline: str
    graph: Graph
    parameters: Mapping[str, Any]
    docstring: str | None = None
    run_name: str | None = None
    """None where the run is to be named after its pipeline and number."""
    policy: Policy = UNSAID
    """What holds for steps that don't say so themselves."""
    seed: int | None = None
    """Of steps that have none themselves."""
    function: Callable[..., Any] | None = None
    """The pipeline's function, whose code is recorded; None where there is none."""
    again: Again | None = None
    """The earlier run that this one does again."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """What is not to be done again, by step, whatever its policy."""
    failure: FailurePolicy = "stop"
    """What a step that failed means for those that don't depend on it."""
    hooks: Hooks[RunView] = NO_HOOKS
    """What is called when the run has ended."""
    body: Callable[[LiveRun], object] | None = None
    """Of a dynamic pipeline, what calls its steps while they run."""
