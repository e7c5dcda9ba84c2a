"""The verbs that collect, pin, tell why and make again, as a pipe sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal.cli.units import age, size_bytes

Command = Callable[..., Any]


@pytest.fixture
def on_copy(command: Command, copied: Path) -> Command:
    """The command, on a store that may be changed."""
    return lambda *argv: command(*argv, "--store", str(copied))


def table(text: str) -> list[list[str]]:
    """The cells of all lines."""
    return [re.split(r"\s{2,}", line) for line in text.splitlines()]


def release(store: Path, *references: str) -> None:
    """Release versions by hand."""
    with lineal.open(store) as opened:
        for reference in references:
            opened.release(reference)


def test_a_dry_run_says_what_would_go_and_stay_and_why_and_the_run_does_it(on_copy: Command, copied: Path) -> None:
    with lineal.open(copied) as store:
        store.save(b"more", "raw")
    before = on_copy("log", "--json").out
    foreseen = on_copy("gc", "--keep-last", "1", "--grace", "0s", "--dry-run")
    assert (foreseen.code, foreseen.err) == (0, "")
    lines = table(foreseen.out)
    assert lines[:4] == [
        ["store", str(copied)],
        ["would be released", "1 artifact version"],
        ["would be kept", "6 artifact versions"],
        ["would be freed", "250.1 KiB in 2 blobs and 1 file"],
    ]
    assert ["raw@1", "250.1 KiB", "not the newest version"] in lines
    assert ["digits-model@1", "60 B", "pinned as champion"] in lines
    assert ["digits-model@2", "60 B", "the latest version"] in lines
    assert on_copy("log", "--json").out == before
    done = table(on_copy("gc", "--keep-last", "1", "--grace", "0s").out)
    assert done[1:4] == [[cell.removeprefix("would be ") for cell in line] for line in lines[1:4]]
    assert done[-1] == ["raw@1", "250.1 KiB", "not the newest version"]
    assert table(on_copy("gc", "--grace", "0s").out)[1:] == [["freed", "0 B in 0 blobs and 0 files"]]


def test_an_evicted_version_is_shown_as_such_and_can_be_made_again(on_copy: Command, copied: Path) -> None:
    on_copy("unpin", "champion")
    release(copied, "digits-model@1")
    on_copy("gc", "--grace", "0s")
    assert "60 B (evicted)" in on_copy("artifacts", "digits-model").out
    assert re.search(
        r"released +at event \d+, .*Z: released by hand\nevicted +at event \d+, .*Z\n",
        on_copy("show", "digits-model@1").out,
    )
    made = on_copy("recompute", "digits-model@1")
    assert (made.code, made.err) == (0, "")
    assert table(made.out)[-1] == ["outcome", "made again by recompute-1; its digest is the same"]
    assert table(on_copy("recompute", "digits-model@1").out)[-1] == ["outcome", "it was there already"]
    assert "(evicted)" not in on_copy("artifacts", "digits-model").out


def test_what_is_released_and_not_yet_evicted_says_so(on_copy: Command, copied: Path) -> None:
    release(copied, "raw")
    assert re.search(r"released +at event \d+, .*: released by hand; the next gc evicts it", on_copy("show", "raw").out)
    assert table(on_copy("gc", "--grace", "0s").out)[1] == ["freed", "250.1 KiB in 2 blobs and 1 file"]


def test_why_a_blob_is_kept_is_told_by_its_holders(on_copy: Command) -> None:
    content = json.loads(on_copy("show", "digits-model@1", "--json").out)["artifact_version"]["content"]
    for which in ("digits-model@1", content[:12]):
        lines = table(on_copy("why-kept", which).out)
        assert lines[0] == ["blob", content]
        assert lines[2] == ["kept", "yes"]
        assert lines[5] == ["the blob itself", "digits-model@1", "pin champion"]
        assert lines[6][-1].startswith("event ")
        assert lines[6][-1].endswith(", step.reused: step train of run training-2")
    assert on_copy("why-kept", "0" * 64).code == 3
    assert on_copy("why-kept", "what").code in (1, 3)


def test_pins_are_listed_with_what_they_hold_and_when_they_expire(on_copy: Command) -> None:
    pinned = on_copy("pin", "raw", "kept", "--expires", "30d")
    assert (pinned.code, pinned.err) == (0, "")
    assert [line[:2] for line in table(on_copy("pins").out)] == [
        ["PIN", "HOLDS"],
        ["champion", "digits-model@1"],
        ["kept", "raw@1"],
    ]
    assert "never" in on_copy("pins").out
    assert on_copy("unpin", "nothing").code == 3
    assert on_copy("pin", "raw", "a@b").code == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("1.5h", 5400), ("30d", 30 * 86_400), ("2w", 14 * 86_400), ("0s", 0)]
)
def test_an_age_is_a_number_and_a_unit(text: str, expected: float) -> None:
    assert age(text).total_seconds() == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("10GB", 10**10), ("1.5 MiB", 3 << 19), ("7B", 7), ("1KiB", 1024), ("1kB", 1000)]
)
def test_a_size_is_a_number_and_a_unit(text: str, expected: int) -> None:
    assert size_bytes(text) == expected
