"""The states in which a power cut may leave a disk: for each point of a trace a bounded number, seeded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from blake3 import blake3
from powercut.disk import EVERYTHING, NOTHING, Choice, Effect, Fate, File, Folder, pending
from powercut.replay import Point, Replay
from powercut.trace import Call

_FRUITLESS = 40
"""So many choices in a row that come to a state seen before are enough at a point."""
_LEAST = (5, 2)
"""So many choices are tried at a barrier, however few states are wanted: each of those that are no random ones, and
where there are more barriers than that, what is durable for certain, and all."""
_WEIGHTS = ((1, 1, 1), (6, 1, 2), (1, 6, 2))
"""How much of what was not synced is kept, lost and torn."""

Tree = dict[str, bytes | None]
"""Each path's bytes, those above before those below; a directory has none."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fate for some effects, and another for the rest."""

    chosen: Mapping[int, Fate]
    rest: Fate
    seed: str

    def fate(self, number: int) -> Fate:
        """What becomes of an effect."""
        return self.chosen.get(number, self.rest)

    def chance(self, number: int) -> Random:
        """Randomness for an effect, the same each time."""
        return Random(f"{self.seed}.{number}")


@dataclass(frozen=True, slots=True)
class State:
    """What a power cut may have left, and what had been acknowledged before it."""

    number: int
    tree: Tree
    acknowledged: tuple[str, ...]
    description: str


@dataclass(slots=True)
class States:
    """All the states of a trace that are different, numbered."""

    each: int
    """How many at a barrier, if there are so many."""
    seed: int
    stride: int = 1
    """Of the points that are no barriers, every so-manieth counts."""
    _seen: set[bytes] = field(default_factory=set)
    _digests: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    def about(cls, wanted: int, seed: int, replay: Replay, calls: Sequence[Call]) -> States:
        """So many, if they are all different; goes through the trace once to see how often to choose."""
        points = list(replay.points(calls))
        barriers = points.count(Point.BARRIER)
        least = _LEAST[barriers > wanted]
        return cls(max(least, wanted // barriers), seed, max(1, 2 * (len(points) - barriers) // wanted))

    def of(self, replay: Replay, calls: Sequence[Call]) -> Iterator[State]:
        """Go through a trace and give the states of each of its points."""
        for number, point in enumerate(replay.points(calls)):
            if point is Point.BARRIER:
                yield from self._at(replay, number, self._choices(pending(replay.disk), number))
            elif number % self.stride == 0:
                yield from self._at(replay, number, [("everything", EVERYTHING)])

    def _at(self, replay: Replay, point: int, choices: Iterable[tuple[str, Choice]]) -> Iterator[State]:
        most, fruitless = self._count + self.each, 0
        for description, choice in choices:
            if self._count == most or fruitless == _FRUITLESS:
                return
            tree: Tree = {}
            signature = blake3(len(replay.acknowledged).to_bytes(4, "big"))
            self._grow(replay.disk, choice, "", tree, signature)
            digest = signature.digest()
            if digest in self._seen:
                fruitless += 1
                continue
            fruitless = 0
            self._seen.add(digest)
            yield State(self._count, tree, tuple(replay.acknowledged), f"point {point}: {description}")
            self._count += 1

    def _grow(self, folder: Folder, choice: Choice, above: str, tree: Tree, signature: blake3) -> None:
        for name, node in folder.entries(choice).items():
            path = above + name
            signature.update(path.encode() + b"\0")
            if isinstance(node, Folder):
                tree[path] = None
                if node.base or node.effects:
                    self._grow(node, choice, path + "/", tree, signature)
            else:
                tree[path] = content = node.content(choice)
                signature.update(self._digest(node, content))

    def _digest(self, file: File, content: bytes) -> bytes:
        if file.effects:
            return blake3(content).digest()
        known = self._digests.get((file.number, file.version))
        if known is None:
            known = self._digests[file.number, file.version] = blake3(content).digest()
        return known

    def _choices(self, effects: Sequence[Effect], point: int) -> Iterator[tuple[str, Choice]]:
        yield "only what is durable", NOTHING
        if not effects:
            return
        yield "everything", EVERYTHING
        chance = Random(f"{self.seed}.{point}")
        numbers = [effect.number for effect in effects]
        for draw in count():
            seed = f"{self.seed}.{point}.{draw}"
            # The newest effect first: it is what differs from the point before.
            number = chance.choice(numbers) if draw else numbers[-1]
            yield f"all but {number}", Chosen({number: Fate.LOST}, Fate.KEPT, seed)
            yield f"all, {number} torn", Chosen({number: Fate.TORN}, Fate.KEPT, seed)
            yield f"only {number}", Chosen({number: Fate.KEPT}, Fate.LOST, seed)
            for weights in _WEIGHTS:
                fates = chance.choices(list(Fate), weights, k=len(numbers))
                yield f"random {draw}", Chosen(dict(zip(numbers, fates, strict=True)), Fate.LOST, seed)
