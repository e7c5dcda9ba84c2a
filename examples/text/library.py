"""Count the words of each text in a folder, and find which texts are alike; a text that changes is read again alone."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from pathlib import Path

import pandas as pd

import lineal
from lineal import pipeline, step


@step(cache="off")
def texts(folder: str) -> list[lineal.File]:
    """The texts of a folder as they are now, in the order of their names."""
    return [lineal.File(path) for path in sorted(Path(folder).glob("*.txt"))]


@step
def words(text: lineal.File) -> Counter[str]:
    """How often each word occurs in a text."""
    return Counter(re.findall(r"\w+", text.read_bytes().decode().lower()))


@step
def rarity(counts: list[Counter[str]]) -> dict[str, float]:
    """How much a word tells: the logarithm of in how few texts it occurs."""
    found_in = Counter(word for count in counts for word in count)
    return {word: math.log(len(counts) / number) + 1 for word, number in sorted(found_in.items())}


@step
def likeness(counts: list[Counter[str]], weights: dict[str, float]) -> pd.DataFrame:
    """Cosine between each two texts, of their words weighted by rarity."""
    table = pd.DataFrame(counts).fillna(0)
    table = table[sorted(table)] * pd.Series(weights)
    table = table.div((table**2).sum(axis=1) ** 0.5, axis=0)
    return table @ table.T


@pipeline
def library(folder: str) -> None:
    """From a folder of texts to how alike they are."""
    counts = words.map(texts(folder))
    likeness(counts, rarity(counts))


if __name__ == "__main__":
    run = library(sys.argv[1])
    print({name: found.status for name, found in run.steps.items()})
    print(run.steps["likeness"].output.load().round(2))
