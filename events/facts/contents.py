"""Facts of contents: who names them, what keeps them, and what let them go."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import StepRunId
from .base import Event
from .records import Output, StoredVisualization


class ArtifactSaved(Event):
    """A value was saved by hand: outside a pipeline, or by what a step executes, beside its outputs."""

    TYPE: ClassVar[str] = "artifact.saved/1"
    output: Output
    by: StepRunId | None = None
    """The step run that saved it, if one did."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.output.content,)

    @property
    def made(self) -> tuple[Output, ...]:
        return (self.output,)


class ArtifactNamed(Event):
    """A content that is there was given another name: it is a version of that artifact, too."""

    TYPE: ClassVar[str] = "artifact.named/1"
    output: Output
    source: str
    """The artifact as which it was named before."""
    number: int | None = None
    """The version that it is there; None for the next one."""
    is_held: bool = True
    """Whether this keeps the content; not where an artifact is renamed of which the content was released."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.output.content,) if self.is_held else ()

    @property
    def made(self) -> tuple[Output, ...]:
        return (self.output,)


class ContentsReleased(Event):
    """Nothing has to keep these contents any more: they may be collected, unless pinned.

    What has named one of them after ``upto``, before this event or after it, holds it again.
    """

    TYPE: ClassVar[str] = "contents.released/1"
    contents: tuple[Digest, ...]
    reason: str
    upto: int
    """Position in the log as of which this was decided."""


class ContentsEvicted(Event):
    """A collection took the bytes of these contents away; their lineage stays."""

    TYPE: ClassVar[str] = "contents.evicted/1"
    contents: tuple[Digest, ...]


class ContentRecomputed(Event):
    """The bytes of an evicted content were made again, and are the same."""

    TYPE: ClassVar[str] = "content.recomputed/1"
    content: Digest
    step_run: StepRunId
    """Whose step was run again."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.content,)


class ContentVisualized(Event):
    """It was kept what a content shows of itself; once more where it was asked for anew, which then counts.

    The blobs live as long as the content does, and hold nothing in their turn.
    """

    TYPE: ClassVar[str] = "content.visualized/1"
    content: Digest
    visualizations: tuple[StoredVisualization, ...]
    """The most telling first."""
    problems: tuple[str, ...] = ()
    """What went wrong, so that some are missing."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return tuple([one.blob for one in self.visualizations])


class PinAdded(Event):
    """A content was pinned: it lives, whatever is released. A label that was in use is moved."""

    TYPE: ClassVar[str] = "pin.added/1"
    label: str
    content: Digest
    expires_us: int | None = None
    """From when on it holds nothing; None if it never expires."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.content,)


class PinRemoved(Event):
    """A pin was taken away; what else holds its content still does."""

    TYPE: ClassVar[str] = "pin.removed/1"
    label: str
