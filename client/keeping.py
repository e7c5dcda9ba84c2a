"""What is kept and what is let go: pins, releases, collection, and making again what was let go."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..history import ArtifactVersionView, check_name
from .opened import Opened

if TYPE_CHECKING:
    from ..collection import Collection
    from ..history import Retention

_GRACE_S = 3600.0


class Keeping(Opened):
    """The part of `Client` that keeps and lets go."""

    def pin(self, reference: str, label: str, *, expires: datetime | None = None) -> None:
        """Keep a version, and all that it was made from, whatever a collection would release; durable on return.

        A label holds one version: to pin another one under it moves it.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            ArtifactEvicted: Its bytes are gone already.
            InvalidName: The label can't be written in a reference.
        """
        version = self.artifact(reference)
        expires_us = None if expires is None else int(expires.timestamp() * 1_000_000)
        check_name(label, "pin")
        from ..collection import pin

        with version.explained():
            pin(self.store, label, version.content, expires_us)

    def unpin(self, label: str) -> None:
        """Take a pin away; durable on return. Raises `PinNotFound`."""
        from ..collection import unpin

        unpin(self.store, label)

    def release(self, reference: str) -> None:
        """Let the next collection evict a version, pinned or used or not, unless it is made again; durable on return.

        It goes under every name that it has.
        """
        version = self.artifact(reference)
        from ..collection import release_contents

        release_contents(self.store, [version.content], "released by hand")

    def collect(
        self, retention: Retention | None = None, *, dry_run: bool = False, grace_s: float = _GRACE_S
    ) -> Collection:
        """Release what a policy lets go, then free the bytes that nothing holds; safe beside writers and readers.

        Args:
            retention: The policy; without one only what was released before, and what nothing ever named, is freed.
            dry_run: Say what would happen, and do nothing.
            grace_s: How old a file must be that no commit has named: a batch may be about to.

        Raises:
            Conflict: Another collection is under way, or a migration has kept an old log.
            BlobMissing, Corrupt: What a held value needs can't be told, as its manifest is damaged.
        """
        from ..collection import collect

        return collect(self.store, retention, is_dry_run=dry_run, grace=timedelta(seconds=grace_s))

    def repack(self, reference: str) -> int:
        """Give a version's large buffers files of their own, so that loading maps them; tell how many had none.

        It takes the room that sharing with other versions had saved.
        """
        from ..collection import repack

        version = self.artifact(reference)
        with version.explained():
            return repack(self.store, version.content)

    def recompute(self, reference: str) -> ArtifactVersionView:
        """Make an evicted version again by running its step, and first what that takes, and verify its digest.

        A version that is there is given back as it is.

        Raises:
            RecomputeFailed: The step's code can't be found or has changed, an input can't be had, or it gave another
                value; the error says which.
            StepFailed: The step raised.
        """
        from ..pipeline.repeating.recompute import recompute

        return recompute(self._opened.writable(), self.artifact(reference), allow_pickle=self._reader.allow_pickle)
