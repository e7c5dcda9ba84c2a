"""The verb ``lineage``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import Invalid, InvalidReference, NotFound
from ..history import ArtifactVersionView, History, StepRunView
from ..history import Lineage as Traced
from .kinds import Lineage
from .layout import Block
from .outcome import ExitCode
from .output import Output
from .past import add_as_of, count, opened_history

EXAMPLE = "lineal lineage digits-model@1 --format mermaid"
FORMATS = ("tree", "json", "dot", "mermaid", "svg")
_NODES_MAX = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.add_argument(
        "reference", metavar="REF", nargs="?", help="name, name@3, name@{digest prefix}, or run/step with one output"
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--downstream", action="store_true", help="what was made of it, not what it was made from")
    way.add_argument("--to", metavar="REF", help="the shortest way on which this one was made of it")
    way.add_argument(
        "--made-from",
        metavar="FILE|DIGEST",
        help="everything that a file's bytes, or a blob, went into: as a value, in one, as code or as environment",
    )
    parser.add_argument("--depth", metavar="N", type=count, help="go no further than so many steps")
    parser.add_argument(
        "--max", metavar="N", type=count, default=_NODES_MAX, help="show no more artifacts and steps than so many"
    )
    parser.add_argument("--format", choices=FORMATS, default="tree", help="how to write it; json is that of --json")
    add_as_of(parser)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Draw a lineage."""
    with opened_history(options) as history:
        lineage = _lineage(history, options)
        drawn = {"dot": lineage.to_dot, "mermaid": lineage.to_mermaid, "svg": lineage.to_svg}.get(options.format)
        if drawn is not None:
            output.text(drawn())
        elif options.format == "json":
            from .output import JsonOutput

            JsonOutput().document(_record(lineage), lambda _: [])
        else:
            output.document(_record(lineage), lambda _: [Block("", str(lineage))])
    return ExitCode.OK


def _record(lineage: Traced) -> Lineage:
    plain = lineage.to_dict()
    root = lineage.nodes[lineage.root] if lineage.roots else None
    return {
        "kind": "lineage",
        "v": 1,
        "reference": None if root is None else root.title,
        "content": None if root is None else str(root.content),
        "is_complete": lineage.is_complete,
        "artifacts": plain["artifacts"],
        "direction": lineage.direction,
        "roots": plain["roots"],
        "steps": plain["steps"],
        "links": plain["links"],
        "named": plain["named"],
    }


def _lineage(history: History, options: argparse.Namespace) -> Traced:
    bounds = {"depth": options.depth, "nodes_max": options.max}
    if options.made_from is not None:
        if options.reference is not None:
            raise Invalid("--made-from is not asked of an artifact", hint="Leave the artifact out.")
        path = Path(options.made_from)
        return history.made_from(path if path.is_file() else options.made_from, **bounds)
    if options.reference is None:
        raise Invalid("it takes an artifact, or --made-from", hint=f"As in: {EXAMPLE}.")
    version = _version(history, options.reference)
    if options.to is not None:
        target = _version(history, options.to)
        way = version.path_to(target, nodes_max=options.max)
        if way is None:
            raise NotFound(f"{target} was not made of {version}", hint="Ask the other way round, or for its lineage.")
        return way
    return version.downstream(**bounds) if options.downstream else version.lineage(**bounds)


def _version(history: History, reference: str) -> ArtifactVersionView:
    found = history.find(reference)
    if isinstance(found, StepRunView):
        return found.output
    if not isinstance(found, ArtifactVersionView):
        raise InvalidReference(
            f"{reference!r} names no artifact", hint="Name an artifact such as name@3, or a step as run/step."
        )
    return found
