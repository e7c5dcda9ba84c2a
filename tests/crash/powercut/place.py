"""Puts states on a real disk to be opened, sharing by hard link what nothing writes to."""

from __future__ import annotations

import os
from pathlib import Path

from powercut.states import Tree

STORE = Path("new", "folder", "store")
"""Where the store is below the root of a recording: a creation makes the directories above it too."""
_SHARED_FROM_BYTES = 4096
_SHARED_MAX_BYTES = 128 * 1024 * 1024


class Places:
    """Makes one state at a time under a directory, and clears it away."""

    def __init__(self, folder: Path) -> None:
        """Use a directory, preferably on a file system in memory."""
        self._shared_folder = folder / "shared"
        self._shared_folder.mkdir()
        self._shared: dict[bytes, str] = {}
        self._shared_bytes = 0
        self._place = folder / "state"
        self._place.mkdir()
        self._folders: set[str] = set()

    def put(self, tree: Tree) -> Path:
        """Bring the directory to a state."""
        self.clear({path for path, content in tree.items() if content is None})
        for path, content in tree.items():
            here = f"{self._place}/{path}"
            if content is None:
                if path not in self._folders:
                    os.mkdir(here)
                    self._folders.add(path)
            elif path.endswith(".mdb") or len(content) < _SHARED_FROM_BYTES:
                _write(here, content)
            else:
                os.link(self._share(content), here)
        return self._place

    def _share(self, content: bytes) -> str:
        shared = self._shared.get(content)
        if shared is None:
            self._shared_bytes += len(content)
            if self._shared_bytes > _SHARED_MAX_BYTES:
                for path in self._shared.values():
                    os.unlink(path)
                self._shared.clear()
                self._shared_bytes = len(content)
            shared = self._shared[content] = str(self._shared_folder / str(len(self._shared)))
            _write(shared, content)
            os.chmod(shared, 0o444)
        return shared

    def clear(self, kept: set[str] | frozenset[str] = frozenset()) -> None:
        """Remove all but these directories, which are emptied."""
        self._folders = set()
        self._empty(str(self._place), "", kept)

    def _empty(self, here: str, above: str, kept: set[str] | frozenset[str]) -> None:
        with os.scandir(here) as entries:
            for entry in list(entries):
                path = above + entry.name
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                self._empty(entry.path, path + "/", kept)
                if path in kept:
                    self._folders.add(path)
                else:
                    os.rmdir(entry.path)


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        done = 0
        while done < len(content):
            done += os.write(fd, memoryview(content)[done:])
    finally:
        os.close(fd)
