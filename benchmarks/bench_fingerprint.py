"""What does it cost to tell what a step's code is, beside hashing the files that hold it?

Warm: the process has walked the code before, and walks it anew for another plan. Cold: a process that has imported the
project and digests its first step. Kept: likewise, with a store in which an earlier process has left what texts say.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from blake3 import blake3
from measure import in_turns, report, seconds, shown

from lineal.pipeline.fingerprint import CodeWalker

TURNS = 9
PER_MODULE = 8
COLD = """
import sys, time
sys.dont_write_bytecode = True
sys.path.insert(0, {directory!r})
import {name}
from lineal.pipeline.fingerprint import CodeWalker
begun = time.perf_counter()
CodeWalker().manifest({name}.step)
print(time.perf_counter() - begun)
"""
KEPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {directory!r})
import {name}
from lineal.pipeline.fingerprint import CodeWalker
from lineal.pipeline.fingerprint.source_index import SOURCE_INDEX
store = Path({directory!r}, "store")
begun = time.perf_counter()
SOURCE_INDEX.use(store)
CodeWalker().manifest({name}.step)
print(time.perf_counter() - begun)
SOURCE_INDEX.keep(store)
"""
SETTLED_S = 2.5
"""Texts that were changed just before a process began have to be proved to be those of its code."""


def project(directory: Path, functions: int) -> tuple[ModuleType, list[Path]]:
    """Modules of eight functions each, each of which calls the next and reads a global and a class; and the step."""
    name = f"project_{functions}"
    modules = -(-functions // PER_MODULE)
    files = []
    for module in range(modules):
        after = f"from {name}_{module + 1} import f_{(module + 1) * PER_MODULE}" if module + 1 < modules else ""
        lines = [after, f"RATE = {module}", f"class Kind:\n    def get(self):\n        return {module}\n"]
        for number in range(module * PER_MODULE, min(functions, (module + 1) * PER_MODULE)):
            called = f"f_{number + 1}(x)" if number + 1 < functions else "0"
            lines.append(
                f"def f_{number}(x, y={number}):\n"
                f'    """Step {number} of the way."""\n'
                "    total = 0\n"
                "    for one in range(x):\n"
                "        total += one * RATE if one % 2 else -one\n"
                f"    return total + y + {called} + Kind().get()\n"
            )
        files.append(directory / f"{name}_{module}.py")
        files[-1].write_text("\n\n".join(lines), encoding="utf-8")
    files.append(directory / f"{name}.py")
    files[-1].write_text(f"from {name}_0 import f_0\n\ndef step(x):\n    return f_0(x)\n", encoding="utf-8")
    return importlib.import_module(name), files


def cold(directory: Path, name: str, program: str = COLD) -> float:
    """Seconds for the first step in a process of its own, imports left out."""
    program = program.format(directory=str(directory), name=name)
    return float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


def trivial(x: int) -> int:
    """As little as a step can do."""
    return x


def main() -> None:
    """Print the comparison."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        sys.path.insert(0, folder)
        small, few = project(directory, 30)
        large, many = project(directory, 400)
        (directory / "store" / "tmp").mkdir(parents=True)
        time.sleep(SETTLED_S)
        for name in (small.__name__, large.__name__):
            cold(directory, name, KEPT)
        walked = CodeWalker()
        walked.manifest(large.step)

        def hashed(files: list[Path]) -> None:
            for file in files:
                blake3(file.read_bytes()).digest()

        timings = in_turns(
            {
                "hash the files of 30 functions": lambda: seconds(lambda: hashed(few)),
                "hash the files of 400 functions": lambda: seconds(lambda: hashed(many)),
                "a trivial step, warm": lambda: seconds(lambda: CodeWalker().manifest(trivial)),
                "30 functions, warm": lambda: seconds(lambda: CodeWalker().manifest(small.step)),
                "400 functions, warm": lambda: seconds(lambda: CodeWalker().manifest(large.step)),
                "400 functions, again in one plan": lambda: seconds(lambda: walked.manifest(large.step)),
                "30 functions, cold": lambda: cold(directory, "project_30"),
                "400 functions, cold": lambda: cold(directory, "project_400"),
                "30 functions, kept": lambda: cold(directory, "project_30", KEPT),
                "400 functions, kept": lambda: cold(directory, "project_400", KEPT),
            },
            TURNS,
        )
        sys.path.remove(folder)
    limits = {"30 functions, warm": 0.005, "400 functions, warm": 0.050, "400 functions, kept": 0.050}
    notes = {name: f"limit {shown(limit_s)}" for name, limit_s in limits.items()}
    report("The code of a step", timings, notes)


if __name__ == "__main__":
    main()
