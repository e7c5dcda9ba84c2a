"""Hash trees, against the recursive definitions of RFC 6962 written out once more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import Digest
from lineal.errors import InvalidReference
from lineal.events.merkle import (
    TreeHead,
    audit_path,
    extension_path,
    is_extension,
    leaf,
    root,
    root_by_path,
)

MOST = 300
ENTRIES = [f"entry {number}".encode() for number in range(MOST)]
LEAVES = [leaf(entry) for entry in ENTRIES]


def tree_hash(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not entries:
        return blake3(b"").digest()
    if len(entries) == 1:
        return blake3(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return blake3(b"\x01" + tree_hash(entries[:split]) + tree_hash(entries[split:])).digest()


def subtrees(entries: list[bytes]) -> Callable[[int, int], bytes]:
    return lambda level, index: tree_hash(entries[index << level : (index + 1) << level])


SUBTREE = subtrees(ENTRIES)
HEADS = [TreeHead(size, root(size, SUBTREE)) for size in range(MOST + 1)]


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place % len(data)] ^= 1 << place % 8
    return bytes(changed)


def test_the_root_is_that_of_the_definition_for_every_size() -> None:
    assert [head.root for head in HEADS] == [tree_hash(ENTRIES[:size]) for size in range(MOST + 1)]


def test_the_audit_path_of_every_leaf_leads_to_the_root_of_every_tree_and_has_logarithmic_length() -> None:
    for size in [*range(1, 70), 127, 128, 129, 255, 256, 257, MOST]:
        for index in range(size):
            path = audit_path(index, size, SUBTREE)
            assert root_by_path(LEAVES[index], index, size, path) == HEADS[size].root
            assert len(path) <= (size - 1).bit_length()


@given(st.data())
def test_a_path_leads_nowhere_near_once_anything_of_it_is_changed(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, MOST))
    index = data.draw(st.integers(0, size - 1))
    path = audit_path(index, size, SUBTREE)
    place, byte = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 31))
    changed = [*path[:place], flipped(path[place], byte), *path[place + 1 :]]
    other = data.draw(st.integers(0, MOST - 1).filter(lambda number: number != index))
    expected = HEADS[size].root
    assert root_by_path(LEAVES[index], index, size, changed) != expected
    assert root_by_path(flipped(LEAVES[index], byte), index, size, path) != expected
    assert root_by_path(LEAVES[other], index, size, path) != expected
    assert root_by_path(LEAVES[index], other, size, path) != expected
    assert root_by_path(LEAVES[index], index, size, path[:-1]) is None
    assert root_by_path(LEAVES[index], index, size, [*path, path[0]]) is None


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    inner = LEAVES[0] + LEAVES[1]
    assert root_by_path(leaf(inner), 0, 1, []) != HEADS[2].root
    assert root_by_path(leaf(b"\x01" + inner), 0, 1, []) != HEADS[2].root


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_a_place_that_is_not_in_the_tree_has_no_path(index: int, size: int) -> None:
    assert root_by_path(LEAVES[0], index, size, []) is None


def test_each_tree_is_shown_to_extend_each_smaller_one() -> None:
    for new in [*range(1, 66), 256, 257, MOST]:
        for old in range(1, new + 1):
            path = extension_path(old, new, SUBTREE)
            assert is_extension(HEADS[old], HEADS[new], path)
            assert len(path) <= new.bit_length() + 1


@given(st.data())
def test_no_tree_is_shown_to_extend_one_that_it_does_not(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, MOST))
    old = data.draw(st.integers(1, new - 1))
    path = extension_path(old, new, SUBTREE)
    wrong = data.draw(st.integers(0, old - 1))
    rewritten = [*ENTRIES[:wrong], b"another", *ENTRIES[wrong + 1 :]]
    other = TreeHead(old, root(old, subtrees(rewritten)))
    assert not is_extension(other, HEADS[new], path)
    assert not is_extension(other, HEADS[new], extension_path(old, new, subtrees(rewritten)))
    assert not is_extension(HEADS[new], HEADS[old], path)
    place, byte = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 31))
    changed = [*path[:place], flipped(path[place], byte), *path[place + 1 :]]
    assert not is_extension(HEADS[old], HEADS[new], changed)
    assert not is_extension(HEADS[old], HEADS[new], path[:-1])
    assert not is_extension(HEADS[old], HEADS[new], [*path, path[0]])


def test_a_tree_extends_itself_and_no_other_of_its_size() -> None:
    assert is_extension(HEADS[7], HEADS[7], [])
    assert not is_extension(HEADS[7], TreeHead(7, Digest(bytes(32))), [])


def test_a_head_is_read_back_from_its_text_with_space_around_it() -> None:
    for head in HEADS[:4]:
        assert TreeHead.parse(f" {str(head).upper()}\n") == head
    assert str(HEADS[0]) == f"0:{blake3(b'').hexdigest()}"


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "7:", f"7:{'a' * 63}", f"7:{'a' * 65}", f"-7:{'a' * 64}", f"٧:{'a' * 64}", f"7:{'g' * 64}"),
        *(f"{'9' * 5000}:{'a' * 64}", f"7 :{'a' * 64}", f"7:{'a ' * 32}", f":{'a' * 64}", f"7:{'a' * 64}:1"),
    ],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference, match="is not a head"):
        TreeHead.parse(text)
