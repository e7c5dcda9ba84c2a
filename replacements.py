"""Functions of the standard library that ours stand in for while steps run, and that are put back afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Replacement:
    """One function of a class or module. Whoever calls `put_in` and `take_out` sees to it that one does at a time.

    Somebody else may have wrapped ours by the time it is to go: then it stays where it is, and is not put in again.
    So ours must do no more than what it stands for where no step runs.
    """

    def __init__(self, owner: Any, name: str, ours: Callable[..., Any]) -> None:
        self._owner = owner
        self._name = name
        self._ours = ours
        self._is_in = False
        self.previous: Callable[..., Any] = getattr(owner, name)
        """What ours stands for, and calls."""

    def put_in(self) -> None:
        """Let ours be what is called."""
        if not self._is_in:
            self.previous = getattr(self._owner, self._name)
            setattr(self._owner, self._name, self._ours)
            self._is_in = True

    def take_out(self) -> None:
        """Put back what was there."""
        if getattr(self._owner, self._name) is self._ours:
            setattr(self._owner, self._name, self.previous)
            self._is_in = False
