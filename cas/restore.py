"""Restoring: stored files and directories back to a file system, whatever their manifests say.

Invariant: nothing is made, changed or followed outside of the target, and the target is there whole or not at all.
So everything is built beside it under a name of its own, each entry created anew below an open descriptor of its
directory and never through a path or a link; every byte is verified; and the last call gives the target its name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import Conflict, Invalid, ManifestCorrupt, Unsupported
from .durable import allocate, disk_errors, full, write_all
from .progress import Stage
from .tree import MAX_DEPTH, FileEntry, LinkEntry, Tree, encoded_name, leads_outside

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNNAMEABLE = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
_OCCUPIED = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EBUSY})
_REPLACED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def restore(entry: FileEntry | Tree, target: Path) -> None:
    """Write a stored file or directory to the target, with the x-bits; other permissions are those of new files.

    It is not made durable: that is left to the system, as with a copy.

    Args:
        entry: What to write.
        target: Must not exist; for a directory it may be an empty one. Its parent must exist.

    Raises:
        Invalid: Something is at the target, or it has no parent.
        ManifestCorrupt: The manifest describes what must not be made: a name or link that leads outside.
        BlobMissing, BlobCorrupt: The bytes of a file are gone or damaged.
        Conflict: Two names are one to this file system, or somebody else made an entry meanwhile.
        Unsupported: This file system can't hold one of the names.
        StoreFull: There is not enough room; nothing is left behind.
    """
    target = Path(os.path.abspath(target))
    try:
        parent = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        what = f"there is no directory to restore into: {error.strerror}"
        raise Invalid(what, where=target.parent, hint="Make it first.") from error
    try:
        if isinstance(entry, Tree):
            _Restoring(parent, target, entry.size_bytes).tree(entry)
        else:
            _Restoring(parent, target, entry.content.size_bytes).file(entry)
    finally:
        os.close(parent)


def expect_vacant(target: Path, *, directory: bool = False) -> os.stat_result | None:
    """Refuse a target where something is; for a directory an empty one will do, of which this gives what is known.

    Raises:
        Invalid: Something is there.
    """
    try:
        found = os.lstat(target)
    except FileNotFoundError:
        return None
    if not directory or not stat.S_ISDIR(found.st_mode) or os.listdir(target):
        raise _occupied(target)
    return found


def _occupied(target: Path) -> Invalid:
    return Invalid("something is there already", where=target, hint="Restore to a new name, or remove it first.")


class _Restoring:
    """One restoration into a parent directory that is open."""

    def __init__(self, parent: int, target: Path, size_bytes: int) -> None:
        self._parent = parent
        self._target = target
        self._size_bytes = size_bytes
        self._stage = Stage("restoring", size_bytes)
        self._done_bytes = 0
        self._beside = f".restoring-{os.urandom(8).hex()}"

    def tree(self, tree: Tree) -> None:
        vacant = expect_vacant(self._target, directory=True)
        self._expect_room()
        with disk_errors(self._target, self._size_bytes):
            # The mode of the directory that it takes the place of may be a secret's.
            os.mkdir(self._beside, 0o777 if vacant is None else 0o700, dir_fd=self._parent)
        try:
            fd = os.open(self._beside, _ENTER, dir_fd=self._parent)
            try:
                self._fill(fd, tree, str(self._target), 0)
                if vacant is not None:
                    os.fchmod(fd, stat.S_IMODE(vacant.st_mode))
            finally:
                os.close(fd)
            self._give_name()
            # The manifests count in the size of a directory, and now are done too.
            self._stage.advance(self._size_bytes - self._done_bytes)
        except BaseException:
            # What can't be removed must not hide why.
            import shutil  # Imported on use: it brings every kind of compression.

            shutil.rmtree(self._beside, ignore_errors=True, dir_fd=self._parent)
            raise

    def file(self, entry: FileEntry) -> None:
        expect_vacant(self._target)
        self._expect_room()
        try:
            self._write(self._parent, os.fsencode(self._beside), entry, str(self._target))
            # Taking the name first is what makes it certain that nothing is replaced.
            try:
                os.close(os.open(self._target.name, _CREATE, dir_fd=self._parent))
            except FileExistsError as error:
                raise _occupied(self._target) from error
            os.replace(self._beside, self._target.name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(self._beside, dir_fd=self._parent)
            raise

    def _expect_room(self) -> None:
        found = os.fstatvfs(self._parent)
        if found.f_blocks and self._size_bytes > found.f_bavail * found.f_frsize:
            raise full(self._target, self._size_bytes)

    def _give_name(self) -> None:
        try:
            os.rename(self._beside, self._target.name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        except OSError as error:
            if error.errno in _OCCUPIED:
                raise _occupied(self._target) from error
            raise

    def _fill(self, fd: int, tree: Tree, path: str, depth: int) -> None:
        if depth == MAX_DEPTH:
            raise ManifestCorrupt(f"directories are nested more than {MAX_DEPTH} deep", where=path)
        for entry in tree:
            key = encoded_name(entry.name)
            where = f"{path}/{entry.name}"
            try:
                if isinstance(entry, FileEntry):
                    self._write(fd, key, entry, where)
                elif isinstance(entry, LinkEntry):
                    _link(fd, key, entry, where, depth)
                else:
                    inner = _make_directory(fd, key, where)
                    try:
                        self._fill(inner, entry, where, depth + 1)
                    finally:
                        os.close(inner)
            except _Taken as error:
                raise _conflict(fd, tree, entry.name, where) from error

    def _write(self, fd: int, key: bytes, entry: FileEntry, path: str) -> None:
        size_bytes = entry.content.size_bytes
        with _creating(path, size_bytes):
            out = os.open(key, _CREATE, 0o777 if entry.is_executable else 0o666, dir_fd=fd)
        try:
            with disk_errors(path, size_bytes):
                allocate(out, size_bytes)
            for piece in entry.content.pieces():
                with disk_errors(path, size_bytes):
                    write_all(out, piece, preallocate=False, stage=self._stage)
                self._done_bytes += piece.nbytes
        finally:
            os.close(out)


class _Taken(Exception):
    """An entry that should be new is there."""


@contextmanager
def _creating(path: str, size_bytes: int = 0) -> Iterator[None]:
    try:
        with disk_errors(path, size_bytes):
            yield
    except FileExistsError as error:
        raise _Taken from error
    except OSError as error:
        if error.errno in _UNNAMEABLE:
            raise Unsupported(
                f"this file system can't hold an entry of this name: {error.strerror}",
                where=path,
                hint="Restore to another file system.",
            ) from error
        raise


def _conflict(fd: int, tree: Tree, name: str, path: str) -> Conflict:
    rival = _rival(fd, tree, name)
    if rival is None:
        what, hint = "somebody else made an entry while the directory was restored", "Restore where nobody writes."
    else:
        what = f"{rival!r} and {name!r} are one name to this file system"
        hint = "Restore to a file system that tells them apart."
    return Conflict(what, where=path, hint=hint)


def _rival(fd: int, tree: Tree, name: str) -> str | None:
    """The earlier entry that this file system takes for the one of this name: after folding case, for example."""
    taken = _inode(fd, name)
    for entry in tree:
        if entry.name == name:
            break
        if taken is not None and _inode(fd, entry.name) == taken:
            return entry.name
    return None


def _inode(fd: int, name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(encoded_name(name), dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make_directory(fd: int, key: bytes, path: str) -> int:
    with _creating(path):
        os.mkdir(key, dir_fd=fd)
    try:
        return os.open(key, _ENTER, dir_fd=fd)
    except OSError as error:
        if error.errno in _REPLACED:
            raise _Taken from error
        raise


def _link(fd: int, key: bytes, entry: LinkEntry, path: str, depth: int) -> None:
    if leads_outside(entry.target, depth):
        raise ManifestCorrupt(
            f"a symbolic link leads out of the directory: its target is {os.fsdecode(entry.target)!r}",
            where=path,
            hint="If it is a part of a larger directory, restore that one.",
        )
    with _creating(path):
        os.symlink(entry.target, key, dir_fd=fd)
