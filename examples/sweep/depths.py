"""Sweep two parameters of a tree over scikit-learn's wine table, and draw how they compare."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

import lineal
from lineal import Artifact, pipeline, step


@step
def load() -> pd.DataFrame:
    """Read the bundled table: 178 wines of three growers. All runs of the sweep share it."""
    return load_wine(as_frame=True).frame


@step
def score(wines: pd.DataFrame, depth: int, leaf: int) -> np.ndarray:
    """Accuracy in each of five folds."""
    tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=0)
    scores: np.ndarray = cross_val_score(tree, wines.drop(columns="target"), wines["target"], cv=5)
    lineal.log_metric("accuracy", float(scores.mean()))
    return scores


@pipeline
def tree(depth: int, leaf: int = 1) -> None:
    """One tree, judged."""
    score(load(), depth, leaf)


@step
def draw(table: pd.DataFrame) -> Annotated[Figure, Artifact("tree-comparison")]:
    """A line for each size of leaf: accuracy over depth."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for leaf, rows in table.groupby("leaf"):
        axes.plot(rows["depth"], rows["accuracy"], marker="o", label=f"leaves of {leaf} or more")
    axes.set(xlabel="depth", ylabel="mean accuracy of five folds")
    axes.legend()
    return figure


@pipeline
def comparison(table: pd.DataFrame) -> None:
    """Draw what a sweep came to."""
    draw(table)


def main() -> None:
    """Sweep, compare, and draw."""
    runs = tree.sweep(depth=[1, 2, 3, 4, 5], leaf=[1, 5, 20]).runs
    rows = [{**run.parameters, "accuracy": run.steps["score"].metrics["accuracy"].value} for run in runs]
    table = pd.DataFrame(rows)
    print(table.sort_values("accuracy", ascending=False, kind="stable").head(3).to_string(index=False))
    figure = comparison(table).steps["draw"].output.load()
    figure.savefig("comparison.png", dpi=150)
    print("drawn in comparison.png")


if __name__ == "__main__":
    main()
