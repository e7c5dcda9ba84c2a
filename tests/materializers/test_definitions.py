"""Classes of scripts, notebooks and functions: the same content in every process, and the class that is known there."""

from __future__ import annotations

import dataclasses
import enum
import gc
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import LoadRefused, ManifestCorrupt
from lineal.materializers import load, save

CLASSES = """
import abc, dataclasses, enum, functools
from typing import Any, Generic, NamedTuple, TypeVar
import attrs, pydantic

FACTOR = 3
T = TypeVar("T")

def scaled(x):
    return x * FACTOR

@dataclasses.dataclass
class Point:
    '''A point.'''
    x: int
    tags: set = dataclasses.field(default_factory=set)
    inner: Any = None
    def scaled(self):
        return scaled(self.x) if self.x in {"a", "b", "c", 4} else 0

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: Any = 1
    tags: frozenset = frozenset()

class Colour(enum.Enum):
    RED = 1
    BLUE = "b"
    def nice(self):
        return self.name.lower()

class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()

class Pair(NamedTuple):
    a: Any
    b: Any = None

@attrs.define
class Defined:
    x: int
    tags: set = attrs.field(factory=set)

@attrs.frozen
class Hashed:
    x: int

class Model(pydantic.BaseModel):
    x: int
    tags: set[str] = set()

class Outer(pydantic.BaseModel):
    model: Model
    n: int | None = None
    @pydantic.field_validator("n")
    @classmethod
    def positive(cls, n):
        assert n is None or n > 0
        return n

class Shape(abc.ABC, Generic[T]):
    known = {"square", "circle", "line"}
    @abc.abstractmethod
    def area(self): ...

class Within:
    class Deep:
        class Mode(enum.Enum):
            ON = 1
    class Part:
        @functools.cached_property
        def twice(self):
            return 2 * FACTOR

class Square(Shape[int]):
    def __init__(self, side, **others):
        self.side = side
        self.__dict__.update(others)
    def area(self):
        return super().__class__ and self.side ** 2
    @property
    def double(self):
        return (lambda x: x in {"p", "q"} or x * 2)(self.side)

def values():
    words = {"a", "b", "c", "d"}
    point = Point(4, words, Frozen(2, frozenset(words)))
    return {
        "point": point, "frozen": Frozen(words, frozenset({1, "e"})), "enum": [Colour.RED, Colour.BLUE, Access(3)],
        "pair": Pair(1, {"q", "r", None}), "attrs": [Defined(1, words), Hashed(3)],
        "pydantic": [Model(x=1, tags=words), Outer(model=Model(x=2))],
        "plain": Square("side", words=words, mixed={1, "b", None}), "classes": [Point, Model, Colour, Square],
        "functions": [lambda x: x in {"u", "v", "w"}, scaled], "shared": [point, point],
        "nested": [Within.Part(), Within.Deep.Mode.ON],
    }
"""
SAVE = """
if __name__ == "__main__":
    import pathlib, sys
    from lineal.cas import MemoryBlobs
    from lineal.materializers import save
    for name, value in values().items():
        manifest = save(value, MemoryBlobs()).manifest
        assert save(value, MemoryBlobs()).manifest.digest == manifest.digest
        print(name, manifest.digest)
        pathlib.Path(sys.argv[1], name).write_bytes(manifest.encoded)
"""
LOAD = """
if __name__ == "__main__":
    import pathlib, sys
    from lineal.cas import Manifest, MemoryBlobs
    from lineal.materializers import load
    files = pathlib.Path(sys.argv[1]).iterdir()
    found = {file.name: load(Manifest.decode(file.read_bytes()), MemoryBlobs()) for file in files}
    assert type(found["point"]) is Point and found["point"] == values()["point"]
    assert found["enum"][0] is Colour.RED and found["enum"][2] is Access.READ | Access.WRITE
    assert found["pydantic"] == values()["pydantic"] and found["attrs"] == values()["attrs"]
    assert type(found["nested"][0]) is Within.Part and found["nested"][1] is Within.Deep.Mode.ON
    assert type(found["plain"]) is Square and found["classes"] == [Point, Model, Colour, Square]
"""


