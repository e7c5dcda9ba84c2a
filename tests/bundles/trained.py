"""A pipeline whose outputs are a large array, a small value, and what only a pickle can hold."""

from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np

from lineal import Artifact, pipeline, step


class Opaque:
    """Has no form but a pickle."""

    def __init__(self, value: Any) -> None:
        self.value = value


@step
def load(size: int) -> Annotated[np.ndarray, "data"]:
    print("loading")
    return np.arange(size, dtype=np.float64)


@step
def train(data: np.ndarray, lr: float) -> Annotated[dict, Artifact("model")]:
    return {"weight": float(data.sum()) * lr}


@step
def wrap(model: dict) -> Annotated[Opaque, Artifact("wrapped")]:
    return Opaque(model)


@pipeline
def training(lr: float = 0.5, size: int = 150_000):
    """Train."""
    wrap(train(load(size), lr))


@step
def half(number: int) -> int:
    return number // 2


@step
def check(number: int) -> int:
    if os.environ.get("HALVES_FAIL"):
        raise ValueError(number)
    return number


@pipeline
def halves(number: int):
    """Fail where the environment says so."""
    check(half(number))


@step
def name_of_first(items: list[Any]) -> str:
    return type(items[0]).__name__


@pipeline
def kind_of(items: list[Any]):
    return name_of_first(items)
