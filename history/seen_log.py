"""The log as it is seen from one place in it: its events, its head, and where times and runs lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from ..errors import InvalidReference
from ..events.codec import Recorded
from ..events.ids import RunId
from ..events.log import Head
from ..events.merkle import TreeHead
from ..events.proof import ExtensionProof
from ..store import Store
from .following import followed
from .live_logs import follow_logs
from .logs import LogLine
from .places import Place, at_position, at_time, before_later
from .proving import prove_extension, tree_head
from .reader import Reader
from .run_list import run_meant
from .selection import EventType, Selection, selected, selection
from .views import RunView, StepRunView

When = int | datetime | RunView | RunId | str
"""A position in the log, a time with a zone, or a run, its name, its id or the beginning of its id."""


class SeenLog:
    """The part of `History` that is the log."""

    def __init__(
        self, store: Store, upto: int | None = None, *, time_us: int | None = None, allow_pickle: bool = True
    ) -> None:
        """Look at a store as of a position in its log, and a time there, or as it is at each call."""
        self._reader = Reader(store, upto, time_us=time_us, allow_pickle=allow_pickle)

    @property
    def head(self) -> Head:
        """The last event seen from here, and the chain hash over all up to it."""
        if self._reader.upto is None:
            return self._reader.store.head()
        return Head(self._reader.upto, self._reader.event(self._reader.upto).chain)

    def tree_head(self) -> TreeHead:
        """The head to keep elsewhere: it commits to all that is seen from here, and is what `verify` and proofs go by.

        Cost: about a millisecond, and once 1.5 µs for each event since a head was last asked for.
        """
        return tree_head(self._reader)

    def prove_extension(self, old: TreeHead | str, head: TreeHead | str | None = None) -> ExtensionProof:
        """Prove that the log under a head, by default this one's, begins with all that was under an older one.

        Raises:
            InvalidReference: One of them is no head, or the older one is the later one.
            LogCorrupt: The log does not lead to both.
        """
        return prove_extension(self._reader, old, head)

    def events(
        self,
        since: When = 0,
        *,
        upto: When | None = None,
        types: Iterable[EventType] | EventType | None = None,
        run: RunView | RunId | str | None = None,
    ) -> Iterator[Recorded]:
        """Events, oldest first, lazily: in bounded memory, and pinning no pages while the caller takes its time.

        Args:
            since: Only those after this place, which is named as in `as_of`; 0 is before the first.
            upto: Only those up to this place; by default all that there are at the call.
            types: Only those of these classes of the catalogue, or names such as ``step.completed``.
            run: Only those of one run.

        Raises:
            InvalidReference, RunNotFound: A place, a type or a run is not there.
        """
        wanted = self._selection(types, run)
        end = self._reader.head_seq if upto is None else self._place(upto).seq
        return selected(self._reader, wanted, self._after(since), end)

    def follow(
        self,
        since: When | None = None,
        *,
        types: Iterable[EventType] | EventType | None = None,
        run: RunView | RunId | str | None = None,
        until: Callable[[], bool] | None = None,
    ) -> Iterator[Recorded]:
        """Events as they come, from whatever process, without end; waiting holds nothing and costs next to nothing.

        Args:
            since: First those after this place; by default only what comes.
            types: As in `events`.
            run: As in `events`.
            until: Asked about ten times a second while nothing comes: whether to end.
        """
        wanted = self._selection(types, run)
        after = self._reader.head_seq if since is None else self._after(since)
        return followed(self._reader, wanted, after, until)

    def follow_logs(
        self, of: RunView | str, step: str | None = None, *, until: Callable[[], bool] | None = None
    ) -> Iterator[tuple[StepRunView, LogLine]]:
        """What the steps of a run print and log, as they do: first what is there, then what comes until the run ends.

        Lines come as they end, each once. What is printed on another host, or beyond 64 MiB by one process, comes when
        its step ends; of a step that was reused nothing does. A look at the past comes to its end.

        Args:
            of: The run, also by its name, id, or the beginning of that.
            step: Only what this step says, and only until it has ended.
            until: Asked about ten times a second: whether to end.

        Raises:
            RunNotFound: There is no such run.
            StepNotFound: The run ended without such a step.
        """
        return follow_logs(self._reader, self._run_of(of), step, until)

    def _place(self, when: When) -> Place:
        if isinstance(when, datetime):
            return at_time(self._reader, when)
        if isinstance(when, int):
            return at_position(self._reader, when)
        if not isinstance(when, RunView | RunId | str):
            raise InvalidReference(f"{when!r} is no place in the log", hint="Give a position, a datetime or a run.")
        return Place(self._run_of(when).ended_seq or self._reader.head_seq)

    def _run_of(self, which: RunView | RunId | str) -> RunView:
        """A run as it is seen from here."""
        return run_meant(self._reader, which.id if isinstance(which, RunView) else which)

    def _after(self, since: When) -> int:
        if isinstance(since, datetime):
            return before_later(self._reader, since).seq
        return 0 if since == 0 else self._place(since).seq

    def _selection(self, types: Iterable[EventType] | EventType | None, run: RunView | RunId | str | None) -> Selection:
        return selection(types, None if run is None else self._run_of(run).id)
