"""Digests of values, and of a step's causes as a whole."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import itertools
import operator
import pathlib
import re
import subprocess
import sys
import threading
import types
import typing
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas.digest import Digest, digest_of
from lineal.pipeline.fingerprint import FingerprintForm, fingerprint, value_digest
from lineal.pipeline.fingerprint.key import gathered


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Size(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Options:
    rate: float = 0.1
    depth: int = 1

    @functools.cached_property
    def slow(self) -> float:
        return self.rate * 2


@dataclasses.dataclass
class OtherOptions:
    rate: float = 0.1
    depth: int = 1


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: object) -> None:
        self.x = x


class Text(str):
    __slots__ = ()


Pair = collections.namedtuple("Pair", "a b")
UTC = datetime.timezone.utc  # noqa: UP017
DAY = datetime.datetime(2024, 5, 1)
DISTINCT: list[Any] = [
    *(None, False, True, 0, 1, -1, 2**70, 1.0, 0.0, -0.0, float("inf"), float("nan"), 1j, ..., NotImplemented),
    *("", "1", b"", b"1", bytearray(b"1"), memoryview(b"1"), "\ud800", "None", Text("1")),
    *([], (), set(), frozenset(), {}, [1], (1,), {1}, frozenset({1}), {1: 1}, [True], [1.0], ["1"], [b"1"], [[1]]),
    *([[], []], [[[]]], ("xby", "z"), ("x", "ybz"), ["ab", "c"], ["a", "bc"], {"a": 1, "b": 2}, {"a": 2, "b": 1}),
    *({1: "a"}, {"1": "a"}, {True: "a"}, collections.OrderedDict(a=1), collections.Counter("a")),
    *(collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
    *(collections.defaultdict(int, a=1), collections.defaultdict(list, a=1), types.MappingProxyType({"a": 1})),
    *(collections.deque([1]), collections.deque([1], 3), types.SimpleNamespace(a=1), range(3), range(0, 3, 2)),
    *(slice(3), slice(0, 3), Pair(1, 2), Pair(2, 1), (1, 2), Color.RED, Color.BLUE, Size.RED),
    *(Options(), Options(0.2), OtherOptions(), Slotted(1), Slotted(2)),
    *(decimal.Decimal("1.0"), decimal.Decimal(1), fractions.Fraction(1, 2), uuid.UUID(int=1)),
    *(DAY, DAY.replace(tzinfo=UTC), DAY.replace(tzinfo=zoneinfo.ZoneInfo("UTC")), DAY.replace(fold=1), DAY.date()),
    *(datetime.time(1), datetime.timedelta(1), UTC, pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a")),
    *(pathlib.Path("a"), pathlib.Path("b"), re.compile("a"), re.compile("a", re.I), re.compile(b"a")),
    *(int, float, list[int], list[float], typing.Optional[int], int | str, typing.Any, len, operator.attrgetter("a")),  # noqa: UP045
    *(functools.partial(int, base=2), functools.partial(int, base=3), operator.itemgetter(1)),
    *(np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.dtype("f8"), np.array(1), np.array([1])),
    *(np.array([1.0]), np.array([1], ">i8"), np.zeros((0, 2)), np.zeros((2, 0)), np.array([[1, 2], [3, 4]])),
    *(np.array([[1, 3], [2, 4]]), np.array([1, 2, 3, 4]), np.array(["a"]), np.array(["a"], object), np.array([b"a"])),
    *(np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]), np.array([(1, 2.0)], [("a", "i4"), ("c", "f8")])),
    *(
        np.array("2024", "M8[D]"),
        np.array("2024", "M8[s]"),
        np.ma.array([1, 2], mask=[0, 1]),
        np.recarray(1, [("a", "i4")], buf=bytes(4)),
    ),
    *(np.random.default_rng(0), np.random.default_rng(1), np.exp, np.array(["a"], np.dtypes.StringDType())),
    *(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": [1, 2]}, index=[1, 2])),
    *(pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": ["x", None]}), pd.DataFrame({"a": ["x", "None"]})),
    *(pd.DataFrame({"a": ["xy", "z"]}), pd.DataFrame({"a": ["x", "yz"]}), pd.DataFrame({"a": [1], "b": [2]})),
    *(pd.DataFrame({"b": [2], "a": [1]}), pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Index([1, 2])),
    *(pd.Series(["a", "b"], dtype="category"), pd.Series(pd.Categorical(["a", "b"], ["b", "a"])), pd.RangeIndex(3)),
    *(
        pd.date_range("2024", periods=2),
        pd.date_range("2024", periods=2, tz="UTC"),
        pd.Series([1, None], dtype="Int64"),
    ),
    *(pd.MultiIndex.from_tuples([(1, 2)]), pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]), pd.NA, pd.NaT),
    *(pd.Timestamp("2024"), pd.Interval(0, 1), pd.Series(pd.period_range("2024", periods=2))),
]
EQUAL: list[tuple[Any, Any]] = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"x", "y", "z"}, {"z", "y", "x"}),
    ((same := [1], same), ([1], [1])),
    (np.asfortranarray([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]])),
    (np.arange(10)[::2], np.array([0, 2, 4, 6, 8])),
    (pd.DataFrame({"a": [1, 2], "b": [3, 4]})[["a"]], pd.DataFrame({"a": [1, 2]})),
    (pd.DataFrame({"a": ["x", "y", "z"]})[1:].reset_index(drop=True), pd.DataFrame({"a": ["y", "z"]})),
    (float("nan"), np.nan),
    (Options(0.5), Options(0.5)),
]


def test_different_causes_have_different_fingerprints() -> None:
    """Typed and framed: 1, True, 1.0, "1", b"1", [1] and (1,) all differ; ("xby", "z") differs from ("x", "ybz")."""
    digests = [value_digest(value) for value in DISTINCT]
    for (one, first), (two, second) in itertools.combinations(zip(DISTINCT, digests, strict=True), 2):
        assert first != second, (one, two)
    assert [value for value, digest in zip(DISTINCT, digests, strict=True) if digest is None] == []


@pytest.mark.parametrize(("one", "two"), EQUAL)
def test_equal_values_have_equal_digests_however_they_are_laid_out(one: object, two: object) -> None:
    assert value_digest(one) == value_digest(two) is not None


def test_reading_a_cached_property_changes_no_digest() -> None:
    options = Options()
    before = value_digest(options)
    assert options.slow == 0.2
    assert value_digest(options) == before


@pytest.mark.parametrize("value", [lambda: 1, Options, sys.stdout, threading.Lock(), (x for x in "")])
def test_a_value_without_structure_has_no_digest(value: object) -> None:
    assert value_digest(value) is None
    assert value_digest({"deep": [value]}) is None


def test_a_value_that_holds_itself_has_a_digest_by_its_shape() -> None:
    def ring(length: int, held: object = 1) -> list[Any]:
        first: list[Any] = [held]
        last = first
        for _ in range(length - 1):
            last.append([held])
            last = last[1]
        last.append(first)
        return first

    digests = [value_digest(ring(1)), value_digest(ring(2)), value_digest(ring(3)), value_digest(ring(2, 2))]
    assert len({*digests, None}) == 5
    assert value_digest(ring(2)) == digests[1]


def test_a_value_nested_too_deep_has_no_digest() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert value_digest(deep) is None
    while deep:
        deep = deep.pop()


def test_a_part_that_is_shared_many_times_over_is_encoded_once() -> None:
    value: list[Any] = [1]
    for _ in range(60):
        value = [value, value]
    assert value_digest(value) is not None


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
        | st.frozensets(leaves, max_size=3)
    ),
    max_leaves=8,
)


def written(value: Any) -> str:
    """Text that two values share only if they are the same in type and content."""
    if isinstance(value, float):
        return f"float({value.hex() if value == value else np.float64(value).tobytes()!r})"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({','.join(map(written, value))})"
    if isinstance(value, frozenset):
        return f"frozenset({','.join(sorted(map(written, value)))})"
    if isinstance(value, dict):
        return f"dict({','.join(sorted(f'{written(key)}:{written(item)}' for key, item in value.items()))})"
    return f"{type(value).__name__}({value!r})"


@given(values, values)
def test_two_values_share_a_digest_exactly_if_they_are_the_same(one: object, two: object) -> None:
    assert (value_digest(one) == value_digest(two)) is (written(one) == written(two))


def test_a_digest_is_the_same_in_every_process() -> None:
    program = """
