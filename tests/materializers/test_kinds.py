"""Every kind of value that has a format comes back as what it was, and is the same content in every process."""

from __future__ import annotations

from typing import Any

import kinds
import pytest
from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import load, save

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.parametrize("name", kinds.KINDS)
@settings(deadline=None, max_examples=examples(15), suppress_health_check=SLOW)
@given(data=st.data())
def test_a_value_of_any_kind_comes_back_in_type_and_content(name: str, data: Any) -> None:
    kind = kinds.KINDS[name]
    drawn = data.draw(kind.drawn)
    blobs = MemoryBlobs()
    saved = save(kind.made(drawn), blobs)
    loaded = load(Manifest.decode(blobs.read(saved.manifest.digest)), blobs)
    assert kind.same(drawn, loaded)
    assert save(kind.made(drawn), MemoryBlobs()).manifest.digest == saved.manifest.digest
    if name not in ("numpy object", "pandas.DataFrame"):
        assert save(loaded, MemoryBlobs()).manifest.digest == saved.manifest.digest


@settings(deadline=None, max_examples=examples(60), suppress_health_check=SLOW)
@given(kinds.nests())
def test_values_of_any_kinds_in_one_another_come_back(drawn: kinds.Nest) -> None:
    blobs = MemoryBlobs()
    saved = save(drawn.value, blobs)
    assert kinds.same_nests(drawn, load(saved.manifest, blobs))
