"""The plan of a run: what to run, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .graph import Graph
from .policy import UNSAID, Policy


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
