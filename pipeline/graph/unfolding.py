"""Unfolding: calls that are known only when a run gets there, since an output decides how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import InvalidPipeline
from .graph import Node, node_of
from .mapping import RowGroups, Spread
from .references import MappedRef, OutputRef, Reference
from .templates import substituted

Length = Callable[[OutputRef], int]
"""How many items, or rows, an output has that is there."""


@dataclass(slots=True, eq=False)  # as the nodes of a graph
class Folded(Node):
    """A map over what is not there yet, or a call that takes what such a map gives.

    As a map, it is done when it is known how many calls it makes.
    """

    bound: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments, where it is no map."""
    spread: Spread | None = None
    maps: frozenset[str] = frozenset()
    """Maps whose calls it comes after, or takes outputs of."""

    @classmethod
    def of(cls, node: Node, maps: frozenset[str], bound: Mapping[str, Any], spread: Spread | None = None) -> Folded:
        """What stands for a call that can't be made yet, or for a map."""
        place = node.sources, node.after, node.unchecked, node.within, node.map
        return cls(node.name, node.step, {}, *place, bound, spread, maps)

    @property
    def parents(self) -> frozenset[str]:
        """What must be done before it can be unfolded; what it makes waits for the rest."""
        lists = () if self.spread is None else self.spread.lists.values()
        sources = [one.table if isinstance(one, RowGroups) else one for one in lists]
        return self.maps.union([one.node for one in sources if isinstance(one, Reference)])


class Unfolding:
    """Unfolds what is folded in one run."""

    def __init__(self, pipeline: str, length: Length) -> None:
        self._pipeline = pipeline
        self._length = length
        self._counts: dict[str, int] = {}

    def unfold(self, folded: Folded) -> list[Node]:
        """The calls that it stands for, all of whose parents are done.

        Raises:
            InvalidPipeline: An output can't be mapped over, lists differ in length, or a map has no such call.
        """
        after = tuple([name for one in folded.after for name in self._names(one)])
        if folded.spread is None:
            bound = {name: substituted(value, self._of_map) for name, value in folded.bound.items()}
            return [node_of(folded.name, folded.step, bound, self._pipeline, after=after, within=folded.within)]
        lists = {name: substituted(one, self._of_map) for name, one in folded.spread.lists.items()}
        if any(isinstance(one, MappedRef) for one in folded.spread.lists.values()) and not _are_known(lists):
            # What a call gives is to be gone through, and that call is known by now.
            return [replace(folded, spread=replace(folded.spread, lists=lists), maps=frozenset())]
        lists = {name: self._items(one) for name, one in lists.items()}
        fixed = {name: substituted(value, self._of_map) for name, value in folded.spread.fixed.items()}
        calls = replace(folded.spread, lists=lists, fixed=fixed).calls(f"step {folded.name!r}")
        nodes = list(mapped_nodes(folded.name, folded.step, calls, self._pipeline, after=after, within=folded.within))
        self._counts[folded.name] = len(nodes)
        return nodes

    def _names(self, name: str) -> list[str]:
        count = self._counts.get(name)
        return [name] if count is None else [f"{name}[{number}]" for number in range(count)]

    def _items(self, one: Any) -> Any:
        if isinstance(one, RowGroups):
            return [one.table.part(rows) for rows in one.slices(self._length(one.table))]
        if isinstance(one, OutputRef):
            return [one.part(number) for number in range(self._length(one))]
        return one

    def is_unfolded(self, name: str) -> bool:
        """Whether it is known what calls a map makes."""
        return name in self._counts

    def _of_map(self, ref: Any) -> Any:
        """What a map gives, as a list, or what one of its calls does; anything else as it is."""
        if not isinstance(ref, MappedRef):
            return ref
        count = self._counts[ref.node]
        if not ref.selector:
            return [OutputRef(f"{ref.node}[{number}]", ref.output, ref.traced_by) for number in range(count)]
        number, *rest = ref.selector
        assert isinstance(number, int)  # As `MappedRef` has it.
        if not -count <= number < count:
            raise InvalidPipeline(
                f"mapped step {ref.node!r} has no call {number}: it made {count}", hint="Look at what it maps over."
            )
        return OutputRef(f"{ref.node}[{number % count}]", ref.output, ref.traced_by, tuple(rest))


def _are_known(lists: Mapping[str, Any]) -> bool:
    return not any(isinstance(one, OutputRef) for one in lists.values())


def mapped_nodes(
    name: str, step: Any, calls: Iterator[Mapping[str, Any]], pipeline: str, **place: Any
) -> Iterator[Node]:
    """The calls that a map makes; ``place`` has the nodes' other fields."""
    for number, bound in enumerate(calls):
        yield node_of(f"{name}[{number}]", step, bound, pipeline, map=name, **place)
