"""Reproductions: what came of executing the steps of a run again, held against what they gave then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...cas.digest import Digest
from ...events.ids import RunId
from ...history.why import Difference
from ...materializers.comparing import Leaf

Verdict = Literal["same", "differs", "not comparable"]


@dataclass(frozen=True, slots=True)
class OutputCheck:
    """One output of a step, then and again."""

    output: str
    then: Digest
    """Its content id on record."""
    again: Digest
    leaves: tuple[Leaf, ...] = ()
    """Where inside it the values differ, the first few: a column, a key, a part."""

    @property
    def is_same(self) -> bool:
        """Whether it came out as it was."""
        return self.then == self.again


@dataclass(frozen=True, slots=True)
class StepCheck:
    """One step, then and again."""

    step: str
    verdict: Verdict
    why: str | None = None
    """What it can't be compared for, or what is known of a difference."""
    outputs: tuple[OutputCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of reproducing a run, or a step of one; `str` tells it."""

    run: RunId
    run_name: str
    steps: tuple[StepCheck, ...]
    """In the order in which they began."""
    runs: tuple[str, ...]
    """The names of the runs that executed them again: several where steps failed."""
    environment: tuple[Difference, ...]
    """What differs in the environment, from then to here."""

    @property
    def is_same(self) -> bool:
        """Whether every output of every step came out as it was."""
        return all(step.verdict == "same" for step in self.steps)

    def lines(self) -> Iterator[str]:
        """It line by line."""
        counts = [f"{sum(one.verdict == verdict for one in self.steps)} {verdict}" for verdict in _VERDICTS]
        yield f"{self.run_name}: {', '.join(counts)}"
        for step in self.steps:
            yield f"  {step.step}: {step.verdict}{'' if step.why is None else f', {step.why}'}"
            for one in step.outputs:
                if not one.is_same:
                    yield f"    {one.output}: {str(one.then)[:8]} → {str(one.again)[:8]}"
                    yield from (f"      {leaf_text(leaf)}" for leaf in one.leaves)
        yield from (f"  environment: {difference}" for difference in self.environment)

    def __str__(self) -> str:
        return "\n".join(self.lines())


_VERDICTS: tuple[Verdict, ...] = ("same", "differs", "not comparable")


def leaf_text(leaf: Leaf) -> str:
    """Where two values differ, and how, in one line."""
    told = "" if leaf.old is leaf.new is None else f": {leaf.old or 'nothing'} → {leaf.new or 'nothing'}"
    return f"{leaf.path or 'the value'}{told}"
