"""What notebooks and pages show of views: who shows something gives its pieces, and has the rest from here.

Every view is one of these, and few are ever shown: what makes pages is imported when one is.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..materializers.markup import Markup


class InNotebooks(ABC):
    """Something that a notebook shows richly."""

    @abstractmethod
    def _in_short(self) -> Iterable[Markup]:
        """What is shown of it, without a frame."""

    def _repr_html_(self) -> str:
        from ..materializers.pages import fragment

        return fragment(*self._in_short())


class OnPages(InNotebooks):
    """Something that has a page of its own, too."""

    @abstractmethod
    def _at_length(self) -> Iterable[Markup]:
        """All that its page shows."""

    def visualize(self, path: str | os.PathLike[str] | None = None) -> Path | None:
        """Show it with what belongs to it, as a page without scripts that needs no other file; nothing is run.

        Args:
            path: Write the page there, and do nothing else. By default a notebook displays it here; elsewhere the page
                is written to a temporary directory and opened in the browser.

        Returns:
            The page; None in a notebook.
        """
        from ..materializers.pages import page
        from .showing import displayed, written

        if path is None and displayed(_AtLength(self)):
            return None
        return written(page(str(self).strip("<>"), *self._at_length()), str(self), path)


class _AtLength:
    """What a notebook displays of something in full."""

    def __init__(self, shown: OnPages) -> None:
        self._shown = shown

    def _repr_html_(self) -> str:
        from ..materializers.pages import fragment

        return fragment(*self._shown._at_length())

    def __repr__(self) -> str:
        return repr(self._shown)
