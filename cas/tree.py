"""Trees: stored directories as they are read, entry by entry, each touching only its own manifests and blob.

A directory is a manifest of the format ``lineal.directory/1``. Its head has one letter a part, each part being named
for the entry that it is: ``f`` a file and ``x`` an executable one (bytes or a blob), ``l`` a symbolic link (bytes, its
target), ``d`` a directory (a manifest). Names are UTF-8 with other bytes escaped as surrogates, in the order of their
bytes. A large directory is a search tree: all letters are ``n``, and each part is another such manifest that holds
the entries from the one of that name up to the next. A manifest may come from anywhere, so nothing is trusted here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePath

from ..errors import EntryNotFound, ManifestCorrupt
from ..immutable import Immutable
from .blob import BlobReader, read_manifest
from .content import Content
from .digest import Digest
from .manifest import BlobPart, Manifest, ManifestPart, Part

DIRECTORY_FORMAT = "lineal.directory/1"
DIRECTORY_TYPE = "lineal.Directory"
FILE, EXECUTABLE, LINK, DIRECTORY, NODE = "fxldn"

MAX_DEPTH = 128
"""Directories inside each other."""
_MAX_NODE_DEPTH = 16
_MAX_LINKS = 40
"""Followed on the way to one entry, as in Linux."""
_REMEMBERED_NODES = 256

_KINDS: dict[str, tuple[type, ...]] = {
    FILE: (bytes, BlobPart),
    EXECUTABLE: (bytes, BlobPart),
    LINK: (bytes,),
    DIRECTORY: (Manifest, ManifestPart),
    NODE: (ManifestPart,),
}


class FileEntry(Immutable):
    """A regular file."""

    name: str
    content: Content
    is_executable: bool


class LinkEntry(Immutable):
    """A symbolic link."""

    name: str
    target: bytes


class Tree:
    """A stored directory. It reads manifests as it needs them and keeps the last few hundred. Threads may share it."""

    def __init__(
        self,
        manifest: Manifest,
        reader: BlobReader,
        *,
        name: str = "",
        nodes: _Nodes | None = None,
        root: _Node | None = None,
    ) -> None:
        """Look at a directory through its manifest.

        Raises:
            ManifestCorrupt: The manifest is none of a directory. Whatever reads on from here may find that of others.
        """
        self.name = name
        """As an entry of the directory that it was reached through; empty for the outermost."""
        self.manifest = manifest
        self.reader = reader
        self._root = root or _Node(manifest)
        self._nodes = nodes or _Nodes(reader)

    @property
    def size_bytes(self) -> int:
        """The logical size: all manifests and blobs under it, shared or not."""
        return self.manifest.size_bytes

    def __iter__(self) -> Iterator[FileEntry | LinkEntry | Tree]:
        """The entries of the directory itself, in the order of their names' bytes."""
        last = b""
        waiting = [self._root.items()]
        while waiting:
            item = next(waiting[-1], None)
            if item is None:
                waiting.pop()
                continue
            key, letter, part = item
            if isinstance(part, ManifestPart) and letter == NODE:
                node = self._nodes.read(part)
                if len(waiting) == _MAX_NODE_DEPTH or node.keys[:1] != [key]:
                    raise _corrupt("the nodes of a directory do not fit together")
                waiting.append(node.items())
            elif key <= last:
                raise _corrupt("the nodes of a directory overlap", key)
            else:
                last = key
                yield self._entry(key, letter, part)

    def entry(self, name: str) -> FileEntry | LinkEntry | Tree | None:
        """The entry of this name in the directory itself."""
        key = _key_of(name)
        if key is None:
            return None
        node = self._root
        for _ in range(_MAX_NODE_DEPTH):
            index = bisect_right(node.keys, key) - 1
            if index < 0:
                return None
            letter, part = node.letters[index], node.parts[index]
            if not (isinstance(part, ManifestPart) and letter == NODE):
                return self._entry(key, letter, part) if node.keys[index] == key else None
            node = self._nodes.read(part)
        raise _corrupt("the nodes of a directory are nested too deep")

    def __getitem__(self, path: str | PurePath) -> FileEntry | Tree:
        """What this relative path leads to; links are followed as they would be in the restored directory.

        Raises:
            EntryNotFound: It leads nowhere.
        """
        waiting = str(path).split("/")[::-1]
        if waiting[-1] == "" or ".." in waiting:
            raise EntryNotFound(f"{str(path)!r} is no path inside a directory", hint="Give a relative path.")
        way: list[Tree] = [self]
        found: FileEntry | None = None
        links = 0
        while waiting:
            step = waiting.pop()
            if step in ("", ".") and found is None:
                continue
            if step == ".." and found is None and len(way) > 1:
                way.pop()
                continue
            entry = None if found else way[-1].entry(step)
            if isinstance(entry, LinkEntry) and links < _MAX_LINKS and not leads_outside(entry.target, len(way) - 1):
                links += 1
                waiting += decoded_name(entry.target).split("/")[::-1]
            elif isinstance(entry, Tree):
                way.append(entry)
            elif isinstance(entry, FileEntry):
                found = entry
            else:
                raise EntryNotFound(f"the directory has no entry {str(path)!r}", hint="Look at what it holds.")
        return found or way[-1]

    def walk(self) -> Iterator[tuple[str, FileEntry | LinkEntry | Tree]]:
        """Everything below, each entry with its relative path, a directory before what it holds."""
        waiting = [("", iter(self))]
        while waiting:
            prefix, entries = waiting[-1]
            entry = next(entries, None)
            if entry is None:
                waiting.pop()
                continue
            path = prefix + entry.name
            yield path, entry
            if isinstance(entry, Tree):
                if len(waiting) == MAX_DEPTH:
                    raise _corrupt(f"directories are nested more than {MAX_DEPTH} deep")
                waiting.append((f"{path}/", iter(entry)))

    def _entry(self, key: bytes, letter: str, part: Part) -> FileEntry | LinkEntry | Tree:
        name = decoded_name(key)
        if letter == LINK and isinstance(part, bytes):
            return LinkEntry(name, part)
        if isinstance(part, bytes | BlobPart):
            return FileEntry(name, Content(part, self.reader), letter == EXECUTABLE)
        node = _Node(part) if isinstance(part, Manifest) else self._nodes.read(part)
        return Tree(node.manifest, self.reader, name=name, nodes=self._nodes, root=node)


