"""Visualizations as they are kept: what a content shows of itself, as of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from ..cas.blob import BlobReader
from ..cas.digest import Digest
from ..cas.memory import MemoryBlobs
from ..errors import BlobMissing, Corrupt, NotFound
from ..events.catalogue import ContentVisualized, StoredVisualization
from ..events.projections import Releases
from ..events.projections import Visualizations as Kept
from ..events.rows import key
from ..materializers import REGISTRY, Visualized, is_drawn_when_asked, load, may_show, visualize
from ..store import Store
from .exhibits import Exhibit, Exhibition
from .reader import Reader
from .references import near


class VisualizationView:
    """One picture, text or table that a value shows of itself; its bytes are read when asked for."""

    def __init__(self, blobs: BlobReader, stored: StoredVisualization) -> None:
        self._blobs = blobs
        self.name = stored.name
        """Unlike that of any other of the same value."""
        self.media_type = stored.media_type
        """As in ``image/svg+xml``."""
        self.blob = Digest(stored.blob)
        """The blob of its bytes, which is in the store if it is kept drawn."""
        self.size_bytes = stored.size_bytes

    def read(self) -> bytes:
        """Its bytes. Raises `BlobMissing` if they were collected, as they are with the content."""
        return self._blobs.read(self.blob)

    def exhibit(self) -> Exhibit:
        """It for a page, its bytes None where they are gone."""
        try:
            return Exhibit(self.name, self.media_type, self.read())
        except BlobMissing:
            return Exhibit(self.name, self.media_type, None)

    def _repr_html_(self) -> str:
        return Exhibition([self.exhibit()]).fragment()

    def __repr__(self) -> str:
        return f"<Visualization {self.name!r} {self.media_type} {self.size_bytes:,} B>"


class Visualizations(Sequence[VisualizationView]):
    """What a content shows of itself, the most telling first."""

    def __init__(self, reader: Reader, content: Digest) -> None:
        found = reader.rows(Kept.name).latest(key("c", content))
        blobs: BlobReader = reader.store.blobs
        if found is None:
            blobs, (kept, problems) = _drawn_now(reader, content)
        else:
            kept, problems = found.row
        self._views = [VisualizationView(blobs, StoredVisualization(*one)) for one in kept]
        self.problems: tuple[str, ...] = tuple(problems)
        """What went wrong when it was drawn, so that some are missing."""

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [view.name for view in self._views]

    @overload
    def __getitem__(self, index: int | str) -> VisualizationView: ...

    @overload
    def __getitem__(self, index: slice) -> list[VisualizationView]: ...

    def __getitem__(self, index: int | str | slice) -> VisualizationView | list[VisualizationView]:
        if not isinstance(index, str):
            return self._views[index]
        found = [view for view in self._views if view.name == index]
        if not found:
            raise NotFound(f"no visualization is called {index!r}", hint=near(index, self.names))
        return found[0]

    def __len__(self) -> int:
        return len(self._views)

    def __iter__(self) -> Iterator[VisualizationView]:
        return iter(self._views)

    def exhibition(self, title: str = "", facts: Iterable[tuple[str, str]] = ()) -> Exhibition:
        """All of them for one page, under what is said of the value."""
        return Exhibition([view.exhibit() for view in self], self.problems, title, facts)

    def _repr_html_(self) -> str:
        return self.exhibition().fragment()

    def __repr__(self) -> str:
        problems = "".join(f", {problem}" for problem in self.problems)
        return f"<Visualizations {', '.join(self.names) or 'none'}{problems}>"


def _drawn_now(reader: Reader, content: Digest) -> tuple[BlobReader, Visualized]:
    """What a plain, small value shows of itself, drawn here; of others nothing."""
    drawn = MemoryBlobs()
    try:
        manifest = reader.manifest(content)
    except (BlobMissing, Corrupt):
        return drawn, Visualized((), ())
    if not is_drawn_when_asked(manifest):
        return drawn, Visualized((), ())
    value = load(manifest, drawn, allow_pickle=False)
    materializer = REGISTRY.for_value(value)
    return drawn, visualize(value, materializer, drawn) if may_show(value, materializer) else Visualized((), ())


def is_visualized(store: Store, content: Digest) -> bool:
    """Whether it is kept, as far as is committed, what a content shows of itself, and will be while the content is."""
    found = store.committed_rows(Kept.name).latest(key("c", content))
    released = None if found is None else store.committed_rows(Releases.name).latest(key("c", content))
    if found is None or (released is not None and released.row[0] >= found.seq):
        return False
    return all(store.blobs.row(Digest(blob)) is not None for _, _, blob, _ in found.row[0])


def content_visualized(content: Digest, shown: Visualized) -> ContentVisualized:
    """The event that keeps what a content shows of itself."""
    return ContentVisualized(content, tuple(map(StoredVisualization._make, shown.visualizations)), shown.problems)
