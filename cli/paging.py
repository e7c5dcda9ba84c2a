"""The pager: what reading verbs show on a terminal goes through it, so that more than a screen of it can be read."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import sys
from contextlib import ExitStack, redirect_stdout, suppress
from types import TracebackType
from typing import Self

PAGED = frozenset(
    {"artifacts", "bisect", "blame", "diff", "du", "info", "lineage", "log", "logs", "pins", "plan", "runs", "show"}
    | {"steps", "why", "why-kept"}
)
"""The verbs whose text is paged. All others print a few lines, ask, or show how something goes on."""
_DEFAULT = "less"
_LESS = "FRX"
"""What ``less`` is told where LESS is not set: to end by itself with one screen, show colours, and clear nothing."""


def pager_command() -> list[str]:
    """The words of the pager's command: of LINEAL_PAGER, else PAGER, else ``less``; none to page nothing.

    Raises:
        ValueError: A quotation in it has no end.
    """
    told = os.environ.get("LINEAL_PAGER", os.environ.get("PAGER", _DEFAULT))
    words = shlex.split(told)
    return [] if words == ["cat"] else words


class Pager:
    """Takes what is printed on stdout, from `start` on until the block ends."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._is_started = False

    def start(self) -> None:
        """Start it, if it is not; where there is no such program, stdout stays what it is."""
        if self._is_started:
            return
        self._is_started = True
        sys.stdout.flush()
        with suppress(OSError, ValueError):
            if command := pager_command():
                self._start(command)

    def _start(self, command: list[str]) -> None:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={"LESS": _LESS, **os.environ})
        assert process.stdin is not None
        self._open.callback(_wait, process)
        taken = io.TextIOWrapper(process.stdin, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._open.callback(_close, taken)
        self._open.enter_context(redirect_stdout(taken))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def _close(taken: io.TextIOWrapper) -> None:
    """Say that there is no more; whoever left the pager before has seen enough."""
    with suppress(BrokenPipeError):
        taken.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Leave the terminal to the pager until the reader leaves it: Ctrl-C there is its own business."""
    while process.poll() is None:
        with suppress(KeyboardInterrupt):
            process.wait()
