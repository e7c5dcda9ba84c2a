"""The one public handle on a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import ArtifactNotFound, Invalid
from ..events.ids import Fingerprint, RunId
from ..history import ArtifactVersionView, RunView, StepRunView
from ..in_force import Resolved, tell_resolved
from .exchanging import Exchanging
from .keeping import Keeping
from .labelling import Labelling
from .revising import Revising
from .upkeep import Upkeep

_LIMIT_S = 60.0
"""How long a version may draw when it is asked to."""


class Client(Labelling, Keeping, Revising, Exchanging, Upkeep):
    """An open store: everything `History` answers, and saving. Use it with ``with``, or close it.

    Inside the ``with`` block it is the store that pipelines and the functions of `lineal` use.
    """

    def save(self, value: Any, name: str) -> ArtifactVersionView:
        """Save a value as a version of an artifact; durable once `flush` or `close` has returned.

        A value that is there already, under whatever name, is stored no second time. In a running step the version
        comes from the step run, whether that completes or not; where a step is served from the cache, it saves nothing.

        Raises:
            StoreFull, StoreBroken: This save, or an earlier one that was on its way, could not be written.
            InvalidName: The name can't name an artifact.
            UnsavableValue: A part of the value has no byte form.
        """
        from .saving import save_version  # Imported on use: who only looks at a store saves nothing.

        content = save_version(self.store, value, name, visualizes=self._opened.visualizes)
        return ArtifactVersionView(self._reader, name, content)

    def save_path(self, path: str | os.PathLike[str], name: str | None = None) -> ArtifactVersionView:
        """Save the file or directory at a path, as `save` does; by default under its own name.

        Raises:
            Invalid: There is neither, or it holds what can't be kept.
        """
        from ..materializers.files import Directory, File

        place = Path(path)
        if not place.exists():
            raise Invalid("there is no file or directory", where=place, hint="Give the path of one.")
        return self.save(Directory(place) if place.is_dir() else File(place), name or place.resolve().name)

    def artifact(self, reference: str) -> ArtifactVersionView:
        """A version of an artifact, as `History.artifact` says.

        In a running step it is an input of the step run: what is served from the cache later is what was made of the
        same version; where there was none, what was made without.
        """
        try:
            version = super().artifact(reference)
        except ArtifactNotFound:
            tell_resolved(self.path, Resolved(reference, "", None))
            raise
        tell_resolved(self.path, Resolved(reference, version.name, version.content))
        return version

    def visualize(self, reference: str, *, limit_s: float = _LIMIT_S) -> ArtifactVersionView:
        """Draw anew what a version shows of itself, as its materializer does it now; durable on return.

        Views as of before show what there was then. This loads the value.

        Args:
            reference: As in `artifact`.
            limit_s: How long it may draw, in processor time; what there is by then is kept.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            ArtifactEvicted, BlobMissing, BlobCorrupt, Unsupported: It can't be loaded.
        """
        from ..history import content_visualized
        from ..materializers import shower_of, visualize

        store, version = self.store, self.artifact(reference)
        value = version.load()
        with store.blobs.batch() as batch:
            shown = visualize(value, shower_of(value, version.format), batch, limit_s=limit_s)
            store.append([content_visualized(version.content, shown)], batch.publish()).wait()
        return version

    def cancel(self, run: RunView | RunId | str) -> RunView:
        """Stop a run that goes on, here or in another process of this host; give it when it has ended.

        Its steps are stopped as by Ctrl-C, it is recorded as cancelled, and what was done by then stays:
        `Pipeline.resume` goes on with it. In this process a step that executes inline ends before.

        Raises:
            RunNotFound: There is no such run.
            Conflict: It has ended before, or does not end within half a minute.
            Unsupported: Its process is on another host.
        """
        from ..pipeline.running.cancelling import cancel

        found = self.run(run.id if isinstance(run, RunView) else run)
        cancel(self.store, found)
        return found

    def declare_equivalent(
        self, which: str | StepRunView | Fingerprint, same_as: str | StepRunView | Fingerprint, reason: str
    ) -> None:
        """Vouch that results of one fingerprint may be served for another; durable on return.

        Runs that begin afterwards reuse the results of ``same_as`` where ``which`` is wanted and has none of its own,
        and record so. It goes one way, and on: what is equivalent to ``same_as`` counts, too.

        Args:
            which: The one that is asked for: a fingerprint, or a step run that has it, also as ``run/step``.
            same_as: The one that has results.
            reason: Why that is right, for whoever asks later.

        Raises:
            RunNotFound, StepNotFound: There is no such step run, or none has executed for ``same_as``.
            InvalidReference: They have one fingerprint, or a step run has none.
        """
        from ..pipeline.deciding.equivalence import declare

        declare(self.store, self, which, same_as, reason)

    def revoke_equivalent(
        self, which: str | StepRunView | Fingerprint, same_as: str | StepRunView | Fingerprint
    ) -> None:
        """Take back what `declare_equivalent` said; what was reused stays so. Raises `NotFound` if it said nothing."""
        from ..pipeline.deciding.equivalence import revoke

        revoke(self.store, self, which, same_as)
