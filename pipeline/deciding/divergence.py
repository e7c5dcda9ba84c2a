"""Divergence: a step that ran again for a fingerprint which has a result, and gave another one."""

from __future__ import annotations

from ...events.catalogue import Difference, DivergenceSeen, Output
from ...events.ids import RunId
from .preparing import Ready


def divergence(run: RunId, ready: Ready, outputs: tuple[Output, ...]) -> list[DivergenceSeen]:
    """How what a step gave differs from what is in the cache, if it does."""
    if ready.newest is None or (ready.newest.loads, ready.newest.missed) != (ready.loads, ready.missed):
        return []
    before = {output.name: output.content for output in ready.newest.outputs}
    differences = [
        Difference(output.name, before[output.name], output.content)
        for output in outputs
        if before.get(output.name, output.content) != output.content
    ]
    if not differences:
        return []
    return [DivergenceSeen(run, ready.node.name, ready.fingerprint, ready.newest.step, tuple(differences))]
