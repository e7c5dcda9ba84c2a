"""Visualizations as they are kept: what a content shows of itself, as of a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from ..cas.blob import BlobReader
from ..cas.digest import Digest
from ..cas.manifest import Manifest
from ..cas.memory import MemoryBlobs
from ..errors import BlobMissing, Corrupt, LinealError, NotFound
from ..events.catalogue import ContentVisualized, StoredVisualization
from ..events.projections import Releases
from ..events.projections import Visualizations as Kept
from ..events.rows import key
from ..materializers import (
    REGISTRY,
    Visualized,
    is_drawn_when_asked,
    load,
    may_show,
    runs_ours_alone,
    visualize,
)
from ..materializers.markup import Markup
from ..store import Store
from .exhibits import Exhibit, Exhibition
from .reader import Reader
from .references import near
from .trust import Trust


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

    def __init__(self, blobs: BlobReader, shown: Iterable[StoredVisualization], problems: Iterable[str]) -> None:
        self._views = [VisualizationView(blobs, one) for one in shown]
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

    def exhibition(
        self, title: str = "", facts: Iterable[tuple[str, str]] = (), tables: Iterable[Markup] = ()
    ) -> Exhibition:
        """All of them for one page, under what is said of the value and its parts."""
        return Exhibition([view.exhibit() for view in self], self.problems, title, facts, tables)

    def _repr_html_(self) -> str:
        return self.exhibition().fragment()

    def __repr__(self) -> str:
        problems = "".join(f", {problem}" for problem in self.problems)
        return f"<Visualizations {', '.join(self.names) or 'none'}{problems}>"


def kept_visualizations(reader: Reader, content: Digest) -> Visualizations | None:
    """What is kept of what a content shows of itself; None where nothing is, or it is gone and can be drawn anew."""
    found = Trust(reader.store).newest(reader.rows(Kept.name), key("c", content))
    if found is None:
        return None
    kept, problems = found.row
    shown = [StoredVisualization(*one) for one in kept]
    blobs = reader.store.blobs
    is_gone = any(blobs.row(Digest(one.blob)) is None for one in shown)
    return None if is_gone and _can_be_drawn(reader, content) else Visualizations(blobs, shown, problems)


def drawn_visualizations(reader: Reader, content: Digest) -> Visualizations:
    """What a value shows of itself, drawn here in memory, if it is small or was kept drawn; else nothing."""
    drawn = MemoryBlobs()
    shown = Visualized((), ())
    try:
        manifest = reader.manifest(content)
        if is_drawn_when_asked(manifest) or reader.rows(Kept.name).latest(key("c", content)) is not None:
            shown = _drawn(manifest, reader.store.blobs, drawn)
    except BlobMissing:
        pass
    except LinealError as error:
        shown = Visualized((), (str(error),))
    return Visualizations(drawn, map(StoredVisualization._make, shown.visualizations), shown.problems)


def _drawn(manifest: Manifest, blobs: BlobReader, drawn: MemoryBlobs) -> Visualized:
    value, materializer = load(manifest, blobs, allow_pickle=False), REGISTRY.for_format(manifest.format)
    return visualize(value, materializer, drawn) if may_show(value, materializer) else Visualized((), ())


def _can_be_drawn(reader: Reader, content: Digest) -> bool:
    """Whether a content is there, and loads and draws without code but ours."""
    try:
        return runs_ours_alone(reader.manifest(content), reader.store.blobs)
    except (BlobMissing, Corrupt):
        return False


def is_visualized(store: Store, content: Digest) -> bool:
    """Whether it is kept, as far as is committed, what a content shows of itself, and will be while the content is."""
    trust = Trust(store)
    found = trust.newest(store.committed_rows(Kept.name), key("c", content))
    if found is not None and trust.doubted_source(found.seq) is not None:
        return False
    released = None if found is None else store.committed_rows(Releases.name).latest(key("c", content))
    if found is None or (released is not None and released.row[0] >= found.seq):
        return False
    return all(store.blobs.row(Digest(blob)) is not None for _, _, blob, _ in found.row[0])


def content_visualized(content: Digest, shown: Visualized) -> ContentVisualized:
    """The event that keeps what a content shows of itself."""
    return ContentVisualized(content, tuple(map(StoredVisualization._make, shown.visualizations)), shown.problems)
