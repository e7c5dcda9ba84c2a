"""Values of classes that say which fields they have: what they were, or a stand-in where nothing is imported."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypedDict, TypeVar

import numpy as np
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import ClassChangedWarning, Record, is_plain, load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
T = TypeVar("T")


class Colour(enum.Enum):
    RED = 1
    CRIMSON = 1  # noqa: PIE796 — an alias
    BLUE = (0, 0, 255)


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Word(enum.StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    label: Any = "none"


@dataclasses.dataclass
class Plain:
    name: str
    items: list[Any] = dataclasses.field(default_factory=list)
    limit: int = 10
    kind: ClassVar[str] = "plain"
    init: dataclasses.InitVar[int] = 0
    late: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self, init: int) -> None:
        Plain.made = getattr(Plain, "made", 0) + 1

    @cached_property
    def length(self) -> int:
        return len(self.items)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    x: float
    inner: Any = None


@dataclasses.dataclass(order=True)
class Derived(Plain, Generic[T]):
    extra: T | None = None


class Options(TypedDict):
    depth: int


@dataclasses.dataclass
class Pickling:
    x: int

    def __reduce__(self) -> tuple[Any, ...]:
        return Pickling, (self.x + 1,)


@dataclasses.dataclass
class Tree:
    left: Any
    right: Any


class Plainly:
    def __init__(self) -> None:
        self.plain = Plain("x")


VALUES = [
    *(Colour.RED, Colour.BLUE, Colour.CRIMSON, Level.LOW, Word.YES),
    *(Access.READ, Access.READ | Access.WRITE, Access(0)),
    *(Point(1), Point(2, Point(3, ())), {Point(1, "a"): 1}),
    *(Plain("a"), Plain("b", [1, (2.5, {"x"})], 3), Frozen(1.5, Frozen(-0.0, b"x")), {Frozen(1.0): Colour.RED}),
    *(Derived("c", extra=[Frozen(2.0)]), Frozen(1.0, bytearray(b"x")), Frozen(1.0, [{"a": bytearray(b"y")}])),
    *(Options(depth=3), [Colour.RED] * 3, {frozenset({Frozen(1.0), Frozen(2.0)})}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_what_it_was(round_trip: RoundTrip, same: Callable[[Any, Any], bool], value: Any) -> None:
    loaded, manifest = round_trip(value)
    assert type(loaded) is type(value)
    assert loaded == value
    assert repr(loaded) == repr(value)
    assert not runs_code(manifest, MemoryBlobs())


def test_a_member_of_an_enumeration_is_the_member(round_trip: RoundTrip) -> None:
    assert round_trip([Colour.CRIMSON, Access.READ])[0][0] is Colour.RED


def test_bytes_and_bytearrays_in_fields_stay_apart(round_trip: RoundTrip) -> None:
    loaded, _ = round_trip(Frozen(1.0, [bytearray(b"x"), b"x", Frozen(1.0, bytearray(b"y"))]))
    assert [type(loaded.inner[0]), type(loaded.inner[1]), type(loaded.inner[2].inner)] == [bytearray, bytes, bytearray]


def test_no_initialiser_runs_and_what_is_computed_is_left_out(round_trip: RoundTrip) -> None:
    value = Plain("a", [1, 2])
    before = save(value, MemoryBlobs()).manifest.digest
    assert value.length == 2
    value.late = "set"
    made = Plain.made  # type: ignore[attr-defined]
    loaded, manifest = round_trip(value)
    assert Plain.made == made  # type: ignore[attr-defined]
    assert (loaded.late, "length" in vars(loaded)) == ("set", False)
    del value.late
    assert save(value, MemoryBlobs()).manifest.digest == before != manifest.digest
    assert not hasattr(round_trip(value)[0], "late")


def test_an_array_in_a_field_is_a_part_of_its_own(round_trip: RoundTrip) -> None:
    array = np.arange(10_000.0)
    loaded, manifest = round_trip([Frozen(1.0, {"deep": array})])
    np.testing.assert_array_equal(loaded[0].inner["deep"], array)
    assert [one.size_bytes for one in manifest.named()] == [array.nbytes]


@pytest.mark.parametrize("value", [Pickling(1), Plainly()], ids=["own pickling", "no fields"])
def test_what_says_itself_how_it_is_pickled_or_has_no_fields_is_pickled(value: Any) -> None:
    assert runs_code(save(value, MemoryBlobs()).manifest, MemoryBlobs())


def test_attributes_beside_the_fields_are_kept_by_pickling() -> None:
    value = Plain("a")
    value.other = 1  # type: ignore[attr-defined]
    blobs = MemoryBlobs()
    manifest = save(value, blobs).manifest
    assert runs_code(manifest, blobs)
    loaded: Any = load(manifest, blobs)
    assert loaded.other == 1


def test_a_class_that_only_one_process_knows_is_pickled() -> None:
    @dataclasses.dataclass
    class Local:
        x: int

    blobs = MemoryBlobs()
    manifest = save(Local(3), blobs).manifest
    assert runs_code(manifest, blobs)
    loaded: Any = load(manifest, blobs)
    assert loaded.x == 3


def test_records_that_share_others_at_every_level_are_pickled_instead_of_written_without_end() -> None:
    tree = Tree(None, None)
    for _ in range(40):
        tree = Tree(tree, tree)
    blobs = MemoryBlobs()
    loaded: Any = load(save(tree, blobs).manifest, blobs)
    assert loaded.left is loaded.right
    tree.left = tree
    loaded = load(save(tree, blobs).manifest, blobs)
    assert loaded.left is loaded


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_where_nothing_may_be_imported_stand_ins_have_the_fields(value: Any) -> None:
    blobs = MemoryBlobs()
    saved = save([value], blobs)
    (loaded,) = load(saved.manifest, blobs, allow_pickle=False)  # type: ignore[misc]
    if isinstance(value, Plain | Frozen | Point):
        assert type(loaded) is Record
        for name in (
            value._fields if isinstance(value, Point) else ("name", "items") if isinstance(value, Plain) else ()
        ):
            assert repr(getattr(loaded, name)) == repr(loaded[name])
        assert type(value).__qualname__ in repr(loaded)
    elif isinstance(value, enum.Enum):
        assert (type(loaded), loaded.name) == (Record, value.name if value.name in type(value).__members__ else None)
    again = save(load(saved.manifest, blobs, allow_pickle=False), blobs)
    assert load(again.manifest, blobs, allow_pickle=False) == [loaded]


def test_a_stand_in_is_read_only_and_equal_to_one_of_the_same() -> None:
    blobs = MemoryBlobs()
    manifest = save({Frozen(1.0): Point(1)}, blobs).manifest
    one, other = (load(manifest, blobs, allow_pickle=False) for _ in range(2))
    assert one == other
    (key,) = one  # type: ignore[misc]
    with pytest.raises(AttributeError):
        key.x = 2
    with pytest.raises(AttributeError, match="no field 'y'"):
        _ = key.y


PROGRAM = """if True:
    import sys, warnings
    from pathlib import Path
    from lineal.cas import Manifest, MemoryBlobs
    from lineal.materializers import load
    manifest = Manifest.decode(Path(sys.argv[1]).read_bytes())
    value = load(manifest, MemoryBlobs(), allow_pickle=sys.argv[2] == "trusted")
    print(type(value).__name__, "shop" in sys.modules, getattr(value, "price", None), getattr(value, "name", None))
