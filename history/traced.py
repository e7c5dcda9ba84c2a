"""A stored version, and what it was made from and what was made of it."""

from __future__ import annotations

from .downstream import downstream, path
from .lineage import Lineage
from .lineage_parts import VersionKey
from .stored import StoredVersion
from .tracing import NODES_MAX, upstream


class TracedVersion(StoredVersion):
    """One distinct content under an artifact's name, with its lineage."""

    def lineage(self, *, depth: int | None = None, nodes_max: int = NODES_MAX) -> Lineage:
        """All that this version was made from, back to the first steps and literals.

        Args:
            depth: How many steps back; by default all.
            nodes_max: How many artifact versions and step runs at most, the nearest.
        """
        return upstream(self._reader, self._key, depth=depth, nodes_max=nodes_max)

    def downstream(self, *, depth: int | None = None, nodes_max: int = NODES_MAX) -> Lineage:
        """All that was made of this version, by steps that took it and by steps that took what those gave.

        Args:
            depth: How many steps onward; by default all.
            nodes_max: As for `lineage`.
        """
        return downstream(self._reader, self._key, depth=depth, nodes_max=nodes_max)

    def path_to(self, other: TracedVersion, *, nodes_max: int = NODES_MAX) -> Lineage | None:
        """The shortest way on which another version was made of this one; None if it was not.

        Raises:
            LineageCut: None was found among so many artifact versions and step runs.
        """
        return path(self._reader, self._key, other._key, nodes_max=nodes_max)

    @property
    def _key(self) -> VersionKey:
        return VersionKey(self.name, self.content)
