"""What do twenty versions of one large value take on the disk, and how fast are they saved and loaded?

Beside it what a user would pick instead, in turns on the same data; the slower ones keep the first few versions only.
``--quick`` takes a tenth of the size.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from edits import EDITS, Edit, as_saved, touch, write_plainly
from keepers import Keeper, keepers, not_installed
from measure import MIB, cpu_seconds, disk_bytes, extra_memory_bytes, in_child, rate, seconds, show_table, sync_files

import lineal

SIZE_BYTES, QUICK_BYTES = 200_000_000, 20_000_000
VERSIONS, VERSIONS_ELSEWHERE = 20, 3
HEAD = (
    "",
    "versions",
    "disk / first + changed",
    "later / changed",
    "beyond",
    "save MB/s",
    "of CPU",
    "load, touch",
    "load",
)


class Lineal:
    """The store."""

    name = "lineal"
    is_program = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = lineal.open(folder)

    def save(self, value: Any, exported: Path) -> None:
        self.store.save(as_saved(value), "value")
        self.store.flush()

    def load(self, version: int) -> Any:
        return self.store.artifact(f"value@{version + 1}").load()


@dataclass
class Kept:
    """What was measured of one keeper."""

    keeper: Keeper
    disk_bytes: list[int] = field(default_factory=list)
    """After each version."""
    save_s: list[float] = field(default_factory=list)
    save_cpu_s: list[float] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)
    touch_s: list[float] = field(default_factory=list)
    """Loading, and looking at every byte."""

    def save(self, value: Any, exported: Path) -> None:
        """Have one more version kept."""
        begun = cpu_seconds()
        self.save_s.append(seconds(lambda: self.keeper.save(value, exported)))
        self.save_cpu_s.append(cpu_seconds() - begun)
        sync_files(self.keeper.folder)
        self.disk_bytes.append(disk_bytes(self.keeper.folder))

    def load(self, version: int) -> None:
        """Have a version given back, and once more to look at it."""
        self.load_s.append(seconds(lambda: self.keeper.load(version)))
        if not self.keeper.is_program:
            self.touch_s.append(seconds(lambda: touch(self.keeper.load(version))))

    def row(self, size_bytes: int, changed_bytes: Sequence[int]) -> tuple[str, ...]:
        """The figures beside their names."""
        count = len(self.disk_bytes)
        changed = sum(changed_bytes[1:count])
        later = self.disk_bytes[-1] - self.disk_bytes[0]
        return (
            self.keeper.name,
            str(count),
            f"{self.disk_bytes[-1] / (changed_bytes[0] + changed):.3f} ×",
            f"{later / changed:.3g} ×" if changed else "",
            f"{(later - changed) / (count - 1) / 1e3:,.0f} kB each",
            rate(size_bytes, self.save_s[1:]),
            rate(size_bytes, self.save_cpu_s[1:]).split()[0],
            rate(size_bytes, self.touch_s) if self.touch_s else "",
            rate(size_bytes, self.load_s),
        )


def measure(edit: Edit, size_bytes: int) -> None:
    """Print what one kind of edit costs."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder, originals = Path(name), Path(name) / "originals"
        originals.mkdir()
        value, changed_bytes = edit.first(size_bytes, random, originals / "value"), [size_bytes]
        if as_saved(value) is None:
            print(f"\n{edit.name}: this store has no such values")
            return
        exported = value if isinstance(value, Path) else originals / "exported"
        store = Lineal(folder / "store")
        kept = [Kept(keeper) for keeper in (store, *keepers(folder, value))]
        for version in range(VERSIONS):
            if version:
                value, changed = edit.change(value, random)
                changed_bytes.append(changed)
            if version < VERSIONS_ELSEWHERE and exported is not value:
                write_plainly(value, exported, durable=False)
            sync_files(originals)
            for one in kept if version < VERSIONS_ELSEWHERE else kept[:1]:
                one.save(value, exported)
        for version in range(VERSIONS):
            for one in kept:
                if one.keeper is store or version == VERSIONS_ELSEWHERE - 1:
                    one.load(version)
        store.store.close()
        extra_bytes = in_child(extra_memory, edit.name, size_bytes)
        changed = sum(changed_bytes[1:])
        title = f"{edit.name}: {VERSIONS} versions of {size_bytes / 1e6:.0f} MB, {changed / 1e6:.3g} MB changed later"
        show_table(title, HEAD, [one.row(size_bytes, changed_bytes) for one in kept])
        print(
            f"  peak memory beyond the value: {extra_bytes / MIB:.0f} MiB   first save: {_first(kept[0], size_bytes)}"
        )


def _first(kept: Kept, size_bytes: int) -> str:
    return f"{rate(size_bytes, kept.save_s[:1]).split()[0]} MB/s"


def extra_memory(edit_name: str, size_bytes: int) -> int:
    """How much saving a first and a second version takes beyond the value, in bytes; for a process of its own."""
    edit, random = next(edit for edit in EDITS if edit.name == edit_name), np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        value = edit.first(size_bytes, random, Path(name) / "original")
        store = Lineal(Path(name) / "store")
        store.store.save(np.zeros(1_000_000), "warm")
        store.store.flush()
        extra_bytes = []
        for _ in range(2):
            extra_bytes.append(extra_memory_bytes(lambda: store.save(value, Path())))  # noqa: B023
            value, _changed = edit.change(value, random)
        store.store.close()
    return max(extra_bytes)


def main(arguments: Sequence[str] = ()) -> None:
    """Print the comparison of each kind of edit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--only", default="", help="edits whose name holds this text")
    options = parser.parse_args(arguments)
    size_bytes = QUICK_BYTES if options.quick else SIZE_BYTES
    print("\nVersions: budget of disk and later 1.15 ×, save 400 MB/s, load 1,000 MB/s, memory 64 MiB;")
    print("figures of speed are the median and in brackets the worst")
    for name in not_installed():
        print(f"{name}: not installed")
    for edit in EDITS:
        if options.only in edit.name:
            measure(edit, size_bytes)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
