"""Charts of Altair: the Vega-Lite specification, with the data in it."""

from __future__ import annotations

from typing import Any, ClassVar

import altair

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .specification import in_order_of_keys

_KINDS = ("Chart", "ConcatChart", "FacetChart", "HConcatChart", "LayerChart", "RepeatChart", "VConcatChart")


class Chart(Materializer[Any]):
    """Charts of every kind. Frames that they were made of come back as the records of the specification."""

    format: ClassVar[str] = "altair.Chart/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        with altair.data_transformers.enable("default", max_rows=None):
            parts.value("specification", in_order_of_keys(value.to_dict()))
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
