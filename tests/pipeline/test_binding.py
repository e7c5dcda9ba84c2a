"""Binding arguments to parameters."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import InvalidPipeline
from lineal.pipeline.declaring.binding import Binder

NOTHING = object()


def plain(a, b=1, *, c, d="x"): ...


def only_by_name(*, a, b=2.5): ...


def starred(a, /, b=1, *rest, c=None, **more): ...


def opaque(a, b=NOTHING, c=()): ...


@given(
    st.sampled_from([plain, only_by_name, starred, opaque]),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from("abcde"), st.integers(), max_size=4),
)
def test_what_is_bound_is_what_the_signature_says_and_defaults_that_are_plain(
    function: Any, args: list[int], kwargs: dict[str, int]
) -> None:
    signature = inspect.signature(function)
    try:
        expected = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        with pytest.raises(InvalidPipeline, match=r".") as caught:
            Binder(signature).bind(args, kwargs, "here")
        assert caught.value.hint
        return
    for name, parameter in signature.parameters.items():
        if type(parameter.default) in (int, float, str, type(None)):
            expected.setdefault(name, parameter.default)
    bound = Binder(signature).bind(args, kwargs, "here")
    assert bound == expected
    assert list(bound) == [name for name in signature.parameters if name in expected]
