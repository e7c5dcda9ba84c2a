"""Directories and files on their way in: a Merkle manifest of names, kinds and contents.

What a file or directory is: the names, the bytes, whether a file is executable, and where symbolic links lead. Times,
owners, other permissions and hard links are not part of it, so that equal content has one content id everywhere.
`tree` has the layout. A directory of many entries is cut into leaves of about 16 at names that their own digests
choose, and those into nodes likewise (as in a prolly tree): so a changed, added or removed entry costs its leaf and
the few nodes above it, wherever it is, and equal directories have equal manifests whatever their histories.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BlobMissing, Corrupt, Invalid
from ..immutable import Immutable
from .blob import BlobReader, BlobWriter, walk
from .content import Content
from .digest import Digest, digest_of
from .ingest import opened, read_small
from .manifest import INLINE_MAX_BYTES, BlobPart, Manifest, ManifestPart, Part
from .place import BlobKind
from .tree import (
    DIRECTORY,
    DIRECTORY_FORMAT,
    DIRECTORY_TYPE,
    EXECUTABLE,
    FILE,
    LINK,
    MAX_DEPTH,
    NODE,
    FileEntry,
    Tree,
    decoded_name,
    leads_outside,
)

FILE_FORMAT = "lineal.file/1"
FILE_TYPE = "lineal.File"
CONTENT = "content"
"""The one part of a file's manifest, whose head is the letter of an entry."""

_TINY_MAX_BYTES = 128
"""Up to this size a file or directory rides in the manifest that names it: a blob would hardly cost less."""
_WHOLE_MAX_BYTES = 1024 * 1024
"""Up to this size a file is read whole; larger ones are copied, and compared to their predecessor."""
_NODE_MAX_BYTES = 2048
_ITEM_BYTES = 48
"""What an item costs beside its name and what rides in it: a digest, a size, and their frames."""
_RANK_BITS = 4
"""2 to the power of this is how many items a leaf or node has on average."""


def put_directory(writer: BlobWriter, path: Path, *, after: Tree | None = None) -> Manifest:
    """Put a directory with everything below it, and its manifest, whose digest is the content id.

    Args:
        writer: Takes the blobs; the caller publishes.
        path: The directory; a symbolic link to it is followed, those in it are kept as links.
        after: The directory that this one succeeds. Large files store only what is new since that of the same path.

    Raises:
        Invalid: There is no directory, it changes while it is read, or it holds what can't be kept: a link that leads
            outside or to an absolute path, a device, pipe or socket, or more than 128 directories inside each other.
    """
    manifest = directory_manifest(writer, path, after=after)
    writer.put(manifest.encoded, BlobKind.MANIFEST)
    return manifest


def put_file(writer: BlobWriter, path: Path, *, after: Digest | None = None) -> Manifest:
    """Put a regular file, and its manifest, whose digest is the content id; a symbolic link to it is followed.

    Raises:
        Invalid: There is no regular file, or it can't be read.
    """
    letter, content = file_part(writer, path, after=after)
    manifest = Manifest(FILE_FORMAT, FILE_TYPE, letter, ((CONTENT, content),))
    writer.put(manifest.encoded, BlobKind.MANIFEST)
    return manifest


def directory_manifest(writer: BlobWriter, path: Path, *, after: Tree | None = None) -> Manifest:
    """Put what is below a directory, and give its manifest, which the caller puts or lets ride in another."""
    fd = _open(path, os.O_DIRECTORY, None, str(path))
    return _Gathering(writer).directory(fd, str(path), 0, after)


def file_part(
    writer: BlobWriter,
    source: Path | int | FileEntry,
    *,
    inline_max_bytes: int = INLINE_MAX_BYTES,
    after: Digest | None = None,
) -> tuple[str, bytes | BlobPart]:
    """The letter of a file, and its bytes as a manifest holds them: themselves if few, else their blob, put here.

    Args:
        writer: Takes the blob.
        source: A file to be opened, a symbolic link being followed; an open one, read from its start; or a stored one.
        inline_max_bytes: Up to how many ride in the manifest.
        after: The blob that they succeed.
    """
    if isinstance(source, FileEntry):
        letter, content = EXECUTABLE if source.is_executable else FILE, source.content
        if content.size_bytes <= inline_max_bytes:
            return letter, content.read_bytes()
        return letter, writer.put_stream(content.pieces(), after=after)
    with opened(source, follow_symlinks=True) as fd:
        letter = EXECUTABLE if os.fstat(fd).st_mode & stat.S_IXUSR else FILE
        data = read_small(fd, source, _WHOLE_MAX_BYTES)
        if data is None:
            return letter, writer.put_file(fd, after=after)
    return letter, data if len(data) <= inline_max_bytes else BlobPart(writer.put(data, after=after), len(data))


def copy_below(manifest: Manifest, reader: BlobReader, writer: BlobWriter) -> None:
    """Put everything that a stored manifest names, as it is."""
    for part in walk(reader, manifest):
        if isinstance(part, ManifestPart):
            writer.put(reader.read(part.digest), BlobKind.MANIFEST)
        else:
            writer.put_stream(Content(part, reader).pieces(), after=part.digest)


