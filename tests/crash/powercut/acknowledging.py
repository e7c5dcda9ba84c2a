"""What workloads work with: a way to say what was acknowledged, and arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

import lineal


class Acknowledge:
    """Writes down what was acknowledged."""

    def __init__(self, file: TextIO) -> None:
        """Write to a line-buffered file."""
        self._file = file

    def __call__(self, **fact: str) -> None:
        """Note a fact that must outlive any power cut from now on."""
        self._file.write(json.dumps(fact) + "\n")

    def saved(self, client: lineal.Client, *versions: lineal.ArtifactVersionView) -> None:
        """Wait until saved versions are durable, and note them."""
        client.flush()
        for version in versions:
            self(saved=version.name, content=str(version.content))

    def released(self, collection: lineal.Collection) -> None:
        """Note what a collection has released."""
        for verdict in collection.released:
            self(released=str(verdict.content), upto=str(collection.upto))


Phase = Callable[[Path, Acknowledge], None]


def numbers(start: int, count: int) -> np.ndarray:
    """An array that is like no other."""
    return np.random.default_rng(start).random(count)
