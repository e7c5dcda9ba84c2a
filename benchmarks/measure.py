"""Measuring beside a limit: what is compared runs in turns in one process, and medians are shown with their spread."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version


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
        print(f"  {name:<44}{timing}{'   ' + note if note else ''}")


def ratio(timings: Mapping[str, Timing], subject: str, limit: str) -> str:
    """How many times the limit's time a subject takes."""
    return f"{timings[subject].median_s / timings[limit].median_s:.2f} × {limit}"


def machine() -> str:
    """What the figures were measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("lmdb", "blake3", "msgpack", "numpy", "pyarrow"))
    system = f"{platform.system()} {platform.machine()}"
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {system}; {packages}"


def in_child(script: str, *arguments: str) -> str:
    """What a fresh process prints that runs this script."""
    done = subprocess.run([sys.executable, "-P", "-c", script, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()
