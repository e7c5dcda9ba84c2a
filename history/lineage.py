"""Lineage: what an artifact was made from, as a graph of contents and the step runs between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..cas.digest import Digest
from ..errors import ArtifactNotFound, LogCorrupt
from ..events.catalogue import ArtifactNamed, ArtifactSaved, Event, Input, Output, StepCompleted, StepReused
from ..events.ids import RunId, StepRunId
from ..events.projections.artifacts import version_in
from ..events.projections.runs import RunRow
from ..events.rows import key
from .reader import Reader

NODES_MAX = 100_000
"""A closure stops here, and says so."""


class VersionKey(NamedTuple):
    """Names an artifact version: equal content under two names is two versions, each with its own origin."""

    name: str
    content: Digest


@dataclass(frozen=True, slots=True)
class Production:
    """The step run that first made a content, and what it took."""

    step: StepRunId
    run_name: str
    function: str
    duration_s: float
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One artifact version in a lineage."""

    name: str
    version: int
    content: Digest
    type: str
    production: Production | None
    """None where it was saved by hand, or its making is not in the log."""

    @property
    def parents(self) -> tuple[VersionKey, ...]:
        """The artifact versions it was made from."""
        inputs = () if self.production is None else self.production.inputs
        return tuple(VersionKey(one.artifact, one.content) for one in inputs if one.artifact is not None)


@dataclass(frozen=True, slots=True)
class Lineage:
    """An artifact version and everything upstream of it; `str` draws it as a tree."""

    root: VersionKey
    nodes: dict[VersionKey, Node]
    """The root first, then nearest first."""
    is_complete: bool
    """False where it was cut at `NODES_MAX` nodes."""

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return "\n".join(_tree(self))

    def to_dict(self) -> dict[str, Any]:
        """The graph in plain values, as JSON takes them."""
        return {
            "root": {"name": self.root.name, "content": str(self.root.content)},
            "is_complete": self.is_complete,
            "artifacts": [_plain(node) for node in self],
        }


def upstream(reader: Reader, name: str, content: Digest) -> Lineage:
    """Everything that a content was made from, breadth first. Cost: a few lookups a node."""
    root = VersionKey(name, content)
    nodes: dict[VersionKey, Node] = {}
    waiting = deque([root])
    while waiting and len(nodes) < NODES_MAX:
        reached = waiting.popleft()
        if reached not in nodes:
            node = nodes[reached] = node_of(reader, *reached)
            waiting.extend(node.parents)
    return Lineage(root, nodes, not any(left not in nodes for left in waiting))


def node_of(reader: Reader, name: str, content: Digest) -> Node:
    """One artifact version as lineage shows it. Raises `ArtifactNotFound`."""
    version = version_in(reader.rows("artifacts"), name, content)
    if version is None:
        raise ArtifactNotFound(f"{name} has no version of this content", where=content)
    event = reader.event(version.seq).event
    output = made_as(event, name, content)
    executed = execution(reader, event)
    production = None if executed is None else _production(reader, executed)
    return Node(name, version.row[1], content, output.type, production)


def made_as(event: Event, name: str, content: Digest) -> Output:
    """The output under which an event made a version of an artifact."""
    for output in event.made:
        if (output.artifact, output.content) == (name, content):
            return output
    raise LogCorrupt(f"the event that made {name} does not name it", hint="Run `lineal rebuild`.")


def execution(reader: Reader, event: Event) -> StepCompleted | None:
    """The execution behind what an event gave: its own, the one it reuses, or the one that saved it; None for a save
    outside of steps, or by a step that has not completed.

    That of a content which was given another name is the one under the name it had before.
    """
    event = _before_named(reader, event)
    by = event.reuses if isinstance(event, StepReused) else event.by if isinstance(event, ArtifactSaved) else None
    if by is not None:
        found = reader.rows("steps").latest(key("s", by.run, by.step))
        event = event if found is None else reader.event(found.seq).event
    return event if isinstance(event, StepCompleted) else None


def _before_named(reader: Reader, event: Event) -> Event:
    """What made a content under the name from which it has got its other ones."""
    passed: set[str] = set()
    while isinstance(event, ArtifactNamed) and event.source not in passed:
        passed.add(event.source)
        first = version_in(reader.rows("artifacts"), event.source, event.output.content)
        if first is None:
            break
        event = reader.event(first.seq).event
    return event


def _production(reader: Reader, event: StepCompleted) -> Production:
    found = reader.rows("runs").latest(key("r", event.run))
    run_name = str(RunId(event.run))[:12] if found is None else RunRow.of(found.row).name
    step = StepRunId(event.run, event.step)
    return Production(step, run_name, event.function, event.duration_us / 1_000_000, event.inputs)


def _tree(lineage: Lineage) -> list[str]:
    lines: list[str] = []
    shown: set[VersionKey] = set()
    stack: list[_Branch] = [("", "", "", lineage.root)]
    while stack:
        lead, below, text, version = stack.pop()
        node = None if version is None else lineage.nodes.get(version)
        if version is None or node is None:
            lines.append(lead + text)
            continue
        again = version in shown
        shown.add(version)
        lines.append(f"{lead}{text}{node.name}@{node.version}  {_summary(node)}{'  (see above)' if again else ''}")
        if not again:
            stack.extend(reversed(_branches(node, below)))
    if not lineage.is_complete:
        lines.append(f"… and more: cut at {NODES_MAX:,} artifacts")
    return lines


_Branch = tuple[str, str, str, VersionKey | None]
"""What to draw: what leads to it, what leads to what is below it, its text, and the version if it is one."""


def _branches(node: Node, below: str) -> list[_Branch]:
    if node.production is None:
        return []
    inputs = node.production.inputs
    branches: list[_Branch] = []
    for number, taken in enumerate(inputs, start=1):
        is_last = number == len(inputs)
        lead, deeper = below + ("└─ " if is_last else "├─ "), below + ("   " if is_last else "│  ")
        if taken.artifact is None:
            branches.append((lead, deeper, f"{taken.name} = {taken.literal}", None))
        else:
            branches.append((lead, deeper, f"{taken.name}: ", VersionKey(taken.artifact, taken.content)))
    return branches


def _summary(node: Node) -> str:
    made = node.production
    how = "saved by hand" if made is None else f"by {made.step.step} in {made.run_name}, {made.duration_s:.3f} s"
    return f"{node.type.rpartition('.')[2]}  {str(node.content)[:8]}  {how}"


def _plain(node: Node) -> dict[str, Any]:
    made = node.production
    return {
        "name": node.name,
        "version": node.version,
        "content": str(node.content),
        "type": node.type,
        "producer": None
        if made is None
        else {
            "run": str(made.step.run),
            "run_name": made.run_name,
            "step": made.step.step,
            "function": made.function,
            "duration_s": made.duration_s,
            "inputs": [
                {"name": one.name, "artifact": one.artifact, "content": str(one.content), "literal": one.literal}
                for one in made.inputs
            ],
        },
    }
