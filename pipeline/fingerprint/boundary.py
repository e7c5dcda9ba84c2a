"""Where the project ends: what is followed into its source, and what counts by name and version.

First-party is everything outside of the standard library and of the site directories, editable installs included.
Lineal itself is never followed, wherever it is installed.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum, auto
from importlib.machinery import PathFinder
from inspect import getattr_static
from types import FunctionType, ModuleType
from typing import Any

_OURSELVES = __name__.partition(".")[0]
_SITE_DIRECTORIES = ("site-packages", "dist-packages")
_COMPILED = (".so", ".pyd", ".dll", ".dylib")


MAKERS_OF_CLASSES = frozenset({"types", "dataclasses", "collections", "enum", "typing", "abc", "attr._make"})
"""Modules that classes made by a call may name as their own."""
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


class Party(Enum):
    """Whose code a module is."""

    FIRST = auto()
    """The project's: followed into its source."""
    COMPILED = auto()
    """The project's, without source: counts by the digest of its file."""
    THIRD = auto()
    """A distribution's: counts by name and version."""
    STDLIB = auto()
    """Python's: counts by the minor version."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a module comes from."""

    party: Party
    distribution: str | None = None
    """Normalised name, for third-party modules that a distribution owns."""
    version: str | None = None
    path: str | None = None
    """The file, for compiled modules and for third-party ones that no distribution owns; never hashed itself."""


_FIRST = Origin(Party.FIRST)
_STDLIB = Origin(Party.STDLIB)


def origin_of_module(name: str, path: str | None = None) -> Origin:
    """Whose code the module of this name is.

    Args:
        name: The module's full name; it need not be imported.
        path: A file that its code names, for when the module itself names none.
    """
    top = name.partition(".")[0]
    if top == _OURSELVES:
        return _distribution_origin(top, None)
    if name == "__main__":
        return _FIRST
    module = sys.modules.get(name)
    path = _module_path(module) or path
    if path is None or path.startswith("<"):
        path = _module_path(sys.modules.get(top))
    if path is None:
        return _STDLIB if top in sys.stdlib_module_names or top == "builtins" else _unlocated(top, module)
    return _origin_of_path(top, path)


class Origins:
    """Where modules come from, looked up once each."""

    def __init__(self) -> None:
        self._known: dict[str, Origin] = {}

    def of(self, module: str, path: str | None = None) -> Origin:
        """The origin of a module; see `origin_of_module`."""
        origin = self._known.get(module)
        if origin is None:
            origin = self._known[module] = origin_of_module(module, path)
        return origin

    def of_class(self, kind: type) -> Origin:
        """The origin of a class; one that a call made counts as the project's, whatever module it names."""
        module: object = kind.__module__
        if not isinstance(module, str):
            return _FIRST
        if module in MAKERS_OF_CLASSES and getattr(sys.modules.get(module), kind.__qualname__, None) is not kind:
            return _FIRST if kind.__flags__ & _HEAP_TYPE else _STDLIB
        return self.of(module)

    def is_followed(self, module: object, path: str | None = None) -> bool:
        """Whether the module's source is the project's; what names none, as a class made in C may, has no source."""
        return isinstance(module, str) and self.of(module, path).party is Party.FIRST


def is_outside_project(directory: str) -> bool:
    """Whether a directory on the import path has others' code: that of distributions, or the standard library's."""
    below = os.path.join(directory, "")
    return _site_directory(below) is not None or below.startswith(_STDLIB_DIRECTORIES) or directory.endswith(".zip")


def module_name_of(namespace: dict[str, Any]) -> str:
    """The name under which a module's code is known, the same in a spawned worker as in the script itself."""
    name = namespace.get("__name__")
    if not isinstance(name, str):
        name = _name_in_definitions(namespace)
    return "__main__" if name == "__mp_main__" else name


def _name_in_definitions(namespace: dict[str, Any]) -> str:
    """The name that a module had when it defined its functions: ``%run`` of IPython takes it away afterwards."""
    for value in namespace.values():
        function = getattr_static(value, "__wrapped__", value)
        if type(function) is FunctionType and function.__globals__ is namespace and type(function.__module__) is str:
            return function.__module__
    return "__unnamed__"


