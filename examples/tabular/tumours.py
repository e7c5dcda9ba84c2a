"""Compare classifiers on scikit-learn's breast cancer table, and keep the best one under an alias."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lineal
from lineal import Artifact, pipeline, step, unmapped


class Parts(NamedTuple):
    """Rows to learn from, and rows to be judged by; the column ``benign`` is what is to be found out."""

    train: pd.DataFrame
    held_out: pd.DataFrame


@step
def load() -> pd.DataFrame:
    """Read the bundled table: 569 tumours with 30 measures each."""
    table = load_breast_cancer(as_frame=True)
    return table.frame.rename(columns={"target": "benign"})


@step
def split(table: pd.DataFrame, held_out: float, seed: int) -> Parts:
    """Hold a part of the rows out."""
    return Parts(*train_test_split(table, test_size=held_out, random_state=seed, stratify=table["benign"]))


@step
def fit(table: pd.DataFrame, kind: str) -> BaseEstimator:
    """Fit one kind of classifier."""
    kinds = {
        "boosting": HistGradientBoostingClassifier(max_iter=50, random_state=0),
        "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
    }
    return kinds[kind].fit(table.drop(columns="benign"), table["benign"])


@step
def judge(model: BaseEstimator, table: pd.DataFrame, kind: str) -> float:
    """Area under the ROC curve on rows that the model has not seen."""
    scores = model.predict_proba(table.drop(columns="benign"))[:, 1]
    area = float(roc_auc_score(table["benign"], scores))
    lineal.log_metric("roc_auc", area)
    print(f"{kind}: {area:.4f}")
    return area


@step
def best(
    models: list[BaseEstimator], areas: list[float]
) -> Annotated[BaseEstimator, Artifact("tumour-model", tags=["classifier"])]:
    """The model with the largest area."""
    return models[max(range(len(areas)), key=areas.__getitem__)]


@pipeline
def tumours(held_out: float = 0.3, seed: int = 0) -> None:
    """From the bundled table to the best of three classifiers."""
    kinds = ["boosting", "linear", "neighbours"]
    parts = split(load(), held_out, seed)
    models = fit.map(unmapped(parts.train), kind=kinds)
    best(models, judge.map(models, unmapped(parts.held_out), kind=kinds))


def main() -> None:
    """Run it, and mark what came out as the model in use."""
    run = tumours()
    print({name: found.status for name, found in run.steps.items()})
    with lineal.open() as store:
        model = store.artifact("tumour-model")
        store.alias(str(model), "in-use")
        print(store.artifact("tumour-model@in-use"), "made by", model.producers[0].name)


if __name__ == "__main__":
    main()
