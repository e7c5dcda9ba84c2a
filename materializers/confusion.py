"""Confusion matrices: which values are one, and how they are drawn.

A square table of counts may be anything, so that it is one must be said: by the key under which it stands in a mapping
(``confusion_matrix``, ``test_confusion_matrix``, ``confusion``), by the names of a frame's two axes (``true``,
``actual``; ``predicted``), as `pandas.crosstab` takes them, or by being a ``ConfusionMatrixDisplay`` of scikit-learn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

from .base import shown
from .charts import matrix_chart
from .visualization import Visualization

_KEY = re.compile(r"(.*[ _.-])?confusion([ _-]?matrix)?", re.IGNORECASE)
_TRUE = frozenset(["true", "actual", "truth", "label", "target", "observed", "y_true"])
_PREDICTED = frozenset(["predicted", "prediction", "pred", "y_pred"])
_LABELS = ("labels", "classes", "class_names", "target_names")
_MAX_CLASSES = 60


def confusion(name: str, matrix: Any, labels: Sequence[Any] | None) -> Iterator[Visualization]:
    """The matrix as a chart; nothing if it is no square table of 1 to 60 rows of counts."""
    counts = _counts(matrix)
    if counts is not None:
        if labels is None or len(labels) != len(counts):
            labels = range(len(counts))
        chart = matrix_chart(shown(name), counts, [shown(one) for one in labels])
        yield Visualization(shown(name), "image/svg+xml", chart)


def confusions_in(value: Mapping[Any, Any]) -> Iterator[Visualization]:
    """The confusion matrices that stand in a mapping; its ``labels`` or ``classes`` are theirs if as many."""
    labels = next((value[key] for key in _LABELS if _is_sequence(value.get(key))), None)
    for key, one in value.items():
        if isinstance(key, str) and _KEY.fullmatch(key):
            yield from confusion(key, one, labels)


def confusion_of_frame(frame: Any) -> Iterator[Visualization]:
    """A frame of pandas as a confusion matrix, where both its axes have the same labels and names that say so."""
    true, predicted = (str(axis.name).lower() for axis in (frame.index, frame.columns))
    if true in _TRUE and predicted in _PREDICTED and list(frame.index) == list(frame.columns):
        yield from confusion("confusion matrix", frame.to_numpy(), list(frame.index))


def _counts(matrix: Any) -> list[list[int]] | None:
    rows = matrix.tolist() if hasattr(matrix, "tolist") and getattr(matrix, "ndim", 0) == 2 else matrix
    if not _is_sequence(rows) or not 0 < len(rows) <= _MAX_CLASSES:
        return None
    if not all(_is_sequence(row) and len(row) == len(rows) for row in rows):
        return None
    if not all(isinstance(one, Integral) and int(one) >= 0 for row in rows for one in row):
        return None
    return [[int(one) for one in row] for row in rows]


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1)
