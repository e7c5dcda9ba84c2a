"""Source files of a step's code, gathered once the store meets that code for the first time.

The step reaches definitions; whoever is to run or read them again needs whole files, and those that they import.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from types import ModuleType

from ...cas import BlobWriter, Digest
from ...history.sources import SourceFile, SourceIndex
from ..fingerprint.boundary import Origins
from ..fingerprint.definitions import SourceText
from ..fingerprint.graph import Node
from ..fingerprint.main_module import module_named
from ..fingerprint.sources import SOURCES

FILE_MAX_BYTES = 1024 * 1024
TOTAL_MAX_BYTES = 16 * 1024 * 1024
FILES_MAX = 1000
_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import\b|import[ \t]+([^#\r\n;]+))", re.MULTILINE)
_SCRIPT = "__main__"


def capture_sources(nodes: Iterable[Node], batch: BlobWriter) -> tuple[Digest, tuple[Digest, ...]]:
    """Put the source files of all code that a step reaches, and of what they import, into a batch.

    What can't be read, or is too large, is left out, and the index says why. Cost: that of reading the project's files
    that are imported by now, about 0.1 ms each.

    Args:
        nodes: As `CodeWalker.reached` gives them.
        batch: What takes the index and the files.

    Returns:
        The digests of the index, and of the files.
    """
    gathering = _Gathering(batch)
    for node in nodes:
        gathering.take(node)
    gathering.take_imported()
    index = SourceIndex.of(gathering.files.values(), gathering.places)
    digests = {file.digest for file in index.files if file.digest is not None}
    return batch.put(index.encoded), tuple(sorted(digests))


class _Gathering:
    """The files of one step's code, as far as they are found."""

    def __init__(self, batch: BlobWriter) -> None:
        self.files: dict[tuple[str, Digest | None], SourceFile] = {}
        """By module and digest of the text."""
        self.places: list[tuple[str, SourceFile, int, int]] = []
        self._batch = batch
        self._origins = Origins()
        self._modules: dict[str, SourceText | None] = {}
        """What was taken of each module last."""
        self._total_bytes = 0

    def take(self, node: Node) -> None:
        """Take the text of a definition, and of the modules whose names it reads."""
        if node.definition is not None:
            definition = node.definition
            module = node.symbol.split(":")[1]
            file = self._take_text(module, definition.source)
            self.places.append((node.symbol, file, definition.first_line, definition.last_line))
        for symbol in node.entries:
            kind, _, place = symbol.partition(":")
            module, _, name = place.partition(":")
            if kind in ("value", "name", "module") and self._is_projects(module):
                text = self._take_module(module)
                if text is not None and name.isidentifier():
                    file = self.files[module, text.digest]
                    self.places += [(symbol, file, *lines) for lines in text.binding_lines(name)]

    def take_imported(self) -> None:
        """Take the modules that those taken by now import, and the packages that they are in, and so on."""
        waiting = [*self._modules]
        for name in waiting:
            for other in (*_packages_of(name), *self._imports(name)):
                if other not in self._modules and self._is_projects(other):
                    self._take_module(other)
                    waiting.append(other)

    def _is_projects(self, module: str) -> bool:
        return module_named(module) is not None and self._origins.is_followed(module)

    def _imports(self, name: str) -> Iterator[str]:
        module = module_named(name)
        text = self._modules.get(name)
        if module is None:
            return
        for value in [*vars(module).values()]:
            if isinstance(value, ModuleType):
                yield value.__name__
        for found in _IMPORT.finditer(b"" if text is None else text.source):
            if found[1]:
                yield _absolute(found[1].decode(), module)
            else:
                yield from (part.split()[0] for part in found[2].decode("utf-8", "replace").split(",") if part.split())

    def _take_module(self, name: str) -> SourceText | None:
        """The text of a module as a whole: that of its code if some was taken, else that of its file."""
        if name in self._modules:
            return self._modules[name]
        self._modules[name] = None
        module = module_named(name)
        path = getattr(module, "__file__", None)
        if not isinstance(path, str):
            return None
        size_bytes = _size_bytes(path)
        texts = SOURCES.texts(path, vars(module)) if size_bytes is None or size_bytes <= FILE_MAX_BYTES else []
        if texts:
            self._take_text(name, texts[0])
            return texts[0]
        self._add(SourceFile(name, *_place_of(name, path), None, _why_left_out(size_bytes)))
        return None

    def _take_text(self, module: str, text: SourceText) -> SourceFile:
        self._modules[module] = text
        known = self.files.get((module, text.digest))
        if known is not None:
            return known
        size_bytes = len(text.source)
        left_out = _why_left_out(size_bytes) if size_bytes > FILE_MAX_BYTES else None
        if self._total_bytes + size_bytes > TOTAL_MAX_BYTES or len(self.files) >= FILES_MAX:
            left_out = f"the files are more than {FILES_MAX:,}, or {TOTAL_MAX_BYTES:,} bytes"
        if left_out is None:
            self._total_bytes += size_bytes
            self._batch.put(text.source)
        place = _place_of(module, text.filename)
        file = SourceFile(module, *place, None if left_out else text.digest, left_out)
        self.files[module, text.digest] = file
        return file

    def _add(self, file: SourceFile) -> None:
        self.files[file.module, file.digest] = file


def _place_of(name: str, filename: str) -> tuple[str | None, bool]:
    """A file relative to where imports begin, and whether it is a package; no path for text that no file holds."""
    module = module_named(name)
    is_package = hasattr(module, "__path__")
    if not os.path.isabs(filename) or (not os.path.exists(filename) and filename != getattr(module, "__file__", None)):
        return None, is_package
    spec = getattr(module, "__spec__", None) if name == _SCRIPT else None
    levels = (name if spec is None else spec.name).count(".") + is_package  # A script has a spec under ``python -m``.
    return "/".join(filename.split(os.sep)[-1 - levels :]), is_package


def _packages_of(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _absolute(name: str, module: ModuleType) -> str:
    """The module that ``from name import`` names in this one."""
    stem = name.lstrip(".")
    level = len(name) - len(stem)
    if not level:
        return name
    package = (getattr(module, "__package__", None) or "").split(".")
    return ".".join([*package[: len(package) - level + 1], *([stem] if stem else [])])


def _size_bytes(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return None


def _why_left_out(size_bytes: int | None) -> str:
    if size_bytes is None or size_bytes <= FILE_MAX_BYTES:
        return "it can't be read"
    return f"it has {size_bytes:,} bytes, more than {FILE_MAX_BYTES:,}"
