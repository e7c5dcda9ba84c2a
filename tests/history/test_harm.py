"""What damaged blobs are a part of."""

from __future__ import annotations

import pytest
from samples import EVENT, ORIGIN, TIME_US, sample_of

from lineal.events.catalogue import CATALOGUE, ContentRecomputed, Event, PinAdded, Restored
from lineal.events.codec import Recorded
from lineal.history.harm import named_blobs

OF_OTHERS = (PinAdded, ContentRecomputed, Restored)
"""Facts about contents that other events have made."""


@pytest.mark.parametrize(
    "kind", [kind for kind in CATALOGUE.values() if kind not in OF_OTHERS], ids=lambda kind: kind.TYPE
)
def test_of_every_blob_that_an_event_names_it_is_known_what_it_is_a_part_of(kind: type[Event]) -> None:
    event = sample_of(kind)
    named = {one.digest for one in named_blobs([Recorded(event, EVENT, TIME_US, ORIGIN)])}
    assert set(event.refs) <= named
