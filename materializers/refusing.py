"""Where in a stored value the code is for which loading it is refused: told without loading it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..cas.blob import BlobReader, read_manifest
from ..cas.digest import Digest
from ..cas.manifest import Manifest, ManifestPart, Part
from ..cas.tree import DIRECTORY_FORMAT
from ..errors import LinealError
from .base import PLAIN_FORMAT


def nested(manifest: Manifest, blobs: BlobReader) -> Iterator[Manifest]:
    """The manifest and all those in it; of those that are blobs of their own each once, read when it is their turn."""
    met: set[Digest] = set()
    waiting: list[Part] = [manifest]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ManifestPart) and part.digest not in met:
            met.add(part.digest)
            part = read_manifest(blobs, part.digest)
        if isinstance(part, Manifest):
            yield part
            if part.format == DIRECTORY_FORMAT:
                continue  # It holds no values, and may be large.
            waiting.extend(inner for _, inner in part.parts if isinstance(inner, Manifest | ManifestPart))


def way_to(manifest: Manifest, blobs: BlobReader, is_refused: Callable[[Manifest], bool]) -> str:
    """The way to the first refused value inside another, as Python would go it: ``value['model']``."""
    steps = ["value"]
    while not is_refused(manifest):
        for name, part in manifest.parts:
            inner = read_manifest(blobs, part.digest) if isinstance(part, ManifestPart) else part
            if isinstance(inner, Manifest) and any(map(is_refused, nested(inner, blobs))):
                steps.append(_step(manifest, name))
                manifest = inner
                break
        else:
            break
    return "".join(steps)


class _Any(list[object]):
    """As many objects as are asked for, of which one is looked for."""

    def __init__(self, wanted: int, target: object) -> None:
        self._wanted = wanted
        self._target = target

    def __getitem__(self, index: Any) -> Any:
        return self._target if index == self._wanted else object()


def _step(manifest: Manifest, name: str) -> str:
    """From a value to its part of this name."""
    kind, _, number = name.partition(".")
    if manifest.format != PLAIN_FORMAT or kind not in ("child", "opaque"):
        return f".{name}"
    from .paths import path_to  # Looking at a store refuses nothing, and imports neither.
    from .tree import decode

    target = object()
    try:
        head: Any = manifest.head
        tree: Any = head[1] if head[1] is not None else dict(manifest.parts)["data"]
        children, opaque = _Any(int(number or -1), target), _Any(-1 if number else 0, target)
        return path_to(decode(tree, True, children, opaque), target)
    except (LinealError, LookupError, TypeError, ValueError):
        return f".{name}"  # It is damaged, or large and elsewhere.