def _unlocated(top: str, module: ModuleType | None) -> Origin:
    """A module without file: looked up if it is not imported, else made by the project at run time."""
    if module is not None:
        return _FIRST
    spec = PathFinder.find_spec(top)
    found = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    return _FIRST if found is None else _origin_of_path(top, found)


def _origin_of_path(top: str, path: str) -> Origin:
    if _site_directory(path) is not None:
        return _distribution_origin(top, path)
    if path.startswith(_STDLIB_DIRECTORIES):
        return _STDLIB
    return Origin(Party.COMPILED, path=path) if path.endswith(_COMPILED) else _FIRST


def _module_path(module: ModuleType | None) -> str | None:
    if module is None:
        return None
    path = getattr(module, "__file__", None)
    if path is None:
        path = next(iter(getattr(module, "__path__", ())), None)
    return path if isinstance(path, str) else None


def _stdlib_directories() -> tuple[str, ...]:
    paths = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__)}
    directories = {path for path in paths if path} | {os.path.realpath(path) for path in paths if path}
    return tuple(sorted(path.rstrip(os.sep) + os.sep for path in directories))


_STDLIB_DIRECTORIES = _stdlib_directories()


def _site_directory(path: str) -> str | None:
    """The site directory that the file lies in, None if in none."""
    for marker in _SITE_DIRECTORIES:
        head, found, _ = path.rpartition(f"{os.sep}{marker}{os.sep}")
        if found:
            return f"{head}{os.sep}{marker}"
    return None


# Distributions: a directory listing tells most of them, `importlib.metadata` would read every file of every one.


@dataclass(slots=True)
class _Site:
    """The distributions of one site directory."""

    modified_ns: int
    versions: dict[str, str] = field(default_factory=dict)
    """By normalised name."""
    folders: dict[str, str] = field(default_factory=dict)
    """The metadata directory, by normalised name."""
    owners: dict[str, list[str]] | None = None
    """Normalised names by top-level module; read only once a name does not tell."""


_sites: dict[str, _Site] = {}


def _distribution_origin(top: str, path: str | None) -> Origin:
    located = _site_directory(path) if path else None
    for directory in [located] if located else [entry for entry in sys.path if entry.endswith(_SITE_DIRECTORIES)]:
        site = _site(directory)
        name = _normalised(top)
        if name not in site.versions:
            name = _owner(site, directory, top, path) or ""
        if name in site.versions:
            return Origin(Party.THIRD, name, site.versions[name])
    return Origin(Party.THIRD, None, None, path)


def _site(directory: str) -> _Site:
    try:
        modified_ns = os.stat(directory).st_mtime_ns
    except OSError:
        modified_ns = -1
    site = _sites.get(directory)
    if site is not None and site.modified_ns == modified_ns:
        return site
    site = _sites[directory] = _Site(modified_ns)
    for entry in os.listdir(directory) if modified_ns >= 0 else ():
        stem, _, kind = entry.rpartition(".")
        name, _, version = stem.partition("-")
        if kind in ("dist-info", "egg-info") and name:
            site.versions[_normalised(name)] = version.partition("-py")[0] or "0"
            site.folders[_normalised(name)] = os.path.join(directory, entry)
    return site


def _owner(site: _Site, directory: str, top: str, path: str | None) -> str | None:
    """The distribution that installed this top-level module, by the lists of files that installers leave."""
    if site.owners is None:
        owners: dict[str, list[str]] = defaultdict(list)
        for name, folder in site.folders.items():
            for module in _top_level_modules(folder):
                owners[module].append(name)
        site.owners = dict(owners)
    names = site.owners.get(top, [])
    if len(names) > 1 and path is not None:
        relative = os.path.relpath(path, directory).replace(os.sep, "/")
        names = [name for name in names if f"{relative}," in _text(site.folders[name], "RECORD")] or names
    return min(names, default=None)


def _top_level_modules(folder: str) -> set[str]:
    named = _text(folder, "top_level.txt").split()
    if named:
        return set(named)
    firsts = {line.partition(",")[0].partition("/")[0] for line in _text(folder, "RECORD").splitlines()}
    return {first.partition(".")[0] for first in firsts if not first.endswith((".dist-info", "..", ".pth"))}


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