class _Node:
    """One checked manifest of a directory."""

    __slots__ = ("keys", "letters", "manifest", "parts")

    def __init__(self, manifest: Manifest) -> None:
        if manifest.format != DIRECTORY_FORMAT:
            raise _corrupt(f"a manifest of the format {manifest.format!r} stands for a directory")
        letters = manifest.head
        if not isinstance(letters, str) or len(letters) != len(manifest.parts):
            raise _corrupt("the head of a directory does not have one letter a part")
        if NODE in letters and set(letters) != {NODE}:
            raise _corrupt("a manifest of a directory holds both entries and nodes")
        self.manifest = manifest
        self.letters = letters
        self.parts = tuple(part for _, part in manifest.parts)
        self.keys: list[bytes] = []
        last = b""
        for letter, (name, part) in zip(letters, manifest.parts, strict=True):
            key = encoded_name(name)
            if key <= last:
                raise _corrupt("the entries of a directory are not in order, or two have one name", key)
            if not isinstance(part, _KINDS.get(letter, ())):
                raise _corrupt(f"an entry of a directory is of unknown kind {letter!r}", key)
            self.keys.append(key)
            last = key

    def items(self) -> Iterator[tuple[bytes, str, Part]]:
        return zip(self.keys, self.letters, self.parts, strict=True)


class _Nodes:
    """Reads manifests by their parts, and checks that each is as large as it was said to be."""

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self.read = lru_cache(_REMEMBERED_NODES)(self._read)

    def _read(self, part: ManifestPart) -> _Node:
        # Sizes are true from the outermost manifest down, so that it alone tells how large a restored tree gets.
        manifest = read_manifest(self._reader, Digest(part.digest))
        if manifest.size_bytes != part.size_bytes:
            raise _corrupt(f"a directory of {manifest.size_bytes:,} bytes is said to have {part.size_bytes:,}")
        return _Node(manifest)


def encoded_name(name: str) -> bytes:
    """The bytes of an entry's name.

    Raises:
        ManifestCorrupt: No directory can hold an entry of this name, or another text is its canonical one.
    """
    key = _key_of(name)
    if key is None:
        raise _corrupt(f"{name!r} is no name of an entry")
    return key


def _key_of(name: str) -> bytes | None:
    try:
        key = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    is_name = key not in (b"", b".", b"..") and b"/" not in key and b"\0" not in key
    return key if is_name and decoded_name(key) == name else None


def decoded_name(key: bytes) -> str:
    """The canonical text of a name's bytes."""
    return key.decode("utf-8", "surrogateescape")


def leads_outside(target: bytes, depth: int) -> bool:
    """Whether a symbolic link so many directories below the outermost may lead out of it.

    ``..`` counts only at the start: after a name, which may be a link itself, it would not lead back to where it was.
    So no chain of links that are each inside leads outside.
    """
    steps = [step for step in target.split(b"/") if step not in (b"", b".")]
    ups = next((index for index, step in enumerate(steps) if step != b".."), len(steps))
    return not target or target[:1] == b"/" or b"\0" in target or ups > depth or b".." in steps[ups:]


def _corrupt(what: str, key: bytes | None = None) -> ManifestCorrupt:
    where = DIRECTORY_FORMAT if key is None else f"{DIRECTORY_FORMAT}: {decoded_name(key)!r}"
    return ManifestCorrupt(what, where=where, hint="It was damaged, or made to do harm: restore nothing from it.")
