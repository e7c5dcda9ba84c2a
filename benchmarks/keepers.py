"""What a user would keep versions with instead: files written plainly, joblib, restic, borg."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Protocol

import joblib
from edits import read_plainly, write_plainly


class Keeper(Protocol):
    """Keeps versions of one value below a folder."""

    name: str
    folder: Path
    is_program: bool
    """Whether it gives its bytes to another program, which drops them."""

    def save(self, value: Any, exported: Path) -> None:
        """Keep the next version, which has also been written to a file or directory, the same each time."""

    def load(self, version: int) -> Any:
        """Give back a version, or only read it all where what keeps it is another program."""


class Plain:
    """A new file or directory a version, synced."""

    is_program = False

    name = "np.save or plain write, and fsync"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions: list[Path] = []
        folder.mkdir()

    def save(self, value: Any, exported: Path) -> None:
        path = self.folder / str(len(self._versions))
        write_plainly(value, path, durable=True)
        self._value = value
        self._versions.append(path)

    def load(self, version: int) -> Any:
        return read_plainly(self._value, self._versions[version])


class Joblib:
    """``joblib.dump`` of each version, which syncs nothing."""

    is_program = False

    def __init__(self, folder: Path, mmap_mode: str | None) -> None:
        self.name = "joblib (not durable)" + (", loaded with mmap" if mmap_mode else "")
        self.folder = folder
        self._mmap_mode = mmap_mode
        self._count = 0
        folder.mkdir()

    def save(self, value: Any, exported: Path) -> None:
        joblib.dump(value, self.folder / str(self._count))
        self._count += 1

    def load(self, version: int) -> Any:
        return joblib.load(self.folder / str(version), mmap_mode=self._mmap_mode)


class Restic:
    """``restic backup`` to a local repository."""

    is_program = True

    def __init__(self, folder: Path, compression: str) -> None:
        self.name = f"restic, {'no compression' if compression == 'off' else 'as it comes'}"
        self.folder = folder
        self._options = ["--compression", compression]
        self._environment = {
            **os.environ,
            "RESTIC_REPOSITORY": str(folder),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": f"{folder}.cache",
        }
        self._snapshots: list[Path] = []
        self._run("init")

    def save(self, value: Any, exported: Path) -> None:
        self._run("backup", *self._options, str(exported))
        self._snapshots.append(exported)

    def load(self, version: int) -> Any:
        # The newest is the only one that has a name.
        self._run("dump", "latest", str(self._snapshots[-1]))

    def _run(self, command: str, *arguments: str) -> None:
        _run(["restic", "--quiet", command, *arguments], self._environment)


class Borg:
    """``borg create`` in a local repository."""

    is_program = True

    def __init__(self, folder: Path, compression: str) -> None:
        self.name = f"borg, {'no compression' if compression == 'none' else 'as it comes'}"
        self.folder = folder
        self._options = ["--compression", compression]
        self._environment = {
            **os.environ,
            "BORG_BASE_DIR": f"{folder}.base",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        self._count = 0
        self._run("init", "--encryption", "none", str(folder))

    def save(self, value: Any, exported: Path) -> None:
        self._run("create", *self._options, f"{self.folder}::{self._count}", str(exported))
        self._count += 1

    def load(self, version: int) -> Any:
        self._run("extract", "--stdout", f"{self.folder}::{version}")

    def _run(self, *arguments: str) -> None:
        _run(["borg", *arguments], self._environment)


def _run(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def keepers(folder: Path, value: Any) -> list[Keeper]:
    """All that can keep this value and are installed; each has a folder of its own in this one."""
    found: list[Keeper] = [Plain(folder / "plain")]
    if not isinstance(value, Path):
        found += [Joblib(folder / "joblib", None), Joblib(folder / "joblib-mmap", "r")]
    # What is random can't be compressed; then one way is enough.
    is_text = isinstance(value, str | Path)
    if shutil.which("restic"):
        found += [Restic(folder / way, way) for way in ("auto", *(["off"] if is_text else []))]
    if shutil.which("borg"):
        found += [Borg(folder / way, way) for way in ("lz4", *(["none"] if is_text else []))]
    return found


def not_installed() -> list[str]:
    """The programs that would be measured too."""
    return [name for name in ("restic", "borg") if not shutil.which(name)]
