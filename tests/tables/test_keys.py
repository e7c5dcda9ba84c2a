"""Keys by columns: what is no key of a row is told as such."""

from __future__ import annotations

import numpy as np
import pytest

from lineal.errors import LogCorrupt
from lineal.tables.keys import Places


def test_a_place_too_short_for_the_event_that_made_its_row_is_an_error_of_ours() -> None:
    places = Places([b"n" * 20, b"n", b"n" * 20])
    with pytest.raises(LogCorrupt):
        places.newest(np.arange(3))
    with pytest.raises(LogCorrupt):
        places.keys(np.array([1])).rest()
