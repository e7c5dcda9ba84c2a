"""Makes a golden store: a small real one, to be kept for as long as its format is read.

``python -P make.py STORE`` fills a new store by whichever Lineal is imported; `test_golden.py` has what it must say.
Each golden was made by the code of its time, on a host called "golden", and packed by
``tar -C STORE -cJf format-N.tar.xz --exclude=lock.mdb .``:

- format 1 by the last commit that wrote it, "Choose how a section is shown in one place";
- format 2 by "Decode a standing once", before format 2 knew the names of features.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import numpy as np
import pandas as pd
import pyarrow as pa

import lineal
from lineal import pipeline, step
from lineal.errors import StepFailed


@step
def load(size: int) -> Annotated[np.ndarray, "samples"]:
    """A large output: a file of its own."""
    print(f"loading {size}")
    return np.arange(size, dtype=np.int64)


@step
def fit(samples: np.ndarray, rate: float) -> Annotated[dict, "model"]:
    """A small output of a large input; it fails where the rate is above one."""
    if rate > 1:
        raise ValueError(f"{rate} is too fast")
    return {"rate": rate, "mean": float(samples.mean())}


@step
def score(model: dict) -> Annotated[float, "score"]:
    """What is skipped where no model was made."""
    return model["rate"] * 100


@pipeline
def learning(rate: float = 0.1) -> None:
    """Three steps in a row."""
    score(fit(load(50_000), rate))


def fill(path: str) -> None:
    """Runs with hits and a failure, artifacts of several types, and blobs in every place that the format has."""
    with lineal.open(path) as client:
        learning(0.1)
        learning(0.1)
        learning(0.5)
        with suppress(StepFailed):
            learning(2.0)
        client.save({"letters": ["a", "b"], "number": 1}, "small")
        client.save({"letters": ["a", "b"], "number": 2}, "small")
        client.save(np.arange(100_000, dtype=np.int64), "grows")
        client.save(np.arange(150_000, dtype=np.int64), "grows")
        client.save([np.full(5_000, number, dtype=np.int32) for number in range(4)], "several")
        client.save(pd.DataFrame({"x": np.arange(2_000), "y": ["even", "odd"] * 1_000}), "frame")
        client.save(pa.table({"x": pa.array(range(3_000), pa.int32())}), "table")
        client.save("grüße " * 20_000, "text")
        client.save(b"\0\1" * 30_000, "bytes")
        client.save((None, True, 1.5, {3, 4}), "plain")
        client.flush()
        if hasattr(client, "collect"):
            client.pin("small@1", "kept")
            client.save(b"to be let go" * 4_000, "gone")
            client.release("gone@1")
            client.collect(grace_s=0)


if __name__ == "__main__":
    fill(sys.argv[1])
