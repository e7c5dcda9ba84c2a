"""A layered layout of a directed graph (Sugiyama, Tagawa & Toda, "Methods for Visual Understanding of Hierarchical
System Structures", 1981): layers, few crossings, straight edges.

All is deterministic: the same graph, given in the same order, is laid out alike. A layout goes along one axis, from
sources to targets, and across it; what is which on a page is for whoever draws.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

_SWEEPS, _SWEEPS_FEW = 24, 6
_MANY_SEGMENTS = 4000
"""With more, fewer sweeps look for an order with fewer crossings."""
_ALIGNMENTS = 8
_STRAIGHTEN = 8.0
"""How much more it matters that a long edge is straight than that a short one is."""


class Size(NamedTuple):
    """What a vertex takes, without any gap."""

    along: float
    across: float


class Place(NamedTuple):
    """Where the middle of a vertex is."""

    along: float
    across: float


@dataclass(frozen=True, slots=True)
class Gaps:
    """How much room is left."""

    along: float = 48.0
    """Between layers, at least."""
    across: float = 14.0
    """Between neighbours of a layer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is; the least coordinate of what is placed is 0."""

    places: dict[str, Place]
    routes: dict[tuple[str, str], list[Place]]
    """For each pair that an edge joins: points from the border of its source to that of its target.

    From the first to the second it goes straight, then by turns it changes its place across, between two layers, and
    goes straight, through a layer; the last stretch is straight.
    """
    size: Size


def layout(sizes: Mapping[str, Size], edges: Iterable[tuple[str, str]], gaps: Gaps | None = None) -> Layout:
    """Place vertices in layers so that edges lead from earlier to later ones, but for those that close a cycle.

    Edges of a vertex to itself are left out. Cost: about 0.1 s for 300 vertices with 500 edges.
    """
    gaps = gaps or Gaps()
    names = list(sizes)
    number = {name: place for place, name in enumerate(names)}
    pairs = list(dict.fromkeys((number[one], number[other]) for one, other in edges if one != other))
    turned = _closing_cycles(len(names), pairs)
    directed = list(dict.fromkeys((b, a) if (a, b) in turned else (a, b) for a, b in pairs))
    proper = _Proper([sizes[name] for name in names], _layers(len(names), directed), directed)
    proper.order()
    across = proper.aligned(gaps.across)
    return _drawn(names, proper, across, pairs, gaps)


def _closing_cycles(count: int, pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The edges without which there is no cycle: those that lead back on a walk, depth first."""
    after = _adjacent(count, pairs)
    state = [0] * count  # 0 is new, 1 on the way, 2 done.
    closing: set[tuple[int, int]] = set()
    for start in range(count):
        stack = [(start, iter(after[start]))] if not state[start] else []
        state[start] = state[start] or 1
        while stack:
            at, rest = stack[-1]
            for to in rest:
                if state[to] == 1:
                    closing.add((at, to))
                elif not state[to]:
                    state[to] = 1
                    stack.append((to, iter(after[to])))
                    break
            else:
                state[at] = 2
                stack.pop()
    return closing