"""
SHOP = """
from dataclasses import dataclass
@dataclass
class Item:
    name: str
    price: float = 1.0
"""


@pytest.mark.parametrize(
    ("module", "trust", "expected"),
    [
        (SHOP, "trusted", "Item True 2.5 tea"),
        (SHOP, "untrusted", "Record False 2.5 tea"),
        (SHOP + "    size: int = 3\n", "trusted", "Item True 2.5 tea"),
        (SHOP.replace("price", "cost"), "trusted", "Record True 2.5 tea"),
        (SHOP.replace("Item", "Other"), "trusted", "Record True 2.5 tea"),
        ("", "untrusted", "Record False 2.5 tea"),
    ],
    ids=["trusted", "untrusted", "a new field with a default", "another field", "gone", "gone, untrusted"],
)
def test_a_class_is_imported_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, trust: str, expected: str
) -> None:
    folder = tmp_path / "then"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP)
    save_it = f"""if True:
        from pathlib import Path
        from shop import Item
        from lineal.cas import MemoryBlobs
        from lineal.materializers import save
        Path({str(tmp_path / "manifest")!r}).write_bytes(save(Item("tea", 2.5), MemoryBlobs()).manifest.encoded)
    """
    monkeypatch.setenv("PYTHONPATH", str(folder))
    subprocess.run([sys.executable, "-P", "-c", save_it], check=True)
    (folder / "shop.py").write_text(module)
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", PROGRAM, tmp_path / "manifest", trust],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected


def test_a_class_that_has_changed_is_warned_of() -> None:
    manifest = save(Frozen(1.0), MemoryBlobs()).manifest
    head: Any = manifest.head
    renamed = manifest.replaced(head=[1, head[1].replace(b"inner", b"other")])
    with pytest.warns(ClassChangedWarning, match="Frozen"):
        assert load(renamed, MemoryBlobs()).other is None  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(renamed, MemoryBlobs(), allow_pickle=False).other is None  # type: ignore[attr-defined]


def test_a_value_that_holds_records_is_not_plain() -> None:
    blobs = MemoryBlobs()
    records = [Frozen(1.0), [Colour.RED], {Point(1): 2}, [Frozen(1.0)] * 5000, [KeyError("x")]]
    plain = [[1, (2, {3})], {"a": 1.5}, ["x"] * 10_000, "y" * 50_000]
    assert [is_plain(save(value, blobs).manifest, blobs) for value in records] == [False] * 5
    assert [is_plain(save(value, blobs).manifest, blobs) for value in plain] == [True] * 4
