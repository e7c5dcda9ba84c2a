"""Holds: what keeps a volume's bytes while a batch relies on them and its commit is still to come.

A collector in another process may take away a file that nothing committed names, between the moment when a batch
finds it and the moment when its commit names it. A hold is a second name for the file among the scratch files: the
bytes stay, and the commit gives them back their name, under the write lock. Holds of dead processes are scratch, and
are cleared as such. Where the file system has no hard links, the collector's grace period is all there is.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import Counter
from contextlib import suppress
from pathlib import Path

from .durable import NO_LINKS
from .place import Volume
from .process import ProcessStamp

_all: weakref.WeakSet[Holds] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for holds in list(_all):
        holds.be_inherited()


os.register_at_fork(after_in_child=_after_fork_in_child)


class Holds:
    """The holds of one process on the volumes of one store. Threads may share it."""

    def __init__(self, scratch: Path) -> None:
        """Keep the second names in this directory."""
        self._scratch = scratch
        self._counts: Counter[Volume] = Counter()
        self._inodes: dict[Volume, int] = {}
        self._lock = threading.Lock()
        _all.add(self)

    def be_inherited(self) -> None:
        """Hear that this is a forked child now: what the parent holds, its lock too, is the parent's."""
        self._lock = threading.Lock()
        self._counts = Counter()
        self._inodes = {}

    def hold(self, volume: Volume, path: Path) -> bool:
        """Hold a volume once more; tell whether it is there."""
        with self._lock:
            if self._counts[volume] == 0 and not self._link(path, self._name(volume)):
                del self._counts[volume]
                return False
            if self._counts[volume] == 0:
                self._remember(volume)
            self._counts[volume] += 1
            return True

    def _remember(self, volume: Volume) -> None:
        name = self._name(volume)
        try:
            inode = _inode(name)
        except OSError:
            name.unlink(missing_ok=True)
            raise
        if inode is not None:
            self._inodes[volume] = inode

    def release(self, volume: Volume) -> None:
        """End one hold; what is not held is left alone."""
        with self._lock:
            if volume not in self._counts:
                return
            self._counts[volume] -= 1
            if self._counts[volume] == 0:
                del self._counts[volume]
                self._inodes.pop(volume, None)
                with suppress(OSError):  # Then it is cleared with the scratch of a dead process.
                    self._name(volume).unlink(missing_ok=True)

    def rescue(self, volume: Volume, path: Path) -> bool:
        """Give a volume that this or another process holds back its name; the caller makes the name durable.

        Tell whether it has one now.
        """
        if path.exists() or self._link(self._name(volume), path):
            return True
        return any(self._link(held, path) for held in self._scratch.glob(f"*.{_suffix(volume)}"))

    def disown(self, volume: Volume, path: Path) -> None:
        """Let nobody, in any process, give a volume's name back to the file at a path: it is bad."""
        for held in self._scratch.glob(f"*.{_suffix(volume)}"):
            with suppress(FileNotFoundError):
                if held.samefile(path):
                    held.unlink()

    def is_at(self, volume: Volume, path: Path) -> bool:
        """Whether the file at a path is the one held, and not another of the same bytes.

        Invariant: an inode's number is not given to another file while the hold is a name of it.
        """
        with self._lock:
            return volume in self._inodes and self._inodes[volume] == _inode(path)

    def _link(self, source: Path, target: Path) -> bool:
        try:
            os.link(source, target)
        except FileNotFoundError:
            return False
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return source.exists()
        return True

    def _name(self, volume: Volume) -> Path:
        return self._scratch / f"{ProcessStamp.current().token}.{_suffix(volume)}"


def _suffix(volume: Volume) -> str:
    return f"{volume.kind:d}{volume.digest.hex()}"


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
