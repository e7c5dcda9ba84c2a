"""What lineages are made of: artifact versions, and the step runs between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from ..cas.digest import Digest
from ..errors import LogCorrupt
from ..events.catalogue import ArtifactNamed, ArtifactSaved, Event, Input, Output, RunStarted, StepCompleted, StepReused
from ..events.codec import Recorded, decode
from ..events.ids import Fingerprint, RunId, StepRunId
from ..events.projections import Artifacts, Runs, Steps
from ..events.projections.artifacts import version_in
from ..events.projections.runs import RunRow
from ..events.projections.steps import STATUS
from ..events.rows import key
from .reader import Reader


class VersionKey(NamedTuple):
    """Names an artifact version: equal content under two names is two versions, each with its own origin."""

    name: str
    content: Digest


class RunFacts:
    """What lineages say of runs, looked up once each."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows = reader.rows(Runs.name)
        self._found: dict[RunId, RunRow | None] = {}
        self._environments: dict[RunId, Digest | None] = {}

    def row(self, run: RunId) -> RunRow | None:
        """A run's state; None where the log has no beginning of it, as of one that was not imported whole."""
        if run not in self._found:
            found = self._rows.latest(key("r", run))
            self._found[run] = None if found is None else RunRow.of(found.row)
        return self._found[run]

    def name(self, run: RunId) -> str:
        """Its name, or the beginning of its id where that is all that is known."""
        row = self.row(run)
        return str(run)[:12] if row is None else row.name

    def environment(self, run: RunId) -> Digest | None:
        """The blob that describes what it ran with."""
        if run not in self._environments:
            row = self.row(run)
            event = None if row is None else self._reader.event(row.started_seq).event
            self._environments[run] = event.environment if isinstance(event, RunStarted) else None
        return self._environments[run]


class Link(NamedTuple):
    """A step run took an artifact version, or gave it."""

    step: StepRunId
    version: VersionKey
    name: str
    """The parameter or the output; empty where the step saved it by hand."""
    is_input: bool


class Production:
    """A step run in a lineage: what executed, with what it took and gave.

    One that was served from the cache counts as the execution that it reuses.
    """

    __slots__ = ("_body", "_runs", "_type", "seq", "step")

    def __init__(self, step: StepRunId, recorded: Recorded, runs: RunFacts) -> None:
        self.step = step
        """The step run that executed."""
        self.seq = recorded.seq
        """Position of the event that says what it did."""
        self._type = recorded.type
        # Not what it decodes to: of that, a large lineage would hold millions of objects.
        self._body = recorded.body
        self._runs = runs

    @property
    def _recorded(self) -> Recorded:
        return decode(self.seq, b"", self._body)

    @property
    def status(self) -> str:
        """completed, failed, or running; cached where the log does not have the execution."""
        return STATUS[self._type]

    @property
    def function(self) -> str:
        """Module and qualified name of the step's function."""
        return str(self._recorded.fields.function)

    @property
    def duration_s(self) -> float:
        """How long it took; 0 while it runs."""
        return float(getattr(self._recorded.fields, "duration_us", 0)) / 1_000_000

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All that it took, literals included."""
        taken: tuple[Input, ...] = getattr(self._recorded.event, "inputs", ())
        return taken

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it gave as a step; what it saved by hand besides is in the lineage only."""
        return self._recorded.event.made

    @property
    def code(self) -> Digest | None:
        """Digest of its code manifest; None where that was not recorded."""
        return getattr(self._recorded.event, "code", None)

    @property
    def fingerprint(self) -> Fingerprint:
        """Digest of what determined the result."""
        return Fingerprint(self._recorded.fields.fingerprint)

    @property
    def environment(self) -> Digest | None:
        """Blob that describes what its run ran with; None where the log does not have the run's beginning."""
        return self._runs.environment(self.step.run)

    @property
    def run_name(self) -> str:
        """Name of its run."""
        return self._runs.name(self.step.run)

    @property
    def taken(self) -> tuple[VersionKey, ...]:
        """The artifact versions that it took."""
        return tuple(version for _, version in taken_by(self._recorded))

    def links(self) -> Iterator[Link]:
        """What joins it to what it gave, and to what it took."""
        recorded = self._recorded
        for name, artifact, content, *_ in getattr(recorded.fields, "outputs", ()):
            yield Link(self.step, version_at(artifact, content), name, False)
        for name, version in taken_by(recorded):
            yield Link(self.step, version, name, True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Production) and (self.step, self.seq) == (other.step, other.seq)

    def __hash__(self) -> int:
        return hash(self.step)

    def __repr__(self) -> str:
        return f"<Production {self.step.step} in {self.run_name}>"