def run(script: Path, text: str, *arguments: str | Path, hash_seed: str = "0") -> str:
    script.parent.mkdir(exist_ok=True)
    script.write_text(text)
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-P", script, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    """By name, what four processes agree to have saved: with other hash seeds, and the script in other places."""
    tmp_path = tmp_path_factory.mktemp("definitions")
    said = set()
    for number, seed in enumerate(("0", "1", "77", "random")):
        folder = tmp_path / str(number)
        folder.mkdir()
        above = "# a line\n" * number
        said.add(run(tmp_path / f"in {seed}" / f"script{number}.py", above + CLASSES + SAVE, folder, hash_seed=seed))
    assert len(said) == 1
    run(tmp_path / "again" / "script.py", "'''Again.'''\n" + CLASSES + LOAD, folder, hash_seed="5")
    return {file.name: Manifest.decode(file.read_bytes()) for file in folder.iterdir()}


def test_values_of_the_main_program_s_classes_are_equal_in_every_process_and_of_them_where_it_is_run_again(
    saved: dict[str, Manifest],
) -> None:
    assert len(saved) == 11


def test_where_the_main_program_is_another_the_classes_are_made_and_are_the_same_for_all_values(
    saved: dict[str, Manifest],
) -> None:
    found: dict[str, Any] = {name: load(manifest, MemoryBlobs()) for name, manifest in saved.items()}
    point = found["point"]
    assert (point.scaled(), point.tags, point.inner.tags) == (12, set("abcd"), frozenset("abcd"))
    assert dataclasses.replace(point, x=5).scaled() == 0
    assert [one.default is dataclasses.MISSING for one in dataclasses.fields(point)] == [True, True, False]
    assert found["shared"][0] is found["shared"][1]
    assert found["shared"][0] == point
    assert found["classes"][0] is type(point)
    assert [type(one).__qualname__ for one in found["nested"]] == ["Within.Part", "Within.Deep.Mode"]
    assert found["nested"][0].twice == 6
    red, blue, access = found["enum"]
    assert (red.nice(), type(red)("b"), type(access)(3)) == ("red", blue, access)
    assert type(found["frozen"])() == dataclasses.replace(found["frozen"], x=1, tags=frozenset())
    assert found["pair"]._replace(a=2).a == 2
    assert hash(found["attrs"][1]) == hash(type(found["attrs"][1])(3))
    model, outer = found["pydantic"]
    assert type(outer).model_validate({"model": {"x": "2"}}) == outer
    assert type(outer.model) is type(model)
    with pytest.raises(ValueError, match="validation error"):
        type(outer)(model=model, n=-1)
    assert (found["plain"].double, found["plain"].words) == ("sideside", set("abcd"))
    assert [one("u") for one in found["functions"]] == [True, "uuu"]


def test_a_class_is_made_where_the_main_program_has_one_of_its_name_that_can_not_be_saved(tmp_path: Path) -> None:
    job = "class Job:\n    x = 1\n"
    made = "import pathlib, sys; from lineal.cas import *; from lineal.materializers import *\n"
    saving = "pathlib.Path(sys.argv[1]).write_bytes(save(Job(), MemoryBlobs()).manifest.encoded)\n"
    run(tmp_path / "saving.py", made + job + saving, tmp_path / "job")
    other = "import threading\nLOCK = threading.Lock()\nclass Job:\n    def locked(self): return LOCK.locked()\n"
    loading = "print(load(Manifest.decode(pathlib.Path(sys.argv[1]).read_bytes()), MemoryBlobs()).x)\n"
    assert run(tmp_path / "loading.py", made + other + loading, tmp_path / "job") == "1\n"


def test_members_of_an_enumeration_have_elsewhere_what_they_are_given_as_they_begin(tmp_path: Path) -> None:
    planets = """
import enum, pathlib, sys; from lineal.cas import *; from lineal.materializers import *
class Planet(enum.Enum):
    EARTH = 3.0, 2.0
    MARS = 1.0, 1.0
    def __init__(self, mass, radius):
        self.mass, self.radius = mass, radius
