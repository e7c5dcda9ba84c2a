"""What the steps of a run print and log while it goes on, from whatever process.

A run leaves it in a scratch file of its store until it ends, in msgpack: the step, its attempt, when that began, and a
frame as `logs` describes them. What is in the log by then counts: of each attempt every frame is given once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import msgpack

from ..cas import BlobFiles
from ..cas.digest import Digest
from ..events.catalogue import StepCompleted, StepFailed, StepRetried, StepStopped
from ..events.ids import RunId, StepRunId
from ..events.projections.runs import RUNNING
from .logs import Frame, LogLine, frame_lines, frames_of
from .reader import Reader
from .selection import selected, selection
from .views import RunView, StepRunView

_LOOK_S = 0.1
_ATTEMPTS = (StepRetried, StepStopped, StepCompleted, StepFailed)


class LiveFrame(NamedTuple):
    """A frame of a step that may still run."""

    step: str
    attempt: int
    started_us: int
    frame: Frame


def live_log_name(run: RunId) -> str:
    """What the scratch file of a run is called."""
    return f"{run}-log"


class LiveLog:
    """The scratch file of a run, read as it grows."""

    def __init__(self, files: BlobFiles, run: RunId) -> None:
        self._files = files
        self._name = live_log_name(run)
        self._file: BinaryIO | None = None
        self._unpacker = msgpack.Unpacker(unicode_errors="surrogatepass")

    def read(self) -> list[LiveFrame]:
        """What has come since the last time."""
        if self._file is None and (path := self._files.found_scratch(self._name)) is not None:
            try:
                self._file = path.open("rb")
            except FileNotFoundError:  # The run has just ended.
                return []
        if self._file is None:
            return []
        self._unpacker.feed(self._file.read())
        return [LiveFrame(step, attempt, began_us, Frame(*frame)) for step, attempt, began_us, *frame in self._unpacker]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class _Following:
    """What was given of one run by now."""

    def __init__(self, reader: Reader, run: RunId, step: str | None) -> None:
        self._reader = reader
        self._wanted = selection(_ATTEMPTS, run)
        self._step = step
        self._given: dict[tuple[str, int], Counter[Frame]] = {}
        self._ended: Counter[str] = Counter()
        """By step, how many of its attempts have ended."""
        self._after = 0

    def live(self, frames: list[LiveFrame]) -> Iterator[tuple[str, LogLine]]:
        """Lines of frames of attempts that have not ended, as far as is known."""
        for step, attempt, started_us, frame in frames:
            if self._step in (None, step) and attempt > self._ended[step]:
                self._given.setdefault((step, attempt), Counter())[frame] += 1
                yield from ((step, line) for line in frame_lines(frame, started_us))

    def recorded(self) -> Iterator[tuple[str, LogLine]]:
        """Lines of attempts that have ended since the last time, those that were not given before."""
        head = self._reader.head_seq
        for recorded in selected(self._reader, self._wanted, self._after, head):
            event = recorded.event
            if isinstance(event, _ATTEMPTS):
                self._ended[event.step] += 1
                if self._step in (None, event.step) and event.log is not None:
                    yield from self._rest(event.step, event.log, event.started_us)
        self._after = head

    def _rest(self, step: str, log: Digest, started_us: int) -> Iterator[tuple[str, LogLine]]:
        given = self._given.pop((step, self._ended[step]), Counter())
        for frame in frames_of(self._reader, log):
            if given[frame]:
                given[frame] -= 1
            else:
                yield from ((step, line) for line in frame_lines(frame, started_us))


def follow_logs(
    reader: Reader, run: RunView, step: str | None, until: Callable[[], bool] | None
) -> Iterator[tuple[StepRunView, LogLine]]:
    """The lines of a run's steps, or of one: those that are there, and those that come; as `History.follow_logs` says.

    Raises:
        StepNotFound: The run ended without such a step.
    """

    def view(name: str) -> StepRunView:
        return StepRunView(reader, StepRunId(run.id, name))

    def is_over() -> bool:
        if reader.upto is not None or (until is not None and until()):
            return True
        return run.status != RUNNING or (step is not None and view(step).status != RUNNING)

    for name, line in _lines(reader, run.id, step, is_over):
        yield view(name), line
    if step is not None and run.status != RUNNING:
        run.get_step(step)


def _lines(reader: Reader, run: RunId, step: str | None, is_over: Callable[[], bool]) -> Iterator[tuple[str, LogLine]]:
    following, live = _Following(reader, run, step), LiveLog(reader.store.blobs.files, run)
    try:
        while True:
            was_over = is_over()  # Asked first: what came until then is given yet.
            yield from following.live(live.read())
            yield from following.recorded()
            if was_over:
                return
            time.sleep(_LOOK_S)
    finally:
        live.close()
