"""What is taken out of the record, called otherwise, and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidReference
from ..history import ArtifactVersionView, ArtifactView, PipelineView, RunView, View
from .opened import Opened

if TYPE_CHECKING:
    from ..changing import Deletion, Renamed, Undone


class Revising(Opened):
    """The part of `Client` that deletes, renames and undoes."""

    def delete(self, of: str | View, *, outputs: bool = False, dry_run: bool = False, reason: str = "") -> Deletion:
        """Delete a run, an artifact version, or all runs or versions of a pipeline or artifact; durable on return.

        What is deleted is in no list, and no name leads to it. Lineage and the cache know it as before, a look at the
        past finds it, and `undo` has it back. The next collection frees the contents that have no other version.

        Args:
            of: What `find` finds, which of ``model`` is its latest version; or a view, as of the artifact itself.
            outputs: Of runs: delete as well the artifact versions that only they made, and nothing else refers to.
            dry_run: Say what would go, what it would free and what depends on it; do nothing.
            reason: Why, for whoever asks later.

        Raises:
            NotFound, InvalidReference: As `find` says; or it is a step, which goes with its run only.
            Conflict: A run goes on, or uses it; or a pin holds it.
        """
        from ..changing import delete

        return delete(self.store, self._view(of), outputs=outputs, is_dry_run=dry_run, reason=reason)

    def undo(self, seq: int) -> Undone:
        """Undo what an event changed: a label, a pin, a name, a release or a deletion; durable on return.

        Bytes that a collection has freed do not come back, but the record does.

        Raises:
            Invalid: There is no such event, or it is of a kind that can't be undone.
            Conflict: What it changed has been changed or undone since.
            ArtifactEvicted, BlobMissing: What it let go is gone.
        """
        from ..changing import undo

        return undo(self.store, seq)

    def rename(self, of: str | RunView | ArtifactView | PipelineView, name: str) -> Renamed:
        """Call a run, an artifact or a pipeline otherwise; durable on return.

        An artifact's versions keep their numbers, labels and lineage. What pipelines make later has the name that their
        code says. A pipeline keeps its runs, versions, labels and cache. Runs of a pipeline that is declared under its
        new name go on with it, and so do those under a name of before, until another pipeline is called so: so it makes
        no difference whether its function is renamed as well, and when.

        Raises:
            NotFound, InvalidReference: As `find` says; or it is a step, or one version of an artifact.
            InvalidName: It can't be called so.
            Conflict: Another one is called so.
        """
        from ..changing import rename

        found = self._view(of)
        if isinstance(of, str) and isinstance(found, ArtifactVersionView):
            if "@" in of:
                raise InvalidReference(f"{of!r} is one version", hint="An artifact is renamed with all its versions.")
            found = found.artifact
        return rename(self.store, found, name)

    def _view(self, of: str | View) -> View:
        """What is named, in this store."""
        if isinstance(of, str):
            return self.find(of)
        return of if of._reader.store is self._reader.store else self._same(of)
