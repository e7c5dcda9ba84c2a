"""Places of blobs: what a part of a cut one lies in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import Cut, Extent, Volume, VolumeKind, digest_of

VOLUME = Volume(VolumeKind.PACK, digest_of(b"a pack"), 1 << 30)


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 45), st.integers(0, 45))
def test_a_part_of_a_cut_blob_lies_in_the_same_bytes_as_one_read_byte_by_byte(
    sizes: list[int], start: int, stop: int
) -> None:
    cut = Cut(tuple(Extent(VOLUME, 100 * number, size) for number, size in enumerate(sizes)))
    whole = [offset + byte for _, offset, size in cut.extents for byte in range(size)]
    part = list(cut.within(start, stop))
    assert all(extent.size_bytes for extent in part)
    assert [offset + byte for _, offset, size in part for byte in range(size)] == whole[start:stop]
