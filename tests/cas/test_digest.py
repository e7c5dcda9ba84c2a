"""Digests."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.cas.digest import Digest, digest_of, digest_of_stream
from lineal.errors import InvalidDigest

# The first test vector of the BLAKE3 specification: the digest of no bytes.
EMPTY = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_a_digest_is_plain_blake3_of_the_bytes() -> None:
    assert str(digest_of(b"")) == EMPTY


@given(st.binary(max_size=5000))
def test_a_stream_has_the_digest_of_its_bytes(data: bytes) -> None:
    assert digest_of_stream(io.BytesIO(data)) == digest_of(data)


def test_many_threads_give_the_digest_of_one() -> None:
    data = os.urandom(17 * 1024 * 1024)
    assert digest_of(data) == blake3.blake3(data, max_threads=1).digest()


def test_text_and_digest_round_trip_and_survive_pickling() -> None:
    digest = digest_of(b"x")
    assert Digest.parse(str(digest)) == digest
    restored = pickle.loads(pickle.dumps(digest))
    assert (type(restored), restored) == (Digest, digest)


@pytest.mark.parametrize("text", ["", "ab", "z" * 64, EMPTY + "00"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest):
        Digest.parse(text)


def test_a_forked_child_of_a_parallel_parent_can_digest_large_buffers() -> None:
    data = bytes(20 * 1024 * 1024)
    expected = digest_of(data)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(digest_of(data)))
    child.start()
    assert receiver.poll(30), "the child hangs"
    assert receiver.recv() == expected
    child.join()
