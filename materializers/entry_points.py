"""Materializers that installed packages offer: asked for when a type or a format of theirs is first met.

A package declares them under the group ``lineal.materializers``. An entry's name begins with the package whose types
it is for, as ``geo`` or ``geo.raster``; its value is the class, as ``geo_lineal:Rasters``. So what is installed alone
decides, and nothing of a package is imported for the values of another.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import Invalid, Unsupported
from .base import Materializer, type_name

GROUP = "lineal.materializers"

_path: tuple[str, ...] | None = None
_by_package: dict[str, list[EntryPoint]] = {}


def materializers_for(package: str) -> Sequence[type[Materializer[Any]]]:
    """What installed packages offer for the types of a package, by its top-level name; imported now.

    Raises:
        Unsupported: One of them can't be imported.
        Invalid: One is no materializer, or one for other types or formats than those of the package.
    """
    found = _declared().get(package, ())
    return [_checked(package, one) for one in sorted(found, key=lambda one: (one.name, one.value))]


def package_of(name: str) -> str:
    """The top-level package that a type's qualified name or a format id begins with."""
    return re.split(r"[./]", name, maxsplit=1)[0]


def _declared() -> dict[str, list[EntryPoint]]:
    """The entries of all that is installed; looked for again where modules are looked for elsewhere."""
    global _path
    if _path != tuple(sys.path):
        _path = tuple(sys.path)
        _by_package.clear()
        for one in set(entry_points(group=GROUP)):
            _by_package.setdefault(package_of(one.name), []).append(one)
    return _by_package


def _checked(package: str, entry: EntryPoint) -> type[Materializer[Any]]:
    where = f"{entry.name} = {entry.value}"
    try:
        materializer = entry.load()
    except Exception as error:
        raise Unsupported(
            f"a materializer for the types of {package} can't be imported: {type(error).__name__}: {error}",
            where=where,
            hint="Repair or uninstall the package that declares it.",
        ) from error
    if not (isinstance(materializer, type) and issubclass(materializer, Materializer)):
        raise Invalid("an entry point names no materializer", where=where, hint="Name a subclass of Materializer.")
    names = [one if isinstance(one, str) else type_name(one) for one in materializer.types]
    if {package_of(name) for name in (*names, materializer.format)} != {package}:
        raise Invalid(
            f"a materializer that is declared for {package} is for other types, or its format is called otherwise",
            where=where,
            hint=f"Begin the names of its types and of its format with {package}, or register it by decorator.",
        )
    return materializer
