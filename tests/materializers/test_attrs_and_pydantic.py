from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import attrs
import numpy as np
import pydantic
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import Record, load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]


@attrs.define
class Slotted:
    x: int
    items: list[Any] = attrs.field(factory=list)


@attrs.frozen
class Frozen:
    x: Any
    y: float = attrs.field(default=1.0, validator=attrs.validators.instance_of(float))


@attrs.define(slots=False)
class Open:
    x: Any = None


class Settings(pydantic.BaseModel):
    name: str
    rates: dict[str, float] = {}
    inner: Settings | None = None
    note: str = pydantic.Field(default="none", alias="remark")
    _secret: int = pydantic.PrivateAttr(default=7)

    @cached_property
    def length(self) -> int:
        return len(self.rates)


class Loose(pydantic.BaseModel, extra="allow", arbitrary_types_allowed=True):
    array: np.ndarray | None = None


class Numbers(pydantic.RootModel[list[int]]):
    pass


@pydantic.dataclasses.dataclass
class Checked:
    x: int
    y: list[int] = pydantic.Field(default_factory=list)


VALUES = [
    *(Slotted(1), Slotted(2, [Frozen("a"), {"k": Open(Open())}]), Frozen(Slotted(3), 2.5), {Frozen(1): 2}),
    *(Settings(name="a"), Settings(name="b", rates={"x": 1.5}, inner=Settings(name="c", remark="r"))),
    *(Loose(extra=[1, (2, 3)]), Numbers([1, 2]), Checked(x=1, y=[2]), [Checked(x=3)]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_as_what_it_was(round_trip: RoundTrip, value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded == value
    assert repr(loaded) == repr(value)
    assert not runs_code(manifest, MemoryBlobs())


def test_what_was_set_and_what_is_private_is_kept_and_what_is_computed_is_not(round_trip: RoundTrip) -> None:
    value = Settings(name="a", rates={"x": 1.0})
    value._secret = 9
    before = save(value, MemoryBlobs()).manifest.digest
    assert value.length == 1
    loaded, manifest = round_trip(value)
    assert manifest.digest == before
    assert (loaded._secret, loaded.model_fields_set) == (9, {"name", "rates"})
    assert loaded.model_dump(exclude_unset=True) == value.model_dump(exclude_unset=True)


class Tagged(pydantic.BaseModel):
    x: int = 0
    y: int = 0
    tags: set[str] = pydantic.Field(default_factory=set)


@pytest.mark.parametrize("beside", [b"", bytearray(b"abc")], ids=["alone", "beside a bytearray"])
def test_of_many_models_each_has_its_own_sets_and_its_own_fields_that_were_set(beside: Any) -> None:
    """What was set is a new set each time it is asked for, which may lie where another one was."""
    models = [
        Tagged(**{name: number for number, name in enumerate("xy") if case >> number & 1}, tags=set("abc"[: case % 4]))
        for case in range(16)
    ]
    blobs = MemoryBlobs()
    loaded = load(save([beside, *models], blobs).manifest, blobs)[1:]
    assert [(one, one.model_fields_set) for one in loaded] == [(one, one.model_fields_set) for one in models]


def test_an_array_in_a_model_is_a_part_of_its_own(round_trip: RoundTrip) -> None:
    loaded, manifest = round_trip(Loose(array=np.arange(5000)))
    np.testing.assert_array_equal(loaded.array, np.arange(5000))
    assert len(list(manifest.named())) == 1


@pytest.mark.parametrize("value", [VALUES[0], VALUES[4], VALUES[6], VALUES[8]], ids=repr)
def test_where_nothing_may_be_imported_a_stand_in_has_the_fields(value: Any) -> None:
    blobs = MemoryBlobs()
    loaded: Any = load(save(value, blobs).manifest, blobs, allow_pickle=False)
    assert type(loaded) is Record
    name = next(iter(attrs.fields_dict(type(value)))) if attrs.has(type(value)) else next(iter(vars(value)))
    assert loaded[name] == getattr(value, name)
