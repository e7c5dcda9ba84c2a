"""Manifests: canonical bytes, round trip, and refusal of what is none."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import BlobPart, Digest, Manifest, digest_of
from lineal.errors import ManifestCorrupt

heads = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
blob_parts = st.builds(BlobPart, st.binary(min_size=32, max_size=32).map(Digest), st.integers(0, 2**40))
manifests = st.recursive(
    st.builds(Manifest, st.text(max_size=8), st.text(max_size=8), heads),
    lambda inner: st.builds(
        Manifest,
        st.text(max_size=8),
        st.text(max_size=8),
        heads,
        st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9) | blob_parts | inner), max_size=3).map(tuple),
    ),
    max_leaves=4,
)


@given(manifests)
def test_a_manifest_reads_back_as_it_was_and_has_one_encoding(manifest: Manifest) -> None:
    read = Manifest.decode(manifest.encoded)
    assert read == manifest
    again = Manifest(read.format, read.type, read.head, read.parts)
    assert again.encoded == manifest.encoded
    assert read.digest == digest_of(manifest.encoded)


@given(manifests, st.integers(0, 10_000), st.integers(0, 255))
def test_mutated_bytes_give_a_manifest_or_a_typed_error(manifest: Manifest, place: int, value: int) -> None:
    data = bytearray(manifest.encoded)
    data[place % len(data)] = value
    try:
        found: object = Manifest.decode(bytes(data))
    except ManifestCorrupt as error:
        found = error
    assert isinstance(found, Manifest | ManifestCorrupt)


@given(manifests, st.integers(0, 10_000))
def test_truncated_bytes_are_refused(manifest: Manifest, length: int) -> None:
    with pytest.raises(ManifestCorrupt):
        Manifest.decode(manifest.encoded[: length % len(manifest.encoded)])


def test_nesting_without_end_is_refused() -> None:
    array = ["lineal.manifest", 1, "x/1", "t", None, []]
    for _ in range(100):
        array = ["lineal.manifest", 1, "x/1", "t", None, [["p", 2, array, 0]]]
    with pytest.raises(ManifestCorrupt, match="nested"):
        Manifest.decode(msgpack.packb(array))


def test_a_manifest_of_a_later_layout_is_refused_by_its_version() -> None:
    with pytest.raises(ManifestCorrupt, match="layout version 2"):
        Manifest.decode(msgpack.packb(["lineal.manifest", 2, "x/1", "t", None, []]))


def test_blobs_under_nested_manifests_are_found() -> None:
    first, second = BlobPart(digest_of(b"1"), 1), BlobPart(digest_of(b"2"), 2)
    inner = Manifest("x/1", "t", None, (("deep", second),))
    outer = Manifest("x/1", "t", None, (("a", first), ("b", inner), ("c", b"inline")))
    assert list(outer.named()) == [first, second]
    assert outer.size_bytes == len(outer.encoded) + 3
