"""The command on a pseudo-terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
LINES = 40


def on_terminal(
    *argv: str,
    store: Path,
    columns: int = 100,
    program: tuple[str, str] = ("-m", "lineal"),
    keys: bytes = b"",
    code: int = 0,
    **environment: str,
) -> str:
    """What a command writes to a terminal on which these keys are pressed, if it ends with this code.

    Nothing is paged unless LINEAL_PAGER is given.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (LINES, columns))
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-P", *program, *argv, "--store", str(store)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "TERM": "xterm-256color", "LINEAL_PAGER": "", **environment},
        start_new_session=True,
        preexec_fn=own_terminal,
    )
    os.close(theirs)
    os.write(ours, keys)
    written = b""
    while piece := read(ours):
        written += piece
    os.close(ours)
    assert process.wait() == code, written
    return written.decode().replace("\r\n", "\n")


def own_terminal() -> None:
    """Make stdin the terminal that keys are read from, as a pager opens it by the name of /dev/tty."""
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read(terminal: int) -> bytes:
    """A piece of output; empty once all writers are gone, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def harmful(written: str) -> set[str]:
    """The characters that a terminal would obey, colours and line ends apart."""
    return {one for one in COLOURS.sub("", written) if not one.isprintable()} - {"\n", "\t"}
