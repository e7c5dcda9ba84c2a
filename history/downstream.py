"""Downstream: what was made of artifact versions, by whatever step run took them, and of what those gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from ..errors import LineageCut
from ..events.catalogue import StepCompleted, StepFailed, StepReused
from ..events.codec import Recorded
from ..events.ids import StepRunId
from ..events.projections import ContentNames
from ..events.projections import Lineage as LineageRows
from ..events.projections.artifacts import version_key
from ..events.rows import Stamped, framed
from .lineage import Lineage
from .lineage_parts import Link, Node, Production, VersionKey, digest_at, taken_by, version_at
from .reader import Reader
from .tracing import NODES_MAX, Tracer, origin_of, own_of, pages, type_in, undisturbed

_USES_FEW = 64
_NAMES_MAX = 10_000
_ENDED = (StepCompleted.TYPE, StepReused.TYPE, StepFailed.TYPE)


_Reached = tuple[VersionKey, str, Production | None]
"""A version that is to be looked at, its type, and what it was come to by."""


class Downstream:
    """What is made of some versions or step runs, level by level."""

    def __init__(self, reader: Reader, *, nodes_max: int = NODES_MAX) -> None:
        self._tracer = Tracer(reader)
        self._uses = reader.rows(LineageRows.name)
        self._names = reader.rows(ContentNames.name)
        self._has_names = self._names.has_any(b"h")
        self._has_saves = self._uses.has_any(b"o")
        self._nodes_max = nodes_max
        self._new: list[tuple[Production, VersionKey | None]] = []
        self._level: list[_Reached] = []
        self._followed: set[int] = set()
        """The events of step runs that have nothing to tell a second time, whichever version was taken."""
        self.nodes: dict[VersionKey, Node] = {}
        self.steps: dict[StepRunId, Production] = {}
        self.reused: dict[Link, None] = {}
        """What joins a step run to versions by a reuse of it, or by a save while it ran."""
        self.came: dict[VersionKey, VersionKey | None] = {}
        """The versions reached, each with that from where it was first; None of those that it began at."""
        self.named: dict[tuple[VersionKey, VersionKey], None] = {}
        self.is_complete = True

    def begin_at(self, versions: Iterable[VersionKey]) -> None:
        """Follow these versions."""
        for node, _ in self._tracer.each_origin(list(versions)):
            self._reach(node.key, node.type, node.production, None)

    def begin_at_steps(self, ended: Iterable[int]) -> None:
        """Follow what these step runs gave, each told of by the position of the event that ended it."""
        for page in pages(ended):
            if self._is_full():
                break
            self._take(self._ended(page), page, None)
        self._save()

    def follow(self, depth: int | None = None, until: VersionKey | None = None) -> None:
        """Go on until nothing follows, or as many levels, or a version is reached."""
        with undisturbed():
            self._follow(depth, until)

    def _follow(self, depth: int | None, until: VersionKey | None) -> None:
        while self._level and self.is_complete:
            level, self._level = self._level, []
            for page in pages(level):
                places = [b"c" + key.content for key, _, _ in page]
                if not self._add(page) or until in self.nodes:
                    return
                if depth == 0:
                    self.is_complete = self.is_complete and not any(self._uses.latest_of(places))
                else:
                    self._expand(page, places)
            depth = None if depth is None else depth - 1

    def _add(self, page: Sequence[_Reached]) -> bool:
        """Take versions in; tell whether there was room for all."""
        nodes, room = self.nodes, self._nodes_max - len(self.steps)
        firsts = self._tracer.artifacts.latest_of([version_key(*key) for key, _, _ in page])
        for (key, type_, production), first in zip(page, firsts, strict=True):
            if len(nodes) >= room:
                self.is_complete = False
                return False
            nodes[key] = tuple.__new__(Node, (*key, None if first is None else first.row[1], type_, production))
        return True

    def _expand(self, page: Sequence[_Reached], places: Sequence[bytes]) -> None:
        found = self._uses.under(places, _USES_FEW, self._followed)
        first = [self._seqs(uses, key.name) for (key, _, _), uses in zip(page, found, strict=True)]
        ended = self._ended(list(dict.fromkeys(chain.from_iterable(first))))
        for one, uses, seqs in zip(page, found, first, strict=True):
            if self._has_names:
                self._name(one)
            if len(uses) >= _USES_FEW:
                self._take_all(one[0])
            elif seqs:
                self._take(ended, seqs, one[0])
            if self._is_full():
                break
        self._save()

    def _seqs(self, uses: Iterable[Stamped], name: str) -> list[int]:
        """The events that used a content under a name, and are not followed."""
        last, seqs, followed = 0, [], self._followed
        for seq, row in uses:
            if seq != last and row[3] == name and seq not in followed:
                last = seq
                seqs.append(seq)
        return seqs

    def _take_all(self, key: VersionKey) -> None:
        """Follow all that took a version, which may be very many."""
        for uses in pages(self._uses.history(b"c" + key.content)):
            if self._is_full():
                return
            seqs = self._seqs(uses, key.name)
            self._take(self._ended(seqs), seqs, key)

    def _is_full(self) -> bool:
        if len(self.nodes) + len(self.steps) >= self._nodes_max:
            self.is_complete = False
        return not self.is_complete

    def _name(self, one: _Reached) -> None:
        """Follow what the same content was called by hand, from this name."""
        key, type_, production = one
        [called] = self._names.under([b"h" + key.content], _NAMES_MAX)
        for _, (name, source) in called:
            if source == key.name != name:
                other = VersionKey(name, key.content)
                self.named[key, other] = None
                self._reach(other, type_, production, key)

    def _ended(self, seqs: Sequence[int]) -> dict[int, tuple[Recorded, Production]]:
        """Those of the events that end step runs, by position, with the executions behind them."""
        events = self._tracer.log.get_all(seqs)
        ended: dict[int, tuple[Recorded, Production]] = {}
        others: list[tuple[StepRunId, Recorded]] = []
        for one in events:
            if one.type == StepCompleted.TYPE:
                ended[one.seq] = one, self._tracer.completed(one)
            elif one.type in _ENDED:
                others.append((origin_of(one) or own_of(one), one))
        found = self._tracer.productions(others) if others else {}
        for origin, one in others:
            ended[one.seq] = one, found[origin] or self._tracer.stand_in(one)
        return ended

    def _take(
        self, ended: Mapping[int, tuple[Recorded, Production]], seqs: Iterable[int], taken: VersionKey | None
    ) -> None:
        """Follow step runs that took a version, or that are followed for themselves."""
        for seq in seqs:
            if seq not in ended or seq in self._followed:
                continue
            recorded, production = ended[seq]
            if production.step not in self.steps:
                self.steps[production.step] = production
                self._new.append((production, taken))
            if recorded.type == StepReused.TYPE:
                self._link(production.step, recorded, taken)
            else:
                self._followed.add(seq)
            if recorded.type != StepFailed.TYPE:
                for output in recorded.fields.outputs:
                    self._reach(version_at(output[1], output[2]), output[4], production, taken)

    def _link(self, step: StepRunId, recorded: Recorded, taken: VersionKey | None) -> None:
        for name, version in taken_by(recorded):
            if version == taken:
                self.reused[Link(step, version, name, True)] = None
        for name, artifact, content, *_ in recorded.fields.outputs:
            self.reused[Link(step, version_at(artifact, content), name, False)] = None

    def _save(self) -> None:
        """Follow what the step runs that are new have saved by hand."""
        new, self._new = self._new if self._has_saves else [], []
        for page in pages(new):
            saved = self._uses.latest_of([_saves_of(made.step) for made, _ in page])
            for (made, taken), row in zip(page, saved, strict=True):
                if row is not None:
                    self._save_of(made, taken)

    def _save_of(self, production: Production, taken: VersionKey | None) -> None:
        rows = self._uses.history(_saves_of(production.step))
        saved = {VersionKey(name, digest_at(content)): seq for seq, (name, content) in rows}
        events = self._tracer.events(saved.values())
        for version, seq in saved.items():
            self.reused[Link(production.step, version, "", False)] = None
            self._reach(version, type_in(events[seq], version), production, taken)

    def _reach(self, key: VersionKey, type_: str, production: Production | None, taken: VersionKey | None) -> None:
        if key not in self.came:
            self.came[key] = taken
            self._level.append((key, type_, production))

    def lineage(self, roots: Iterable[VersionKey]) -> Lineage:
        """All that was come to."""
        begin = [root for root in roots if root in self.nodes]
        named = (pair for pair in self.named if pair[1] in self.nodes)
        return Lineage(
            "downstream",
            begin,
            self.nodes,
            self.steps,
            reused=self.reused,
            named=named,
            is_complete=self.is_complete,
        )

    def way(self, source: VersionKey, target: VersionKey) -> Lineage:
        """How the target was reached from the source."""
        back: list[VersionKey] = [target]
        while (before := self.came.get(back[-1])) is not None:
            back.append(before)
        nodes = {key: self.nodes[key] for key in reversed(back)}
        made = [node.production for node in nodes.values()][1:]
        named = {pair: None for pair in zip(back[1:], back, strict=False) if pair in self.named}
        called = {other for _, other in named}
        steps = {one.step: one for one, key in zip(made, reversed(back[:-1]), strict=True) if one and key not in called}
        reused = (link for link in self.reused if link.step in steps)
        return Lineage("path", [source, target], nodes, steps, reused=reused, named=named)


def _saves_of(step: StepRunId) -> bytes:
    return b"o" + step.run + framed(step.step)


def downstream(reader: Reader, root: VersionKey, *, depth: int | None = None, nodes_max: int = NODES_MAX) -> Lineage:
    """Everything that was made of a version.

    Cost: about 20 µs for each version with its step run, 10 µs for a reuse.
    """
    followed = Downstream(reader, nodes_max=nodes_max)
    followed.begin_at([root])
    followed.follow(depth)
    return followed.lineage([root])


def path(reader: Reader, source: VersionKey, target: VersionKey, *, nodes_max: int = NODES_MAX) -> Lineage | None:
    """The shortest way from one version to another that was made of it, directly or not; None if there is none.

    Cost: as `downstream` of the source, as far as the target is away.

    Raises:
        LineageCut: It was not found among so many versions and step runs.
    """
    with undisturbed():  # Until all that is not on the way is gone again.
        return _path(reader, source, target, nodes_max)


def _path(reader: Reader, source: VersionKey, target: VersionKey, nodes_max: int) -> Lineage | None:
    followed = Downstream(reader, nodes_max=nodes_max)
    followed.begin_at([source])
    followed.follow(until=target)
    if target not in followed.nodes:
        if followed.is_complete:
            return None
        raise LineageCut(
            f"no way was found among {nodes_max:,} artifact versions and step runs", hint="Allow more: nodes_max=…"
        )
    return followed.way(source, target)
