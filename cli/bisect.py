"""The verb ``bisect``."""

from __future__ import annotations

import argparse
from typing import Any

from ..history.comparing.bisection import parse_condition
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, opened_history
from .told import runs_record, sections_of

EXAMPLE = "lineal bisect 'accuracy < 0.9' --pipeline training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Tell for which run something came to hold of a metric that did not hold for the run before, and what changed "
        "there. Every run's metric is looked at, so it may turn more than once."
    )
    parser.add_argument(
        "condition",
        metavar="CONDITION",
        help="a metric of runs or of their steps, compared with a number: 'accuracy < 0.9', 'fit/loss >= 2'",
    )
    parser.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    parser.add_argument("--since", metavar="RUN", help="no run before this one")
    parser.add_argument("--until", metavar="RUN", help="no run after this one")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Bisect."""
    with opened_history(options) as history:
        metric, comparison = parse_condition(options.condition)
        name = None if options.pipeline is None else history.pipeline(options.pipeline).name
        found = history.bisect(metric, comparison, pipeline=name, since=options.since, until=options.until)
        record: dict[str, Any] = {"kind": "bisection", "v": 1, **found.to_dict()}
        if found.diff is not None:
            record["diff"] = runs_record(found.diff)
        output.document(record, lambda _: sections_of(found))
    return ExitCode.OK
