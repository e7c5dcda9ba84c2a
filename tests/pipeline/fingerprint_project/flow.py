"""A step that reaches code and values in every way there is."""

import asyncio
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import tools.numbers as numbers
from tools import exported, tables
from tools.models import Color, Derived, Options, Point, Tracked
from tools.numbers import add as first
from tools.numbers import subtract as second
from tools.registry import by_type, chosen, memoised, registry, scaled
from tools.stars import *  # noqa: F403
from tools.wraps import opened, repeated, shifted

from lineal import Artifact, step

RATE = 3
NAME = "digits"
WEIGHTS = [1, 2, 3]
SETTINGS = {"depth": 4, "split": {"train": 0.8, "test": 0.2}}
ALLOWED = {"a", "b"}
BOUNDS = (0, 10)
MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])
PATTERN = re.compile("[a-z]+")
FOLDER = Path("data") / "raw"
TRACKED = Tracked(5)
METHOD = TRACKED.get
UNUSED = 12
EVENTS = (value for value in (1, 2))
left = numbers.add
right = numbers.subtract


def outer(x):
    return inner(x) + 1


def inner(x):
    return x * 2


def unused(x):
    return x - 1


def ping(n):
    return pong(n - 1) if n else 0


def pong(n):
    return ping(n - 1) if n else 1


if RATE > 1:

    def conditional(x):
        return x + 100
else:

    def conditional(x):
        return x - 100


def by_name(operation):
    return getattr(tables, "double_" + operation)


@repeated(2)
@shifted
def decorated(x):
    return x + 7


def multiplier(factor):
    def multiply(x):
        return x * factor

    return multiply


double = multiplier(2)


def with_default(x, power=2, *, offset=RATE):
    return x**power + offset


async def waits(x):
    await asyncio.sleep(0)
    return x + 1


def shaped(x):
    match x:
        case {"kind": "circle", **rest}:
            return rest
        case [1, *others] if (count := len(others)) > 2:
            return count
        case _:
            return None


def careful(x):
    try:
        return 1 / x
    except ZeroDivisionError:
        return 0
    finally:
        pass


def written(x):
    squares = [y * y for y in range(x) if y % 2]
    return f"{x:>{RATE}} {NAME!r} {squares}"


def nested(x):
    def local(y, z=4):
        return y + z

    return (lambda y: local(y) - 3)(x)


def imports_late(x):
    import tools.late as late
    from tools.later import value as later

    return late.compute(x) + later


class Plain:
    size = 3
    """Size of it."""

    def area(self):
        return self.size**2

    def edge(self):
        return self.size * 4


class Idle:
    def rest(self):
        return 0


@step(version=None)
def train(data: np.ndarray, lr: float = 0.1, count: int = 3) -> Annotated[float, Artifact("model")]:
    """Train a model."""
    total: float = 0.0  # what comes out
    total = outer(count) + ping(3) + conditional(1) + by_name("up")(2) + decorated(3) + double(4)
    total += with_default(2) + first(1, 2) - second(1, 2) + left(1, 2) * right(3, 4) + numbers.nested.cube(2)
    total += len(written(3)) + nested(3) + imports_late(4) + careful(0) + asyncio.run(waits(1))
    total += Plain().area() + Derived(2).value() + Options().rate + Point(1, 2).x + Color.RED.value + METHOD()
    total += registry["a"](1) - registry["b"](2) + scaled(3) + memoised(4) + by_type(5) + chosen(6) + exported(7)
    total += RATE + sum(WEIGHTS) + SETTINGS["depth"] + len(ALLOWED) + BOUNDS[1] + MATRIX.sum() + starred  # noqa: F405
    total += len(PATTERN.findall(NAME)) + len(FOLDER.parts) + len(list(EVENTS)) + (shaped([1, 2]) or 0)
    with opened(3) as handle:
        total += handle
    return total + lr * data.sum()
