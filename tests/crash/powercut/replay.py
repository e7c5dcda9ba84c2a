"""Goes through a trace, call by call, and keeps what the disk has and may have below one directory.

A call that could change the directory and isn't understood is an error: a model that misses writes proves nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import count
from pathlib import Path

from powercut.descriptors import Descriptors, Opened
from powercut.disk import EVERYTHING, Data, File, Folder, Name
from powercut.trace import Call, decoded, descriptor


class Point(Enum):
    """A place in a trace where the power may fail."""

    STEP = "step"
    """Something more may be on the disk."""
    BARRIER = "barrier"
    """Something is about to be durable, or was acknowledged: what may be lost here may be lost at no later point."""


class UnknownCall(Exception):
    """The trace holds a call that the model can't follow."""


class Replay:
    """The disk below a directory, as far as a trace has been gone through."""

    def __init__(self, root: Path, disk: Folder, acknowledgements: Path, known: Iterable[str] = ()) -> None:
        """Start with what is on the disk and acknowledged; what is written to the file is acknowledged from then on."""
        self.disk = disk
        self.acknowledged = list(known)
        self._root = str(root)
        self._acknowledgements = str(acknowledgements)
        self._descriptors = Descriptors(())
        self._numbers = count()

    def points(self, calls: Sequence[Call]) -> Iterator[Point]:
        """Go on, and stop where the power may fail."""
        self._descriptors = Descriptors(calls)
        for call in calls:
            yield from self._follow(call)
        yield Point.BARRIER

    def _follow(self, call: Call) -> Iterator[Point]:
        if call.result < 0:
            return
        match call.name:
            case "open" | "openat" | "openat2" | "creat":
                yield from self._open(call)
            case "dup" | "dup2" | "dup3" | "fcntl":
                self._duplicate(call)
            case "clone" | "clone3" | "fork" | "vfork":
                self._descriptors.of(call.result)
            case "lseek":
                self._seek(call)
            case "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2":
                yield from self._write(call)
            case "copy_file_range" | "sendfile":
                yield from self._copy(call)
            case "ioctl":
                yield from self._clone(call)
            case "ftruncate" | "fallocate":
                yield from self._resize(call)
            case "fsync" | "fdatasync":
                yield from self._sync(call)
            case "rename" | "renameat" | "renameat2":
                yield from self._move(call)
            case "link" | "linkat":
                yield from self._add_link(call)
            case "mkdir" | "mkdirat":
                yield from self._make_folder(call)
            case "unlink" | "unlinkat" | "rmdir":
                yield from self._unlink(call)
            case "sync_file_range":
                pass  # It makes nothing durable: neither the size nor where the bytes are.
            case _:
                self._refuse_if_inside(call)

    def _refuse_if_inside(self, call: Call) -> None:
        written = ", ".join(call.arguments)[:500]
        if call.name in ("sync", "syncfs") or self._root.encode() in b"".join(map(_anything, call.arguments)):
            raise UnknownCall(f"{call.name}({written})")

    def _opened(self, call: Call, place: int = 0) -> Opened | None:
        """What is open under a descriptor, if it is inside the directory."""
        return self._descriptors.opened(call, place) if self._is_inside(descriptor(call.arguments[place])[1]) else None

    def _open(self, call: Call) -> Iterator[Point]:
        at = call.name.startswith("openat")
        flags = "O_CREAT O_TRUNC" if call.name == "creat" else " ".join(call.arguments[2 if at else 1 :])
        path = _path(call, 1 if at else 0)
        if not self._is_inside(path):
            self._descriptors.set(call, None)
            return
        folder, name = self._place(path)
        if "O_TMPFILE" in flags:
            raise UnknownCall("O_TMPFILE")
        node = folder if name == "" else folder.live.get(name)
        changed = False
        if node is None:
            node = File()
            changed = True
            folder.add(Name(next(self._numbers), call.ended, name=name, target=node))
        elif "O_TRUNC" in flags and isinstance(node, File) and _live_bytes(node):
            node.add(Data(next(self._numbers), call.ended, size=0))
            changed = True
        writes_through = "O_DSYNC" in flags or "O_SYNC" in flags
        self._descriptors.set(call, Opened(node, writes_through, "O_APPEND" in flags))
        if changed:
            yield Point.STEP

    def _duplicate(self, call: Call) -> None:
        if call.name != "fcntl" or call.arguments[1].startswith("F_DUPFD"):
            self._descriptors.set(call, self._opened(call))

    def _seek(self, call: Call) -> None:
        opened = self._opened(call)
        if opened is not None:
            opened.position = call.result

    def _write(self, call: Call) -> Iterator[Point]:
        _, path = descriptor(call.arguments[0])
        if path == self._acknowledgements:
            self.acknowledged += decoded(call.arguments[1]).decode().splitlines()
            yield Point.BARRIER
        opened = self._opened(call)
        if opened is None:
            return
        is_vector = "writev" in call.name
        strings = ", ".join(call.arguments[1:]) if is_vector else call.arguments[1]
        data = decoded(_strings(strings) if is_vector else strings)[: call.result]
        if len(data) != call.result:
            raise UnknownCall(f"{call.name} of {call.result} bytes, of which the trace has {len(data)}")
        offset = int(call.arguments[-1]) if call.name.startswith("pwrite") else None
        yield from self._put(opened, data, offset, call)

    def _put(self, opened: Opened, data: bytes, offset: int | None, call: Call) -> Iterator[Point]:
        file = opened.node
        assert isinstance(file, File)
        if offset is None:
            offset = _live_bytes(file) if opened.appends else opened.position
            opened.position = offset + len(data)
        effect = Data(next(self._numbers), call.ended, offset=offset, data=data)
        file.add(effect)
        if opened.writes_through:
            yield Point.BARRIER
            effect.is_synced = True
            file.fold()
        else:
            yield Point.STEP

    def _copy(self, call: Call) -> Iterator[Point]:
        if call.name == "copy_file_range":
            into, source, from_, to = 2, 0, *(_offset(call.arguments[place]) for place in (1, 3))
        else:
            into, source, from_, to = 0, 1, _offset(call.arguments[2]), None
        opened, origin = self._opened(call, into), self._opened(call, source)
        if origin is None and opened is not None:
            raise UnknownCall(f"{call.name} from a file outside")
        if origin is None:
            return
        assert isinstance(origin.node, File)
        start = origin.position if from_ is None else from_
        origin.position += call.result if from_ is None else 0
        if opened is not None:
            yield from self._put(opened, origin.node.content(EVERYTHING)[start : start + call.result], to, call)

    def _clone(self, call: Call) -> Iterator[Point]:
        if "FICLONE" not in call.arguments[1]:
            return
        opened, origin = self._opened(call), self._opened(call, 2)
        if opened is not None:
            if origin is None:
                raise UnknownCall("a clone of a file outside")
            assert isinstance(origin.node, File)
            yield from self._put(opened, origin.node.content(EVERYTHING), 0, call)

    def _resize(self, call: Call) -> Iterator[Point]:
        opened = self._opened(call)
        if opened is None:
            return
        assert isinstance(opened.node, File)
        size = int(call.arguments[1])
        if call.name == "fallocate":
            if call.arguments[1] != "0":
                raise UnknownCall(f"fallocate with mode {call.arguments[1]}")
            size = max(_live_bytes(opened.node), int(call.arguments[2]) + int(call.arguments[3]))
        opened.node.add(Data(next(self._numbers), call.ended, size=size))
        yield Point.STEP

    def _sync(self, call: Call) -> Iterator[Point]:
        opened = self._opened(call)
        if opened is not None and opened.node.awaits_sync(call.began):
            yield Point.BARRIER
            opened.node.sync(call.began)

    def _make_folder(self, call: Call) -> Iterator[Point]:
        # Many are made in a row, and each way to lose some is tried at the next barrier.
        for _ in self._link(_path(call, 1 if call.name == "mkdirat" else 0), Folder(), call):
            yield from ()

    def _move(self, call: Call) -> Iterator[Point]:
        if call.name == "renameat2" and call.arguments[-1] not in ("0", "RENAME_NOREPLACE"):
            raise UnknownCall(f"renameat2 with {call.arguments[-1]}")
        at = call.name != "rename"
        source, target = _path(call, 1 if at else 0), _path(call, 3 if at else 1)
        node = self._found(source)
        if node is None or node is not self._found(target):
            yield from self._link(target, node, call)
            yield from self._remove(source, call)

    def _add_link(self, call: Call) -> Iterator[Point]:
        at = call.name != "link"
        yield from self._link(_path(call, 3 if at else 1), self._found(_path(call, 1 if at else 0)), call)

    def _unlink(self, call: Call) -> Iterator[Point]:
        yield from self._remove(_path(call, 1 if call.name == "unlinkat" else 0), call)

    def _link(self, path: str, node: File | Folder | None, call: Call) -> Iterator[Point]:
        if self._is_inside(path):
            if node is None:
                raise UnknownCall(f"{call.name} of a file outside to {path}")
            folder, name = self._place(path)
            folder.add(Name(next(self._numbers), call.ended, name=name, target=node))
            yield Point.STEP

    def _remove(self, path: str, call: Call) -> Iterator[Point]:
        if self._is_inside(path):
            folder, name = self._place(path)
            folder.add(Name(next(self._numbers), call.ended, name=name))
            yield Point.STEP

    def _is_inside(self, path: str) -> bool:
        return path == self._root or path.startswith(self._root + "/")

    def _found(self, path: str) -> File | Folder | None:
        if not self._is_inside(path):
            return None
        folder, name = self._place(path)
        return folder.live.get(name) if name else folder

    def _place(self, path: str) -> tuple[Folder, str]:
        """The directory that a path's last name is in, and that name; none for the root itself."""
        if path == self._root:
            return self.disk, ""
        *above, name = path[len(self._root) + 1 :].split("/")
        folder = self.disk
        for step in above:
            next_ = folder.live[step]
            assert isinstance(next_, Folder)
            folder = next_
        return folder, name


def _live_bytes(file: File) -> int:
    size = len(file.base)
    for effect in file.effects:
        size = effect.size if effect.size is not None else max(size, effect.offset + len(effect.data))
    return size


def _offset(argument: str) -> int | None:
    """The offset that an argument points to; None where the file's own position counts."""
    return None if argument == "NULL" else int(re.findall(r"\d+", argument)[0])


def _anything(argument: str) -> bytes:
    """All the text of an argument."""
    return bytes.fromhex("".join(re.findall(r"\\x([0-9a-f]{2})", argument)))


def _strings(text: str) -> str:
    return "".join(f'"{part}"' for part in re.findall(r'iov_base="((?:\\x[0-9a-f]{2})*)"', text))


def _path(call: Call, place: int) -> str:
    """The path in an argument; relative ones are relative to the descriptor before it."""
    path = os.fsdecode(decoded(call.arguments[place]))
    if not path.startswith("/"):
        if place == 0:
            raise UnknownCall(f"{call.name} of a relative path")
        path = os.path.join(descriptor(call.arguments[place - 1])[1], path)
    return os.path.normpath(path)
