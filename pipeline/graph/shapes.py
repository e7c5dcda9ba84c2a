"""Shapes: the forms of arguments that inputs may have come from, by their paths."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...events.catalogue import Input
from ..surroundings.seeds import SEED
from .templates import Gathered, Leaf, Template, key_digest

SHAPES_MAX = 1024
"""So many are looked at."""
_PATH = re.compile(r"(\w+)((?:\[.*\])?)", re.DOTALL)


def shapes(inputs: Sequence[Input]) -> Iterator[dict[str, Template]]:
    """The forms of arguments that inputs may have come from: a path does not tell a list from a tuple or a dict."""
    parts: dict[str, list[tuple[tuple[Any, ...], int]]] = {}
    for number, taken in enumerate(inputs):
        if taken.name == SEED:
            continue
        matched = _PATH.fullmatch(taken.name)
        if matched is None:
            return
        try:
            steps = tuple(ast.literal_eval(f"[{text}]")[0] for text in _keys(matched[2]))
        except (ValueError, SyntaxError):
            return
        parts.setdefault(matched[1], []).append((steps, number))
    forms = [list(itertools.islice(_forms(members), SHAPES_MAX)) for members in parts.values()]
    for chosen in itertools.product(*forms):
        yield dict(zip(parts, chosen, strict=True))


def _keys(path: str) -> list[str]:
    """The keys of a path such as ``[0]['a']``, as they are written."""
    return [] if not path else _split(path[1:-1])


def _split(inner: str) -> list[str]:
    parts, start = [], 0
    for found in re.finditer(r"\]\[", inner):
        if _is_literal(inner[start : found.start()]):
            parts.append(inner[start : found.start()])
            start = found.end()
    return [*parts, inner[start:]]


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _forms(members: list[tuple[tuple[Any, ...], int]]) -> Iterator[Template]:
    if members[0][0] == ():
        if len(members) == 1:
            yield Leaf(members[0][1])
        return
    inner: dict[Any, list[tuple[tuple[Any, ...], int]]] = {}
    for (first, *rest), number in members:
        inner.setdefault(first, []).append((tuple(rest), number))
    keys = tuple(inner)
    kinds = (list, tuple, dict) if keys == tuple(range(len(keys))) else (dict,)
    for items in itertools.product(*(list(_forms(below)) for below in inner.values())):
        for kind in kinds:
            if kind is dict:
                yield Gathered(dict, keys, tuple(key_digest("", one) for one in keys), items)
            else:
                yield Gathered(kind, (), (), items)
