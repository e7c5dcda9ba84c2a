"""A step run as notebooks and pages show it: how it went, what it took and gave."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import BlobCorrupt, BlobMissing
from ..materializers.markup import Markup, element, escaped, shortened
from ..materializers.pages import figures, table
from .html import duration_text, facts, heading, status_badge, time_text, value_cell, values
from .shown import ShownStep, ShownVersion

_OUTPUTS_MAX = 40
_FACTS_MAX = 6
_LOG_MAX_CHARACTERS = 8_000
_SLIVER = 0.012
"""The least part of a bar's width that can be seen."""
_THUMBNAIL_MAX_BYTES = 512 * 1024
_PICTURES = frozenset({"image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif"})
_HIDDEN = frozenset({"code"})


def step_in_short(step: ShownStep) -> Iterator[Markup]:
    """The step's head, parameters, metrics, inputs and outputs."""
    yield heading("step", step.name, step.status)
    yield from step_body(step)


def step_at_length(step: ShownStep) -> Iterator[Markup]:
    """The same, with pictures of the outputs and what it printed."""
    yield from step_in_short(step)
    yield from step_details(step)


def step_body(step: ShownStep) -> Iterator[Markup]:
    """What is known of the step."""
    reused, failure = step.reuses, step.failure
    yield facts(
        [
            ("function", element("code", escaped(step.function))),
            ("", None if step.docstring is None else escaped(shortened(step.docstring.partition("\n\n")[0], 300))),
            ("served by", None if reused is None else escaped(f"{reused.name} of {reused.run.name}")),
            ("started", escaped(time_text(step.started))),
            ("took", escaped(duration_text(step.duration_s))),
            ("tags", escaped(", ".join(step.tags))),
            ("raised", None if failure is None else escaped(shortened(f"{failure.type}: {failure.message}", 500))),
        ]
    )
    tables = [values("parameter", step.shown_parameters), values("metric", _last(step.metrics))]
    found = [one for one in tables if one is not None]
    if found:
        yield figures(*found)
    for title, versions in (("input", step.inputs), ("output", step.outputs)):
        if versions:
            yield _versions(title, versions)


def step_details(step: ShownStep) -> Iterator[Markup]:
    """Pictures of the outputs, the traceback, and what the step printed."""
    pictures = [picture for one in step.outputs.values() if (picture := thumbnail(one)) is not None]
    if pictures:
        yield figures(*pictures[:_OUTPUTS_MAX])
    if (failure := step.failure) is not None and failure.traceback:
        yield element("pre", escaped(failure.traceback[-_LOG_MAX_CHARACTERS:]))
    if log := _log_of(step):
        yield element("details", element("summary", escaped("printed")), element("pre", escaped(log)))


def thumbnail(version: ShownVersion, height_px: int = 200, *, is_named: bool = True) -> Markup | None:
    """The most telling picture that a version shows of itself; None where there is none, or it is large."""
    for one in version.visualizations:
        if one.media_type in _PICTURES and one.size_bytes <= _THUMBNAIL_MAX_BYTES:
            try:
                data = base64.b64encode(one.read()).decode("ascii")
            except BlobMissing:
                return None
            source, text = f"data:{one.media_type};base64,{data}", f"{one.name} of {reference(version)}"
            image = element("img", src=source, alt=text, title=text, style=f"max-height:{height_px}px;width:auto")
            caption = element("div", escaped(text), class_="m", style="font-size:12px")
            return element("div", image, caption if is_named else None)
    return None


def reference(version: ShownVersion) -> str:
    """How a version is called."""
    return f"{version.name}@{version.version}"


def brief_facts(version: ShownVersion) -> str:
    """What a version's materializer said, in a line."""
    known = [(name, one) for name, one in version.computed_metadata.items() if name not in _HIDDEN]
    told = (f"{name}: {value_cell(one)}" for name, one in known[:_FACTS_MAX] if one != [] and not isinstance(one, dict))
    return shortened(", ".join(told), 200)


def steps_rows(steps: Mapping[str, ShownStep], links: Mapping[str, str]) -> Iterator[list[Markup | None]]:
    """A row for each step: name, status, when and how long as a bar, outputs."""
    begun = [(one.started, one.duration_s or 0.0) for one in steps.values() if one.started is not None]
    first = min((started for started, _ in begun), default=None)
    whole_s = max(((started - first).total_seconds() + took for started, took in begun), default=0.0) if first else 0.0
    for name, one in steps.items():
        label = escaped(shortened(name, 80))
        at_s = (one.started - first).total_seconds() if one.started is not None and first is not None else None
        yield [
            element("a", label, href=links[name]) if name in links else label,
            status_badge(one.status),
            _when(at_s, one.duration_s or 0.0, whole_s),
            escaped(duration_text(one.duration_s)),
            escaped(shortened(", ".join(map(_given, one.outputs.values())), 200)),
        ]


def steps_table(steps: Mapping[str, ShownStep], links: Mapping[str, str], left_out: int = 0) -> Markup:
    """The steps of a run, one below the other over the same time."""
    header = ["step", "status", "when", "took", "outputs"]
    rows = list(steps_rows(steps, links))
    if left_out:
        rows.append([escaped(f"… and {left_out:,} more"), None, None, None, None])
    return table(header, [[cell or escaped("") for cell in row] for row in rows], markup=header)


def _given(version: ShownVersion) -> str:
    """An output by name, and its value where that is all there is of it."""
    known = version.computed_metadata
    return f"{reference(version)} = {value_cell(known['value'])}" if "value" in known else reference(version)


def _when(at_s: float | None, took_s: float, whole_s: float) -> Markup | None:
    if at_s is None or whole_s <= 0:
        return None
    start = min(max(0.0, at_s / whole_s), 1 - _SLIVER)
    width = min(max(took_s / whole_s, _SLIVER), 1 - start)
    where = f"position:absolute;top:.2em;bottom:.2em;left:{start:.1%};width:{width:.1%}"
    tip = f"began after {duration_text(at_s)}, took {duration_text(took_s)}"
    outer = "position:relative;display:inline-block;width:14em;height:1.2em;background:rgba(128,128,128,.14)"
    return element(
        "span", element("span", style=f"{where};background:#4a8fdc;border-radius:2px"), style=outer, title=tip
    )


def _versions(title: str, versions: Mapping[str, ShownVersion]) -> Markup:
    rows = [
        (name, reference(one), one.type.rpartition(".")[2], f"{one.size_bytes:,} B", brief_facts(one))
        for name, one in list(versions.items())[:_OUTPUTS_MAX]
    ]
    return table([title, "artifact", "type", "size", "what it is"], rows)


def _last(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics.items()}


def _log_of(step: ShownStep) -> str:
    try:
        return step.log[-_LOG_MAX_CHARACTERS:]
    except BlobMissing:
        return ""
    except BlobCorrupt as error:
        return f"({error.what})"
