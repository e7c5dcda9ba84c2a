"""Facts of revisions: what people take out of the record, put back, and call otherwise. Lineage keeps all of it."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import RunId
from .base import Event
from .records import Subject


class Deleted(Event):
    """Runs and artifact versions were deleted: names lead to them no more, and no list has them; lineage still does.

    A version that something has made after `upto`, before this event or after it, is back.
    """

    TYPE: ClassVar[str] = "record.deleted/1"
    subjects: tuple[Subject, ...]
    upto: int
    """Position in the log as of which this was decided."""
    reason: str


class Restored(Event):
    """Runs and artifact versions that were deleted or released are back."""

    TYPE: ClassVar[str] = "record.restored/1"
    subjects: tuple[Subject, ...]
    held: tuple[Digest, ...]
    """The contents of those versions that are there, and kept from now on."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return self.held


class RunRenamed(Event):
    """A run is called otherwise from now on."""

    TYPE: ClassVar[str] = "run.renamed/1"
    run: RunId
    name: str


class PipelineRenamed(Event):
    """A pipeline is called otherwise from now on; its runs, versions and labels are what they were.

    It stays the pipeline of what is declared under its names of before, as far as no other one is called so.
    """

    TYPE: ClassVar[str] = "pipeline.renamed/1"
    pipeline: str
    """What it was called."""
    name: str


class ArtifactRenamed(Event):
    """An artifact is called otherwise from now on.

    The events right before this one, of the same commit, have done it: its versions and labels are there under the new
    name, and deleted under the old one.
    """

    TYPE: ClassVar[str] = "artifact.renamed/1"
    artifact: str
    name: str
    events: int
    """How many events have done it."""
