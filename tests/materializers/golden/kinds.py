"""Every kind of value that has a format: what values of it hypothesis may draw, and when two of them are the same."""

from __future__ import annotations

import array
import atexit
import collections
import dataclasses
import datetime
import enum
import itertools
import pathlib
import struct
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict

import attrs
import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pydantic
import scipy.sparse as sp
import xarray as xr
from golden_values import Colour, Item, Own, Point, Refused
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

import lineal

Drawn = st.SearchStrategy[Any]


class Access(enum.Flag):
    """A flag."""

    READ = enum.auto()
    WRITE = enum.auto()


@attrs.define
class Attrs:
    """A class of attrs."""

    x: Any
    tags: set[str] = attrs.field(factory=set)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """A dataclass with slots."""

    x: Any
    tags: frozenset[str] = frozenset()


class Model(pydantic.BaseModel):
    """A model of pydantic."""

    x: Any
    tags: set[str] = pydantic.Field(default_factory=set)


class Typed(TypedDict):
    """A dict with known keys."""

    x: int


@dataclasses.dataclass(frozen=True)
class Kind:
    """How values of a kind are drawn and compared."""

    drawn: Drawn
    same: Callable[[Any, Any], bool] = lambda one, other: same(one, other)
    """Of what was drawn and what was loaded."""
    made: Callable[[Any], Any] = lambda drawn: drawn
    """Of what was drawn, what is saved: another one each time where saving uses it up."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in type, order and bits, all the way down."""
    if type(one) is not type(other):
        return False
    for kind, compare in _SAME:
        if isinstance(one, kind):
            return bool(compare(one, other))
    if attrs.has(type(one)) or dataclasses.is_dataclass(one):
        return all(same(getattr(one, name), getattr(other, name)) for name in ("x", "tags") if hasattr(one, name))
    return bool(one == other)


def _fails_not(check: Callable[..., None], **how: Any) -> Callable[[Any, Any], bool]:
    def compare(one: Any, other: Any) -> bool:
        check(one, other, **how)
        return True

    return compare


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def _arrays(one: Any, other: Any) -> bool:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    if one.dtype.hasobject:
        return all(map(same, one.ravel().tolist(), other.ravel().tolist()))
    return bool(one.tobytes() == other.tobytes())


def _graphs(one: Any, other: Any) -> bool:
    return same([*one.nodes.data()], [*other.nodes.data()]) and same([*one.edges.data()], [*other.edges.data()])


def _exceptions(one: Any, other: Any) -> bool:
    return same([one.args, vars(one), one.__cause__], [other.args, vars(other), other.__cause__])


