"""What do a bundle's export and import take, beside a durable copy of the store's files, and how much memory?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from measure import MIB, disk_bytes, extra_memory_bytes, in_child, in_turns, ratio, report, seconds, sync_files

import lineal
from lineal import pipeline, step

ARRAY_BYTES, RUNS = 1024 * MIB, 10_000
TURNS = 3
COPY, EXPORT, IMPORT, AGAIN = "copy of the files", "export", "import", "the same import again"


@step
def scale(rate: float) -> float:
    """Give a value of its own for each run."""
    return rate * 2


@pipeline
def small(rate: float) -> None:
    """A step that executes."""
    scale(rate)


def _large(path: Path) -> None:
    with lineal.open(path, visualize=False) as store:
        store.save(np.random.default_rng(0).random(ARRAY_BYTES // 8), "large")


def _many(path: Path) -> None:
    with lineal.open(path, visualize=False):
        small.sweep(rate=[float(number) for number in range(RUNS)])


def _copied(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    sync_files(target)


def _exported(source: Path, bundle: Path) -> None:
    with lineal.open(source, read_only=True) as store:
        store.export_bundle(bundle)


def _imported(bundle: Path, target: Path) -> None:
    with lineal.open(target) as store:
        store.import_bundle(bundle)


def _extra_bytes(action: Callable[[Path, Path], None], one: Path, other: Path) -> int:
    return extra_memory_bytes(lambda: action(one, other))


def _compare(title: str, fill: Callable[[Path], None], folder: Path) -> None:
    source, bundle, standing = folder / "source", folder / "bundle", folder / "standing"
    fill(source)
    numbers = count()

    def timed(action: Callable[[Path, Path], None], start: Path) -> float:
        made = folder / f"made-{next(numbers)}"
        taken_s = seconds(lambda: action(start, made))
        shutil.rmtree(made) if made.is_dir() else made.unlink()
        return taken_s

    exported, imported = (
        in_child(_extra_bytes, one, *places)
        for one, *places in ((_exported, source, bundle), (_imported, bundle, standing))
    )
    timings = in_turns(
        {
            COPY: lambda: timed(_copied, source),
            EXPORT: lambda: timed(_exported, source),
            IMPORT: lambda: timed(_imported, bundle),
            AGAIN: lambda: seconds(lambda: _imported(bundle, standing)),
        },
        TURNS,
    )
    notes = {name: ratio(timings, name, COPY) for name in (EXPORT, IMPORT, AGAIN)}
    notes[EXPORT] += f", {exported / MIB:.0f} MiB more memory"
    notes[IMPORT] += f", {imported / MIB:.0f} MiB more memory"
    sizes = f"store {disk_bytes(source) / MIB:,.0f} MiB on the disk, bundle {bundle.stat().st_size / MIB:,.0f} MiB"
    report(f"{title}: {sizes}", timings, notes)


def main() -> None:
    """Print the comparisons."""
    for title, fill in (("An array of 1 GiB", _large), (f"{RUNS:,} runs of a small step", _many)):
        with tempfile.TemporaryDirectory() as folder:
            _compare(title, fill, Path(folder))


if __name__ == "__main__":
    main()
