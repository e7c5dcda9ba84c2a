"""How a command ends: its exit code, and what it says on stderr when it fails."""

from __future__ import annotations

import io
import os
import sys
from enum import IntEnum

from ..errors import BlobMissing, Corrupt, InvalidCondition, LinealError, NotFound
from .escape import visible, visible_lines


class ExitCode(IntEnum):
    """What a command's exit code means; no other is used."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DAMAGED = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done; also where the reader of a pipe went away",
    ExitCode.ERROR: "an error; stderr says which",
    ExitCode.USAGE: "the command line can't be understood",
    ExitCode.NOT_FOUND: "what was asked for, or the store, is not there",
    ExitCode.DAMAGED: "stored bytes are damaged or gone",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}


def outcome_of(error: BaseException, *, is_debug: bool) -> ExitCode:
    """Say on stderr what went wrong, with the traceback if debugging; give the exit code."""
    if is_debug:
        import traceback

        print(visible_lines("".join(traceback.format_exception(error))), file=sys.stderr, end="")
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    what, hint = _words(error)
    # A condition is shown on lines of its own, for a mark below it to point to a place in it; it has no other newlines.
    shown = visible_lines(what) if isinstance(error, InvalidCondition) else visible(what)
    print(f"lineal: {shown}", file=sys.stderr)
    if hint is not None:
        print(f"Hint: {visible(hint)}", file=sys.stderr)
    return _code(error)


def _words(error: BaseException) -> tuple[str, str | None]:
    if isinstance(error, LinealError):
        return (error.what if error.where is None else f"{error.what} [{error.where}]"), error.hint
    if isinstance(error, OSError):
        return str(error), None
    return f"{type(error).__name__}: {error}", "This should not happen: run the command again with --debug."


def _code(error: BaseException) -> ExitCode:
    if isinstance(error, Corrupt | BlobMissing):
        return ExitCode.DAMAGED
    if isinstance(error, NotFound):
        return ExitCode.NOT_FOUND
    return ExitCode.ERROR


def tolerate_odd_text() -> None:
    """Let text that the encoding of stdout or stderr has no form for come out escaped instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Send what is left in the buffer of a broken stdout nowhere, so that the interpreter's exit stays quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
