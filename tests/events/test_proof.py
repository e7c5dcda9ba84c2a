"""Proofs: they hold without a store, and whatever else is given for one is refused by an error of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineal
from lineal.cas import Digest, digest_of
from lineal.errors import InvalidProof, InvalidReference, LogCorrupt
from lineal.events.log import GENESIS, chained
from lineal.events.merkle import TreeHead, leaf
from lineal.events.proof import PROOF_MAX_BYTES, ExtensionProof, InclusionProof, read_proof

HASH = "ab" * 32


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A store with 601 events: 600 saves of five artifacts."""
    with lineal.open(tmp_path_factory.mktemp("proofs") / "store") as client:
        for number in range(600):
            client.save(number, f"artifact-{number % 5}")
        client.flush()
        yield client


@pytest.fixture(scope="module")
def proof(history: Any) -> InclusionProof:
    """Of a save in the middle."""
    made: InclusionProof = history.artifact("artifact-3@60").prove()
    return made


def written(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


@pytest.mark.parametrize("reference", ["artifact-0@1", "artifact-4@119", "artifact-2@50", "artifact-1"])
@pytest.mark.parametrize("seq", [None, 600])
def test_a_proof_holds_after_it_was_written_and_read(history: Any, reference: str, seq: int | None) -> None:
    view = history if seq is None else history.as_of(seq)
    version = view.artifact(reference)
    made = version.prove()
    read = read_proof(written(made.record()))
    assert read == made
    assert isinstance(read, InclusionProof)
    proven = read.check(view.tree_head())
    assert (proven.output.artifact, proven.output.content) == (version.name, version.content)
    assert next(history.events(proven.recorded.seq - 1)).id == proven.recorded.id
    assert len(read.path) <= 10


def test_a_proof_under_an_older_head_holds_under_that_head_only(history: Any, proof: InclusionProof) -> None:
    old = history.as_of(400).tree_head()
    under_old = history.artifact("artifact-3@60").prove(str(old))
    under_old.check(old)
    with pytest.raises(InvalidProof, match="under another head"):
        under_old.check(history.tree_head())
    with pytest.raises(InvalidProof, match="under another head"):
        proof.check(old)
    extension = read_proof(written(history.prove_extension(old).record()))
    assert isinstance(extension, ExtensionProof)
    extension.check(history.tree_head())
    with pytest.raises(InvalidProof, match="under another head"):
        extension.check(old)


def test_what_can_t_be_proven_is_refused(history: Any) -> None:
    head = history.tree_head()
    with pytest.raises(InvalidReference, match="after the head of event 100"):
        history.artifact("artifact-3@60").prove(history.as_of(100).tree_head())
    with pytest.raises(LogCorrupt, match="does not lead to the head"):
        history.artifact("artifact-3@60").prove(head._replace(root=Digest(bytes(32))))
    with pytest.raises(LogCorrupt, match="the log ends at event 601, before"):
        history.artifact("artifact-3@60").prove(head._replace(seq=10**17))
    with pytest.raises(InvalidReference, match="is not a head"):
        history.artifact("artifact-3@60").prove("latest")
    with pytest.raises(InvalidReference, match="can't extend"):
        history.prove_extension(head, history.as_of(100).tree_head())
    with pytest.raises(LogCorrupt, match="does not lead from"):
        history.prove_extension(TreeHead(100, Digest(bytes(32))))


CHECK = """
import sys
from pathlib import Path
from lineal.events.proof import read_proof
from lineal.events.merkle import TreeHead
proven = read_proof(Path("proof.json").read_bytes()).check(TreeHead.parse(sys.argv[1]))
heavy = {"numpy", "pyarrow", "lineal.store", "lineal.history"} & set(sys.modules)
print(proven.output.artifact, proven.output.content, proven.recorded.seq, heavy)
"""


def test_a_proof_is_checked_in_a_process_without_the_store(tmp_path: Path, proof: InclusionProof) -> None:
    (tmp_path / "proof.json").write_bytes(written(proof.record()))
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHECK, str(proof.head)], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stderr, done.stdout.split()) == ("", ["artifact-3", str(proof.content), str(proof.seq), "set()"])
    assert [path.name for path in tmp_path.iterdir()] == ["proof.json"]


def test_any_changed_byte_of_a_proof_is_found(history: Any, proof: InclusionProof) -> None:
    text = written(proof.record())
    for place in range(len(text)):
        changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
        try:
            read_proof(changed).check(proof.head)
        except InvalidProof:
            continue
        assert read_proof(changed) == proof, place


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("another place", {"seq": 299}),
    ("a later place than the head's", {"seq": 602}),
    ("a place beyond numbers", {"seq": 10**40}),
    ("a place of another type", {"seq": "298"}),
    ("a place that is a fraction", {"seq": 298.0}),
    ("a place that is true", {"seq": True}),
    ("no place", {"seq": 0}),
    ("another name", {"artifact": "artifact-2"}),
    ("a name of another type", {"artifact": ["artifact-3"]}),
    ("another content", {"content": HASH}),
    ("a content too short", {"content": "ab"}),
    ("another chain", {"previous_chain": HASH}),
    ("a chain with spaces", {"previous_chain": "ab " * 32}),
    ("another event", {"event": "c0"}),
    ("half a byte", {"event": "c"}),
    ("no event", {"event": None}),
    ("no path", {"path": []}),
    ("a path of another type", {"path": HASH}),
    ("a path of numbers", {"path": [1, 2, 3]}),
    ("a path without an end", {"path": [HASH] * 65}),
    ("a head of another log", {"head": f"601:{HASH}"}),
    ("a head beyond numbers", {"head": f"{10**30}:{HASH}"}),
    ("a head of another type", {"head": {"seq": 601}}),
    ("another kind", {"kind": "head"}),
    ("a kind of another type", {"kind": ["inclusion-proof"]}),
    ("a newer version", {"v": 2}),
]


