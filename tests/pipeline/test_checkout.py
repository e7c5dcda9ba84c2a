"""The checkout that a run's code comes from, whatever its repository configures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from lineal import Client
from lineal.pipeline.surroundings import checkout
from lineal.pipeline.surroundings.checkout import captured_checkout
from lineal.pipeline.surroundings.git_index import read_index
from lineal.pipeline.surroundings.redaction import redacted

IDENTITY = {
    **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
}


def git(top: Path, *arguments: str) -> str:
    """What git says, as a user would call it."""
    environment = {**os.environ, **IDENTITY}
    return subprocess.run(
        ["git", *arguments], cwd=top, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with a commit of two files in two folders."""
    top = tmp_path / "repository"
    (top / "inner").mkdir(parents=True)
    git(top, "init", "-q", "-b", "main")
    (top / "code.py").write_text("one\ntwo\nthree\n")
    (top / "inner" / "run.sh").write_text("echo\n")
    (top / ".gitignore").write_text("*.log\n")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    return top


def function_in(folder: Path) -> Any:
    """A function that a file of this folder defines."""
    path = folder / "code.py"
    path.exists() or path.write_text("")
    scope: dict[str, Any] = {}
    exec(compile("def found(): pass", str(path), "exec"), scope)
    return scope["found"]


