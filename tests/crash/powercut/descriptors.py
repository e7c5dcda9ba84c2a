"""Which file each process of a trace has open under which number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from powercut.disk import File, Folder
from powercut.trace import Call, descriptor


@dataclass(slots=True)
class Opened:
    """An open file description; duplicated and inherited descriptors share it."""

    node: File | Folder
    writes_through: bool
    """Whether what is written is durable when the call returns."""
    appends: bool
    position: int = 0


class Descriptors:
    """The open files of all processes, as far as they are of interest."""

    def __init__(self, calls: Iterable[Call]) -> None:
        """Learn which thread began which: a child may be seen to act before its parent's call has returned."""
        self._processes: dict[int, dict[int, Opened]] = {}
        self._parents = {
            call.result: (call.thread, "CLONE_FILES" in call.arguments[0])
            for call in calls
            if call.name in ("clone", "clone3", "fork", "vfork")
        }

    def of(self, thread: int) -> dict[int, Opened]:
        """The descriptors of a thread's process, inherited where it was forked."""
        opened = self._processes.get(thread)
        if opened is None:
            parent, shares = self._parents.get(thread, (None, False))
            inherited = {} if parent is None else self.of(parent)
            opened = self._processes[thread] = inherited if shares else dict(inherited)
        return opened

    def opened(self, call: Call, place: int = 0) -> Opened:
        """What is open under the descriptor in one of a call's arguments."""
        return self.of(call.thread)[descriptor(call.arguments[place])[0]]

    def set(self, call: Call, opened: Opened | None) -> None:
        """Note what a call has opened under the number that it gave; None if it is of no interest."""
        if opened is None:
            self.of(call.thread).pop(call.result, None)
        else:
            self.of(call.thread)[call.result] = opened
