"""Train a classifier on scikit-learn's handwritten digits: load, split, scale, train, evaluate."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
import scaling
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_fscore_support
from sklearn.model_selection import train_test_split

from lineal import Artifact, pipeline, step


@step
def load() -> tuple[Annotated[np.ndarray, "images"], Annotated[np.ndarray, "labels"]]:
    """Read the bundled data set: 1,797 images of 8 × 8 pixels."""
    digits = load_digits()
    return digits.data, digits.target


@step
def split(
    images: np.ndarray, labels: np.ndarray, seed: int = 0
) -> tuple[
    Annotated[np.ndarray, "train-images"],
    Annotated[np.ndarray, "test-images"],
    Annotated[np.ndarray, "train-labels"],
    Annotated[np.ndarray, "test-labels"],
]:
    """Keep a fifth for the test."""
    return tuple(train_test_split(images, labels, test_size=0.2, random_state=seed))


@step
def scale(
    train_images: np.ndarray, test_images: np.ndarray
) -> tuple[Annotated[np.ndarray, "train-scaled"], Annotated[np.ndarray, "test-scaled"]]:
    """Scale both parts by what the training part says."""
    by = scaling.spread(train_images)
    return scaling.scaled(train_images, by), scaling.scaled(test_images, by)


@step
def train(
    images: np.ndarray, labels: np.ndarray, c: float = 1.0
) -> Annotated[LogisticRegression, Artifact("digits-model")]:
    """Fit a logistic regression."""
    model = LogisticRegression(C=c, max_iter=1000).fit(images, labels)
    print(f"fitted in {model.n_iter_[0]} iterations")
    return model


@step
def evaluate(
    model: LogisticRegression, images: np.ndarray, labels: np.ndarray
) -> Annotated[pd.DataFrame, Artifact("digits-metrics")]:
    """Precision, recall and F1 of each digit."""
    precision, recall, f1, support = precision_recall_fscore_support(labels, model.predict(images))
    return pd.DataFrame({"precision": precision, "recall": recall, "f1": f1, "support": support})


@pipeline
def digits(seed: int = 0, c: float = 1.0):
    """From the bundled digits to a model and its metrics."""
    images, labels = load()
    train_images, test_images, train_labels, test_labels = split(images, labels, seed=seed)
    train_scaled, test_scaled = scale(train_images, test_images)
    model = train(train_scaled, train_labels, c=c)
    return evaluate(model, test_scaled, test_labels)


if __name__ == "__main__":
    digits()
