"""Modules of the project that code may import by a computed name: their files, found without importing any.

Which of them will be meant is known only when the code runs, and importing all would run the project's code for
nothing. So each counts as a whole, and so does every module of the project that one of them names in an import.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from importlib.machinery import PathFinder

from .boundary import Origins
from .sources import SOURCES


def modules_that_begin(beginning: str, beside: str | None, origins: Origins) -> dict[str, str]:
    """The files of the modules whose name begins so, and of all that they import of the project, by module.

    Args:
        beginning: Of a full name; empty for any module or package that lies beside ``beside``.
        beside: The file of the module that imports.
        origins: Tell which modules are the project's.
    """
    package = beginning.rpartition(".")[0]
    folders = _locations(package) if package else _folder_of(beside)
    pending = [
        (name, path)
        for folder in folders
        for name, path in _modules_in(folder, f"{package}." if package else "")
        if name.startswith(beginning)
    ]
    found: dict[str, str] = {}
    while pending:
        name, path = pending.pop()
        if name not in found and origins.is_followed(name, path):
            found[name] = path
            pending += _imported_by(name, path)
    return found


def _folder_of(path: str | None) -> list[str]:
    return [] if path is None else [os.path.dirname(os.path.abspath(path))]


def _modules_in(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Modules in a folder, and in the packages below it; a folder that is no package is not entered."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        stem, kind = os.path.splitext(entry.name)
        if kind == ".py" and stem.isidentifier():
            yield (prefix.rstrip(".") if stem == "__init__" else prefix + stem), entry.path
        elif entry.name.isidentifier() and os.path.exists(os.path.join(entry.path, "__init__.py")):
            yield from _modules_in(entry.path, f"{prefix}{entry.name}.")


def _imported_by(name: str, path: str) -> Iterator[tuple[str, str]]:
    """What a module's import statements may lead to: each name is tried as a module."""
    package = name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]
    for text in SOURCES.texts(path, {})[:1]:
        for node in ast.walk(text.tree or ast.Module([], [])):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                module = ".".join([*outer, *filter(None, [node.module])])
                targets = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for target in targets:
                found = _file_of(target)
                if found is not None:
                    yield target, found


def _file_of(name: str) -> str | None:
    """The source file of a module, None for what is no module or has no source."""
    parent, _, last = name.rpartition(".")
    spec = PathFinder.find_spec(name if not parent else last, _locations(parent) if parent else None)
    path = None if spec is None else spec.origin
    return path if path and path.endswith(".py") else None


def _locations(package: str) -> list[str]:
    """The folders of a package."""
    folders: list[str] | None = None
    for part in package.split("."):
        spec = PathFinder.find_spec(part, folders)
        if spec is None or spec.submodule_search_locations is None:
            return []
        folders = list(spec.submodule_search_locations)
    return folders or []
