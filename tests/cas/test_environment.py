"""The LMDB environment: what its wrapper must keep from happening."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.cas import Environment
from lineal.cas.environment import check_file
from lineal.errors import LogCorrupt, StoreClosed, StoreFull

MAP_BYTES = 1 << 30


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """A new environment with one database."""
    opened = Environment(tmp_path, ["a"], map_size_bytes=MAP_BYTES, read_only=False)
    yield opened
    opened.close()


def put(environment: Environment, key: bytes, value: bytes) -> None:
    """Put one row."""
    with environment.begin(write=True) as txn:
        txn.put(key, value, db=environment.databases["a"])


def get(environment: Environment, key: bytes) -> bytes | None:
    """Get one row."""
    with environment.begin() as txn:
        found = txn.get(key, db=environment.databases["a"])
    return None if found is None else bytes(found)


def test_a_forked_child_reads_and_writes_without_hurting_its_parent(environment: Environment) -> None:
    put(environment, b"parent", b"1")

    def child() -> None:
        assert get(environment, b"parent") == b"1"
        put(environment, b"child", b"2")

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    put(environment, b"parent", b"3")
    assert (get(environment, b"child"), get(environment, b"parent")) == (b"2", b"3")


@pytest.mark.parametrize("kept_bytes", [0, 100, 4096, 8191, 8192, 50_000])
def test_a_truncated_file_is_refused_with_an_error_not_a_signal(tmp_path: Path, kept_bytes: int) -> None:
    environment = Environment(tmp_path, ["a"], map_size_bytes=MAP_BYTES, read_only=False)
    for number in range(20):
        put(environment, bytes([number]), os.urandom(10_000))
    environment.close()
    path = tmp_path / "data.mdb"
    assert path.stat().st_size > kept_bytes
    os.truncate(path, kept_bytes)
    with pytest.raises(LogCorrupt):
        Environment(tmp_path, ["a"], map_size_bytes=MAP_BYTES, read_only=False)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"PK" * 50_000)
    with pytest.raises(LogCorrupt):
        Environment(tmp_path, ["a"], map_size_bytes=MAP_BYTES, read_only=False)


def test_a_healthy_file_passes_the_check_whatever_was_written_over(environment: Environment, tmp_path: Path) -> None:
    for number in range(200):
        value = os.urandom(number * 97 % 20_000)
        put(environment, bytes([number % 7]), value)
        check_file(tmp_path / "data.mdb")
        assert get(environment, bytes([number % 7])) == value


def test_a_map_that_is_full_is_said_to_be_and_what_is_there_stays(tmp_path: Path) -> None:
    environment = Environment(tmp_path, ["a"], map_size_bytes=1 << 20, read_only=False)
    put(environment, b"k", b"v")
    with pytest.raises(StoreFull):
        put(environment, b"large", bytes(2 << 20))
    assert get(environment, b"k") == b"v"
    environment.close()


def test_a_closed_or_read_only_environment_refuses(environment: Environment, tmp_path: Path) -> None:
    environment.close()
    with pytest.raises(StoreClosed), environment.begin():
        raise AssertionError("unreachable")
    reading = Environment(tmp_path, ["a"], map_size_bytes=MAP_BYTES, read_only=True)
    with pytest.raises(StoreClosed), reading.begin(write=True):
        raise AssertionError("unreachable")
    reading.close()
