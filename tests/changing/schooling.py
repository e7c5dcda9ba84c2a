"""A pipeline of two steps, and the function that it is made of, for other pipelines."""

from __future__ import annotations

from typing import Annotated

from lineal import Artifact, pipeline, step
from lineal.history import History

BIG = 5_000


@step
def load(size: int) -> Annotated[bytes, Artifact("data")]:
    return bytes(size)


@step
def fit(data: bytes, rate: float) -> Annotated[dict, Artifact("model")]:
    return {"rate": rate, "weights": data}


def trained(rate: float = 0.5) -> None:
    fit(load(BIG), rate)


training = pipeline(name="training")(trained)


def versions(history: History, name: str) -> list[str]:
    """The versions of an artifact, newest first."""
    return [str(version) for version in history.versions(name)]