class _Item(Immutable):
    """An entry, or a node that stands for several."""

    name: str
    letter: str
    part: Part
    rank: int
    """How many levels of the search tree are cut after it."""

    @property
    def weight_bytes(self) -> int:
        inside = len(self.part.encoded) if isinstance(self.part, Manifest) else 0
        return _ITEM_BYTES + len(self.name) + (len(self.part) if isinstance(self.part, bytes) else inside)


class _Gathering:
    """One directory with all that is below it, on its way in."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer

    def directory(self, fd: int, path: str, depth: int, after: Tree | None) -> Manifest:
        """The manifest of an open directory, which is closed at the end."""
        try:
            if depth == MAX_DEPTH:
                what = f"directories are nested more than {MAX_DEPTH} deep"
                raise Invalid(what, where=path, hint="Put the inner ones into an archive.")
            # Read to its end first, so that no more than one listing is open.
            with _reading(path), os.scandir(fd) as listing:
                entries = sorted((os.fsencode(entry.name), entry) for entry in listing)
            items = [
                _Item(decoded_name(key), *self._entry(fd, entry, f"{path}/{entry.name}", depth, after), _rank(key))
                for key, entry in entries
            ]
        finally:
            os.close(fd)
        return _manifest_of(items, self._writer)

    def _entry(self, fd: int, entry: os.DirEntry[str], path: str, depth: int, after: Tree | None) -> tuple[str, Part]:
        if entry.is_symlink():
            with _reading(path):
                target = os.fsencode(os.readlink(entry.name, dir_fd=fd))
            return LINK, _inside(target, path, depth)
        if entry.is_dir(follow_symlinks=False):
            before = _before(after, entry.name)
            inner = _open(entry.name, os.O_DIRECTORY | os.O_NOFOLLOW, fd, path)
            manifest = self.directory(inner, path, depth + 1, before if isinstance(before, Tree) else None)
            return DIRECTORY, manifest if len(manifest.encoded) <= _TINY_MAX_BYTES else _put(manifest, self._writer)
        if entry.is_file(follow_symlinks=False):
            # Without O_NONBLOCK what has become a pipe since would wait for its writer.
            file_fd = _open(entry.name, os.O_NONBLOCK | os.O_NOFOLLOW, fd, path)
            try:
                return self._file(file_fd, entry.name, path, after)
            finally:
                os.close(file_fd)
        raise Invalid(
            "a device, pipe or socket can't be kept", where=path, hint="Remove it, or save a directory without it."
        )

    def _file(self, fd: int, name: str, path: str, after: Tree | None) -> tuple[str, Part]:
        known = None
        if after is not None and os.fstat(fd).st_size >= _WHOLE_MAX_BYTES:
            before = _before(after, name)
            known = before.content.part if isinstance(before, FileEntry) else None
        digest = known.digest if isinstance(known, BlobPart) else None
        try:
            return file_part(self._writer, fd, inline_max_bytes=_TINY_MAX_BYTES, after=digest)
        except Invalid as error:
            error.where = path
            raise


def _manifest_of(items: list[_Item], writer: BlobWriter) -> Manifest:
    """The manifest of a directory, with its leaves and inner nodes put where it needs them."""
    level = 0
    while len(groups := list(_groups(items, level))) > 1:
        items = [_Item(group[0].name, NODE, _put(_node(group), writer), group[-1].rank) for group in groups]
        level += 1
    return _node(items)


def _groups(items: list[_Item], level: int) -> Iterator[list[_Item]]:
    group: list[_Item] = []
    weight_bytes = 0
    for item in items:
        if group and weight_bytes + item.weight_bytes > _NODE_MAX_BYTES:
            yield group
            group, weight_bytes = [], 0
        group.append(item)
        weight_bytes += item.weight_bytes
        if item.rank > level:
            yield group
            group, weight_bytes = [], 0
    if group:
        yield group


def _node(items: list[_Item]) -> Manifest:
    letters = "".join(item.letter for item in items)
    return Manifest(DIRECTORY_FORMAT, DIRECTORY_TYPE, letters, tuple((item.name, item.part) for item in items))


def _rank(key: bytes) -> int:
    bits = int.from_bytes(digest_of(key)[:8], "big") | 1 << 63
    return ((bits & -bits).bit_length() - 1) // _RANK_BITS


def _put(manifest: Manifest, writer: BlobWriter) -> ManifestPart:
    return ManifestPart(writer.put(manifest.encoded, BlobKind.MANIFEST), manifest.size_bytes)


def _inside(target: bytes, path: str, depth: int) -> bytes:
    if leads_outside(target, depth):
        raise Invalid(
            f"the symbolic link leads, or may lead, out of the directory: its target is {os.fsdecode(target)!r}",
            where=path,
            hint="Point it to a relative path inside, with .. only at the start, or replace it by what it points to.",
        )
    return target


def _before(after: Tree | None, name: str) -> object:
    if after is None:
        return None
    try:
        return after.entry(decoded_name(os.fsencode(name)))
    except (BlobMissing, Corrupt):
        # What it succeeds is only advice: a damaged version must not keep the next one from being saved.
        return None


def _open(name: str | Path, flags: int, fd: int | None, path: str) -> int:
    with _reading(path):
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=fd)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Invalid(
            f"an entry can't be read: {error.strerror}",
            where=path,
            hint="Save a directory that may be read, while nobody changes it.",
        ) from error
