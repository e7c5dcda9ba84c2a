"""Charts of Altair: the Vega-Lite specification, with the data in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import altair

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .specification import in_order_of_keys
from .specified import Columns, specification, tables
from .visualization import Visualization

_KINDS = ("Chart", "ConcatChart", "FacetChart", "HConcatChart", "LayerChart", "RepeatChart", "VConcatChart")


class Chart(Materializer[Any]):
    """Charts of every kind. Frames that they were made of come back as the records of the specification."""

    format: ClassVar[str] = "altair.Chart/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("specification", in_order_of_keys(_described(value)))
        return type(value).__name__

    def load(self, head: Any, parts: PartReader) -> Any:
        specification = parts.value("specification")
        if head not in _KINDS or type(specification) is not dict:
            raise ManifestCorrupt(f"a chart has no specification, or is a {head!r}", where=self.format)
        try:
            return getattr(altair, head).from_dict(specification)
        except altair.schemapi.SchemaValidationError as error:
            raise ManifestCorrupt("a chart's specification is none of Vega-Lite", where=self.format) from error

    def metadata(self, value: Any) -> dict[str, Plain]:
        mark = getattr(value, "mark", None)
        return {"kind": type(value).__name__, **({"mark": shown(mark)} if isinstance(mark, str) else {})}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        described = _described(value)
        drawing = None if _reaches_out(described) else _drawn(described)
        if drawing is not None:
            yield Visualization("chart", "image/svg+xml", drawing)
        data = enumerate(described.get("datasets", {}).values(), start=1)
        yield from tables("data of the chart", [(f"data {number}", _columns(one)) for number, one in data])
        yield from specification({name: one for name, one in described.items() if name != "datasets"})


def _described(chart: Any) -> dict[str, Any]:
    """The specification, with all of the data."""
    with altair.data_transformers.enable("default", max_rows=None):
        described: dict[str, Any] = chart.to_dict()
        return described


def _drawn(described: dict[str, Any]) -> str | None:
    """The chart as SVG; None where the library that draws charts without a browser is not installed."""
    try:
        import vl_convert
    except ImportError:
        return None
    drawn: str = vl_convert.vegalite_to_svg(described, allowed_base_urls=[])
    return drawn


def _reaches_out(described: Any) -> bool:
    """Whether the data or an image of a chart is to be fetched from elsewhere, be it a file."""
    if isinstance(described, dict):
        return "url" in described or any(_reaches_out(one) for key, one in described.items() if key != "datasets")
    return isinstance(described, list) and any(map(_reaches_out, described))


def _columns(records: Any) -> Columns:
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        return {}
    names = dict.fromkeys(name for one in records[:100] for name in one)
    return {name: [one.get(name) for one in records] for name in names}
