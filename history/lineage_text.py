"""Lineages as text: a tree for people, plain values for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..events.catalogue import Input
from ..events.ids import StepRunId
from .lineage_parts import Graphed, Link, Node, Production, VersionKey

_DEEPEST, _INDENT = 100, 3
"""So many levels are drawn out, each indented by so much: a long chain would take the square of its length."""
_MORE = "… and more, left out for depth or size"


class _Line(NamedTuple):
    """A line of a tree: its text, and what is drawn below it once."""

    text: str
    below: VersionKey | StepRunId | None = None


def tree(lineage: Graphed) -> str:
    """A lineage as a tree, in which each artifact version and step run is drawn out once, a hundred levels deep."""
    branches = _upstream_branches(lineage) if lineage.direction == "upstream" else _downstream_branches(lineage)
    begin: list[_Line] = [_Line(_version_text(lineage.nodes[root]), root) for root in lineage.roots[:1]]
    if not begin or lineage.direction == "downstream":
        begin = [_Line(_version_text(lineage.nodes[root]), root) for root in lineage.roots]
        taking = {link.step for link in lineage.links if link.is_input}
        begin += [_Line(_step_text(one), step) for step, one in lineage.steps.items() if step not in taking]
    lines = _drawn(begin, branches)
    return "\n".join(lines if lineage.is_complete else [*lines, _MORE])


def _drawn(begin: Sequence[_Line], branches: Callable[[VersionKey | StepRunId], Sequence[_Line]]) -> list[str]:
    lines: list[str] = []
    shown: set[VersionKey | StepRunId] = set()
    stack = [("", "", line) for line in reversed(begin)]
    while stack:
        lead, deeper, line = stack.pop()
        below = [] if line.below is None else branches(line.below)
        is_again = line.below in shown and bool(below)
        lines.append(f"{lead}{line.text}{'  (see above)' if line.below in shown else ''}")
        if line.below is None or is_again:
            continue
        if below and len(deeper) >= _DEEPEST * _INDENT:
            lines.append(f"{deeper}└─ …")
            continue
        shown.add(line.below)
        for place in range(len(below) - 1, -1, -1):
            is_last = place == len(below) - 1
            stack.append((deeper + ("└─ " if is_last else "├─ "), deeper + ("   " if is_last else "│  "), below[place]))
    return lines


def _upstream_branches(lineage: Graphed) -> Callable[[VersionKey | StepRunId], list[_Line]]:
    def branches(of: VersionKey | StepRunId) -> list[_Line]:
        node = lineage.nodes[of] if isinstance(of, VersionKey) else None
        if node is None or node.production is None or node.production.step not in lineage.steps:
            return []
        return [_taken_line(lineage, taken) for taken in node.production.inputs]

    return branches


def _taken_line(lineage: Graphed, taken: Input) -> _Line:
    if taken.artifact is None:
        return _Line(f"{taken.name} = {taken.literal}")
    version = VersionKey(taken.artifact, taken.content)
    node = lineage.nodes.get(version)
    if node is None:
        return _Line(f"{taken.name}: {taken.artifact}  {str(taken.content)[:8]}  …")
    return _Line(f"{taken.name}: {_version_text(node)}", version)


def _downstream_branches(lineage: Graphed) -> Callable[[VersionKey | StepRunId], list[_Line]]:
    takers: dict[VersionKey, dict[StepRunId, None]] = defaultdict(dict)
    given: dict[StepRunId, dict[VersionKey, None]] = defaultdict(dict)
    called: dict[VersionKey, list[VersionKey]] = defaultdict(list)
    for step, version, _, is_input in lineage.links:
        if is_input:
            takers[version][step] = None
        else:
            given[step][version] = None
    for known, other in lineage.named:
        called[known].append(other)

    def branches(of: VersionKey | StepRunId) -> list[_Line]:
        if isinstance(of, StepRunId):
            return [_Line(_version_text(lineage.nodes[one]), one) for one in given[of]]
        lines: list[_Line] = []
        for step in takers[of]:
            by = lineage.steps[step]
            lines += [_Line(_version_text(lineage.nodes[one], by), one) for one in given[step]]
            lines += [] if given[step] else [_Line(_step_text(by))]
        return lines + [_Line(f"also called {lineage.nodes[one].title}", one) for one in called[of]]

    return branches


def _version_text(node: Node, by: Production | None = None) -> str:
    made = by or node.production
    if made is not None:
        how = f"by {_step_text(made)}"
    else:
        how = "saved by hand" if node.version is not None else "not in this log"
    return f"{node.title}  {node.type.rpartition('.')[2]}  {str(node.content)[:8]}  {how}"


def _step_text(made: Production) -> str:
    ended = f"{made.duration_s:.3f} s" if made.status in ("completed", "cached") else made.status
    return f"{made.step.step} in {made.run_name}, {ended}"


def plain(lineage: Graphed) -> dict[str, Any]:
    """A lineage in plain values, as JSON takes them."""
    return {
        "direction": lineage.direction,
        "root": _plain_key(lineage.roots[0]) if lineage.roots else None,
        "roots": [_plain_key(root) for root in lineage.roots],
        "is_complete": lineage.is_complete,
        "artifacts": [_plain_node(node) for node in lineage],
        "steps": [_plain_step(step) for step in lineage.steps.values()],
        "links": [_plain_link(link) for link in lineage.links],
        "named": [{"known": _plain_key(known), "called": _plain_key(called)} for known, called in lineage.named],
    }


def _plain_key(version: VersionKey) -> dict[str, str]:
    return {"name": version.name, "content": str(version.content)}


def _plain_node(node: Node) -> dict[str, Any]:
    made = node.production
    producer = None if made is None else {**_plain_ids(made), "inputs": _plain_inputs(made.inputs)}
    return {
        "name": node.name,
        "version": node.version,
        "content": str(node.content),
        "type": node.type,
        "producer": producer,
    }


def _plain_ids(made: Production) -> dict[str, Any]:
    return {
        "run": str(made.step.run),
        "run_name": made.run_name,
        "step": made.step.step,
        "function": made.function,
        "duration_s": made.duration_s,
    }


def _plain_inputs(inputs: Iterable[Input]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "artifact": one.artifact, "content": str(one.content), "literal": one.literal}
        for one in inputs
    ]


def _plain_step(made: Production) -> dict[str, Any]:
    return {
        "id": str(made.step),
        **_plain_ids(made),
        "status": made.status,
        "fingerprint": str(made.fingerprint),
        "code": None if made.code is None else str(made.code),
        "environment": None if made.environment is None else str(made.environment),
        "literals": {one.name: one.literal for one in made.inputs if one.artifact is None},
    }


def _plain_link(link: Link) -> dict[str, Any]:
    way = "input" if link.is_input else "output"
    return {"step": str(link.step), way: link.name, "artifact": _plain_key(link.version)}
