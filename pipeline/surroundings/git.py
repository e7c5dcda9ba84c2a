"""Git, run so that nothing a repository configures is run: its configuration may be anybody's.

Only plumbing is called that neither reads files of the worktree nor writes, so that no clean filter, text conversion,
external diff, hook or monitor has a part in it; those that could have are switched off besides, and so are pagers, what
would ask for credentials, and the fetching of objects that are not there.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_TIMEOUT_S = 2.0

_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.attributesFile": os.devnull,
    "core.pager": "cat",
    "core.sshCommand": "false",
    "core.gitProxy": "false",
    "core.alternateRefsCommand": "false",
    "credential.helper": "",
    "diff.external": "",
    "gc.auto": "0",
    "protocol.allow": "never",
    # Whose the repository is does not matter to what is called here.
    "safe.directory": "*",
}
_VARIABLES = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_PAGER": "cat",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}


def changed_in_index(top: Path) -> dict[bytes, str] | None:
    """The files whose content in the index is not that of HEAD, with the id of the latter; zeros where it has none."""
    told = _git(top, "diff-index", "--cached", "--raw", "-z", "--no-renames", "--ignore-submodules=all", "HEAD", "--")
    if told is None:
        return None
    fields = told.split(b"\0")
    return {path: entry.split()[2].decode("ascii") for entry, path in zip(fields[::2], fields[1::2], strict=False)}


def untracked(top: Path) -> list[bytes] | None:
    """Files that are neither tracked nor ignored; a folder of nothing but such stands for them, with a slash."""
    told = _git(top, "ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    return None if told is None else told.split(b"\0")[:-1]


def blobs(top: Path, ids: list[str]) -> dict[str, bytes]:
    """The content of blobs, by id, of those that are there."""
    told = _git(top, "cat-file", "--batch", "--buffer", given="".join(f"{one}\n" for one in ids).encode("ascii"))
    found: dict[str, bytes] = {}
    place = 0
    while told and place < len(told):
        end = told.index(b"\n", place)
        words = told[place:end].split()
        place = end + 1
        if len(words) == 3:
            size_bytes = int(words[2])
            if words[1] == b"blob":
                found[words[0].decode("ascii")] = told[place : place + size_bytes]
            place += size_bytes + 1
    return found


def head_commit(top: Path) -> str | None:
    """The commit that is checked out."""
    told = _git(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return told.decode("ascii").strip() or None if told else None


def _git(top: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What git says; None where there is no git, or it fails, or takes too long."""
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            ["git", "--no-pager", *settings, *arguments],
            cwd=top,
            env={**kept, **_VARIABLES},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout if ended.returncode == 0 else None
