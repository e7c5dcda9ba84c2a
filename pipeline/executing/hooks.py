"""Hooks: what users want called when a step or run begins or has ended. They are called when that is durable, and fail
softly."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypedDict, TypeVar

from ...errors import InvalidPipeline, LinealError
from ...events.catalogue import Annotated
from ...events.committer import Ticket
from ...history import RunView, StepRunView
from ...store import Store
from .task import text_of

V = TypeVar("V", StepRunView, RunView)


class HookFailedWarning(UserWarning):
    """A hook raised. What it reports is recorded all the same, and so is what it raised."""


class StepHookOptions(TypedDict, total=False):
    """Hooks of a step, as users say them; see `Hooks`."""

    on_start: Callable[[StepRunView], object] | None
    on_success: Callable[[StepRunView], object] | None
    on_failure: Callable[[StepRunView], object] | None
    on_end: Callable[[StepRunView], object] | None


class RunHookOptions(TypedDict, total=False):
    """Hooks of a pipeline, as users say them; see `Hooks`."""

    on_start: Callable[[RunView], object] | None
    on_success: Callable[[RunView], object] | None
    on_failure: Callable[[RunView], object] | None
    on_end: Callable[[RunView], object] | None


@dataclass(frozen=True, slots=True)
class Hooks(Generic[V]):
    """What is called with the view of what began or ended, in the process and thread of the run; None: nothing."""

    on_start: Callable[[V], object] | None = None
    """Before the first attempt of a step that executes; before the first step of a run."""

    on_success: Callable[[V], object] | None = None
    """After a step that executed, not one that was served from the cache; after a run that completed."""
    on_failure: Callable[[V], object] | None = None
    """After the last attempt of a step that failed; after a run that failed or was cancelled."""
    on_end: Callable[[V], object] | None = None
    """After either, however that went."""

    def but(self, said: Any) -> Self:
        """These, except for what was said. Raises `InvalidPipeline` for what can't be called."""
        for name, hook in said.items():
            if hook is not None and not callable(hook):
                raise InvalidPipeline(
                    f"{name} is {hook!r}", hint="Give a function of one argument: the view of what it reports."
                )
        return replace(self, **said)

    def of_end(self, *, is_well: bool) -> Iterator[tuple[str, Callable[[V], object]]]:
        """Those to be called at an end, in turn."""
        first = ("on_success", self.on_success) if is_well else ("on_failure", self.on_failure)
        for name, hook in (first, ("on_end", self.on_end)):
            if hook is not None:
                yield name, hook


NO_HOOKS: Hooks[Any] = Hooks()
"""Nothing is called."""


class HookCalls:
    """The calls that a run owes: each is made when the facts that it reports are durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owed: deque[tuple[Ticket, str, Callable[[Any], object], Any]] = deque()

    def start(self, ticket: Ticket, hooks: Hooks[V], view: Callable[[], V]) -> None:
        """Call the hook of a beginning, if there is one, once this is committed. Raises what makes that fail."""
        if hooks.on_start is not None:
            ticket.wait()
            self._make("on_start", hooks.on_start, view())

    def owe(self, ticket: Ticket, hooks: Hooks[V], view: Callable[[], V], *, is_well: bool) -> None:
        """Call the hooks of an end once this is committed, and not at all if that fails."""
        for name, hook in hooks.of_end(is_well=is_well):
            self._owed.append((ticket, name, hook, view()))

    def end(self, hooks: Hooks[V], view: Callable[[], V], *, is_well: bool) -> None:
        """Call the hooks of an end that is committed."""
        for name, hook in hooks.of_end(is_well=is_well):
            self._make(name, hook, view())

    def make_due(self) -> None:
        """Make the calls that can be made by now."""
        while self._owed and self._owed[0][0].done:
            self._make_first()

    def make_all(self) -> None:
        """Wait for what is not durable yet, and make all calls."""
        while self._owed:
            with suppress(LinealError, OSError):  # Whoever waits for the run is told.
                self._owed[0][0].wait()
            self._make_first()

    def _make_first(self) -> None:
        ticket, name, hook, view = self._owed.popleft()
        if ticket.error is None:
            self._make(name, hook, view)

    def _make(self, name: str, hook: Callable[[V], object], view: V) -> None:
        """Call a hook; that it raised is warned of, and noted of what it reports."""
        try:
            hook(view)
        except Exception as error:  # noqa: BLE001 — the user's own; it is told and recorded, and changes nothing
            said = f"{type(error).__qualname__}: {text_of(error)}"[:1000]
            self._store.append([Annotated(view.subject, {f"{name} raised": said})]).wait()
            with suppress(HookFailedWarning):  # Where warnings are errors; it is recorded.
                warnings.warn(f"{name} of {view!r} raised {said}", HookFailedWarning, stacklevel=2)
