"""Files and directories as values: what a step wrote to disk, kept for what is in it and not for where it was.

A file's content id comes from its bytes and its x-bit, a directory's from the names in it too; never from paths, times
or owners. A `pathlib.Path` stays what it is, a path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn

from ..cas.directory import CONTENT, FILE_FORMAT
from ..cas.manifest import Plain
from ..cas.restore import expect_vacant, restore
from ..cas.tree import DIRECTORY_FORMAT, EXECUTABLE, FILE, FileEntry, Tree
from ..errors import EntryNotFound, ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .file_views import tree_of, views_of_file
from .visualization import Visualization


class _Stored:
    """What files and directories share: they are on disk, or in a store."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        # A pickle would keep the path and lose the content.
        raise TypeError("pickled inside another object it would be no more than a path; keep it in a list or dict")


class File(_Stored):
    """A regular file. A step may return one; who loads it gets one that reads from the store."""

    __slots__ = ("_source",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file, whose bytes are read when the value is saved; a symbolic link is followed."""
        self._source: Path | FileEntry = Path(os.path.abspath(path))

    def open(self) -> BinaryIO:
        """Its bytes as a stream that can seek, with no more in memory than is asked for."""
        source = self._source
        return source.content.open() if isinstance(source, FileEntry) else source.open("rb")

    def read_bytes(self) -> bytes:
        """All its bytes, verified if they are stored."""
        source = self._source
        return source.content.read_bytes() if isinstance(source, FileEntry) else source.read_bytes()

    @property
    def size_bytes(self) -> int:
        """The number of its bytes."""
        source = self._source
        return source.content.size_bytes if isinstance(source, FileEntry) else source.stat().st_size

    def restore(self, target: str | os.PathLike[str]) -> None:
        """Write the file, x-bit included, to a path where nothing is; it is there whole or not at all.

        Raises:
            Invalid: Something is there.
        """
        if isinstance(self._source, FileEntry):
            restore(self._source, Path(target))
        else:
            expect_vacant(Path(target))
            shutil.copy(self._source, target)

    def __repr__(self) -> str:
        if isinstance(self._source, Path):
            return f"File({str(self._source)!r})"
        return f"<stored File of {self.size_bytes:,} bytes>"


class Directory(_Stored):
    """A directory with all that is in it. A step may return one; who loads it gets one that reads from the store.

    Iterating gives the relative paths of its files, which are its keys.
    """

    __slots__ = ("_source",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the directory, which is read when the value is saved; links in it stay links and must stay inside."""
        self._source: Path | Tree = Path(os.path.abspath(path))

    def __getitem__(self, path: str | os.PathLike[str]) -> File | Directory:
        """The file or directory at this relative path; reading one touches none of the others.

        Raises:
            EntryNotFound: The path leads nowhere.
        """
        source = self._source
        if isinstance(source, Tree):
            entry = source[os.fspath(path)]
            return _stored_directory(entry) if isinstance(entry, Tree) else _stored_file(entry)
        found = source / path
        is_inside = not os.path.isabs(path) and ".." not in Path(path).parts
        if not is_inside or not found.exists():
            raise EntryNotFound(f"the directory has no entry {os.fspath(path)!r}", where=source)
        return Directory(found) if found.is_dir() else File(found)

    def __iter__(self) -> Iterator[str]:
        source = self._source
        if isinstance(source, Path):
            return _paths(source)
        return (path for path, entry in source.walk() if isinstance(entry, FileEntry))

    def restore(self, target: str | os.PathLike[str]) -> None:
        """Write the directory, x-bits included, to a path where nothing or an empty directory is.

        From a store: it is there whole or not at all, and nothing is written outside of it.

        Raises:
            Invalid: Something is there.
        """
        if isinstance(self._source, Tree):
            restore(self._source, Path(target))
        else:
            expect_vacant(Path(target), directory=True)
            shutil.copytree(self._source, target, symlinks=True, dirs_exist_ok=True)

    def __repr__(self) -> str:
        if isinstance(self._source, Path):
            return f"Directory({str(self._source)!r})"
        return f"<stored Directory of {self._source.size_bytes:,} bytes>"


class Files(Materializer[File]):
    """Files. The head is the letter that `lineal.cas.tree` gives their kind, the one part their bytes."""

    format: ClassVar[str] = FILE_FORMAT
    exact: ClassVar[bool] = True

    def save(self, value: File, parts: PartWriter) -> Plain:
        return EXECUTABLE if parts.file(CONTENT, value._source) else FILE

    def load(self, head: Any, parts: PartReader) -> File:
        if head not in (FILE, EXECUTABLE):
            raise ManifestCorrupt(f"a file is of unknown kind {head!r}", where=self.format)
        return _stored_file(FileEntry("", parts.file(CONTENT), head == EXECUTABLE))

    def metadata(self, value: File) -> dict[str, Plain]:
        return {**_metadata(value._source), "size_bytes": value.size_bytes}

    def visualize(self, value: File) -> Iterator[Visualization]:
        with value.open() as stream:
            yield from views_of_file(stream, value.size_bytes)


class Directories(Materializer[Directory]):
    """Directories: their manifests, as `lineal.cas.tree` lays them out."""

    format: ClassVar[str] = DIRECTORY_FORMAT
    exact: ClassVar[bool] = True

    def save(self, value: Directory, parts: PartWriter) -> Plain:
        return parts.directory(value._source)

    def load(self, head: Any, parts: PartReader) -> Directory:
        return _stored_directory(parts.directory())

    def metadata(self, value: Directory) -> dict[str, Plain]:
        return _metadata(value._source)

    def visualize(self, value: Directory) -> Iterator[Visualization]:
        yield from tree_of(value._source)


def _metadata(source: object) -> dict[str, Plain]:
    return {"name": shown(source.name)} if isinstance(source, Path) else {}


def _stored_file(entry: FileEntry) -> File:
    file = File.__new__(File)
    file._source = entry
    return file


def _stored_directory(tree: Tree) -> Directory:
    directory = Directory.__new__(Directory)
    directory._source = tree
    return directory


def _paths(directory: Path) -> Iterator[str]:
    """The relative paths of all files below, in the order of a stored directory."""
    with os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from (f"{entry.name}/{path}" for path in _paths(directory / entry.name))
        elif entry.is_file(follow_symlinks=False):
            yield entry.name
