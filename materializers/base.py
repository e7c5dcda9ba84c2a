"""The contract of a materializer, and the two narrow faces through which it writes and reads parts."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from ..cas.content import Content
from ..cas.digest import Buffer
from ..cas.manifest import Plain
from ..cas.source import Source
from ..cas.tree import FileEntry, Tree
from ..errors import Invalid
from ..immutable import Immutable
from .type_names import type_name as type_name
from .visualization import Visualization

T = TypeVar("T")

PLAIN_FORMAT = "python.plain/1"
"""Values of built-in types."""

PICKLE_FORMAT = "python.pickle/1"
"""The fallback: what has no format of its own is pickled."""

DEFINITION_FORMAT = "python.definition/1"
"""Classes that are saved beside the pickled values of them."""

CODE = "code"
"""The metadata that names the classes and functions of which a value is made, as `PartWriter.names` is told them."""

_SHOWN_MAX_CHARACTERS = 100
_OURSELVES = __name__.partition(".")[0]
_NOT_CODE_OF_VALUES = frozenset({*sys.stdlib_module_names, _OURSELVES, "cloudpickle"}) - {"__main__"}


def shown(label: object) -> str:
    """A label as a short text that can be printed and encoded."""
    text = label if type(label) is str else str(label)
    if len(text) > _SHOWN_MAX_CHARACTERS:
        text = f"{text[: _SHOWN_MAX_CHARACTERS - 1]}…"
    return text if text.isprintable() else ascii(text)


def name_of_code(code: Any) -> tuple[str, ...]:
    """``module:name`` of a class or function, ``module:`` of a module; nothing for those of Python, and nameless ones.

    What has no name of its own, as a lambda, is in the bytes itself, and so is all that it names.
    """
    if isinstance(code, ModuleType):
        return () if _is_pythons(code.__name__) else (f"{code.__name__}:",)
    module, name = code.__module__, code.__qualname__
    if not isinstance(module, str) or "<" in name or _is_pythons(module):
        return ()
    return (f"{module}:{name}",)


def _is_pythons(module: str) -> bool:
    return module == "builtins" or module.partition(".")[0] in _NOT_CODE_OF_VALUES


def code_in(metadata: Mapping[str, Any]) -> Sequence[str]:
    """The classes and functions that a value is made of, by its metadata."""
    names: Sequence[str] = metadata.get(CODE, ())
    return names


def is_built_in(materializer: Materializer[Any]) -> bool:
    """Whether this is a materializer of Lineal's own, whose bytes tell all of a value."""
    return type(materializer).__module__.partition(".")[0] == _OURSELVES


class TooDeep(Exception):
    """A value is nested in itself, or deeper than its format can be; the whole of it is pickled instead."""


class Selection(Immutable):
    """What of a value to load; the rest is left where it is."""

    columns: tuple[Hashable, ...] | None = None
    """Labels of a table's columns, in the order wanted; None for all."""
    rows: slice | None = None
    """Rows of a table, or the first axis of an array, without a step; None for all."""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.columns is None and self.rows is None


ALL = Selection()


class PartWriter(Protocol):
    """Takes the parts of one value, in the order in which they stay."""

    def buffer(self, name: str, data: Buffer, *, item_bytes: int = 1) -> None:
        """Add raw bytes: inside the manifest while they are small and there is room, else as a blob of their own.

        Args:
            name: Unlike that of any other part of this value, and the same for what takes the same place in another:
                large bytes are compared to those of this name in the version before.
            data: C-contiguous; it is not copied where it becomes a blob.
            item_bytes: Size of the elements that the bytes are made of.
        """

    def source(self, name: str, source: Source) -> None:
        """Add raw bytes that can be read at any place, in constant memory, as a blob of their own."""

    def stream(self, name: str, chunks: Iterable[Buffer]) -> None:
        """Add raw bytes as they come, in constant memory, as a blob of their own."""

    def value(self, name: str, value: object, *, step: str = "", pickled: bool = False) -> None:
        """Add another value in its own format.

        Args:
            name: Unlike that of any other part of this value.
            value: Anything that can be saved.
            step: How an error spells the way to it, as in ``['model']`` or ``.weights``.
            pickled: Take the fallback format, whatever the type.
        """

    def names(self, code: Iterable[str]) -> None:
        """Say which classes and functions the bytes name, as `name_of_code` gives them.

        Whoever uses the value runs their code, so that a change of it is a change of what he does.
        """

    def format_of(self, value: object) -> str:
        """The format in which this value would be saved."""

    def file(self, name: str, source: Path | FileEntry) -> bool:
        """Add the bytes of a file as `buffer` would, in constant memory; say whether its owner may execute it.

        Args:
            name: As for `buffer`.
            source: A regular file, a symbolic link to it being followed, or one in a store.
        """

    def directory(self, source: Path | Tree) -> Plain:
        """Add all that a directory holds as the parts of this value, which has no others; give the head it must have.

        Args:
            source: A directory, a symbolic link to it being followed, or one in a store.
        """