pathlib.Path(sys.argv[1]).write_bytes(save(Planet.EARTH, MemoryBlobs()).manifest.encoded)
"""
    run(tmp_path / "saving.py", planets, tmp_path / "planet")
    earth: Any = load(Manifest.decode((tmp_path / "planet").read_bytes()), MemoryBlobs())
    assert (earth.mass, earth.radius, type(earth).MARS.mass) == (3.0, 2.0, 1.0)


@pytest.mark.parametrize("order", range(4))
def test_what_was_loaded_in_any_order_is_the_same_content(saved: dict[str, Manifest], order: int) -> None:
    names = sorted(saved)
    random.Random(order).shuffle(names)
    loaded = []
    for name in names:
        loaded.append(load(saved[name], MemoryBlobs()))
        assert (name, save(loaded[-1], MemoryBlobs()).manifest.digest) == (name, saved[name].digest)
        if order % 2:
            loaded.clear()
    gc.collect()


def test_classes_that_differ_in_what_they_do_are_not_taken_for_each_other() -> None:
    def made(limit: int) -> type:
        class Local:
            def __init__(self) -> None:
                self.x = 1

            def within(self, x: int) -> bool:
                return x < limit

        return Local

    three, again, four = made(3), made(3), made(4)
    blobs = MemoryBlobs()
    manifests = [save(kind(), blobs).manifest for kind in (three, again, four)]
    assert manifests[0].digest == manifests[1].digest != manifests[2].digest
    assert [type(load(one, blobs)) for one in manifests] == [again, again, four]
    assert [load(one, blobs).within(3) for one in manifests] == [False, False, True]  # type: ignore[attr-defined]


def test_a_class_that_has_become_another_is_saved_as_that() -> None:
    class Counted:
        made: list[int] = []  # noqa: RUF012

    first = save(Counted(), MemoryBlobs()).manifest
    Counted.made.append(1)
    second = save(Counted(), MemoryBlobs()).manifest
    Counted.made.clear()
    assert first.digest == save(Counted(), MemoryBlobs()).manifest.digest != second.digest


def test_loading_changes_nothing_of_a_class_that_is_in_use() -> None:
    class Used:
        count = 0

        def method(self) -> None: ...

    method = Used.method
    blobs = MemoryBlobs()
    manifest = save(Used(), blobs).manifest
    Used.count = 5
    assert type(load(manifest, blobs)) is Used
    assert (Used.count, Used.method) == (5, method)


BOTH = threading.Barrier(2, timeout=30)


def _meet() -> int:
    return BOTH.wait()


class Meeting:
    """Loads once two threads do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _meet, ()


def test_threads_that_load_a_class_at_once_give_the_same_one() -> None:
    def saved_one(blobs: MemoryBlobs) -> Manifest:
        class Met:
            meeting = Meeting()

        return save([Met()], blobs).manifest

    blobs = MemoryBlobs()
    manifest = saved_one(blobs)
    gc.collect()
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: load(manifest, blobs), range(2))
    assert type(one[0]) is type(other[0])


def test_a_definition_is_refused_where_code_is_not_to_be_executed() -> None:
    class Local(enum.Enum):
        ONE = 1

    blobs = MemoryBlobs()
    manifest = save([Local.ONE], blobs).manifest
    with pytest.raises(LoadRefused):
        load(manifest, blobs, allow_pickle=False)
    (definition,) = (one for _, one in dict(manifest.parts)["opaque"].parts if isinstance(one, Manifest))  # type: ignore[union-attr]
    assert definition.format == "python.definition/1"
    with pytest.raises(LoadRefused):
        load(definition, blobs, allow_pickle=False)
    for damaged in (definition.replaced(head=head) for head in (None, {}, {"id": 3})):
        with pytest.raises(ManifestCorrupt):
            load(damaged, blobs)
    with pytest.raises(ManifestCorrupt):
        load(definition.replaced(head={"id": "x"}, parts=(("stream", b"\x80\x05"),)), blobs)


class Holder:
    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)


def test_texts_that_are_one_object_are_pickled_as_those_that_are_several() -> None:
    one = "".join(["te", "xt"])
    other = "".join(["te", "xt"])
    assert one is not other
    contents = {save(Holder(a=one, b=b, text=1), MemoryBlobs()).manifest.digest for b in (one, other)}
    assert len(contents) == 1


def test_what_is_shared_and_can_be_changed_stays_shared_and_buffers_stay_what_they_are() -> None:
    held, data = [1], bytearray(b"abc")
    value = Holder(a=held, b=held, c=[1], data=data, same=b"abc", also=data, words={"x", ("y", frozenset("pq"))})
    value.itself = value
    blobs = MemoryBlobs()
    loaded: Any = load(save(value, blobs).manifest, blobs)
    assert loaded.a is loaded.b is not loaded.c
    assert loaded.data is loaded.also
    assert (loaded.same, type(loaded.data), loaded.itself, loaded.words) == (b"abc", bytearray, loaded, value.words)


def test_values_of_many_objects_are_ordered_too() -> None:
    program = """if True:
        from types import SimpleNamespace
        from lineal.cas import MemoryBlobs
        from lineal.materializers import save
        value = [SimpleNamespace(number=number) for number in range(20_000)]
        print(save(SimpleNamespace(many=value, words={"a", "b", "c", "d"}), MemoryBlobs()).manifest.digest)
        print(save(SimpleNamespace(many=value), MemoryBlobs()).manifest.digest)
    """
    said = {
        subprocess.run(
            [sys.executable, "-P", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
