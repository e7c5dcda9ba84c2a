"""Following: the events that come, as they come, from whatever process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ..events.codec import Recorded
from .reader import Reader
from .selection import Selection, selected

_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.001, 0.1


def followed(reader: Reader, wanted: Selection, after: int, until: Callable[[], bool] | None) -> Iterator[Recorded]:
    """The wanted events after a position, and those that come, until a condition holds while there is none.

    A look at the past comes to its end. Cost of waiting: ten looks at the end of the log a second, no transaction
    between them.
    """
    wait_s = _SHORTEST_WAIT_S
    while True:
        head = reader.head_seq
        if head > after:
            yield from selected(reader, wanted, after, head)
            after, wait_s = head, _SHORTEST_WAIT_S
        elif reader.upto is not None or (until is not None and until()):
            return
        else:
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
