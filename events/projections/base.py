"""What a projection is: a pure fold of events to rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from ..catalogue import Event
from ..codec import Recorded
from ..rows import RowWriter


class Projection(ABC):
    """Folds events to rows: no clock, no randomness, no I/O, and no look at other projections' rows.

    So it can be deleted and replayed, and the result is equal row by row.
    """

    name: ClassVar[str]
    """Name of its rows; unique."""
    version: ClassVar[int] = 1
    """Raise it when `apply` changes: stores rebuild the rows when they open."""
    lag_max: ClassVar[int | None] = None
    """Of one that is kept behind: how many events it may lack before whoever commits catches it up, as soon as there is
    a pause; None for any."""
    events: ClassVar[tuple[type[Event], ...] | None]
    """The types of event that `apply` takes; None for all, those of newer versions included."""

    @abstractmethod
    def apply(self, rows: RowWriter, recorded: Recorded) -> None:
        """Add the rows that this event makes.

        ``recorded.event`` is typed and takes a while to make; ``recorded.fields`` is at hand.
        """
