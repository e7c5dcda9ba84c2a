"""What goes from store to store: bundles, and whether what came in them is trusted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidDigest, InvalidReference, NotFound
from ..events.catalogue import ImportsTrusted, TrustRevoked
from ..events.ids import StoreId
from ..history import ArtifactVersionView, ArtifactView, Imported, PipelineView, RunView, StepRunView, Trust, View
from .opened import Opened

if TYPE_CHECKING:
    from ..bundles import Arrived, Written


class Exchanging(Opened):
    """The part of `Client` that exports and imports."""

    def export_bundle(self, path: str | os.PathLike[str], *of: str | View) -> Written:
        """Write a bundle: runs, steps or artifact versions with all that explains them, values included, in one file.

        `lineal.open` opens it where it is, and `import_bundle` takes it into another store. The same things of the same
        store at the same head give the same bytes. It is written whole or not at all, and durable on return.

        Args:
            path: Where nothing is yet.
            of: What `find` finds, a content id, or views; of a pipeline all its runs, of an artifact's view all its
                versions. By default everything.

        Raises:
            NotFound, InvalidReference: As `find` says.
            Invalid: Something is at the path.
            Conflict: A run goes on that is to be exported.
            BlobMissing, BlobCorrupt: Bytes are gone that no collection took, or are damaged.
        """
        from ..bundles import export_bundle

        things = [thing for one in of for thing in self._things(one)] if of else None
        return export_bundle(self._reader.store, Path(path), things)

    def _things(self, one: str | View) -> Iterable[RunView | StepRunView | ArtifactVersionView]:
        found = self._named(one) if isinstance(one, str) else one
        if isinstance(found, PipelineView):
            return list(found.runs)
        if isinstance(found, ArtifactView):
            return found.versions
        return [found]

    def _named(self, reference: str) -> View:
        try:
            return self.find(reference)
        except (NotFound, InvalidReference):
            try:
                names = self.versions_of(reference)
            except InvalidDigest:
                names = []
            if not names:
                raise
            return self.artifact(names[0])

    def import_bundle(self, path: str | os.PathLike[str]) -> Arrived:
        """Take what a bundle brings and this store lacks; durable on return. Once more, it brings nothing.

        Events keep their ids, so lineage goes on across stores, and equal content is stored once. Runs, artifact
        versions and versions of pipelines keep their numbers where those come after the ones that are here, else they
        get the next. Aliases that are set here stay. What executes code to be loaded is refused, and results are not
        reused, until `trust`.

        Raises:
            NotABundle, BundleCorrupt, BundleRefused, FormatTooNew: Nothing was imported, and the error says why.
            StoreFull, StoreBroken: Nothing was imported.
        """
        from ..bundles import import_bundle

        return import_bundle(self.store, Path(path))

    def imported(self) -> list[Imported]:
        """What was imported, by the store that it came from, and whether that is trusted."""
        return list(Trust(self._reader.store).imported())

    def trust(self, store: str | os.PathLike[str] | StoreId) -> Imported:
        """Trust what was imported from a store until now; durable on return.

        From then on its values may execute code to be loaded, and its results are reused. What is imported later,
        and only says that it is of that store, is not trusted by this.

        Args:
            store: Its id, or the beginning of that, or the path of a bundle that was written from it.

        Raises:
            NotFound: Nothing was imported from there.
            InvalidReference: Several stores have ids that begin so.
        """
        found = self._source(store)
        self.store.append([ImportsTrusted(found)]).wait()
        return self._imported_from(found)

    def distrust(self, store: str | os.PathLike[str] | StoreId) -> Imported:
        """Trust what was imported from a store no more; durable on return. What was reused by then stays."""
        found = self._source(store)
        self.store.append([TrustRevoked(found)]).wait()
        return self._imported_from(found)

    def _imported_from(self, store: StoreId) -> Imported:
        (found,) = (one for one in self.imported() if one.store == store)
        return found

    def _source(self, store: str | os.PathLike[str] | StoreId) -> StoreId:
        begin = _source_of_bundle(store) or str(store).lower()
        known = [one.store for one in self.imported()]
        found = [one for one in known if begin and str(one).startswith(begin)]
        if len(found) > 1:
            raise InvalidReference(f"{begin!r} is the beginning of several stores' ids", hint="Write more of it.")
        if not found:
            there = f"There is {', '.join(map(str, known))}." if known else "Nothing was imported yet."
            raise NotFound(f"nothing was imported from store {begin!r}", hint=there)
        return found[0]


def _source_of_bundle(store: str | os.PathLike[str] | StoreId) -> str | None:
    """The id of the store that a bundle was written from; None where none is named."""
    if isinstance(store, StoreId):
        return None
    from ..bundles import is_bundle, source_of

    path = Path(store)
    return str(source_of(path)) if is_bundle(path) else None
