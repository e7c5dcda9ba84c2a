"""Datasets of Hugging Face: their rows as an Arrow table, with features, split and what the dataset says of itself.

A dataset that only picks rows of another is saved as the rows that it picks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from typing import Any, ClassVar

import datasets
import pyarrow as pa

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .pyarrow import rows_of, whole
from .table_views import Column, Rows, facts_of, views_of
from .visualization import Visualization

_SAID = ("description", "citation", "homepage", "license", "builder_name", "dataset_name", "config_name")
_SHOWN_MAX_SPLITS = 8


class Dataset(Materializer[Any]):
    """Datasets in tables; the table's columns are mapped where large."""

    format: ClassVar[str] = "datasets.Dataset/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        table = value.data.table
        if value._indices is not None:
            table = table.take(value._indices.column(0))
        # What the table's own metadata says of features is said by them.
        parts.value("table", table.replace_schema_metadata(None))
        parts.value("features", value.features.to_dict())
        parts.value("said", {name: getattr(value.info, name) for name in _said()})
        return {"split": None if value.split is None else str(value.split)}

    def load(self, head: Any, parts: PartReader) -> Any:
        table, features, said = (parts.value(name) for name in ("table", "features", "said"))
        if not isinstance(table, pa.Table) or not said.keys() <= set(_SAID):
            raise ManifestCorrupt("a dataset has no table, or says what none does", where=self.format)
        known = {name: one for name, one in said.items() if name in _said()}
        info = datasets.DatasetInfo(features=datasets.Features.from_dict(features), **known)
        split = None if head["split"] is None else datasets.NamedSplit(head["split"])
        return datasets.Dataset(table, info=info, split=split)

    def metadata(self, value: Any) -> dict[str, Plain]:
        features: dict[str, Plain] = {shown(name): shown(one) for name, one in value.features.items()}
        return {"rows": value.num_rows, "features": features, **facts_of(_rows(value))}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        yield from views_of(_rows(value))


class DatasetDict(Materializer[Any]):
    """Datasets by split."""

    format: ClassVar[str] = "datasets.DatasetDict/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        for number, (name, dataset) in enumerate(value.items()):
            parts.value(str(number), dataset, step=f"[{name!r}]")
        return [str(name) for name in value]

    def load(self, head: Any, parts: PartReader) -> Any:
        return datasets.DatasetDict({name: parts.value(str(number)) for number, name in enumerate(head)})

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"splits": {shown(name): dataset.num_rows for name, dataset in value.items()}}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        for name, dataset in islice(value.items(), _SHOWN_MAX_SPLITS):
            for one in views_of(_rows(dataset)):
                yield one.replaced(name=f"{one.name} of {shown(name)}")


def _rows(dataset: Any) -> Rows:
    """A dataset, as far as it is shown; of one that picks rows, those that are looked at are picked."""
    rows = rows_of(dataset.data.table)
    if dataset._indices is None:
        return rows
    picked = dataset._indices.column(0).to_numpy()

    def column(place: int) -> Column:
        values = dataset.data.table.column(place)
        return rows.first[place]._replace(values=lambda some: whole(values.take(pa.array(picked[some]))))

    return rows._replace(rows=len(picked), first=[column(place) for place in range(len(rows.first))])


def _said() -> list[str]:
    known = {one.name for one in fields(datasets.DatasetInfo)}
    return [name for name in _SAID if name in known]