def _place_of(value: Any) -> str:
    """A text that is the same for the same values, however their sets are ordered; in sets, 1 and True are one."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(_place_of, value))}"
    if isinstance(value, (tuple, Point)):
        return f"tuple{[*map(_place_of, value)]}"
    return f"{type(value).__name__} {value!r}"


_SAME: list[tuple[Any, Callable[[Any, Any], Any]]] = [
    (enum.Enum, lambda one, other: one is other),
    (  # before dicts, of which one of them is
        sp.sparray | sp.spmatrix,
        lambda one, other: one.dtype == other.dtype and _arrays(one.toarray(), other.toarray()),
    ),
    ((np.generic,), lambda one, other: one.dtype == other.dtype and one.tobytes() == other.tobytes()),
    (float, lambda one, other: _bits(one) == _bits(other)),
    (complex, lambda one, other: same([one.real, one.imag], [other.real, other.imag])),
    (collections.defaultdict, lambda one, other: one.default_factory is other.default_factory and one == other),
    (dict, lambda one, other: same([*one.items()], [*other.items()])),
    (collections.deque, lambda one, other: one.maxlen == other.maxlen and same([*one], [*other])),
    ((list, tuple), lambda one, other: len(one) == len(other) and all(map(same, one, other))),
    ((set, frozenset), lambda one, other: _place_of(one) == _place_of(other)),
    ((datetime.datetime, datetime.time), lambda one, other: repr(one) == repr(other)),
    (np.ma.MaskedArray, lambda one, other: _arrays(one.data, other.data) and _arrays(one.mask, other.mask)),
    (np.ndarray, _arrays),
    (pd.DataFrame, _fails_not(pd.testing.assert_frame_equal, check_exact=True, check_freq=True, check_flags=True)),
    (pd.Series, _fails_not(pd.testing.assert_series_equal, check_exact=True, check_names=False)),
    (pd.Index, _fails_not(pd.testing.assert_index_equal, exact=True, check_exact=True)),
    ((pl.DataFrame, pl.Series), lambda one, other: one.equals(other, null_equal=True)),
    ((pa.Table, pa.RecordBatch), lambda one, other: one.equals(other, check_metadata=True)),
    ((pa.Array, pa.ChunkedArray), lambda one, other: one.type == other.type and one.to_pylist() == other.to_pylist()),
    (Image.Image, lambda one, other: one.mode == other.mode and one.tobytes() == other.tobytes()),
    (nx.Graph, _graphs),
    ((xr.Dataset, xr.DataArray), lambda one, other: one.identical(other)),
    (BaseException, _exceptions),
]

text = st.text(st.characters(), max_size=8)
number = st.integers(-(2**80), 2**80)
real = st.integers(0, 2**64 - 1).map(
    lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]
)  # NaNs of any payload
atom = st.none() | st.booleans() | number | real | text | st.binary(max_size=8)
hashable = st.recursive(atom, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4)
anything = st.recursive(
    atom | st.sets(hashable, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(hashable, inner, max_size=3),
    max_leaves=6,
)
tags = st.sets(text, max_size=4)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])
moments = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2100, 1, 1))
floats = st.lists(st.floats(width=32), min_size=2, max_size=6)

PLAIN: dict[str, Kind] = {
    "None": Kind(st.none()),
    "bool": Kind(st.booleans()),
    "int": Kind(st.integers(-(2**200), 2**200)),
    "float": Kind(real),
    "complex": Kind(st.builds(complex, real, real)),
    "str": Kind(text),
    "bytes": Kind(st.binary()),
    "bytearray": Kind(st.binary().map(bytearray)),
    "list": Kind(st.lists(anything, max_size=4)),
    "tuple": Kind(st.lists(anything, max_size=4).map(tuple)),
    "set": Kind(st.sets(hashable, max_size=6)),
    "frozenset": Kind(st.frozensets(hashable, max_size=6)),
    "dict": Kind(st.dictionaries(hashable, anything, max_size=4)),
    "OrderedDict": Kind(st.dictionaries(hashable, atom, max_size=4).map(collections.OrderedDict)),
    "defaultdict": Kind(
        st.builds(collections.defaultdict, st.sampled_from([list, set, None]), st.dictionaries(text, number))
    ),
    "deque": Kind(st.builds(collections.deque, st.lists(atom, max_size=4), st.none() | st.just(4))),
    "Counter": Kind(st.lists(text).map(collections.Counter)),
    "range": Kind(st.builds(range, number, number, st.integers(1, 9))),
    "slice": Kind(st.builds(slice, number | st.none(), number, st.none() | st.integers(1, 9))),
    "Enum": Kind(st.sampled_from([*Colour, Access.READ | Access.WRITE, Access(0)])),
    "date": Kind(st.dates()),
    "datetime": Kind(
        st.datetimes() | st.builds(lambda moment, zone: moment.replace(tzinfo=zone, fold=1), moments, st.timezones())
    ),
    "time": Kind(st.times()),
    "timedelta": Kind(st.timedeltas()),
    "timezone": Kind(st.integers(-1439, 1439).map(lambda m: datetime.timezone(datetime.timedelta(minutes=m), f"{m}"))),
    "ZoneInfo": Kind(st.timezones()),
    "Decimal": Kind(st.decimals(), lambda one, other: str(one) == str(other)),
    "Fraction": Kind(st.fractions()),
    "UUID": Kind(st.uuids()),
    "Path": Kind(st.lists(text, max_size=3).map(lambda parts: pathlib.PurePosixPath(*parts))),
    "NamedTuple": Kind(st.builds(Point, number, anything)),
    "dataclass": Kind(st.builds(Item, text, st.lists(text)) | st.builds(Frozen, anything, tags.map(frozenset))),
    "attrs": Kind(st.builds(Attrs, anything, tags)),
    "pydantic": Kind(st.builds(Model, x=anything, tags=tags), lambda one, other: same(vars(one), vars(other))),
    "TypedDict": Kind(st.builds(lambda x: Typed(x=x), number)),
    "exception": Kind(st.lists(atom, max_size=3).map(lambda given: _raised(Refused(*given), ValueError(*given)))),
    "array.array": Kind(st.lists(st.integers(0, 9)).map(lambda values: array.array("q", values))),
    "object": Kind(st.builds(Own, anything), lambda one, other: same(vars(one), vars(other))),
}


def _raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    error.add_note("a note")
    return error


def _cut(values: Any) -> Any:
    return values[::-1, ::2] if values.ndim == 2 else values[::-1] if values.ndim == 1 else values


shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
numeric = npst.integer_dtypes() | npst.floating_dtypes() | npst.complex_number_dtypes() | npst.boolean_dtypes()
structured = st.sampled_from([[("a", "i1"), ("b", ">f8", (2,))], [("n", [("x", "u2")]), ("s", "U3")]]).map(np.dtype)
NUMPY: dict[str, Kind] = {
    "array": Kind(npst.arrays(npst.scalar_dtypes(), shapes)),
    "big-endian": Kind(npst.arrays(npst.floating_dtypes(endianness=">"), shapes)),
    "0-d": Kind(npst.arrays(npst.scalar_dtypes(), ())),
    "structured": Kind(npst.arrays(structured, 2)),
    "object": Kind(npst.arrays(object, st.integers(0, 4), elements=anything)),
    "not contiguous": Kind(npst.arrays(numeric, shapes).map(_cut)),
    "Fortran": Kind(npst.arrays(numeric, shapes).map(np.asfortranarray)),
    "memmap": Kind(floats, lambda one, other: _arrays(np.asarray(_mapped(one)), other), lambda drawn: _mapped(drawn)),
    "masked": Kind(
        st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1).map(
            lambda cells: np.ma.MaskedArray([one for one, _ in cells], [mask for _, mask in cells], fill_value=7)
        )
    ),
    "scalar": Kind(npst.arrays(npst.scalar_dtypes(), 1).map(lambda values: values[0])),
}
KEPT = tempfile.TemporaryDirectory()
atexit.register(KEPT.cleanup)
_numbers = itertools.count()


def _place() -> pathlib.Path:
    return pathlib.Path(KEPT.name) / str(next(_numbers))


def _mapped(values: list[float]) -> Any:
    mapped = np.memmap(_place(), "<f4", "w+", shape=len(values))
    mapped[:] = values
    return mapped


def _indexes(count: int) -> Drawn:
    start = st.integers(1, 99)
    begin = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2050, 1, 1))
    return st.one_of(
        st.builds(lambda first, step: pd.RangeIndex(first, first + step * count, step, name="r"), start, start),
        st.lists(text, min_size=count, max_size=count).map(
            lambda values: pd.Index(values, dtype=object, name=("n", 1))
        ),
        st.builds(lambda day, zone: pd.date_range(day, periods=count, freq="D", tz=zone), begin, st.none() | zones),
        st.builds(lambda day: pd.period_range(day, periods=count, freq="M"), begin),
        st.builds(lambda first: pd.interval_range(first, first + count, count), start),
        st.builds(lambda first: pd.timedelta_range(f"{first}h", periods=count), start),
        st.builds(lambda first: pd.CategoricalIndex([*"bab", *"c" * count][:count], ordered=first > 9), start),
        st.builds(
            lambda first: pd.MultiIndex.from_product([["a"], range(first, first + count)], names=["x", None]), start
        ),
    )


def _columns(count: int) -> Drawn:
    def many(values: Drawn) -> Drawn:
        return st.lists(values, min_size=count, max_size=count)

    return st.one_of(
        many(st.integers(-(2**63), 2**63 - 1)),
        many(real),
        many(atom).map(lambda values: pd.Series(values, dtype=object).array),
        many(st.none() | st.integers(-99, 99)).map(lambda values: pd.array(values, "Int8")),
        many(st.none() | st.booleans()).map(lambda values: pd.array(values, "boolean")),
        many(st.none() | st.text("abé")).map(lambda values: pd.array(values, "string")),
        many(st.sampled_from([*"ab", None])).map(lambda values: pd.Categorical(values, ["b", "a", "c"], ordered=True)),
        st.builds(lambda values, zone: pd.to_datetime(values).tz_localize(zone), many(moments), st.just("UTC")),
        many(st.timedeltas(datetime.timedelta(-9), datetime.timedelta(9))).map(pd.to_timedelta),
        many(st.integers(0, 1)).map(pd.arrays.SparseArray),
        many(st.none() | st.lists(st.integers(0, 9))).map(
            lambda values: pd.array(values, pd.ArrowDtype(pa.list_(pa.int32())))
        ),
    )


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """Frames of a few rows, of any columns and index, with attributes."""
    count = draw(st.integers(1, 4))
    columns = draw(st.lists(_columns(count), max_size=4))
    index = draw(_indexes(count))
    frame = (
        pd.concat([pd.Series(one, index=index) for one in columns], axis=1) if columns else pd.DataFrame(index=index)
    )
    frame.columns = draw(_indexes(len(columns))) if columns else pd.Index([], dtype=object)
    frame.attrs = draw(st.dictionaries(st.text("ab"), anything, max_size=2))
    return frame


ARROW = st.sampled_from(
    [
        pa.array(["x", None, "y", "x"]).dictionary_encode(),
        pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([{"a": [1]}, None, {"a": None}]),
        pa.array([1, None, 3], pa.uint8())[1:],
        pa.array([datetime.datetime(2020, 1, 1), None], pa.timestamp("us", "Europe/Berlin")),
        pa.nulls(3),
        pa.array([True, None] * 9)[3:],
    ]
)
TABLES: dict[str, Kind] = {
    "pandas.DataFrame": Kind(frames(), lambda one, other: same(one, other) and same(one.attrs, other.attrs)),
    "pandas.Series": Kind(
        st.builds(lambda values, name: pd.Series(values, name=name), _columns(3), hashable),
        lambda one, other: same(one, other) and same(one.name, other.name),
    ),
    "pandas.Index": Kind(st.integers(0, 4).flatmap(_indexes)),
    "polars.DataFrame": Kind(
        st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text("aé"), st.lists(real)), min_size=1).map(
            lambda rows: pl.DataFrame(
                {
                    "i": pl.Series([row[0] for row in rows], dtype=pl.Int16),
                    "c": pl.Series([row[1] for row in rows], dtype=pl.Categorical),
                    "l": pl.Series([row[2] for row in rows], dtype=pl.List(pl.Float64)),
                }
            )
        )
    ),
    "polars.Series": Kind(
        st.lists(st.none() | moments).map(lambda values: pl.Series("s", values, pl.Datetime("us", "UTC")))
    ),
    "pyarrow.Array": Kind(ARROW),
    "pyarrow.ChunkedArray": Kind(ARROW.map(lambda values: pa.chunked_array([values, values.slice(1)]))),
    "pyarrow.RecordBatch": Kind(ARROW.map(lambda values: pa.record_batch({"a": values}, metadata={"k": "v"}))),
    "pyarrow.Table": Kind(
        ARROW.map(lambda values: pa.table({"a": values, "b": range(len(values))}, metadata={"k": "v"}))
    ),
    "pyarrow.Dataset": Kind(
        st.lists(number.filter(lambda one: abs(one) < 2**63), min_size=1).map(lambda values: pa.table({"a": values})),
        lambda one, other: other.to_table().equals(one),
        pyarrow.dataset.dataset,
    ),
    "xarray.Dataset": Kind(
        st.builds(
            lambda values, key, value: xr.Dataset(
                {"v": ("x", values, {key: value})}, {"x": range(len(values))}, {"a": value}
            ),
            floats,
            st.text("ab"),
            number | text,
        )
    ),
    "xarray.DataArray": Kind(
        floats.map(lambda values: xr.DataArray(values, {"x": [*map(str, range(len(values)))]}, name="d"))
    ),
}

_LAYOUTS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
_FORMS = [getattr(sp, f"{layout}_{kind}") for layout in _LAYOUTS for kind in ("array", "matrix")]
OTHERS: dict[str, Kind] = {
    "scipy.sparse": Kind(
        st.builds(
            lambda form, values: form(np.array(values, "f4").reshape(2, 3)),
            st.sampled_from(_FORMS),
            st.lists(st.integers(0, 2), min_size=6, max_size=6),
        )
    ),
    "PIL.Image": Kind(
        st.builds(
            lambda mode, data: Image.frombytes(mode, (2, 2), (data * 16)[: 4 * len(mode)]),
            st.sampled_from(["L", "RGB", "RGBA"]),
            st.binary(min_size=1),
        )
    ),
    "networkx": Kind(
        st.builds(
            lambda kind, edges, value: kind([(a, b, {"w": value}) for a, b in edges], name=value),
            st.sampled_from([nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]),
            st.lists(st.tuples(number | text, number | text), max_size=4),
            atom,
        )
    ),
    "generator": Kind(
        st.lists(anything, max_size=4).filter(lambda items: not items or type(items[0]) is not bytes),
        lambda one, other: same(one, [*other]),
        lambda drawn: (item for item in drawn),
    ),
    "generator of bytes": Kind(
        st.lists(st.binary(min_size=1), min_size=1),
        lambda one, other: other.read() == b"".join(one),
        lambda drawn: (item for item in drawn),
    ),
    "generator of frames": Kind(
        st.lists(frames(), min_size=1, max_size=2),
        lambda one, other: all(map(same, one, other)),
        lambda drawn: (item for item in drawn),
    ),
    "file": Kind(st.binary(), lambda one, other: other.read_bytes() == one, lambda drawn: lineal.File(_file(drawn))),
    "directory": Kind(
        st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "é"]), st.binary()),
        lambda one, other: {name: other[name].read_bytes() for name in one} == one,
        lambda drawn: lineal.Directory(_folder(drawn)),
    ),
}


def _file(data: bytes) -> pathlib.Path:
    place = _place()
    place.write_bytes(data)
    return place


def _folder(files: dict[str, bytes]) -> pathlib.Path:
    place = _place()
    place.mkdir()
    for name, data in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
    return place


KINDS: dict[str, Kind] = {**PLAIN, **{f"numpy {name}": kind for name, kind in NUMPY.items()}, **TABLES, **OTHERS}
"""Those that need nothing but what the tests need anyway."""


_THE_SAME = settings(
    deadline=None, database=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
)


def drawn(kind: Kind, count: int) -> list[Any]:
    """Some values of a kind, the same ones in every process."""
    found: list[Any] = []

    @settings(_THE_SAME, max_examples=count)
    @given(kind.drawn)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found


class Nest(NamedTuple):
    """Values of several kinds, one in another."""

    names: list[str]
    value: Any


@st.composite
def nests(draw: Any) -> Nest:
    """A container of values of three kinds, at three depths."""
    names = draw(st.lists(st.sampled_from(sorted(set(KINDS) - _USED_UP)), min_size=3, max_size=3))
    one, two, three = (draw(KINDS[name].drawn) for name in names)
    return Nest(names, {"one": one, "more": [Point(1, two), ({"three": three, "set": {"a", "b"}}, one)]})


_USED_UP = {name for name, kind in KINDS.items() if kind.made is not Kind.made}


def same_nests(drawn: Nest, loaded: Any) -> bool:
    """Whether each of its values is where it was."""
    point, (inner, again) = loaded["more"]
    found = (loaded["one"], point.y, inner["three"], again)
    one, more = drawn.value["one"], drawn.value["more"]
    wanted = (one, more[0].y, more[1][0]["three"], one)
    kinds = [KINDS[name] for name in (*drawn.names, drawn.names[0])]
    return all(kind.same(was, now) for kind, was, now in zip(kinds, wanted, found, strict=True))
