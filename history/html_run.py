"""A run as notebooks and pages show it: how it went, its graph, its steps over time, what they gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ..errors import BlobMissing
from ..materializers.charts import line_chart
from ..materializers.markup import Markup, element, escaped, joined, shortened
from ..materializers.pages import figures
from .graph import Edge, Graph, Vertex
from .html import duration_text, facts, heading, status_badge, time_text, values
from .html_step import step_body, step_details, steps_table
from .picture import svg
from .shown import ShownRun, ShownStep

_STEPS_IN_SHORT, _STEPS_AT_LENGTH = 30, 200
_CURVES_MAX, _POINTS_MAX = 12, 10_000
PENDING = "pending"
"""The status of a step that has not begun."""


def run_in_short(run: ShownRun) -> Iterator[Markup]:
    """The run's head, parameters, metrics and steps."""
    steps = run.steps
    yield from _head(run, steps)
    shown = dict(islice(steps.items(), _STEPS_IN_SHORT))
    yield steps_table(shown, {}, len(steps) - len(shown))


def run_at_length(run: ShownRun) -> Iterator[Markup]:
    """The same with the graph, each step with pictures of what it gave, and metrics as curves."""
    steps = run.steps
    shown = dict(islice(steps.items(), _STEPS_AT_LENGTH))
    links = {name: f"#step-{number}" for number, name in enumerate(shown)}
    yield from _head(run, steps)
    yield _section("graph", element("div", svg(run_graph(run, links)), style="overflow-x:auto"))
    yield _section("steps", steps_table(shown, links, len(steps) - len(shown)))
    curves = [*_curves(run.metrics, ""), *(one for name, step in shown.items() for one in _curves(step.metrics, name))]
    if curves:
        yield _section("metrics", figures(*curves[:_CURVES_MAX]))
    for number, (name, step) in enumerate(shown.items()):
        title = element("h2", escaped(f"{shortened(name, 200)} "), status_badge(step.status), id=f"step-{number}")
        yield joined(title, *step_body(step), *step_details(step))


def run_graph(run: ShownRun, links: Mapping[str, str] | None = None) -> Graph:
    """The steps of a run and what led to what, with those that have not begun.

    Args:
        run: Finished or not.
        links: Where a step's name leads to on the page.
    """
    vertices: dict[str, Vertex] = {}
    edges: dict[Edge, None] = {}
    for name, step in run.steps.items():
        took, link = duration_text(step.duration_s), (links or {}).get(name)
        vertices[name] = Vertex(name, "step", (took,) if took else (), step.status, link=link)
        edges.update((Edge(parent.name, name), None) for parent in step.parents)
    for name, sources in _declared(run):
        if name not in vertices and not any(one.startswith(f"{name}[") for one in vertices):
            vertices[name] = Vertex(name, "step", (), PENDING)
            edges.update((Edge(source, name), None) for source in sources)
    kept = tuple(edge for edge in edges if edge.source in vertices and edge.target in vertices)
    return Graph(vertices, kept, title=f"steps of {run.name}")


def result_metrics(run: ShownRun) -> dict[str, float]:
    """What a run came to in numbers: metrics of it and of its steps, and outputs that are numbers."""
    found: dict[str, float] = {name: metric.value for name, metric in run.metrics.items()}
    for step in run.steps.values():
        for name, metric in step.metrics.items():
            found.setdefault(name, metric.value)
        for version in step.outputs.values():
            value = version.computed_metadata.get("value")
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found.setdefault(version.name, value)
    return found


def _head(run: ShownRun, steps: Mapping[str, ShownStep]) -> Iterator[Markup]:
    yield heading("run", run.name, run.status)
    counts: dict[str, int] = {}
    for step in steps.values():
        counts[step.status] = counts.get(step.status, 0) + 1
    yield facts(
        [
            ("pipeline", escaped(f"{run.pipeline.name}, version {run.pipeline_version.version}")),
            ("started", escaped(time_text(run.started))),
            ("took", escaped(duration_text(run.duration_s))),
            ("steps", escaped(", ".join(f"{count:,} {status}" for status, count in counts.items()))),
            ("tags", escaped(", ".join(run.tags))),
            ("message", None if run.message is None else escaped(shortened(run.message, 500))),
        ]
    )
    tables = [values("parameter", run.shown_parameters), values("result", result_metrics(run))]
    found = [one for one in tables if one is not None]
    if found:
        yield figures(*found)


def _declared(run: ShownRun) -> Iterator[tuple[str, list[str]]]:
    """The steps that the pipeline's structure names, and the steps each takes from; none where it is gone."""
    try:
        steps = run.pipeline_version.graph.get("steps", ())
    except BlobMissing:
        return
    for step in steps:
        taken = [one[0] for one in step.get("inputs", {}).values() if isinstance(one, list) and one]
        yield str(step["name"]), [source for source in taken if isinstance(source, str)]


def _curves(metrics: Mapping[str, Any], of: str) -> Iterator[Markup]:
    for name, metric in islice(metrics.items(), _CURVES_MAX):
        if 1 < metric.count <= _POINTS_MAX:
            title = f"{of}: {name}" if of else name
            try:
                yield line_chart(title, {name: metric.series().values})
            except BlobMissing:
                continue


def _section(title: str, body: Markup) -> Markup:
    return joined(element("h2", escaped(title)), body)
