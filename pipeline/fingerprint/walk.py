"""The walk: from a step to its code manifest."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from glob import glob, has_magic
from types import FunctionType, ModuleType
from typing import Any

from ...cas.digest import Digest, digest_of
from ...errors import InvalidPipeline
from ...history.code import CodeManifest, Entry
from .framing import frame_all, frame_bytes, frame_str
from .graph import CodeGraph, Node
from .live import declared_function
from .main_module import module_named
from .sources import file_digest

DEFAULT_IGNORES = ("tqdm", "typing_extensions")
"""What shows progress or types, and so determines no result."""
PYTHON_VERSION = "{}.{}".format(*sys.version_info) + " -O" * sys.flags.optimize  # without what asserts say

_Memo = tuple[object, object, tuple[object, ...], CodeManifest]


class CodeWalker:
    """Walks the code of the steps of one plan; what several steps share is walked once.

    It sees the code as it is when it first meets it: use a new walker for each plan. Not for several threads at once.
    Cost: about 0.05 ms per function reached, and 0.7 ms where its source is new to the process; a microsecond for a
    step seen before. Modules of the project that a step imports when it runs are imported now.
    """

    def __init__(self) -> None:
        self._graph = CodeGraph()
        self._memo: dict[tuple[object, ...], _Memo] = {}

    def manifest(
        self,
        function: Any,
        *,
        ignore: Sequence[str] = (),
        depends_on: Sequence[object] = (),
        version: str | None = None,
        carried: Sequence[str] = (),
    ) -> CodeManifest:
        """The code manifest of a step, function, class or other callable.

        Args:
            function: What to walk; a step of ours stands for its function.
            ignore: Modules, distributions, or ``module:name``, that count for nothing, and what only they reach too.
            depends_on: What counts in addition: objects, paths of files or directories or patterns as ``sql/*.sql``
                (relative to the function's file, else to the working directory), names of modules, ``module:name``.
            version: What stands for the function's code, and all it reaches, where the author says so.
            carried: Classes and functions that inputs are made of, as ``module:name``: the step may run their code
                without naming it.

        Raises:
            InvalidPipeline: An entry of ``depends_on`` names nothing.
        """
        function = declared_function(function)
        key = (id(function), version, *ignore, None, *carried, None, *map(_memo_key, depends_on))
        known = self._memo.get(key)
        code = getattr(function, "__code__", None)
        if known is not None and known[0] is function and known[1] is code:
            return known[3]
        if known is not None:
            self._graph = CodeGraph()
        root = self._roots(function, depends_on, version, carried)
        manifest = self._assemble(root, (*DEFAULT_IGNORES, *ignore))
        self._memo[key] = (function, code, tuple(depends_on), manifest)
        return manifest

    def reached(
        self,
        function: Any,
        *,
        ignore: Sequence[str] = (),
        depends_on: Sequence[object] = (),
        carried: Sequence[str] = (),
    ) -> list[Node]:
        """All code that the step reaches, a node that stands for the step first; arguments as of `manifest`."""
        root = self._roots(declared_function(function), depends_on, carried=carried)
        return [*self._reached(root, (*DEFAULT_IGNORES, *ignore))]

    def _roots(
        self, function: Any, depends_on: Sequence[object], version: str | None = None, carried: Sequence[str] = ()
    ) -> Node:
        """A node that stands for the step: what it is, and what it declares to depend on."""
        root = Node(function, "root", is_expanded=True)
        if version is None:
            self._graph.bind(root, "root", function)
            root.entries["root"] = root.entries.pop("name:root", "") or root.entries.pop("value:root")
        else:
            root.entries["root"] = f"version {version} of {function.__module__}:{function.__qualname__}"
        for position, dependency in enumerate(depends_on):
            if isinstance(dependency, (str, os.PathLike)):
                self._depend_on_name(root, os.fspath(dependency), _directory_of(function))
            else:
                self._graph.bind(root, f"depends_on[{position}]", dependency)
        for name in carried:
            self._carry(root, name)
        return root

    def _carry(self, root: Node, name: str) -> None:
        """Let the step reach code that an input names."""
        module, _, qualname = name.partition(":")
        place = f"carried:{name}"
        if not self._graph.origins.is_followed(module):
            self._graph.reach(root, ModuleType(module))
            root.entries[place] = "others'"
            return
        target: Any = _imported(module, self._graph)
        for part in qualname.split(".") if qualname else ():
            target = getattr(target, part, None)
        root.entries[place] = "the project's" if target is not None else "gone"
        if target is not None:
            self._graph.bind(root, name, target)

    def _assemble(self, root: Node, ignore: Sequence[str]) -> CodeManifest:
        entries: dict[str, Entry] = {"python": PYTHON_VERSION}
        several: dict[str, set[Entry]] = {}
        flags: set[str] = set()
        for node in self._reached(root, ignore):
            flags |= node.flags
            for symbol, entry in node.entries.items():
                if entries.setdefault(symbol, entry) != entry:
                    several.setdefault(symbol, {entries[symbol]}).add(entry)
        for symbol, values in several.items():
            entries[symbol] = _combined(values)
        kept = {symbol: entry for symbol, entry in entries.items() if not _is_ignored(symbol, ignore)}
        return CodeManifest.of(kept, flags)

    def _reached(self, root: Node, ignore: Sequence[str]) -> Iterator[Node]:
        """Every node below the root, itself first, expanded."""
        pending, seen = [root], {id(root)}
        libraries: set[str] = set()
        planted: set[str] = set()
        while pending:
            node = self._graph.expand(pending.pop())
            if node.library is not None:
                libraries.add(node.library)
            yield node
            for other in node.reached.values():
                if id(other) not in seen and not _is_ignored(other.symbol, ignore):
                    seen.add(id(other))
                    pending.append(other)
            if not pending and libraries - planted:  # at last: what is imported on the way plants, too
                pending += self._graph.planted_into(libraries - planted)
                planted |= libraries

    def _depend_on_name(self, root: Node, name: str, directory: str) -> None:
        for base in (directory, os.getcwd()):
            path = os.path.join(base, name)
            if os.path.exists(path):
                root.entries.update(_file_entries(path, name))
                return
            if found := _matching(name, base):
                for match in found:
                    root.entries.update(_file_entries(os.path.join(base, match), match))
                return
        module, _, attribute = name.partition(":")
        target: Any = _imported(module, self._graph)
        if target is None:
            raise InvalidPipeline(
                f"depends_on names {name!r}, which is no file or module",
                hint="Give a path or pattern relative to the step's file, or an importable name.",
            )
        if attribute:
            for part in attribute.split("."):
                target = getattr(target, part)
            self._graph.bind(root, name, target)
        else:
            self._graph.reach(root, target)


def carried_by(manifest: CodeManifest) -> tuple[str, ...]:
    """The classes and functions that the inputs were made of for which a step has this manifest."""
    kind = "carried:"
    return tuple(symbol.removeprefix(kind) for symbol in manifest.entries if symbol.startswith(kind))


def code_manifest(function: Any, *, ignore: Sequence[str] = (), depends_on: Sequence[object] = ()) -> CodeManifest:
    """The code manifest of one step; see `CodeWalker.manifest`."""
    return CodeWalker().manifest(function, ignore=ignore, depends_on=depends_on)


def _memo_key(dependency: object) -> object:
    return dependency if isinstance(dependency, str) else id(dependency)


def _directory_of(function: Any) -> str:
    code = getattr(function, "__code__", None)
    filename = code.co_filename if isinstance(function, FunctionType) and code else ""
    return os.path.dirname(filename) if os.path.exists(filename) else os.getcwd()


def _imported(name: str, graph: CodeGraph) -> ModuleType | None:
    """The module; of others' modules only the name is needed."""
    try:
        module = module_named(name)
        if module is None and importlib.util.find_spec(name) is None:
            return None
    except (ImportError, ValueError):
        return None
    if module is not None:
        return module
    return importlib.import_module(name) if graph.origins.is_followed(name) else ModuleType(name)


def _file_entries(path: str, name: str) -> Iterable[tuple[str, Entry]]:
    """The files at a path by the name they were declared with; a directory's by their place in it."""
    shown = os.path.basename(os.path.normpath(name)) if os.path.isabs(name) else name.replace(os.sep, "/")
    if not os.path.isdir(path):
        yield f"file:{shown}", _digest(path)
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for file in sorted(names):
            below = os.path.relpath(os.path.join(folder, file), path).replace(os.sep, "/")
            yield f"file:{shown.rstrip('/')}/{below}", _digest(os.path.join(folder, file))


def _matching(pattern: str, base: str) -> list[str]:
    """What a pattern of the shell means in a directory, ``**`` included; nothing if it is none."""
    return sorted(glob(pattern, root_dir=base, recursive=True)) if has_magic(pattern) else []


def _digest(path: str) -> Digest:
    digest = file_digest(path)
    if digest is None:
        raise InvalidPipeline("a file that a step depends on can't be read", where=path, hint="Make it readable.")
    return digest


def _combined(entries: set[Entry]) -> Digest:
    """One digest for a symbol that several pieces of code share."""
    framed = [frame_str(entry) if isinstance(entry, str) else frame_bytes(entry) for entry in entries]
    return digest_of(frame_all(b"S", sorted(framed)))


def _is_ignored(symbol: str, ignore: Sequence[str]) -> bool:
    kind, _, place = symbol.partition(":")
    if kind == "python" or kind == "root":
        return False
    module = place.partition(":")[0]
    return any(place == name or place.startswith((f"{name}:", f"{name}.")) or module == name for name in ignore)
