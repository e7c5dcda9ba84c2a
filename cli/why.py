"""The verb ``why``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..errors import NotFound
from ..history import FOUND_KINDS, FOUND_ORDER, ArtifactVersionView, PipelineView, Reason, RunView, StepRunView, Why
from ..history.reasons import leaf_lines
from .layout import Block, Diff, Fields, Row, Section
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .records import gap_record
from .units import time_text

if TYPE_CHECKING:
    from .why_kinds import Cause, Explanation, Gap, Mention

EXAMPLE = "lineal why training-2/train"
_COLUMNS = ("step", "verdict", "why")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell why a step was served from the cache, or had to execute: compared with the newest step run before it of "
        "the same function. Of a run, or of a pipeline's newest one, each step in a line; of an artifact version, the "
        "step that made it."
    )
    parser.add_argument("reference", metavar="REF", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument(
        "--kind", choices=FOUND_KINDS, help="what REF names, where several kinds of things are called so"
    )
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Explain a step, or each step of a run."""
    with opened_history(options) as history:
        found = history.find(options.reference, options.kind)
        if isinstance(found, PipelineView):
            found = found.latest
        if isinstance(found, RunView):
            output.listing((_record(step.why()) for step in found.steps.values()), _COLUMNS, _row)
        else:
            step = found.producer if isinstance(found, ArtifactVersionView) else found
            if not isinstance(step, StepRunView):
                hint = "Give a run, or a run and a step as in training-2/train."
                raise NotFound(f"no step has made {options.reference!r}, and it is none", hint=hint)
            output.document(_record(step.why()), _sections)
    return ExitCode.OK


def _record(why: Why) -> Explanation:
    told = why.to_dict()
    return {
        "kind": "explanation",
        "v": 1,
        "step": why.step,
        "verdict": why.verdict,
        "summary": why.summary,
        "reuses": told["reuses"],
        "compared_with": told["compared_with"],
        "reasons": list(map(cause_record, why.reasons)),
        "environment": told["environment"],
        "gaps": list(map(gap_record, why.gaps)),
    }


def cause_record(reason: Reason) -> Cause:
    """A cause in plain values."""
    return {
        "cause": reason.kind,
        "text": reason.text,
        "what": reason.what,
        "old": reason.old,
        "new": reason.new,
        "diff": reason.diff,
        "leaves": [{"path": leaf.path, "old": leaf.old, "new": leaf.new} for leaf in reason.leaves],
    }


def _row(explained: Explanation) -> Row:
    return explained["step"].rpartition("/")[2], explained["verdict"], explained["summary"].partition(": ")[2]


def _sections(explained: Explanation) -> Iterator[Section]:
    pairs = [("step", explained["step"]), ("verdict", explained["verdict"])]
    for label, mention in (("reuses", explained["reuses"]), ("compared with", explained["compared_with"])):
        if mention is not None:
            pairs.append((label, _mention_text(mention)))
    yield Fields("", pairs)
    yield from causes_sections(explained["reasons"])
    differing = [
        (one["what"], f"{one['old'] or 'nothing'} → {one['new'] or 'nothing'}") for one in explained["environment"]
    ]
    yield Fields("environment, then and now", differing)
    yield gaps_section(explained["gaps"])


def gaps_section(gaps: Iterable[Gap]) -> Section:
    """Where fingerprints are less exact than the code."""
    return Fields("not seen exactly", list(dict.fromkeys((gap["gap"], gap["text"]) for gap in gaps)))


def causes_sections(causes: list[Cause]) -> Iterator[Section]:
    """Causes in a line each, with the leaves of inputs below; then the diffs."""
    lines: list[str] = []
    for cause in causes:
        lines.append(cause["text"])
        lines += [f"  {line}" for line in leaf_lines((one["path"], one["old"], one["new"]) for one in cause["leaves"])]
    yield Block("because", "\n".join(line.replace("\n", " ") for line in lines))
    for cause in causes:
        if cause["diff"]:
            yield Diff(cause["what"], cause["diff"])


def _mention_text(mention: Mention) -> str:
    return f"{mention['reference']} of {time_text(mention['began'])}"
