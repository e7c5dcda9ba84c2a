"""Immutable values: declared as dataclasses are, and as little to be confused or changed."""

from __future__ import annotations

import pickle
from functools import cached_property

import pytest

from lineal.immutable import Immutable


class Nothing(Immutable):
    """Without fields."""


class Point(Immutable):
    """A place."""

    x: int
    y: int = 0
    """From the left."""


class Place(Immutable):
    """As many fields as `Point`, and no point."""

    x: int
    y: int = 0

    @cached_property
    def total(self) -> int:
        return self.x + self.y


def test_a_value_equals_what_is_of_its_type_with_equal_fields_and_nothing_else() -> None:
    assert Point(1) == Point(1, 0) == Point(y=0, x=1)
    assert Point(1) != Place(1)
    assert Point(1) != (1, 0)
    assert Point(1) != Point(2)
    assert len({Point(1), Point(1, 0), Place(1), (1, 0)}) == 3


def test_a_value_never_changes_and_what_it_computed_goes_with_nobody() -> None:
    place = Place(1, 2)
    assert place.total == 3
    with pytest.raises(AttributeError):
        place.x = 5  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Point(1).z = 5  # type: ignore[attr-defined]
    assert place.replaced(x=5) == Place(5, 2)
    assert place.replaced(x=5).total == 7
    copy = pickle.loads(pickle.dumps(place))
    assert copy == place
    assert vars(copy) == {}


def test_what_is_no_field_or_misses_one_is_refused() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1, z=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1).replaced(z=2)


def test_a_value_without_fields_is_true_and_each_shows_itself() -> None:
    assert Nothing()
    assert repr(Nothing()) == "Nothing()"
    assert repr(Point(1)) == "Point(x=1, y=0)"
    match Point(3, 4):
        case Point(x, y):
            assert (x, y) == (3, 4)
