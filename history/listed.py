"""Lists of views that are read as far as they are used, and steps by name or by place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar, overload

from ..errors import ArtifactNotFound, StepNotFound
from .references import near

T = TypeVar("T")
V = TypeVar("V")


class Listed(Sequence[T]):
    """A sequence that is read anew, from its beginning, whenever it is used, and no further than it is.

    ``runs[0]`` costs a lookup; a place from the end, and the length, cost reading it all.
    """

    def __init__(self, read: Callable[[], Iterator[T]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[T]:
        return self._read()

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            parts = (place.start or 0, place.stop if place.stop is not None else 0, place.step or 1)
            if min(parts) < 0:
                return list(self)[place]
            return list(islice(self, place.start, place.stop, place.step))
        if place < 0:
            return list(self)[place]
        for found in islice(self, place, None):
            return found
        raise IndexError(f"there are no more than {len(self)}")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listed | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [repr(one) for one in self[:3]]
        return f"[{', '.join(shown)}{', …' if self[3:4] else ''}]"


class ByName(Mapping[str, V]):
    """Steps by their names, in order: ``steps["train"]``; and by their places: ``steps[0]``, ``steps[-1]``.

    A name that is not there is a `StepNotFound`, which says what is near.
    """

    def __init__(self, found: dict[str, V]) -> None:
        self._found = found

    def __getitem__(self, name: str | int) -> V:
        if isinstance(name, int):
            return [*self._found.values()][name]
        if name not in self._found:
            raise StepNotFound(f"there is no {name!r}", hint=near(str(name), self._found))
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return repr(self._found)


class Versions(dict[str, V]):
    """What a step run took or gave, by name. A name that is not there is an `ArtifactNotFound`, which tells what is."""

    def __missing__(self, name: str) -> V:
        raise ArtifactNotFound(f"there is no {name!r}", hint=near(str(name), self))