def _adjacent(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    after: list[list[int]] = [[] for _ in range(count)]
    for one, other in pairs:
        after[one].append(other)
    return after


def _layers(count: int, directed: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each vertex: as near to the sources as its edges allow, but next to what it leads to where more
    edges leave it than come to it."""
    after, before = _adjacent(count, directed), _adjacent(count, ((b, a) for a, b in directed))
    missing = [len(one) for one in before]
    order = [one for one in range(count) if not missing[one]]
    layer = [0] * count
    for at in order:
        for to in after[at]:
            layer[to] = max(layer[to], layer[at] + 1)
            missing[to] -= 1
            if not missing[to]:
                order.append(to)
    for at in reversed(order):
        if len(after[at]) > len(before[at]):
            layer[at] = min(layer[to] for to in after[at]) - 1
    return layer


class _Proper:
    """The graph with a point in every layer that an edge passes through, so that edges join neighbouring layers."""

    def __init__(self, sizes: Sequence[Size], layer: Sequence[int], directed: Iterable[tuple[int, int]]) -> None:
        self.count = len(sizes)
        self.along = [size.along for size in sizes]
        self.across = [size.across for size in sizes]
        self.layer = list(layer)
        self.paths: dict[tuple[int, int], list[int]] = {}
        for one, other in directed:
            path = [one, *(self._point(place) for place in range(layer[one] + 1, layer[other])), other]
            self.paths[one, other] = path
        segments = [segment for path in self.paths.values() for segment in pairwise(path)]
        self.segments = len(segments)
        self.after = _adjacent(len(self.layer), segments)
        self.before = _adjacent(len(self.layer), ((b, a) for a, b in segments))
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for one in self._found():
            self.layers[self.layer[one]].append(one)

    def _point(self, layer: int) -> int:
        self.layer.append(layer)
        self.along.append(0.0)
        self.across.append(0.0)
        return len(self.layer) - 1

    def _found(self) -> list[int]:
        """All, as a walk finds them whichever way edges lead, so that what belongs together begins together."""
        seen: dict[int, None] = {}
        for start in range(len(self.layer)):
            stack = [start]
            while stack:
                at = stack.pop()
                if at not in seen:
                    seen[at] = None
                    stack += reversed(self.after[at])
                    stack += reversed(self.before[at])
        return list(seen)

    def order(self) -> None:
        """Reorder layers, by turns along the edges and against them, each by the mean of its neighbours' places."""
        best, fewest = [list(one) for one in self.layers], self._crossings()
        for sweep in range(_SWEEPS if self.segments <= _MANY_SEGMENTS else _SWEEPS_FEW):
            if not fewest:
                break
            if sweep % 2:
                for upper in range(len(self.layers) - 2, -1, -1):
                    self._reorder(upper, upper + 1, self.after)
            else:
                for lower in range(1, len(self.layers)):
                    self._reorder(lower, lower - 1, self.before)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(one) for one in self.layers], crossings
        self.layers = best

    def _reorder(self, layer: int, fixed: int, joined: list[list[int]]) -> None:
        place = {one: at for at, one in enumerate(self.layers[fixed])}
        old = {one: at for at, one in enumerate(self.layers[layer])}
        scale = len(place) / max(1, len(old))
        mean = {
            one: sum(place[other] for other in joined[one]) / len(joined[one]) if joined[one] else old[one] * scale
            for one in old
        }
        self.layers[layer].sort(key=mean.__getitem__)

    def _crossings(self) -> int:
        total = 0
        for upper, lower in pairwise(self.layers):
            place = {one: at for at, one in enumerate(lower)}
            passed: list[int] = []
            for one in upper:
                ends = sorted(place[other] for other in self.after[one])
                total += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
                for end in ends:
                    insort(passed, end)
        return total

    def aligned(self, gap: float) -> list[float]:
        """Where each is across: as near to its neighbours as the order in its layer and the gaps allow."""
        where = [0.0] * len(self.layer)
        for layer in self.layers:
            at = 0.0
            for one in layer:
                where[one] = at + self.across[one] / 2
                at += self.across[one] + self._gap(one, gap)
        for turn in range(_ALIGNMENTS):
            for layer in self.layers:
                self._align(layer, where, gap, (self.before,) if turn < _ALIGNMENTS // 2 else (self.before, self.after))
            for layer in reversed(self.layers):
                self._align(layer, where, gap, (self.after,) if turn < _ALIGNMENTS // 2 else (self.before, self.after))
        first = min((where[one] - self.across[one] / 2 for one in range(len(where))), default=0.0)
        return [one - first for one in where]

    def _gap(self, one: int, gap: float) -> float:
        return gap if one < self.count else gap / 2

    def _align(self, layer: Sequence[int], where: list[float], gap: float, sides: Sequence[list[list[int]]]) -> None:
        wanted: list[float] = []
        weights: list[float] = []
        offsets: list[float] = []
        offset = 0.0
        for place, one in enumerate(layer):
            if place:
                before = layer[place - 1]
                between = max(self._gap(before, gap), self._gap(one, gap))
                offset += (self.across[before] + self.across[one]) / 2 + between
            pulls = [(where[other], self._pull(one, other)) for joined in sides for other in joined[one]]
            weight = sum(pull for _, pull in pulls)
            middle = sum(at * pull for at, pull in pulls) / weight if pulls else where[one]
            wanted.append(middle - offset)
            weights.append(weight or 0.01)
            offsets.append(offset)
        for one, at, offset in zip(layer, _rising(wanted, weights), offsets, strict=True):
            where[one] = at + offset

    def _pull(self, one: int, other: int) -> float:
        """How much an edge wants to be straight, by how many of its ends are points of a long one."""
        return (1.0, 2.0, _STRAIGHTEN)[(one >= self.count) + (other >= self.count)]


def _rising(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """What never falls and is nearest to the wanted in weighted squares (pool adjacent violators; Barlow et al.,
    "Statistical Inference under Order Restrictions", 1972)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        size = 1
        while blocks and blocks[-1][0] >= value:
            before, heavier, more = blocks.pop()
            value = (before * heavier + value * weight) / (heavier + weight)
            weight, size = weight + heavier, size + more
        blocks.append((value, weight, size))
    return [value for value, _, size in blocks for _ in range(size)]


def _drawn(
    names: Sequence[str], proper: _Proper, across: Sequence[float], pairs: Iterable[tuple[int, int]], gaps: Gaps
) -> Layout:
    """Places and routes, once it is known where everything is across."""
    begin, end = _spans(proper, across, gaps)
    along = [(begin[layer] + end[layer]) / 2 for layer in proper.layer]
    routes: dict[tuple[str, str], list[Place]] = {}
    for source, target in pairs:
        path = proper.paths.get((source, target)) or proper.paths[target, source][::-1]
        is_onward = proper.layer[path[0]] < proper.layer[path[-1]]
        enter, leave = (begin, end) if is_onward else (end, begin)
        forth = 1 if is_onward else -1
        border = [along[at] + side * forth * proper.along[at] / 2 for at, side in ((path[0], 1), (path[-1], -1))]
        points = [Place(border[0], across[path[0]]), Place(leave[proper.layer[path[0]]], across[path[0]])]
        for at in path[1:-1]:
            points += [Place(enter[proper.layer[at]], across[at]), Place(leave[proper.layer[at]], across[at])]
        points += [Place(enter[proper.layer[path[-1]]], across[path[-1]]), Place(border[1], across[path[-1]])]
        routes[names[source], names[target]] = points
    places = {name: Place(along[at], across[at]) for at, name in enumerate(names)}
    far = max((at + size / 2 for at, size in zip(across, proper.across, strict=True)), default=0.0)
    return Layout(places, routes, Size(end[-1] if end else 0.0, far))


def _spans(proper: _Proper, across: Sequence[float], gaps: Gaps) -> tuple[list[float], list[float]]:
    """Where each layer begins and ends; there is more room where edges go far across."""
    steepest: dict[int, float] = defaultdict(float)
    for path in proper.paths.values():
        for one, other in pairwise(path):
            layer = proper.layer[one]
            steepest[layer] = max(steepest[layer], abs(across[one] - across[other]))
    begin: list[float] = []
    end: list[float] = []
    at = 0.0
    for place, members in enumerate(proper.layers):
        begin.append(at)
        at += max(proper.along[one] for one in members)
        end.append(at)
        at += gaps.along + min(2 * gaps.along, steepest[place] / 8)
    return begin, end
