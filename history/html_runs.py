"""Several runs beside each other, and several versions of an artifact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..materializers.markup import Markup, element, escaped, shortened
from ..materializers.pages import table
from .html import bar, duration_text, heading, status_badge, time_text, value_cell
from .html_run import result_metrics
from .html_step import brief_facts, thumbnail
from .shown import DatedVersion, ShownRun

_RUNS_MAX, _VERSIONS_MAX = 100, 20
_COLUMNS_MAX = 12


def compared(runs: Sequence[ShownRun], asked: Sequence[Mapping[str, Any]] | None = None) -> Markup:
    """A table of runs: the parameters in which they differ, and what they came to, with bars.

    Args:
        runs: In the order of the rows; the first hundred are shown.
        asked: What each was asked for; by default the parameters of its pipeline.
    """
    shown = runs[:_RUNS_MAX]
    parameters = [run.shown_parameters for run in shown] if asked is None else list(asked[:_RUNS_MAX])
    metrics = [result_metrics(run) for run in shown]
    varied, measures = _varied(parameters), _columns(metrics)
    ranges = {name: _range(name, metrics) for name in measures}
    rows: list[list[Markup]] = []
    for run, given, found in zip(shown, parameters, metrics, strict=True):
        rows.append(
            [
                escaped(shortened(run.name, 60)),
                status_badge(run.status),
                *(escaped(value_cell(given[name]) if name in given else "") for name in varied),
                *(bar(found[name], *ranges[name]) if name in found else escaped("") for name in measures),
                escaped(time_text(run.started)),
                escaped(duration_text(run.duration_s)),
            ]
        )
    # A parameter and a metric may be called alike; a header is found by its place, not by its name.
    header = ["run", "status", *varied, *measures, "started", "took"]
    made = table(header, rows, markup=header)
    left = len(runs) - len(shown)
    return made if left <= 0 else element("div", made, element("p", escaped(f"… and {left:,} more runs"), class_="m"))


def pipeline_in_short(kind: str, name: str, runs: Iterable[ShownRun]) -> Iterator[Markup]:
    """A pipeline or a version of it, with its newest runs."""
    newest = list(islice(runs, _VERSIONS_MAX))
    yield heading(kind, name)
    yield compared(newest) if newest else element("p", escaped("It has not run."))
    if len(newest) == _VERSIONS_MAX:
        yield element("p", escaped(f"The newest {_VERSIONS_MAX} runs."), class_="m")


def artifact_in_short(name: str, versions: Sequence[DatedVersion]) -> Iterator[Markup]:
    """An artifact with its newest versions."""
    yield heading("artifact", name)
    header = ["version", "made", "by", "type", "size", "what it is", "aliases", "picture"]
    rows = [_version_row(one) for one in versions[:_VERSIONS_MAX]]
    yield table(header, rows, markup=header)
    if len(versions) > _VERSIONS_MAX:
        yield element("p", escaped(f"The newest {_VERSIONS_MAX} of {len(versions):,} versions."), class_="m")


def _version_row(version: DatedVersion) -> list[Markup]:
    made_by = version.producer
    return [
        escaped(str(version.version)),
        escaped(time_text(version.created)),
        escaped("" if made_by is None else f"{made_by.name} in {made_by.run.name}"),
        escaped(version.type.rpartition(".")[2]),
        escaped(f"{version.size_bytes:,} B"),
        escaped(brief_facts(version)),
        escaped(", ".join(version.aliases)),
        thumbnail(version, 60, is_named=False) or escaped(""),
    ]


def _varied(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names under which not all have the same; all names of a single one."""
    names = list(dict.fromkeys(name for one in parameters for name in one))
    if len(parameters) > 1:
        names = [name for name in names if len({repr(one.get(name)) for one in parameters}) > 1]
    return names[:_COLUMNS_MAX]


def _columns(metrics: Sequence[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for one in metrics for name in one))[:_COLUMNS_MAX]


def _range(name: str, metrics: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """From where to where the bars of a column go: from zero, unless there is less."""
    found = [one[name] for one in metrics if name in one and one[name] == one[name]]
    return min([0.0, *found]), max([0.0, *found])
