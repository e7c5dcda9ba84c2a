"""Figures of Plotly: the description that its JSON is, with arrays as parts of their own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import plotly.graph_objects

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt
from .base import Materializer, PartReader, PartWriter, shown
from .plotly_drawing import sketches
from .specification import in_order_of_keys
from .specified import Columns, specification, tables
from .visualization import Visualization

_TRACES_MAX = 20
_NOT_DRAWN = "Plotly draws this figure by a script, and no script runs here; this is the data that it shows."
_SEQUENCES = (list, tuple, np.ndarray)


class Figure(Materializer[Any]):
    """Figures: traces, layout and frames."""

    format: ClassVar[str] = "plotly.Figure/1"
    exact: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        parts.value("figure", in_order_of_keys(_with_arrays(value.to_plotly_json())))
        return None

    def load(self, head: Any, parts: PartReader) -> Any:
        description = parts.value("figure")
        if type(description) is not dict:
            raise ManifestCorrupt("a figure has no description", where=self.format)
        return plotly.graph_objects.Figure(description)

    def metadata(self, value: Any) -> dict[str, Plain]:
        return {"traces": len(value.data), "kinds": sorted({str(trace.type) for trace in value.data})}

    def visualize(self, value: Any) -> Iterator[Visualization]:
        description = _with_arrays(value.to_plotly_json())
        title = description.get("layout", {}).get("title", {})
        heading = title.get("text") if isinstance(title, dict) else title
        drawn = list(sketches(shown(heading or "figure"), description))
        yield from drawn
        found = [_trace(number, trace) for number, trace in enumerate(description["data"][:_TRACES_MAX], start=1)]
        yield from tables(shown(heading or "figure"), found, "" if drawn else _NOT_DRAWN)
        # The template, which is most of it, is how every figure looks.
        layout = {name: one for name, one in description.get("layout", {}).items() if name != "template"}
        yield from specification({**description, "layout": layout})


def _trace(number: int, trace: dict[str, Any]) -> tuple[str, Columns]:
    """What a trace is called, and its columns."""
    columns: dict[str, Any] = {
        name: one for name, one in trace.items() if isinstance(one, _SEQUENCES) and np.ndim(one) == 1
    }
    name = trace.get("name") or f"trace {number}"
    return f"{shown(name)} ({trace.get('type', 'scatter')})", columns


def _with_arrays(value: Any) -> Any:
    """A description whose arrays, which Plotly writes in base 64, are arrays."""
    if isinstance(value, dict):
        if {"dtype", "bdata"} <= value.keys() <= {"dtype", "bdata", "shape"}:
            array = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
            return array.reshape([int(length) for length in value["shape"].split(",")]) if "shape" in value else array
        return {key: _with_arrays(one) for key, one in value.items()}
    return [_with_arrays(one) for one in value] if isinstance(value, (list, tuple)) else value
