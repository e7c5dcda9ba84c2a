"""A bundle opened where it is: its events in a log of their own, in a temporary directory, its large blobs in the file.

Nothing is written beside the bundle. The log has the events in the bundle's order, so their positions are not those of
the store that it was written from; ids, names and numbers are.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ..cas import Blob, BlobFiles, BlobStore, Cut, Digest, Environment, Extent, Volume, VolumeKind
from ..cas.files import MAP_FROM_BYTES
from ..cas.manifest import INLINE_MAX_BYTES
from ..directory import create_replica
from ..events.catalogue import ImportsTrusted
from ..store import Store
from .checking import check_bundle
from .importing import Intake
from .reading import Bundle


def open_bundle(path: Path) -> Store:
    """Open a bundle as a store that holds what it brings; it is to be read only, and closed.

    Cost: about 50 µs an event, and a file of a kilobyte for each in the directory for temporary files.

    Raises:
        NotABundle, BundleCorrupt, BundleRefused, FormatTooNew: It can't be opened, and the error says why.
    """
    folder = TemporaryDirectory(prefix="lineal-bundle-")
    try:
        with Bundle(path) as bundle:
            check_bundle(bundle, None, None)
            home = Path(folder.name)
            create_replica(home, bundle.table.store, next(bundle.bodies()))
            store = Store(home, read_only=False, blobs=partial(_BundleBlobs, home, path.resolve(), bundle))
            store.until_closed.callback(folder.cleanup)
            store._users = 1
            with store.exclusively() as changes:
                large = [_blob_at(bundle, digest) for digest in bundle.placed if _is_large(bundle, digest)]
                store.copy_within(changes, Intake(store, bundle, changes).stretches(large))
            store.append([ImportsTrusted(store.id)]).wait()
    except BaseException:
        folder.cleanup()
        raise
    store.place = path.resolve()
    return store


def _is_large(bundle: Bundle, digest: Digest) -> bool:
    return bundle.placed[digest].held.size_bytes > INLINE_MAX_BYTES


def _blob_at(bundle: Bundle, digest: Digest) -> Blob:
    offset, held = bundle.placed[digest]
    place = Cut((Extent(_volume_of(bundle), offset, held.size_bytes),))
    return Blob(digest, held.size_bytes, held.kind, place)


def _volume_of(bundle: Bundle) -> Volume:
    return Volume(VolumeKind.PACK, bundle.id, bundle.size_bytes)


class _BundleFiles(BlobFiles):
    """The files of a store whose one pack is a bundle."""

    def __init__(self, home: Path, path: Path, volume: Volume) -> None:
        super().__init__(home)
        self._path, self._volume = path, volume

    def complete(self) -> None:
        self._scratch.mkdir(exist_ok=True)

    def _volume_text(self, volume: Volume) -> str:
        return str(self._path) if volume == self._volume else super()._volume_text(volume)

    def verify_volume(self, volume: Volume, stage: object = None) -> None:
        """Its name is not its digest, and its blobs are verified one by one: what counts is that it is there."""
        if volume == self._volume:
            with Bundle(self._path):
                return
        super().verify_volume(volume)


class _BundleBlobs(BlobStore):
    """Blobs of a bundle. Those that are mapped are verified when first asked for: the file may come from afar."""

    def __init__(self, home: Path, path: Path, bundle: Bundle, environment: Environment) -> None:
        super().__init__(environment, _BundleFiles(home, path, _volume_of(bundle)))
        self._verified: set[Digest] = set()

    def view(self, digest: Digest, size_bytes: int, start: int = 0, stop: int | None = None) -> memoryview:
        if size_bytes >= MAP_FROM_BYTES and digest not in self._verified:
            self.verify(digest)
            self._verified.add(digest)
        return super().view(digest, size_bytes, start, stop)
