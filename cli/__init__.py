"""The command ``lineal``: tables on a terminal, plain lines in a pipe, JSON on request. One verb runs steps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from gc import freeze, set_threshold

from .outcome import ExitCode, outcome_of, silence_stdout, tolerate_odd_text
from .parser import parse

_ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000


def command() -> int:
    """Run the process's command line, in a process that does nothing else; give its exit code.

    Of what is imported nothing is garbage, and what is left in the end goes with the process: looking through both
    would take a sixth of the time in which a store is read.
    """
    set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    code = main()
    freeze()
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the process's own; give its exit code. Errors go to stderr."""
    tolerate_odd_text()
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = _execute(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 — it is shown, and sets the exit code
        return outcome_of(error, is_debug="--debug" in arguments)
    return code


def _execute(arguments: Sequence[str]) -> int:
    try:
        command = parse(arguments)
    except SystemExit as stop:  # After --help, --version and usage errors.
        return int(stop.code or 0)
    return command.execute()