@pytest.mark.parametrize(("what", "changes"), CHANGES)
def test_a_proof_of_which_a_field_is_changed_proves_nothing(
    proof: InclusionProof, what: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidProof):
        read_proof(written(proof.record() | changes)).check()


@pytest.mark.parametrize("name", ["kind", "v", "head", "seq", "previous_chain", "event", "path", "artifact", "content"])
def test_a_proof_that_lacks_a_field_is_none(proof: InclusionProof, name: str) -> None:
    with pytest.raises(InvalidProof):
        read_proof(written({field: value for field, value in proof.record().items() if field != name}))


@pytest.mark.parametrize("name", ["old", "head", "path"])
@pytest.mark.parametrize("value", [None, 7, HASH, [HASH], f"0:{HASH}", f"5:{HASH}", f"999:{HASH}"])
def test_an_extension_of_which_a_field_is_changed_proves_nothing(history: Any, name: str, value: Any) -> None:
    record = history.prove_extension(history.as_of(400).tree_head()).record()
    with pytest.raises(InvalidProof):
        read_proof(written(record | {name: value})).check()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\xff" * 100,
        b"null",
        b"[]",
        b'"inclusion-proof"',
        b"[" * 1_000_000,
        b'{"kind":' * 200_000,
        b'{"kind": "inclusion-proof", "v": ' + b"9" * 1_000_000 + b"}",
        b'{"kind": "inclusion-proof", "v": 1e999999}',
        b" " * (PROOF_MAX_BYTES + 1),
    ],
    ids=lambda data: f"{len(data)} bytes",
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidProof):
        read_proof(data)


def forged(body: bytes) -> InclusionProof:
    """A proof that is right but for its event: of a tree of one, made by whoever likes."""
    head = TreeHead(1, Digest(leaf(chained(GENESIS, body))))
    return InclusionProof(head, 1, GENESIS, body, (), "a", digest_of(b""))


OUTPUT = ["a", "a", bytes(digest_of(b"")), "f/1", "t", 1, {}]
ENVELOPE: list[Any] = [2, "artifact.saved/1", bytes(16), 7, bytes(16), b"", [], [OUTPUT]]


def with_part(part: int, value: Any) -> bytes:
    packed: bytes = msgpack.packb([*ENVELOPE[:part], value, *ENVELOPE[part + 1 :]])
    return packed


def test_an_event_that_is_right_is_read_from_a_tree_of_one() -> None:
    assert forged(msgpack.packb(ENVELOPE)).check().output.artifact == "a"


HOSTILE_EVENTS = [
    b"",
    b"\xc1",
    b"\x91" * 10_000,
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    msgpack.packb(ENVELOPE) + b"\0",
    *(
        with_part(part, value)
        for part in (1, 2, 3, 4, 5, 7)
        for value in (None, -1, 2**63, "x" * 16, [[]], {1: 2}, 1.5)
    ),
    *(with_part(part, b"short") for part in (1, 2, 3, 4, 7)),
    *(with_part(7, [[*OUTPUT[:part], None, *OUTPUT[part + 1 :]]]) for part in range(1, 5)),
    with_part(7, ["abcdefg"]),
    with_part(3, 2**62),
]


@pytest.mark.parametrize("body", HOSTILE_EVENTS, ids=lambda body: body[:20].hex())
def test_a_forged_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidProof):
        forged(body).check()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
msgpack_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3) | st.binary(max_size=33),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)
types = st.sampled_from(["artifact.saved/1", "step.completed/1", "step.reused/1", "store.created/1", "new/9"])


@given(st.dictionaries(st.sampled_from(["seq", "path", "head", "event", "content", "artifact"]), json_values))
def test_no_field_makes_anything_but_our_error(proof: InclusionProof, changes: dict[str, Any]) -> None:
    try:
        read_proof(written(proof.record() | changes)).check()
    except InvalidProof:
        assert changes


@given(types, st.lists(msgpack_values, max_size=14), st.integers(0, 7), msgpack_values)
def test_no_event_makes_anything_but_our_error(type_: str, payload: list[Any], part: int, value: Any) -> None:
    envelope = [2, type_, bytes(16), 7, bytes(16), b"", [], payload]
    envelope[part] = value
    with pytest.raises(InvalidProof):
        forged(msgpack.packb(envelope)).check()
