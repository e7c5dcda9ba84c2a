"""The verb that migrates, as a pipe sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from old_stores import contents

Command = Callable[..., Any]


@pytest.fixture
def old(golden: Callable[[int], Path]) -> Path:
    """A store of format 1."""
    return golden(1)


def test_a_dry_run_says_what_would_happen_and_changes_nothing(command: Command, old: Path) -> None:
    before = contents(old)
    ended = command("migrate", "--store", str(old), "--dry-run")
    assert ended.code == 0
    assert "would be brought from 1 to today's" in ended.out
    record = json.loads(command("migrate", "--store", str(old), "--dry-run", "--json").out)
    assert (record["from_version"], record["kept"]) == (1, [])
    assert record["needed_bytes"] >= 2 * len(before["log/data.mdb"])
    assert contents(old) == before


def test_it_migrates_and_drops_the_old_log_when_told(command: Command, old: Path) -> None:
    migrated = json.loads(command("migrate", "--store", str(old), "--json").out)
    assert (migrated["from_version"], migrated["kept"]) == (1, [str(old / "log.1")])
    refused = command("gc", "--store", str(old))
    assert refused.code != 0
    assert "lineal migrate --drop-old" in refused.err
    foreseen = command("migrate", "--store", str(old), "--drop-old", "--dry-run")
    assert "would be dropped" in foreseen.out.lower()
    assert (old / "log.1").exists()
    dropped = json.loads(command("migrate", "--store", str(old), "--drop-old", "--json").out)
    assert (dropped["dropped"], dropped["needed_bytes"]) == ([str(old / "log.1")], 0)
    assert not (old / "log.1").exists()
    assert "nothing to migrate" in command("migrate", "--store", str(old)).out
    assert command("gc", "--store", str(old)).code == 0