class PartReader(Protocol):
    """Gives out the parts of one value.

    Every method raises `ManifestCorrupt` where the part is not there or of another kind.
    """

    @property
    def may_import(self) -> bool:
        """Whether a class that the bytes name may be imported; not where the store is not trusted."""

    def names(self) -> tuple[str, ...]:
        """The parts' names, in the order in which they were written."""

    def size_bytes(self, name: str) -> int:
        """Size of raw bytes, without touching them."""

    def buffer(self, name: str, start: int = 0, stop: int | None = None) -> memoryview:
        """Raw bytes, or those between two offsets, as writable private memory.

        Large ones are mapped copy-on-write, and of a part of them only its own pages.
        """

    def value(self, name: str, selection: Selection | None = None) -> Any:
        """Another value, or what is selected of it, loaded anew at each call."""

    def file(self, name: str) -> Content:
        """Raw bytes to be read when they are asked for, in constant memory."""

    def directory(self) -> Tree:
        """The directory whose content the parts and the head are."""


class Materializer(ABC, Generic[T]):
    """Turns values of some types into a head and parts, and back.

    It keeps no state: one instance serves all threads. Equal values must give equal heads and parts in every process.
    A format id is forever: whatever changes the layout takes a new version, and its loader stays.
    """

    format: ClassVar[str]
    """Id and version, as in ``numpy.ndarray/1``."""
    types: ClassVar[tuple[str | type, ...]]
    """The types, best by qualified name, so that nothing is imported to decide; builtins go without a module.

    Those of the built-in materializers stand in the registry, which knows them before it imports one.
    """
    exact: ClassVar[bool] = False
    """Whether subclasses of the types are left to others."""
    runs_code: ClassVar[bool] = False
    """Whether loading may execute code that the stored bytes name."""

    @abstractmethod
    def save(self, value: T, parts: PartWriter) -> Plain:
        """Write the parts of a value; give the head, which is best kept below a few kilobytes."""

    @abstractmethod
    def load(self, head: Any, parts: PartReader) -> T:
        """Make the value again.

        Head and parts may be damaged: check them before use. A `LookupError`, `TypeError` or `ValueError`
        raised here reaches the caller as `ManifestCorrupt`.
        """

    def load_part(self, head: Any, parts: PartReader, selection: Selection) -> T:
        """Make only what is selected of the value, from the parts that hold it.

        Raises:
            Invalid: The format has no rows or columns to select from, or not those.
        """
        raise Invalid(
            f"a value of the format {self.format} can't be loaded in part",
            hint="Load it whole; columns can be selected of tables, rows of tables and arrays.",
            format=self.format,
        )

    def metadata(self, value: T) -> dict[str, Plain]:
        """Small facts worth searching for: shape, dtype, rows, columns."""
        return {}

    def visualize(self, value: T) -> Iterable[Visualization]:
        """What the value shows of itself, the most telling first; by default nothing.

        It is asked when a value is saved and may be asked again of what was loaded.
        """
        return ()


def check_rows_alone(materializer: Materializer[Any], selection: Selection) -> None:
    """Refuse columns where there are only rows to select."""
    if selection.columns is not None:
        raise Invalid(
            f"a value of the format {materializer.format} has no columns to select", hint="Select rows alone."
        )