import sys, pathlib, datetime, decimal
from lineal.pipeline.fingerprint import value_digest
value = {"s": {"a", "b", "c", 1, 2.5}, "f": frozenset("xyz"), "p": pathlib.PurePosixPath("a/b"),
         "t": datetime.datetime(2024, 5, 1), "d": decimal.Decimal("1.10"), 3: [None, ..., b"x"]}
sys.stdout.write(str(value_digest(value)))
"""
    found = set()
    for seed in ("0", "1", "2", "3"):
        environment = {"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
        found.add(result.stdout)
    assert len(found) == 1
    assert Digest.parse(found.pop().decode())


A, B, C = (digest_of(name.encode()) for name in "abc")


def test_every_cause_enters_the_fingerprint_of_a_step_and_none_is_taken_for_another() -> None:
    causes: list[dict[str, Any]] = [
        {"code": A, "inputs": {}},
        {"code": B, "inputs": {}},
        {"code": A, "inputs": {"x": B}},
        {"code": A, "inputs": {"x": C}},
        {"code": A, "inputs": {"y": B}},
        {"code": A, "inputs": {"x": B, "y": C}},
        {"code": A, "inputs": {"x": C, "y": B}},
        {"code": A, "inputs": {}, "outputs": ["xby", "z"]},
        {"code": A, "inputs": {}, "outputs": ["x", "ybz"]},
        {"code": A, "inputs": {}, "outputs": ["z", "xby"]},
        {"code": A, "inputs": {}, "outputs": [""]},
    ]
    assert len({fingerprint(**cause) for cause in causes}) == len(causes)


def test_fingerprints_of_one_code_lie_together_and_those_of_others_elsewhere() -> None:
    inputs = [digest_of(b"%d" % number) for number in range(50)]
    prints = sorted((fingerprint(code=code, inputs={"x": one}), code) for code in (A, B, C) for one in inputs)
    assert [code for code, _ in itertools.groupby(prints, key=operator.itemgetter(1))] == sorted(
        [A, B, C], key=lambda code: code[:2]
    )


def test_the_order_of_inputs_is_no_cause() -> None:
    assert fingerprint(code=A, inputs={"x": B, "y": C}) == fingerprint(code=A, inputs={"y": C, "x": B})


def test_what_is_gathered_is_told_apart_by_kind_keys_order_and_nesting() -> None:
    forms = [
        A,
        gathered("list", (), [A]),
        gathered("tuple", (), [A]),
        gathered("list", (), [A, B]),
        gathered("list", (), [B, A]),
        gathered("list", (), [gathered("list", (), [A]), B]),
        gathered("list", (), [gathered("list", (), [A, B])]),
        gathered("list", (), []),
        gathered("dict", [A, B], [B, C]),
        gathered("dict", [B, A], [C, B]),
        gathered("dict", [A], [B]),
        gathered("dict", [], [A, B]),
    ]
    assert len({fingerprint(code=A, inputs={"x": form}) for form in forms}) == len(forms)


@given(
    st.dictionaries(st.text(), st.binary(min_size=32, max_size=32).map(Digest)),
    st.lists(st.text(), max_size=3),
)
def test_a_prepared_form_gives_the_fingerprint_of_the_same_causes(
    inputs: dict[str, Digest], outputs: list[str]
) -> None:
    code = digest_of(b"code")
    form = FingerprintForm(code=code, names=list(inputs), outputs=outputs)
    assert form.of(inputs) == fingerprint(code=code, inputs=inputs, outputs=outputs)
