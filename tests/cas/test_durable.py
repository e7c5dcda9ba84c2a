"""Durable writes of small files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineal.cas.durable import disk_errors, move_durably, write_durably
from lineal.errors import StoreBroken, StoreFull


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "FORMAT"
    write_durably(path, b"old")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"

    def cut(_source: object, _target: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        write_durably(path, b"newer")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(("number", "kind"), [(28, StoreFull), (122, StoreFull), (27, StoreFull), (5, StoreBroken)])
def test_a_full_and_a_failing_disk_are_told_apart(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, disk_errors(tmp_path, 12):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_of_the_system_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), disk_errors(tmp_path, 12):
        raise PermissionError(13, "Permission denied")


def test_a_file_is_moved_and_keeps_its_bytes_and_another_that_has_its_name_by_then_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"bad")
    move_durably(old, new)
    assert (old.exists(), new.read_bytes()) == (False, b"bad")
    new.rename(old)
    real = os.fsync

    def fsync(fd: int) -> None:
        real(fd)
        if old.read_bytes() == b"bad":
            (tmp_path / "sound").write_bytes(b"sound")
            (tmp_path / "sound").rename(old)

    monkeypatch.setattr(os, "fsync", fsync)
    move_durably(old, new)
    assert (old.read_bytes(), new.read_bytes()) == (b"sound", b"bad")
