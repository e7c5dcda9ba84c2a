"""The tree over a log: what is kept of it is never believed over the log, and tells of what was done to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineal.cas import Changes
from lineal.errors import LogCorrupt
from lineal.events.hash_tree import BLOCK_EVENTS, HashTree
from lineal.events.kept_roots import HASH_TREE, KeptRoots
from lineal.events.log import CHAIN_BYTES, EVENTS, LogWriter, chained
from lineal.events.merkle import EMPTY_ROOT, TreeHead, is_extension, leaf, node, root, root_by_path

EVENTS_MOST = 5 * BLOCK_EVENTS + 77


def append(ledger: Any, count: int, word: bytes = b"event") -> None:
    """Append bodies that need not be events: the tree is over chain hashes alone."""
    with ledger.environment.begin(write=True) as txn:
        changes = Changes(ledger.environment, txn)
        log = LogWriter(changes)
        for number in range(count):
            log.append(b"%s %d" % (word, number))
        changes.flush()


def rows(ledger: Any, database: str) -> dict[bytes, bytes]:
    with ledger.environment.begin() as txn:
        return {bytes(key): bytes(value) for key, value in txn.cursor(ledger.environment.databases[database])}


def change(ledger: Any, database: str, changed: dict[bytes, bytes | None]) -> None:
    table = ledger.environment.databases[database]
    with ledger.environment.begin(write=True) as txn:
        for key, value in changed.items():
            if value is None:
                txn.delete(key, db=table)
            else:
                txn.put(key, value, db=table)


def rewrite(ledger: Any, seq: int) -> None:
    """Change an event and chain all after it anew, as if they had always been so."""
    stored = rows(ledger, EVENTS)
    chain = stored[(seq - 1).to_bytes(8, "big")][:CHAIN_BYTES] if seq > 1 else bytes(CHAIN_BYTES)
    changed: dict[bytes, bytes | None] = {}
    for key in sorted(stored)[seq - 1 :]:
        body = stored[key][CHAIN_BYTES:]
        body = body + b"!" if key == seq.to_bytes(8, "big") else body
        chain = chained(chain, body)
        changed[key] = chain + body
    change(ledger, EVENTS, changed)


def cut(ledger: Any, seq: int) -> None:
    """Take out all events after one."""
    change(ledger, EVENTS, {key: None for key in rows(ledger, EVENTS) if int.from_bytes(key, "big") > seq})


def expected_head(ledger: Any, seq: int) -> TreeHead:
    """Made of all leaves, with nothing kept."""
    chains = [value[:CHAIN_BYTES] for _, value in sorted(rows(ledger, EVENTS).items())][:seq]
    layers = [[leaf(chain) for chain in chains]]
    while len(layers[-1]) > 1:
        below = layers[-1]
        layers.append([node(below[place], below[place + 1]) for place in range(0, len(below) - 1, 2)])
    return TreeHead(seq, root(seq, lambda level, index: layers[level][index]))


@pytest.fixture
def filled(ledger: Any) -> Any:
    """A ledger over several blocks of the tree, and a part of one."""
    append(ledger, EVENTS_MOST)
    return ledger


@pytest.fixture
def tree(filled: Any) -> HashTree:
    """The tree over it, which has kept what it made."""
    made = HashTree(filled.environment, filled.log, keeps=True)
    made.head(EVENTS_MOST)
    return made


SIZES = [0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 768, 1024, 1100, EVENTS_MOST]


def test_heads_at_every_kind_of_place_are_those_of_the_whole_tree_whatever_is_kept(filled: Any) -> None:
    expected = [expected_head(filled, size) for size in SIZES]
    without = HashTree(filled.environment, filled.log, keeps=False)
    assert [without.head(size) for size in SIZES] == expected
    assert rows(filled, HASH_TREE) == {}
    keeping = HashTree(filled.environment, filled.log, keeps=True)
    for _ in range(2):
        assert [keeping.head(size) for size in SIZES] == expected
    assert len(rows(filled, HASH_TREE)) == 5 + 2 + 1
    assert [without.head(size) for size in SIZES] == expected
    assert expected[0].root == EMPTY_ROOT


def test_commits_write_nothing_of_the_tree(filled: Any) -> None:
    assert rows(filled, HASH_TREE) == {}


def test_inclusion_of_every_kind_of_place_is_shown(tree: HashTree, filled: Any) -> None:
    for size in (1, 256, 300, 1024, EVENTS_MOST):
        head = tree.head(size)
        for seq in {1, size // 2 + 1, min(size, 256), min(size, 257), size}:
            path = tree.inclusion(seq, head)
            (chain,) = filled.log.chains(seq - 1, 1)
            assert root_by_path(leaf(chain), seq - 1, size, path) == head.root


def test_extension_is_shown_between_heads(tree: HashTree) -> None:
    heads = [tree.head(size) for size in SIZES[1:]]
    for old in heads:
        for new in heads:
            if old.seq <= new.seq:
                assert is_extension(old, new, tree.extension(old, new))


def test_damage_to_anything_kept_changes_no_head_and_is_found_and_mended_by_forgetting(
    tree: HashTree, filled: Any
) -> None:
    head = expected_head(filled, EVENTS_MOST)
    kept = rows(filled, HASH_TREE)
    for key, value in kept.items():
        for damaged in (bytes([value[0] ^ 1]) + value[1:], value[:-1] + bytes([value[-1] ^ 1]), value[:20], b""):
            change(filled, HASH_TREE, {key: damaged})
            fault = tree.fault(EVENTS_MOST)
            assert fault is not None
            assert fault.first == (int.from_bytes(key[1:], "big") << key[0]) + 1
            assert HashTree(filled.environment, filled.log, keeps=False).head(EVENTS_MOST) == head
            change(filled, HASH_TREE, {key: value})
    first, second = sorted(kept)[:2]
    change(filled, HASH_TREE, {first: kept[second], second: kept[first]})
    assert tree.head(EVENTS_MOST) == head
    tree.forget()
    assert rows(filled, HASH_TREE) == {}
    assert tree.head(EVENTS_MOST) == head
    assert tree.fault(EVENTS_MOST) is None
    assert rows(filled, HASH_TREE) == kept


@pytest.mark.parametrize("seq", [1, 256, 257, 700, 1280])
def test_a_rewritten_log_leads_to_no_head_from_before_and_what_is_kept_tells_in_which_block(
    tree: HashTree, filled: Any, seq: int
) -> None:
    heads = {size: tree.head(size) for size in SIZES}
    rewrite(filled, seq)
    filled.log.verify()
    assert {size: tree.leads_to(head) for size, head in heads.items()} == {size: size < seq for size in SIZES}
    assert tree.head(EVENTS_MOST) == expected_head(filled, EVENTS_MOST)
    fault = tree.fault(EVENTS_MOST)
    assert fault is not None
    assert fault.first <= seq <= fault.last == fault.first + BLOCK_EVENTS - 1


def test_a_log_that_was_cut_back_and_grew_again_has_its_own_heads(tree: HashTree, filled: Any) -> None:
    old = tree.head(1100)
    cut(filled, 1000)
    with pytest.raises(LogCorrupt, match="some are gone"):
        tree.head(1100)
    assert not tree.leads_to(old)
    fault = tree.fault(1000)
    assert fault is not None
    assert (fault.first, fault.last) == (1001, 1280)
    append(filled, 500, b"another")
    assert not tree.leads_to(old)
    assert tree.head(1100) == expected_head(filled, 1100) != old


ROOTS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("a forged root", lambda root: bytes(32)),
    ("a root with a flipped bit", lambda root: bytes([root[0] ^ 128]) + root[1:]),
]


@pytest.mark.parametrize(("what", "forged"), ROOTS)
def test_the_log_leads_to_no_forged_head(tree: HashTree, what: str, forged: Callable[[bytes], bytes]) -> None:
    for size in SIZES:
        head = tree.head(size)
        assert not tree.leads_to(head._replace(root=type(head.root)(forged(head.root))))


def test_a_head_is_reached_even_if_all_that_is_kept_lies_with_fitting_seals(tree: HashTree, filled: Any) -> None:
    head = tree.head(EVENTS_MOST)
    places = [(key[0], int.from_bytes(key[1:], "big")) for key in rows(filled, HASH_TREE)]
    tree.forget()
    KeptRoots(filled.environment).put(dict.fromkeys(places, bytes(32)))
    assert tree.head(EVENTS_MOST) != head
    assert tree.leads_to(head)
    assert tree.fault(EVENTS_MOST) is not None
