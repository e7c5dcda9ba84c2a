"""What is put on things that are there: tags, aliases, annotations, names and metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..history import ArtifactVersionView, View
from .opened import Opened


class Labelling(Opened):
    """The part of `Client` that labels."""

    def tag(self, of: str | View, *tags: str) -> None:
        """Put tags on something; durable on return. Those that it has stay.

        Args:
            of: What `find` finds, which of ``model`` is its latest version; or a view, as of the artifact itself.
            tags: Words that can be written in a reference.

        Raises:
            NotFound, InvalidReference: As `find` says.
            InvalidName: One of them can't be a tag.
        """
        from ..labels import tag

        tag(self.store, self._subject(of), tags)

    def untag(self, of: str | View, *tags: str) -> None:
        """Take tags off something, all or none; durable on return. Raises `LabelNotFound` if it lacks one."""
        from ..labels import untag

        untag(self.store, self._subject(of), tags)

    def alias(self, reference: str, alias: str) -> None:
        """Let ``name@alias`` mean this version from now on; durable on return. An alias that is in use is moved.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            InvalidName: It would read as a number, as ``latest`` or as a digest.
        """
        from ..labels import alias as set_alias

        set_alias(self.store, self.artifact(reference), alias)

    def unalias(self, artifact: str, alias: str) -> None:
        """Take an alias of an artifact away; durable on return.

        Raises:
            ArtifactNotFound: There is no such artifact.
            LabelNotFound: It has no such alias.
        """
        from ..labels import unalias

        unalias(self.store, artifact, alias, self.artifact(f"{artifact}@latest").artifact.aliases)

    def annotate(self, of: str | View, values: Mapping[str, Any] | None = None, *, remove: Iterable[str] = ()) -> None:
        """Note something of a thing, key by key; durable on return. A key that it has is given the new value.

        Args:
            of: As in `tag`.
            values: By key, of plain types: None, bool, int, float, str, bytes, and lists and dicts of them; together
                no more than 64 KiB.
            remove: Keys to take away.

        Raises:
            NotFound, InvalidReference: As `find` says.
            UnsavableValue: A value is not plain, or they are too large; the error names the key.
            LabelNotFound: A key to be taken away is not there.
        """
        from ..labels import annotate

        annotate(self.store, self._subject(of), values or {}, tuple(remove))

    def name(self, reference: str, name: str) -> ArtifactVersionView:
        """Make a version's content a version of another artifact, too; durable on return.

        No bytes are stored again, and its lineage is that under the name it had.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            ArtifactEvicted: Its bytes are gone already.
            InvalidName: The name can't name an artifact.
        """
        version = self.artifact(reference)
        from ..labels import name as give_name

        with version.explained():
            give_name(self.store, version, name)
        return ArtifactVersionView(self._reader, name, version.content)

    def log_metrics(self, of: str | View, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Log a value of each of these metrics; durable once `flush` or `close` has returned.

        Points that come fast are gathered, so that many of them make one event.

        Args:
            of: As in `tag`; a view costs no lookup.
            values: By metric: numbers, NaN and infinities included.
            step: Where the values stand, as an epoch; by default one after each metric's last one, from 0.

        Raises:
            NotFound, InvalidReference: As `find` says.
            InvalidName, UnsavableValue: A metric can't be called so, or a value is no number.
            StoreFull, StoreBroken: Something earlier that was on its way could not be written.
        """
        store = self.store
        store.raise_failed()
        store.metrics.log(self._subject(of), values, step=step)
