"""How pixels are scaled: a helper of the pipeline, in a module of its own."""

from __future__ import annotations

import numpy as np


def spread(images: np.ndarray) -> float:
    """The range that pixels are divided by."""
    return float(images.max() - images.min())


def scaled(images: np.ndarray, by: float) -> np.ndarray:
    """Images around zero, in units of the spread."""
    return (images - images.mean()) / by
