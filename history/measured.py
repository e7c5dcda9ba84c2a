"""What a run's metric of a name is: its own, else that of a step of it."""

from __future__ import annotations

from .metrics import MetricView
from .views import RunView


def metric_of(run: RunView, name: str) -> MetricView | None:
    """A run's metric, else that of the first of its steps which has it; of one step as ``step/metric``.

    Cost: a few lookups for each step, where the run itself has none of this name.
    """
    own = run.metrics.get(name)
    if own is not None:
        return own
    steps = run.steps
    step, _, metric = name.rpartition("/")
    if step in steps and metric in steps[step].metrics:
        return steps[step].metrics[metric]
    return next((found for one in steps.values() if (found := one.metrics.get(name)) is not None), None)
