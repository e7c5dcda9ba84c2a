"""Measuring beside a limit: what is compared runs in turns in one process, and medians are shown with their spread."""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

MEMORY_FILE = Path("/proc/self/status")
MIB = 1024 * 1024
_synced: dict[str, int] = {}


@dataclass(frozen=True)
class Timing:
    """How long something took, over several turns."""

    median_s: float
    least_s: float
    most_s: float

    def __str__(self) -> str:
        return f"{shown(self.median_s):>10}  ({shown(self.least_s)} to {shown(self.most_s)})"


def in_turns(subjects: Mapping[str, Callable[[], float]], turns: int) -> dict[str, Timing]:
    """Call each subject once a turn, so that a noisy moment hits all; each returns the seconds it took."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(turns):
        for name, subject in subjects.items():
            taken[name].append(subject())
    return {name: Timing(statistics.median(times), min(times), max(times)) for name, times in taken.items()}


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def seconds_of_command(*command: str) -> float:
    """Wall-clock seconds of a command, its start included."""
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def shown(time_s: float) -> str:
    """A duration in the unit that suits it."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if time_s * factor >= 1:
            return f"{time_s * factor:.3g} {unit}"
    return f"{time_s * 1e6:.3g} µs"


def report(title: str, timings: Mapping[str, Timing], notes: Mapping[str, str] | None = None) -> None:
    """Print one comparison."""
    print(f"\n{title}")
    for name, timing in timings.items():
        note = (notes or {}).get(name, "")
        print(f"  {name:<44}{timing}{'   ' + note if note else ''}", flush=True)


def ratio(timings: Mapping[str, Timing], subject: str, limit: str) -> str:
    """How many times the limit's time a subject takes."""
    return f"{timings[subject].median_s / timings[limit].median_s:.2f} × {limit}"


def machine() -> str:
    """What the figures were measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("lmdb", "blake3", "msgpack", "numpy", "pyarrow"))
    system = f"{platform.system()} {platform.machine()}"
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {system}; {packages}"


def in_child(function: Callable[..., Result], *arguments: object) -> Result:
    """What a function of a module gives in a fresh process: nothing of this one's memory is there."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def extra_memory_bytes(action: Callable[[], object]) -> int:
    """How far this process's resident memory rises above where it is while something is done.

    Reads the kernel's high-water mark, which is set back first: what getrusage tells is inherited from the parent.
    """
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _memory_bytes("VmRSS")
    action()
    return _memory_bytes("VmHWM") - before


def anonymous_memory_bytes(action: Callable[[], object]) -> int:
    """How far this process's own memory, mapped files left out, rises while something is done; seen every 5 ms."""
    ended = threading.Event()
    seen = [before := _memory_bytes("RssAnon")]

    def watch() -> None:
        while not ended.wait(0.005):
            seen.append(_memory_bytes("RssAnon"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        action()
    finally:
        ended.set()
        watching.join()
    return max(seen) - before


def _memory_bytes(field: str) -> int:
    for line in MEMORY_FILE.read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    raise KeyError(field)


def disk_bytes(folder: Path) -> int:
    """What all files below take on the disk, in whole blocks; a file of several names counts once."""
    found = (os.lstat(os.path.join(parent, name)) for parent, _, names in os.walk(folder) for name in names)
    return sum({(one.st_dev, one.st_ino): one.st_blocks * 512 for one in found}.values())


def cpu_seconds() -> float:
    """Seconds of CPU that this process and the children it has waited for have taken."""
    return sum(os.times()[:4])


def sync_files(folder: Path) -> None:
    """Write back all files below that have changed since the last call, so that none is while others are measured.

    Each by itself: the machine may have other work, whose files are not waited for.
    """
    for parent, _, names in os.walk(folder):
        for path in (os.path.join(parent, name) for name in names):
            changed_ns = os.stat(path, follow_symlinks=False).st_mtime_ns
            if _synced.get(path) == changed_ns:
                continue
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            _synced[path] = changed_ns


def rate(size_bytes: float, times: Sequence[float]) -> str:
    """MB/s: the median, and the worst in brackets."""
    median, worst = size_bytes / statistics.median(times) / 1e6, size_bytes / max(times) / 1e6
    return f"{median:,.0f} ({worst:,.0f})"


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heads, the first column to the left."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print(f"\n{title}")
    for row in (head, *rows):
        cells = [
            f"{row[0]:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  " + "   ".join(cells).rstrip(), flush=True)
