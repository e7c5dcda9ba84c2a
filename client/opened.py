"""An open store: reading it, writing to it, and letting go of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import StoreClosed
from ..events.catalogue import Subject
from ..history import ArtifactVersionView, ArtifactView, History, RunView, StepRunView, View
from ..in_force import InForce, closed, entered
from ..store import Store


class Opened(History):
    """What every part of `Client` goes by: everything `History` answers, and the store itself."""

    def __init__(self, opened: InForce, *, is_borrowed: bool = False) -> None:
        """Wrap an open store; `open` is the way to get one. A borrowed one stays open when this handle is closed."""
        super().__init__(opened.store, allow_pickle=opened.allow_pickle)
        self._opened = opened
        self._entered = ExitStack()
        self._is_borrowed = is_borrowed
        self._is_closed = False

    @property
    def store(self) -> Store:
        """The store itself, to write to.

        Raises:
            StoreClosed: It was closed, or opened for reading only.
        """
        if self._is_closed:
            raise StoreClosed("the store is closed", where=self.path, hint="Open it again.")
        return self._opened.writable()

    @property
    def path(self) -> Path:
        """The store's directory, or the bundle that is opened in its place."""
        return self._opened.store.place

    def flush(self) -> None:
        """Return when everything submitted is durable."""
        self.store.flush()

    def close(self) -> None:
        """Make everything submitted durable and let go of the store; closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            closed(self)
            if not self._is_borrowed:
                self._opened.store.close()

    def __enter__(self) -> Self:
        self._entered.enter_context(entered(self._opened))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.path}>"

    def _subject(self, of: str | View) -> Subject:
        """What something is called in events. Raises as `find` if it is not of this store."""
        if isinstance(of, str):
            return self.find(of).subject
        subject = of.subject
        if of._reader.store is self._reader.store:
            return subject
        return self._same(of).subject

    def _same(self, of: View) -> View:
        """What is called so here, of a view on another store."""
        if isinstance(of, ArtifactVersionView):
            return self.artifact(f"{of.name}@{of.content}")
        if isinstance(of, ArtifactView):
            return self.artifact(f"{of.name}@latest").artifact
        if isinstance(of, RunView):
            return self.run(of.id)
        if isinstance(of, StepRunView):
            return self.run(of.id.run).get_step(of.name)
        return self.pipeline(of.name)
