"""What keeps a store in order: verifying, repairing, rebuilding, counting, and old logs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..cas.store import stored_bytes
from ..events.catalogue import ArtifactNamed, ArtifactSaved, Output, StepCompleted, StepReused
from ..events.log import Head
from ..events.merkle import TreeHead, known_head
from ..events.projections.artifacts import outputs_of
from ..immutable import Immutable
from .opened import Opened

if TYPE_CHECKING:
    from ..directory import OldLog
    from ..repair import Repair
    from ..verification import Verification


class Usage(Immutable):
    """What a store holds."""

    stored_bytes: int
    """What blobs take: those in the catalog, and the files of the others, each once."""
    logical_bytes: int
    """All outputs of all step runs and all saves, each as if it were stored for itself."""
    blobs: int
    events: int


class Upkeep(Opened):
    """The part of `Client` that looks after the store."""

    def verify(self, *, quick: bool = False, heads: Iterable[TreeHead | str] = ()) -> Verification:
        """Read every byte of the store and say what is damaged, and what that hurts; see `verification.verify`.

        Quick: sizes, the catalog, manifests and the end of the log only.
        Heads: what `tree_head` gave, kept elsewhere; that the log goes on from each of them is verified, too.
        """
        from ..verification import verify

        return verify(self._reader.store, is_quick=quick, heads=[known_head(head) for head in heads])

    def repair(self, *, dry_run: bool = False) -> Repair:
        """Put right what is damaged, move away what can't be, and say how to make the rest again; see `repair.repair`.

        A dry run changes nothing.
        """
        from ..repair import repair

        return repair(self.store, is_trial=dry_run)

    def usage(self) -> Usage:
        """What the store takes, and what it would take without deduplication. Cost: reads the whole log and catalog."""
        store = self._reader.store
        making = (StepCompleted, StepReused, ArtifactSaved, ArtifactNamed)
        outputs = (Output._make(one) for recorded in self.events(types=making) for one in outputs_of(recorded))
        return Usage(
            stored_bytes=stored_bytes(store.blobs.entries()),
            logical_bytes=sum(output.size_bytes for output in outputs),
            blobs=sum(1 for _ in store.blobs.rows()),
            events=self.head.seq,
        )

    def rebuild(self) -> Head:
        """Delete every projection and replay it from the log; give the log's end."""
        self.store.rebuild()
        return self.head

    def drop_old_logs(self) -> list[OldLog]:
        """Remove the logs of older formats that migrations have kept: from then on there is no way back."""
        from ..migration import drop_old_logs

        return drop_old_logs(self.store.path)

    def old_logs(self) -> list[OldLog]:
        """The logs of older formats that migrations have kept; while there are any, nothing is collected."""
        return self._opened.store.old_logs()
