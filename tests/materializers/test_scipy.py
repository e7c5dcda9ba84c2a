from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import ManifestCorrupt
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
DENSE = np.array([[0, 1.5, 0, 0], [2, 0, 0, -0.0], [0, 0, 0, 0], [0, 3, np.nan, 0]])
FORMATS = [
    f"{form}_{kind}" for form in ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"] for kind in ("array", "matrix")
]


@pytest.mark.parametrize("name", FORMATS)
def test_a_sparse_array_comes_back_in_its_format(round_trip: RoundTrip, name: str) -> None:
    kind = getattr(scipy.sparse, name)
    for value in (kind(DENSE), kind((3, 0)), kind(DENSE.astype(np.complex64)), kind(DENSE > 1)):
        loaded, manifest = round_trip(value)
        assert (type(loaded), loaded.shape, loaded.dtype) == (type(value), value.shape, value.dtype)
        np.testing.assert_array_equal(loaded.toarray(), value.toarray())
        assert loaded.nnz == value.nnz
        assert manifest.type == f"scipy.sparse.{name}"
        assert not runs_code(manifest, MemoryBlobs())


def test_stored_zeros_duplicates_and_other_dimensions_are_kept(round_trip: RoundTrip) -> None:
    twice = scipy.sparse.coo_array(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    loaded, _ = round_trip(twice)
    np.testing.assert_array_equal(loaded.data, twice.data)
    flat = scipy.sparse.coo_array(([1, 2], ([0, 4],)), shape=(9,))
    np.testing.assert_array_equal(round_trip(flat)[0].toarray(), flat.toarray())
    zero = scipy.sparse.csr_array(([0.0], [1], [0, 1]), shape=(1, 2))
    assert round_trip(zero.tolil())[0].nnz == zero.tolil().nnz


def test_large_parts_are_blobs_and_mapped() -> None:
    value = scipy.sparse.random_array((1000, 1000), density=0.05, format="csr", rng=np.random.default_rng(1))
    blobs = MemoryBlobs()
    saved = save(value, blobs)
    assert len(list(saved.manifest.named())) == 2
    assert saved.metadata == {"shape": [1000, 1000], "dtype": "float64", "stored": 50_000}


@pytest.mark.parametrize(
    ("part", "change"),
    [("indices", 99), ("indices", -1), ("indptr", 2**31 - 1)],
)
def test_an_index_that_leads_outside_is_damage(part: str, change: int) -> None:
    value = scipy.sparse.csr_array(DENSE)
    getattr(value, part)[-1] = change
    with pytest.raises(ManifestCorrupt):
        load(save(value, MemoryBlobs()).manifest, MemoryBlobs())