def taken_by(recorded: Recorded) -> Iterator[tuple[str, VersionKey]]:
    """The artifact versions that the step run of an event took, each with the parameter."""
    for name, content, artifact, *_ in getattr(recorded.fields, "inputs", ()):
        if artifact is not None:
            yield name, version_at(artifact, content)


class Node(NamedTuple):
    """One artifact version in a lineage."""

    name: str
    content: Digest
    version: int | None
    """None where the log has only its use, as in a store that was imported in part."""
    type: str
    """Empty where the log has only its use."""
    production: Production | None
    """The execution that it first came from or, downstream, the first that it was reached by. None where it was saved
    by hand, or its making is not in the log."""

    @property
    def key(self) -> VersionKey:
        """What it is found by."""
        return tuple.__new__(VersionKey, self[:2])

    @property
    def title(self) -> str:
        """As ``name@3``; with the beginning of its digest where it has no number."""
        return f"{self.name}@{str(self.content)[:12] if self.version is None else self.version}"

    @property
    def parents(self) -> tuple[VersionKey, ...]:
        """The artifact versions it was made from."""
        return () if self.production is None else self.production.taken


class Graphed:
    """Artifact versions, and the step runs that lead from some to others."""

    def __init__(
        self,
        direction: str,
        roots: Sequence[VersionKey],
        nodes: dict[VersionKey, Node],
        steps: dict[StepRunId, Production],
        *,
        reused: Iterable[Link] = (),
        named: Iterable[tuple[VersionKey, VersionKey]] = (),
        is_complete: bool = True,
    ) -> None:
        self.direction = direction
        """``upstream``: what the root was made from; ``downstream``: what was made from the roots; ``path``: how one
        root leads to the other."""
        self.roots = tuple(roots)
        """Where it starts; none where it starts at step runs, as of all that was made by some code."""
        self.nodes = nodes
        """The artifact versions: the roots first, then nearest first."""
        self.steps = steps
        """The step runs, nearest first."""
        self._reused = tuple(reused)
        self.named = tuple(named)
        """Versions, and what they are called besides: the same content, given another name by hand."""
        self.is_complete = is_complete
        """Whether nothing was left out for its depth or its size."""

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """What each step run took and gave, of what is in the lineage; in the order of the step runs."""
        given: dict[StepRunId, list[VersionKey]] = defaultdict(list)
        for node in self:
            if node.production is not None and node.production.step in self.steps:
                given[node.production.step].append(node.key)
        links: dict[Link, None] = {}
        for step, production in self.steps.items():
            own = [link for link in production.links() if self._joins(link)]
            named = {link.version for link in own if not link.is_input}
            links.update(dict.fromkeys(own))
            links.update((Link(step, version, "", False), None) for version in given[step] if version not in named)
        links.update((link, None) for link in self._reused if link.version in self.nodes)
        return tuple(links)

    def _joins(self, link: Link) -> bool:
        node = self.nodes.get(link.version)
        if node is None or link.is_input or self.direction != "upstream":
            return node is not None
        return node.production is not None and node.production.step == link.step

    @property
    def root(self) -> VersionKey:
        """The first of the roots."""
        return self.roots[0]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, title: object) -> bool:
        return title in self._titles

    @cached_property
    def _titles(self) -> set[str]:
        return {node.title for node in self}

    def __repr__(self) -> str:
        of = ", ".join(self.nodes[root].title for root in self.roots[:2]) + (", …" if len(self.roots) > 2 else "")
        return f"<Lineage {self.direction} of {of}: {len(self.nodes):,} artifact versions, {len(self.steps):,} steps>"


def digest_at(raw: bytes) -> Digest:
    """A digest that the log has, which need not be looked at again."""
    return bytes.__new__(Digest, raw)


def version_at(name: str, content: bytes) -> VersionKey:
    """A version that the log names."""
    return tuple.__new__(VersionKey, (name, bytes.__new__(Digest, content)))  # What it would call costs twice that.


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
        found = reader.rows(Steps.name).latest(key("s", by.run, by.step))
        event = event if found is None else reader.event(found.seq).event
    return event if isinstance(event, StepCompleted) else None


def _before_named(reader: Reader, event: Event) -> Event:
    """What made a content under the name from which it has got its other ones."""
    passed: set[str] = set()
    while isinstance(event, ArtifactNamed) and event.source not in passed:
        passed.add(event.source)
        first = version_in(reader.rows(Artifacts.name), event.source, event.output.content)
        if first is None:
            break
        event = reader.event(first.seq).event
    return event
