"""How long until the first word: importing, and the command line?"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from pathlib import Path

from measure import in_turns, report, seconds_of_command

import lineal
from lineal import pipeline, step

TURNS = 9


@step
def one() -> int:
    """A step to list."""
    return 1


@pipeline
def single() -> None:
    """A run to list."""
    one()


def main() -> None:
    """Print the comparison."""
    command = str(Path(sysconfig.get_path("scripts")) / "lineal")
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        with lineal.open(store):
            for _ in range(50):
                single()
        python = [sys.executable, "-P", "-c"]
        timings = in_turns(
            {
                "bare python": lambda: seconds_of_command(*python, "pass"),
                "import lineal": lambda: seconds_of_command(*python, "import lineal"),
                "from lineal import pipeline, step": lambda: seconds_of_command(
                    *python, "from lineal import pipeline, step"
                ),
                "lineal --help": lambda: seconds_of_command(command, "--help"),
                "lineal runs": lambda: seconds_of_command(command, "runs", "--store", store),
            },
            TURNS,
        )
    notes = {"import lineal": "budget 60 ms", "lineal --help": "budget 80 ms", "lineal runs": "budget 120 ms"}
    report("Start, the interpreter's own included", timings, notes)


if __name__ == "__main__":
    main()