@pytest.fixture
def described(top: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """What is captured of it, without a pause since the last look."""
    monkeypatch.setattr(checkout, "_PAUSE_MIN_S", 0)
    monkeypatch.setattr(checkout, "_PAUSE_MAX_S", 0)
    function = function_in(top)
    return lambda: msgpack.unpackb(captured_checkout(function) or b"\xc0", unicode_errors="surrogateescape")


def test_a_clean_checkout_is_its_commit_and_branch(top: Path, described: Callable[[], Any]) -> None:
    assert described() == {
        "commit": git(top, "rev-parse", "HEAD"),
        "branch": "main",
        "remote": None,
        "is_dirty": False,
        "changed": [],
        "diff": "",
        "untracked": [],
        "untracked_count": 0,
    }


def test_what_differs_from_the_commit_is_told_staged_or_not(top: Path, described: Callable[[], Any]) -> None:
    assert not described()["is_dirty"]
    (top / "code.py").write_text("one\n2\nthree\n")
    (top / "added.py").write_text("new")
    git(top, "add", "added.py")
    (top / "inner" / "run.sh").unlink()
    (top / "note.txt").write_text("untracked")
    (top / "out.log").write_text("ignored")
    found = described()
    assert found["is_dirty"]
    assert found["changed"] == ["added.py", "code.py", "inner/run.sh"]
    assert found["untracked"] == ["note.txt"]
    assert found["diff"] == (
        "--- a/added.py\n+++ b/added.py\n@@ -0,0 +1 @@\n+new\n\\ No newline at end of file\n"
        "--- a/code.py\n+++ b/code.py\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        "--- a/inner/run.sh\n+++ b/inner/run.sh\n@@ -1 +0,0 @@\n-echo\n"
    )
    git(top, "add", "-A")
    assert described()["diff"].count("+++") == 4
    git(top, "commit", "-q", "-m", "second")
    assert (described()["is_dirty"], described()["commit"]) == (False, git(top, "rev-parse", "HEAD"))


def test_a_file_that_was_only_touched_did_not_change(top: Path, described: Callable[[], Any]) -> None:
    os.utime(top / "code.py", (1, 1))
    assert not described()["is_dirty"]
    (top / "inner" / "run.sh").chmod(0o755)
    assert described()["changed"] == ["inner/run.sh"]


def test_an_edit_of_equal_length_at_the_time_of_the_index_is_found(top: Path, described: Callable[[], Any]) -> None:
    git(top, "add", ".")
    index_ns = os.stat(top / ".git" / "index").st_mtime_ns
    (top / "code.py").write_text("ONE\ntwo\nthree\n")
    os.utime(top / "code.py", ns=(index_ns, index_ns))
    assert described()["changed"] == ["code.py"]


def test_branches_packed_refs_worktrees_and_bare_heads_are_understood(
    top: Path, described: Callable[[], Any], tmp_path: Path
) -> None:
    commit = git(top, "rev-parse", "HEAD")
    git(top, "pack-refs", "--all")
    assert (described()["commit"], described()["branch"]) == (commit, "main")
    git(top, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "code.py").write_text("changed\n")
    side = msgpack.unpackb(captured_checkout(function_in(tmp_path / "side")) or b"")
    assert (side["commit"], side["branch"], side["changed"]) == (commit, "side", ["code.py"])
    git(top, "checkout", "-q", "--detach")
    assert (described()["commit"], described()["branch"]) == (commit, None)


def test_a_repository_without_commits_and_no_repository_at_all_are_no_errors(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert captured_checkout(function_in(tmp_path / "plain")) is None
    (tmp_path / "unborn").mkdir()
    git(tmp_path / "unborn", "init", "-q")
    unborn = msgpack.unpackb(captured_checkout(function_in(tmp_path / "unborn")) or b"")
    assert (unborn["commit"], unborn["is_dirty"], unborn["untracked"]) == (None, None, ["code.py"])


@pytest.mark.parametrize("version", ["2", "4"])
def test_an_index_is_read_as_git_reads_it(top: Path, version: str) -> None:
    for number in range(30):
        (top / f"{'long' * number}-é{number}").write_text(str(number))
    git(top, "add", ".")
    git(top, "update-index", "--index-version", version)
    told = [line.split("\t") for line in git(top, "ls-files", "-s", "-z").split("\0")[:-1]]
    found = [(f"{entry.mode:o} {entry.blob} 0", os.fsdecode(entry.path)) for entry in read_index(top / ".git/index")]
    assert found == [(before, path) for before, path in told]


def test_without_git_commit_and_branch_are_known_all_the_same(
    top: Path, described: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = git(top, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "/nonexistent")
    found = described()
    assert (found["commit"], found["branch"], found["is_dirty"], found["untracked"]) == (commit, "main", None, None)


def test_what_is_too_long_is_left_out_and_says_so(
    top: Path, described: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "DIFF_MAX_CHARACTERS", 200)
    (top / "code.py").write_bytes(b"\0binary")
    (top / "inner" / "run.sh").write_text("line\n" * 100)
    found = described()
    assert (
        found["diff"]
        == "--- a/code.py\n+++ b/code.py\n[it is not text, or too large]\n[1 more changed files are left out]\n"
    )
    assert found["changed"] == ["code.py", "inner/run.sh"]


def test_secrets_are_neither_in_the_diff_nor_in_the_remote(top: Path, described: Callable[[], Any]) -> None:
    git(top, "remote", "add", "origin", "https://me:hunter2@example.org/x.git")
    (top / "code.py").write_text("API_TOKEN = 'hunter2'\nurl = 'redis://:hunter2@host'\n")
    found = described()
    assert found["remote"] == "https://***@example.org/x.git"
    assert "+API_TOKEN = '***'" in found["diff"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password: hunter2", "password: ***"),
        ('{"aws_secret_access_key": "AB/cd+"}', '{"aws_secret_access_key": "***"}'),
        ("export DB_PASSWORD=hunter2", "export DB_PASSWORD=***"),
        ('os.environ["TOKEN"] = "hunter2"', 'os.environ["TOKEN"] = "***"'),
        ("postgresql+psycopg2://u:p@ss@h/db", "postgresql+psycopg2://***@h/db"),
        (f"ghp_{'a' * 36} AKIAABCDEFGHIJKLMNOP", "*** ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END", "-----BEGIN RSA PRIVATE KEY-----\n***\n-----END"),
        ("sorted(rows, key=len); monkey = 5", "sorted(rows, key=len); monkey = 5"),
        ("git@github.com:x/y", "git@github.com:x/y"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str, expected: str) -> None:
    assert redacted(text) == expected


TRAPPED = {
    "core.fsmonitor": "{run} fsmonitor",
    "core.hooksPath": "{hooks}",
    "core.pager": "{run} pager",
    "core.sshCommand": "{run} ssh",
    "core.askPass": "{run}",
    "core.editor": "{run} editor",
    "core.alternateRefsCommand": "{run} alternates",
    "core.attributesFile": "{attributes}",
    "credential.helper": "!{run} credentials",
    "diff.external": "{run} external",
    "diff.evil.command": "{run} command",
    "diff.evil.textconv": "{run} textconv",
    "filter.evil.clean": "{run} clean",
    "filter.evil.smudge": "{run} smudge",
    "filter.evil.required": "true",
    "gpg.program": "{run}",
    "log.showSignature": "true",
    "interactive.diffFilter": "{run} interactive",
    "pager.ls-files": "{run} pager",
    "pager.diff-index": "{run} pager",
    "alias.ls-files": "!{run} alias",
    "extensions.partialClone": "origin",
    "remote.origin.url": "ext::{run} ext",
    "remote.origin.promisor": "true",
    "protocol.ext.allow": "always",
    "uploadpack.packObjectsHook": "{run} pack",
}
HOOKS = ("post-index-change", "post-checkout", "pre-commit", "fsmonitor-watchman", "reference-transaction", "update")


def test_nothing_that_a_hostile_repository_configures_is_run(
    top: Path, described: Callable[[], Any], tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    run = tmp_path / "run"
    run.write_text(f'#!/bin/sh\necho "$0 $*" >> {marks}/ran\ncat 2>/dev/null\n')
    run.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in HOOKS:
        (hooks / hook).symlink_to(run)
        (top / ".git" / "hooks" / hook).symlink_to(run)
    attributes = tmp_path / "attributes"
    attributes.write_text("* filter=evil diff=evil\n")
    (top / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (top / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")
    git(top, "config", "core.repositoryFormatVersion", "1")
    for name, value in TRAPPED.items():
        git(top, "config", name, value.format(run=run, hooks=hooks, attributes=attributes))
    gone = git(top, "rev-parse", ":code.py")
    (top / "code.py").write_text("changed\n")
    os.utime(top / "inner" / "run.sh", (1, 1))

    (marks / "ran").unlink(missing_ok=True)  # What setting the traps has run.
    found = described()

    assert [path.read_text() for path in marks.iterdir()] == []
    assert found["changed"] == ["code.py"]
    assert "+changed" in found["diff"]
    assert found["untracked"] == [".gitattributes"]

    # A blob that is not there would be fetched, from where the repository says.
    (top / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    os.utime(top / ".git" / "HEAD")
    assert described()["changed"] == ["code.py"]
    assert list(marks.iterdir()) == []

    # The traps are live: who asks plainly runs into them.
    subprocess.run(["git", "status"], cwd=top, env={**os.environ, **IDENTITY}, capture_output=True, check=False)
    assert "clean" in (marks / "ran").read_text()
    assert "fsmonitor" in (marks / "ran").read_text()


def test_pipes_in_the_place_of_files_are_not_waited_for(
    top: Path, described: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # Git would wait for them, until its time is over.
    for path in (top / ".git" / "HEAD", top / ".git" / "index", top / ".git" / "config", top / "inner" / "run.sh"):
        path.unlink()
        os.mkfifo(path)
    assert described()["commit"] is None


def test_equal_checkouts_are_equal_bytes_and_nothing_is_written(top: Path, described: Callable[[], Any]) -> None:
    (top / "code.py").write_text("changed\n")
    before = {path: path.stat().st_mtime_ns for path in (top / ".git").rglob("*")}
    assert described() == described()
    assert {path: path.stat().st_mtime_ns for path in (top / ".git").rglob("*")} == before


def test_a_run_tells_its_checkout(client: Client, top: Path) -> None:
    (top / "code.py").write_text(
        "from lineal import pipeline, step\n"
        "@step\ndef one() -> int:\n    return 1\n"
        "@pipeline\ndef whole():\n    one()\n"
    )
    scope: dict[str, Any] = {"__name__": "code"}
    exec(compile((top / "code.py").read_text(), str(top / "code.py"), "exec"), scope)
    run = scope["whole"]()
    assert run.checkout is not None
    assert (run.checkout.commit, run.checkout.branch) == (git(top, "rev-parse", "HEAD"), "main")
    assert run.checkout.changed == ("code.py",)
    assert "+def whole():" in run.checkout.diff
