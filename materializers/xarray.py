"""Datasets and arrays of xarray: a part for each variable and coordinate, mapped where large.

Indexes are made anew from their coordinates. What is computed on demand is computed to be saved; the encoding of a file
that it came from is no part of the value.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import xarray as xr
from xarray.indexes import PandasIndex, PandasMultiIndex

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt, UnsavableValue
from .array_views import views_of
from .base import Materializer, PartReader, PartWriter, shown
from .visualization import Visualization

_NONE, _PLAIN, _LEVELS = "none", "plain", "levels"
"""How a coordinate is indexed: not, by its values, or as a level of an index of several."""
_SHOWN_MAX_VARIABLES = 100
_DRAWN_MAX_VARIABLES = 8


class Dataset(Materializer[Any]):
    """Datasets. The head lists variables and coordinates with their dimensions, in order."""

    format: ClassVar[str] = "xarray.Dataset/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        head = {"variables": _save_variables(value.data_vars, "variable", parts), **_save_coordinates(value, parts)}
        parts.value("names", [*value.data_vars], step=".data_vars")
        if value.attrs:
            parts.value("attrs", value.attrs, step=".attrs")
        return head

    def load(self, head: Any, parts: PartReader) -> Any:
        names = parts.value("names")
        variables = _load_variables(head["variables"], names, "variable", parts)
        attributes = parts.value("attrs") if "attrs" in parts.names() else None
        return xr.Dataset(variables, coords=_load_coordinates(head, parts), attrs=attributes)

    def metadata(self, value: Any) -> dict[str, Plain]:
        names = [shown(name) for name in list(value.data_vars)[:_SHOWN_MAX_VARIABLES]]
        sizes: dict[str, Plain] = {shown(name): int(size) for name, size in value.sizes.items()}
        return {"variables": names, "sizes": sizes, "memory_bytes": int(value.nbytes)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield Visualization("structure", "text/html", value._repr_html_())
        for name, one in islice(value.data_vars.items(), _DRAWN_MAX_VARIABLES):
            if isinstance(one.variable._data, np.ndarray):
                for view in views_of(one.variable._data):
                    yield view.replaced(name=f"{view.name} of {shown(name)}"[:100])


class DataArray(Materializer[Any]):
    """Arrays with dimensions, coordinates, a name and attributes."""

    format: ClassVar[str] = "xarray.DataArray/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        head = {
            "variables": _save_variables({"": value.variable}, "variable", parts),
            **_save_coordinates(value, parts),
        }
        parts.value("name", value.name, step=".name")
        return head

    def load(self, head: Any, parts: PartReader) -> Any:
        (variable,) = _load_variables(head["variables"], [""], "variable", parts).values()
        return xr.DataArray(variable, coords=_load_coordinates(head, parts), name=parts.value("name"))

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"sizes": {shown(name): int(size) for name, size in value.sizes.items()}, "dtype": shown(value.dtype)}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        if isinstance(value.variable._data, np.ndarray):
            yield from views_of(value.variable._data)
        yield Visualization("structure", "text/html", value._repr_html_())


def _save_variables(variables: Any, prefix: str, parts: PartWriter) -> list[Plain]:
    described: list[Plain] = []
    for number, (name, one) in enumerate(variables.items()):
        variable = getattr(one, "variable", one)
        parts.value(f"{prefix}.{number}.dims", list(variable.dims))
        values = variable.to_numpy() if isinstance(variable.dtype, np.dtype) else variable.data
        parts.value(f"{prefix}.{number}", values, step=f"[{shown(name)!r}]")
        if variable.attrs:
            parts.value(f"{prefix}.{number}.attrs", variable.attrs, step=f"[{shown(name)!r}].attrs")
        described.append(bool(variable.attrs))
    return described


def _load_variables(described: list[Any], names: list[Any], prefix: str, parts: PartReader) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for number, (name, has_attributes) in enumerate(zip(names, described, strict=True)):
        attributes = parts.value(f"{prefix}.{number}.attrs") if has_attributes else None
        dims = parts.value(f"{prefix}.{number}.dims")
        found[name] = xr.Variable(dims, parts.value(f"{prefix}.{number}"), attributes)
    return found


def _save_coordinates(value: Any, parts: PartWriter) -> dict[str, Plain]:
    """The coordinates, and how each is indexed; of an index of several levels, itself."""
    indexed = [_kind_of_index(value, name) for name in value.coords]
    plain = {name: one for (name, one), kind in zip(value.coords.items(), indexed, strict=True) if kind != _LEVELS}
    parts.value("coords", [*value.coords], step=".coords")
    described = _save_variables(plain, "coord", parts)
    found: dict[str, Any] = {}
    for name, index in value.xindexes.items():
        if isinstance(index, PandasMultiIndex):
            found.setdefault(str(index.dim), index.index)
        elif not isinstance(index, PandasIndex):
            kind = type(index).__name__
            raise UnsavableValue(
                f"an index of the kind {kind} can't be saved", hint="Drop it: drop_indexes().", type=kind, steps=[name]
            )
    for number, index in enumerate(found.values()):
        parts.value(f"levels.{number}", index)
    return {"coords": described, "indexed": indexed, "levels": [*found]}


def _kind_of_index(value: Any, name: Any) -> str:
    index = value.xindexes.get(name)
    if index is None:
        return _NONE
    return _LEVELS if isinstance(index, PandasMultiIndex) else _PLAIN


def _load_coordinates(head: Any, parts: PartReader) -> Any:
    names, indexed = parts.value("coords"), head["indexed"]
    plain = [name for name, kind in zip(names, indexed, strict=True) if kind != _LEVELS]
    variables = _load_variables(head["coords"], plain, "coord", parts)
    indexes: dict[Any, Any] = {}
    for name, kind in zip(names, indexed, strict=True):
        if kind == _PLAIN:
            index = PandasIndex.from_variables({name: variables[name]}, options={})
            indexes[name] = index
            variables |= index.create_variables({name: variables[name]})
        elif kind not in (_NONE, _LEVELS):
            raise ManifestCorrupt(f"a coordinate can't be indexed as {kind!r}")
    for number, dim in enumerate(head["levels"]):
        levels = parts.value(f"levels.{number}")
        if not isinstance(levels, pd.MultiIndex):
            raise ManifestCorrupt("an index of several levels is none")
        several = xr.Coordinates.from_pandas_multiindex(levels, dim)
        variables |= dict(several.variables)
        indexes |= dict(several.xindexes)
    return xr.Coordinates({name: variables[name] for name in names}, indexes)
