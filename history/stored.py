"""An artifact version by itself: what the event that made it says of it, and its bytes, as far as they are there."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cas.blob import walk
from ..cas.digest import Digest
from ..cas.manifest import Manifest
from ..errors import ArtifactNotFound
from ..events.catalogue import Output, Subject
from ..events.codec import Recorded
from ..events.merkle import TreeHead
from ..events.projections import Visualizations as Visualized
from ..events.projections.artifacts import version_in
from ..events.proof import InclusionProof
from ..events.rows import key
from .deletion import Deletion, deletion_of
from .eviction import Eviction, Release, eviction_of, explained, release_of
from .labels import Labelled, version_aliases
from .lineage_parts import made_as
from .proving import prove_inclusion
from .reader import Reader, moment
from .trust import Trust

if TYPE_CHECKING:
    from .exhibits import Exhibition
    from .exporting import Exported
    from .visualizations import Visualizations


class StoredVersion(Labelled):
    """One distinct content under an artifact's name."""

    def __init__(self, reader: Reader, name: str, content: Digest) -> None:
        self._reader = reader
        self.name = name
        """The artifact's name."""
        self.content = content
        """Content id: the digest of the value's manifest."""
        self._drawn: Visualizations | None = None

    @cached_property
    def version(self) -> int:
        """Number under the name, from 1."""
        found = version_in(self._reader.rows("artifacts"), self.name, self.content)
        if found is None:
            raise ArtifactNotFound(f"{self.name} has no version of this content", where=self.content)
        return int(found.row[1])

    @cached_property
    def _first(self) -> tuple[Recorded, Output]:
        found = version_in(self._reader.rows("artifacts"), self.name, self.content)
        if found is None:
            raise ArtifactNotFound(f"{self.name} has no version of this content", where=self.content)
        recorded = self._reader.event(found.seq)
        return recorded, made_as(recorded.event, self.name, self.content)

    @property
    def created(self) -> datetime:
        """When the version was first made."""
        return moment(self._first[0].time_us)

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""
        return self._first[1].type

    @property
    def format(self) -> str:
        """Format id and version it is stored in."""
        return self._first[1].format

    @property
    def size_bytes(self) -> int:
        """Logical size, shared blobs counted."""
        return self._first[1].size_bytes

    @property
    def subject(self) -> Subject:
        """It, as events name what they are about."""
        return Subject("version", self.name, self.content)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases that point to it, sorted."""
        return version_aliases(self._reader, self.name, self.content)

    @property
    def computed_metadata(self) -> dict[str, Any]:
        """What the materializer said of the value: shape, dtype, columns, and the like."""
        return self._first[1].metadata

    @property
    def metadata(self) -> dict[str, Any]:
        """What the materializer said of the value, and over that what was annotated of this version."""
        return {**self.computed_metadata, **self.annotations}

    @property
    def manifest(self) -> Manifest:
        """How the value is laid out in blobs."""
        return self._reader.manifest(self.content)

    def blobs(self) -> Iterator[Digest]:
        """What it is made of, its manifest first. Raises `BlobMissing` or `Corrupt` where a manifest can't be read."""
        yield self.content
        for part in walk(self._reader.store.blobs, self.manifest):
            yield part.digest

    def load(self, *, columns: Sequence[Hashable] | None = None, rows: slice | None = None) -> Any:
        """Load the value: a fresh one at each call, large buffers mapped, yours to change.

        Args:
            columns: Of a table, only the columns of these labels, in this order; the others are not touched.
            rows: Of a table, or along the first axis of an array, only these rows.

        Raises:
            Invalid: It has no such columns or rows.
            LoadRefused: That would execute code, and the store was opened not to, or the value was imported from one
                that is not trusted.
            ArtifactEvicted: It was collected; the hint says how to make it again.
            BlobMissing: Its bytes are gone all the same; the hint names the step run that can make them again.
            BlobCorrupt: Its bytes are not what was written.
        """
        from ..materializers.loading import load
        from .trust import may_execute

        reader = self._reader
        with self.explained():
            manifest = self.manifest
            allowed = may_execute(reader.store, manifest, allow_pickle=reader.allow_pickle)
            return load(manifest, reader.store.blobs, allow_pickle=allowed, columns=columns, rows=rows)

    read = load
    """The classic name of `load`."""

    def export(
        self, path: str | os.PathLike[str] | None = None, *, form: str | None = None, overwrite: bool = False
    ) -> Exported:
        """Write the value as the file that other programs read: CSV, Parquet, ``.npy``, PNG, JSON, text, a directory.

        It runs no code of users: of a value that is pickled, only what it shows of itself can be written.

        Args:
            path: Where; by default in the working directory, named for the artifact.
            form: One of `FileForm`; by default what the path's extension says, else the value's most natural one.
            overwrite: Replace a file that is there.

        Raises:
            Invalid: The value has no such form, or something is there.
            LoadRefused: Only code could load the value.
            ArtifactEvicted, BlobMissing, BlobCorrupt: As `load` says.
        """
        from ..materializers import load
        from ..materializers.natural import FileForm
        from .exporting import Exportable, export_version

        blobs, file_name = self._reader.store.blobs, str(self.computed_metadata.get("name", ""))
        with self.explained():
            value = partial(load, self.manifest, blobs, allow_pickle=False)
            return export_version(
                Exportable(str(self), self.name, file_name, value, self.visualizations),
                None if path is None else Path(path),
                None if form is None else FileForm(form),
                overwrite=overwrite,
            )

    @property
    def visualizations(self) -> Visualizations:
        """What the value shows of itself, as it was kept or, of a small one, drawn now; it runs no code of users."""
        from .visualizations import drawn_visualizations, kept_visualizations

        kept = kept_visualizations(self._reader, self.content)
        if kept is not None:
            return kept
        if not self._drawn:
            self._drawn = drawn_visualizations(self._reader, self.content)
        return self._drawn

    @property
    def kept_visualizations(self) -> list[str]:
        """The names of those that are kept, without a look at the value; of a small one none may be, which is drawn."""
        found = Trust(self._reader.store).newest(self._reader.rows(Visualized.name), key("c", self.content))
        return [] if found is None else [str(name) for name, *_ in found.row[0]]

    def visualize(self, path: str | os.PathLike[str] | None = None) -> Path | None:
        """Show what the value shows of itself, as it was kept.

        Args:
            path: Write a page there, which needs no other file, and do nothing else. By default a notebook displays
                it here; elsewhere a page is written to a temporary directory and opened in the browser.

        Returns:
            The page; None in a notebook.
        """
        from .showing import displayed, written

        if path is None and displayed(self):
            return None
        return written(self._exhibition().page(), str(self), path)

    def _exhibition(self) -> Exhibition:
        from .showing import facts_of, tables_of

        return self.visualizations.exhibition(str(self), facts_of(self), tables_of(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._exhibition().fragment()}

    def explained(self) -> AbstractContextManager[None]:
        """Say of bytes that are gone, inside the block, why they are and how to get them back."""
        return explained(self._reader, self.name, self.content)

    def prove(self, head: TreeHead | str | None = None) -> InclusionProof:
        """Prove that the event which first made it is in the log under a head, by default that of the view.

        Who knows the head can check the proof without the store: `lineal.events.proof.read_proof`.

        Raises:
            InvalidReference: The head is no head, or of before the event.
            LogCorrupt: The log does not lead to the head.
        """
        return prove_inclusion(self._reader, self._first[0].seq, self.name, self.content, head)

    @property
    def deletion(self) -> Deletion | None:
        """What took it out of the record, as of the view; None while it is there."""
        return deletion_of(self._reader, self.subject)

    @property
    def released(self) -> Release | None:
        """The collection that released it, as of the view; None while an event or a pin holds it."""
        return release_of(self._reader, self.content)

    @property
    def eviction(self) -> Eviction | None:
        """The collection that took its bytes away, as of the view; None while they were there."""
        return eviction_of(self._reader, self.content)

    @property
    def is_evicted(self) -> bool:
        """Whether its bytes had been taken away, as of the view; its lineage stays."""
        return self.eviction is not None

    @property
    def is_available(self) -> bool:
        """Whether its value can be loaded now, whatever the view is as of. Cost: a look at each of its blobs."""
        return self._reader.store.blobs.holds(self.content)

    @property
    def evicted_since(self) -> Eviction | None:
        """The collection that has taken its bytes away by now, whatever the view is as of; None if they are there."""
        return eviction_of(self._reader.at_present(), self.content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredVersion) and (self.name, self.content) == (other.name, other.content)

    def __hash__(self) -> int:
        return hash((self.name, self.content))

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    def __repr__(self) -> str:
        return f"<ArtifactVersion {self} {self.type} {str(self.content)[:12]}>"
