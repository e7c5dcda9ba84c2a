"""A layout in which what is joined is near and all else keeps apart (Fruchterman & Reingold, "Graph Drawing by
Force-directed Placement", 1991). It begins with a spiral, not at random, so that a graph is always laid out alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_ROUNDS = 120
_GOLDEN_ANGLE = 2.399963


def spring_layout(count: int, edges: Sequence[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Places of vertices in the unit square, a row of x and y for each.

    Cost: proportional to the square of the count.
    """
    if count < 2:
        return np.full((count, 2), 0.5)
    # A sunflower's: no two places alike, and none in line with its neighbours.
    angle, radius = np.arange(count) * _GOLDEN_ANGLE, np.sqrt((np.arange(count) + 0.5) / count)
    places = np.column_stack((np.cos(angle) * radius, np.sin(angle) * radius))
    joined = np.zeros((count, count))
    for one, other in edges:
        if one != other:
            joined[one, other] = joined[other, one] = 1.0
    ideal = 1.6 / np.sqrt(count)
    for round_ in range(_ROUNDS):
        apart = places[:, None, :] - places[None, :, :]
        distance = np.maximum(np.sqrt((apart**2).sum(axis=2)), 1e-3)
        push = (ideal / distance) ** 2 - joined * distance / ideal
        # A little gravity keeps parts of the graph that nothing joins on the page.
        force = (apart * push[:, :, None]).sum(axis=1) - places * 0.6
        length = np.maximum(np.sqrt((force**2).sum(axis=1, keepdims=True)), 1e-9)
        places += force / length * np.minimum(length, 0.25 * (1 - round_ / _ROUNDS) + 0.002)
    low, high = places.min(axis=0), places.max(axis=0)
    scaled: npt.NDArray[np.float64] = (places - low) / np.where(high > low, high - low, 1.0)
    return scaled
