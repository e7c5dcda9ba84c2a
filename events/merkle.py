"""Hash trees as RFC 6962 defines them, over BLAKE3: roots, audit paths, and proofs that one tree extends another.

Pure arithmetic. Leaves and inner nodes are hashed under prefixes of their own, so that neither passes for the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

from blake3 import blake3

from ..cas.digest import Digest
from ..errors import InvalidReference

_LEAF, _NODE = b"\0", b"\1"
EMPTY_ROOT = Digest(blake3(b"").digest())
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")

Subtree = Callable[[int, int], bytes]
"""The root of the complete subtree of this level and index: over ``2**level`` leaves from ``index * 2**level`` on."""
Range = tuple[int, int]
"""Leaves from the first number on, the second left out."""


class TreeHead(NamedTuple):
    """The size of a log and the root of the tree over it: whoever keeps it can tell any change to what came before.

    As text it is ``seq:root``, with the root in hex.
    """

    seq: int
    """How many events the tree is over: the sequence number of the last one."""
    root: Digest

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gives.

        Raises:
            InvalidReference: It is something else.
        """
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise InvalidReference(
                f"{text[:100]!r} is not a head",
                hint="Write it as `lineal head` does: a number, a colon, and 64 hex digits.",
            )
        return cls(int(found[1]), Digest.parse(found[2]))

    def __str__(self) -> str:
        return f"{self.seq}:{self.root}"


def known_head(head: TreeHead | str) -> TreeHead:
    """A head that was kept, or its text. Raises `InvalidReference` if that is none."""
    return TreeHead.parse(head) if isinstance(head, str) else head


def leaf(entry: bytes) -> bytes:
    """The hash of a leaf."""
    digest: bytes = blake3(_LEAF + entry).digest()
    return digest


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    digest: bytes = blake3(_NODE + left + right).digest()
    return digest


def complete_root(entries: Iterable[bytes]) -> bytes:
    """The root over so many entries as are a power of two."""
    layer = [leaf(entry) for entry in entries]
    while len(layer) > 1:
        layer = [node(layer[place], layer[place + 1]) for place in range(0, len(layer), 2)]
    return layer[0]


def root(size: int, subtree: Subtree) -> Digest:
    """The root over the first ``size`` leaves (RFC 6962, 2.1)."""
    return Digest(_range_root((0, size), subtree)) if size else EMPTY_ROOT


def audit_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """What leads from a leaf to the root over ``size`` leaves, the nearest first (RFC 6962, 2.1.1)."""
    return [_range_root(one, subtree) for one in _siblings(index, size)]


def root_by_path(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an audit path leads to; None where it is none of this place in a tree of this size."""
    if not 0 <= index < size:
        return None
    siblings = _siblings(index, size)
    if len(siblings) != len(path):
        return None
    found = leaf_hash
    for (start, _), sibling in zip(siblings, path, strict=True):
        found = node(sibling, found) if start < index else node(found, sibling)
    return found


def extension_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """What shows that the tree over ``new`` leaves begins with those of the tree over ``old`` (RFC 6962, 2.1.2)."""
    return [_range_root(one, subtree) for one in _parts(old, new)]


def is_extension(old: TreeHead, new: TreeHead, path: Sequence[bytes]) -> bool:
    """Whether such a path shows it, of two heads and so of the logs under them."""
    if not 1 <= old.seq <= new.seq:
        return False
    parts = _parts(old.seq, new.seq)
    if len(parts) != len(path):
        return False
    rest = list(zip(parts, path, strict=True))
    # The largest complete subtree that both end in: the whole old tree, or what the path begins with.
    first = rest.pop(0)[1] if parts and parts[0][1] == old.seq else old.root
    old_root = new_root = first
    for (start, _), part in rest:
        if start < old.seq:
            old_root, new_root = node(part, old_root), node(part, new_root)
        else:
            new_root = node(new_root, part)
    return (old_root, new_root) == (old.root, new.root)


def _range_root(leaves: Range, subtree: Subtree) -> bytes:
    start, end = leaves
    size = end - start
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    middle = _middle(start, end)
    return node(_range_root((start, middle), subtree), _range_root((middle, end), subtree))


def _middle(start: int, end: int) -> int:
    """Where a range is split: after the largest power of two that is less than its size."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _siblings(index: int, size: int) -> list[Range]:
    """The subtrees beside the way from a leaf to the root."""
    start, end = 0, size
    found: list[Range] = []
    while end - start > 1:
        middle = _middle(start, end)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def _parts(old: int, new: int) -> list[Range]:
    """The subtrees beside the way to where the old tree ends, that end itself first unless it is the whole old tree."""
    start, end = 0, new
    found: list[Range] = []
    while end != old:
        middle = _middle(start, end)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:
        found.append((start, end))
    return found[::-1]
