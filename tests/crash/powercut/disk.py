"""A disk that promises no more than POSIX does: what was not synced may be there after a power cut, in part, or not.

An fsync of a file makes durable what was written to that file before, and nothing else; an fsync of a directory its
entries, and nothing else. So does a write through a descriptor opened with ``O_DSYNC``, for what it writes. All other
effects are independent: each may be on the disk or not, whatever their order, and written data piece by piece
(Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from pathlib import Path
from random import Random
from typing import Protocol

PIECE_BYTES = 4096
SECTOR_BYTES = 512
"""Written whole or not at all."""


class Fate(Enum):
    """What a power cut makes of an effect that was not synced."""

    KEPT = "kept"
    LOST = "lost"
    TORN = "torn"
    """Some pieces are kept, some lost, some cut at a sector. A name is kept or lost."""


class Choice(Protocol):
    """One of the many ways in which a power cut may go."""

    def fate(self, number: int) -> Fate:
        """What becomes of an effect."""

    def chance(self, number: int) -> Random:
        """Randomness for an effect, the same each time."""


@dataclass(slots=True)
class Effect:
    """Something that was asked for."""

    number: int
    ended: int
    """Where in the trace the call had returned."""
    is_synced: bool = False


@dataclass(slots=True)
class Data(Effect):
    """Bytes of a file, or only its size."""

    offset: int = 0
    data: bytes = b""
    size: int | None = None
    """What the file is cut off at, or extended to with zeros."""

    def apply(self, content: bytearray, choice: Choice) -> None:
        """Bring a file's bytes to what they are after it."""
        fate = Fate.KEPT if self.is_synced else choice.fate(self.number)
        if self.size is not None:
            if fate is Fate.KEPT or (fate is Fate.TORN and choice.chance(self.number).random() < 0.5):
                resize(content, self.size)
            return
        end = self.offset + len(self.data)
        if fate is Fate.KEPT:
            resize(content, max(len(content), self.offset))
            content[self.offset : end] = self.data
            return
        chance = choice.chance(self.number)
        if chance.random() < 0.5:
            resize(content, max(len(content), end))
        if fate is Fate.TORN:
            for start, stop in surviving(self.offset, end, chance):
                resize(content, max(len(content), stop))
                content[start:stop] = self.data[start - self.offset : stop - self.offset]


@dataclass(slots=True)
class Name(Effect):
    """A name in a directory that leads somewhere else from now on, or nowhere."""

    name: str = ""
    target: File | Folder | None = None


def resize(content: bytearray, size: int) -> None:
    """Cut off, or extend with zeros."""
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def surviving(start: int, end: int, chance: Random) -> Iterator[tuple[int, int]]:
    """The parts of a torn write that are on the disk."""
    lost = chance.choice((0.1, 0.5, 0.9))
    torn = chance.choice((0.0, 0.1, 0.5))
    while start < end:
        stop = min(end, start - start % PIECE_BYTES + PIECE_BYTES)
        if chance.random() >= lost:
            kept = stop
            if chance.random() < torn:
                kept = start - start % SECTOR_BYTES + SECTOR_BYTES * chance.randrange(PIECE_BYTES // SECTOR_BYTES)
            if kept > start:
                yield start, min(kept, stop)
        start = stop


_numbers = count()


@dataclass(slots=True, eq=False)
class File:
    """A file's durable bytes, and what may have become of them since."""

    base: bytes = b""
    effects: list[Data] = field(default_factory=list)
    version: int = 0
    number: int = field(default_factory=lambda: next(_numbers))

    def add(self, effect: Data) -> None:
        """Ask for an effect."""
        self.effects.append(effect)

    def awaits_sync(self, began: int) -> bool:
        """Whether anything asked for before is not durable yet."""
        return any(effect.ended < began and not effect.is_synced for effect in self.effects)

    def sync(self, began: int) -> None:
        """Make durable what had been asked for before."""
        _sync(self, began)

    def fold(self) -> None:
        """Take what nothing can undo into the durable bytes."""
        durable = 0
        content = bytearray()
        for effect in self.effects:
            if not effect.is_synced:
                break
            content = content if durable else bytearray(self.base)
            effect.apply(content, EVERYTHING)
            durable += 1
        if durable:
            del self.effects[:durable]
            self.base = bytes(content)
            self.version += 1

    def content(self, choice: Choice) -> bytes:
        """Its bytes after a power cut."""
        if not self.effects:
            return self.base
        content = bytearray(self.base)
        for effect in self.effects:
            effect.apply(content, choice)
        return bytes(content)


@dataclass(slots=True, eq=False)
class Folder:
    """A directory's durable entries, and what may have become of them since."""

    base: dict[str, File | Folder] = field(default_factory=dict)
    live: dict[str, File | Folder] = field(default_factory=dict)
    """The entries as the running process sees them."""
    effects: list[Name] = field(default_factory=list)

    def add(self, effect: Name) -> None:
        """Ask for an effect."""
        self.effects.append(effect)
        _rename(self.live, effect)

    def awaits_sync(self, began: int) -> bool:
        """Whether anything asked for before is not durable yet."""
        return any(effect.ended < began and not effect.is_synced for effect in self.effects)

    def sync(self, began: int) -> None:
        """Make durable what had been asked for before."""
        _sync(self, began)

    def fold(self) -> None:
        """Take what nothing can undo into the durable entries."""
        while self.effects and self.effects[0].is_synced:
            _rename(self.base, self.effects.pop(0))

    def entries(self, choice: Choice) -> dict[str, File | Folder]:
        """Its entries after a power cut."""
        if not self.effects:
            return self.base
        entries = dict(self.base)
        for effect in self.effects:
            fate = Fate.KEPT if effect.is_synced else choice.fate(effect.number)
            if fate is Fate.KEPT or (fate is Fate.TORN and choice.chance(effect.number).random() < 0.5):
                _rename(entries, effect)
        return entries


def _rename(entries: dict[str, File | Folder], effect: Name) -> None:
    if effect.target is None:
        entries.pop(effect.name, None)
    else:
        entries[effect.name] = effect.target


def _sync(node: File | Folder, began: int) -> None:
    for effect in node.effects:
        effect.is_synced = effect.is_synced or effect.ended < began
    node.fold()


@dataclass(frozen=True, slots=True)
class Uniform:
    """The same fate for every effect."""

    every: Fate

    def fate(self, number: int) -> Fate:
        """What becomes of an effect."""
        return self.every

    def chance(self, number: int) -> Random:
        """Randomness for an effect, the same each time."""
        return Random(number)


EVERYTHING = Uniform(Fate.KEPT)
NOTHING = Uniform(Fate.LOST)


def scanned(path: Path) -> Folder:
    """A directory of the real file system, taken to be durable."""
    entries: dict[str, File | Folder] = {}
    for entry in os.scandir(path):
        here = Path(entry.path)
        entries[entry.name] = scanned(here) if entry.is_dir() else File(here.read_bytes())
    return Folder(entries, dict(entries))


def pending(root: Folder) -> list[Effect]:
    """All effects below a directory that are not durable, oldest first."""
    found: dict[int, Effect] = {}
    seen: set[int] = set()
    waiting: list[File | Folder] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        found |= {effect.number: effect for effect in node.effects if not effect.is_synced}
        if isinstance(node, Folder):
            waiting += [*node.base.values(), *(name.target for name in node.effects if name.target is not None)]
    return [found[number] for number in sorted(found)]
