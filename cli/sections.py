"""How one thing is laid out as text when it is shown in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .artifacts import VERSION_COLUMNS, version_row
from .labelled import labels_fields, labels_text
from .layout import Block, Fields, Row, Section, Table
from .runs import COLUMNS as RUN_COLUMNS
from .runs import run_row
from .units import ID_DIGITS, NOTHING, duration_text, size_text, time_text

if TYPE_CHECKING:
    from .kinds import (
        ArtifactVersion,
        ArtifactVersionDetail,
        Attempt,
        Difference,
        Metric,
        PipelineDetail,
        PipelineVersion,
        RunDetail,
        Step,
        StepDetail,
        TakenOut,
    )

_ATTEMPT_COLUMNS = ("attempt", "status", "started", "duration", "raised", "next after")
_COMMIT_DIGITS = 12
_SIBLINGS_MAX = 10
_STEP_COLUMNS = ("step", "status", "duration", "outputs", "reused from")


def of_run(detail: RunDetail) -> Iterator[Section]:
    """A run: what it is, what it was called with, where, and its steps."""
    run = detail["run"]
    yield Fields(
        "",
        [
            ("run", run["name"]),
            ("id", run["id"]),
            ("status", _status(run["status"], run["message"])),
            ("pipeline", f"{run['pipeline']}, version {detail['pipeline_version']}"),
            *_again(detail),
            *_deleted(detail["deleted"]),
            ("started", time_text(run["started"])),
            ("duration", duration_text(run["duration_s"])),
            ("environment", _environment(detail["environment"])),
            *_checkout(detail["checkout"]),
            *labels_fields(run),
        ],
    )
    yield _values("parameters", detail["parameters"])
    yield _values("annotations", detail["annotations"])
    yield _metrics(detail["metrics"])
    yield Table("steps", _STEP_COLUMNS, map(_step_row, detail["steps"]))


def _again(detail: RunDetail) -> list[tuple[str, str]]:
    again = detail["does_again"]
    return [] if again is None else [(f"{again['how']} of", f"{again['run_name']}, {again['run']}")]


def of_step(detail: StepDetail) -> Iterator[Section]:
    """A step run: what it is, what it took and gave, what it printed and raised."""
    step = detail["step"]
    pairs = [
        ("step", step["name"]),
        ("run", f"{step['run_name']}, {step['run']}"),
        ("status", step["status"]),
        ("function", step["function"]),
        ("duration", duration_text(step["duration_s"])),
        ("fingerprint", detail["fingerprint"] or NOTHING),
    ]
    if step["reuses"] is not None:
        pairs.append(("reused from", _step_reference(step["reuses"], step["reuses_run_name"])))
    if detail["cpu_s"] is not None:
        pairs.append(("cpu", duration_text(detail["cpu_s"])))
    if detail["peak_memory_bytes"] is not None:
        pairs.append(("memory", f"{size_text(detail['peak_memory_bytes'])} at most, in its process"))
    yield Fields("", [*pairs, *labels_fields(step)])
    yield Block("documentation", detail["docstring"] or "")
    yield _versions("inputs", "parameter", detail["inputs"])
    yield _values("parameters", detail["parameters"])
    yield _versions("outputs", "output", detail["outputs"])
    since = "" if step["reuses"] is None else ", those of what is reused included"
    yield _values(f"annotations{since}", detail["metadata"])
    yield _metrics(detail["metrics"], f"metrics{since}")
    yield Table("divergence", ("output", "gave", "gave before", "in"), map(_difference_row, detail["divergence"]))
    yield Fields("not seen exactly", [(gap["gap"], gap["text"]) for gap in detail["gaps"]])
    if len(detail["attempts"]) > 1:
        yield Table("attempts", _ATTEMPT_COLUMNS, map(_attempt_row, detail["attempts"]))
    failure = detail["failure"]
    if failure is not None:
        yield Fields("failure", [("type", failure["type"]), ("message", failure["message"])])
        yield Block("traceback", failure["traceback"])
    yield Block("printed", detail["log"])


def of_version(detail: ArtifactVersionDetail) -> Iterator[Section]:
    """An artifact version: what it is, its metadata, who made and used it, and its siblings."""
    version, producer = detail["artifact_version"], detail["producer"]
    yield Fields(
        "",
        [
            ("artifact", version["reference"]),
            ("content", version["content"]),
            ("type", version["type"]),
            ("format", version["format"]),
            ("size", size_text(version["size_bytes"])),
            ("created", time_text(version["created"])),
            ("producer", "saved by hand" if producer is None else f"{producer['run_name']}/{producer['name']}"),
            *_deleted(detail["deleted"]),
            *_eviction(detail),
            *([("shows", ", ".join(detail["visualizations"]))] if detail["visualizations"] else []),
            *labels_fields(version),
            *([("all tagged", ", ".join(detail["artifact"]["tags"]))] if detail["artifact"]["tags"] else []),
        ],
    )
    yield _values("metadata", detail["metadata"])
    yield _metrics(detail["metrics"])
    yield Table("consumers", ("step", "status", "function"), map(_consumer_row, detail["consumers"]))
    yield from _siblings(detail["versions"], version["version"])


def _siblings(versions: list[ArtifactVersion], shown: int) -> Iterator[Section]:
    """The versions next to the one that is shown, and how many others there are."""
    place = next((place for place, one in enumerate(versions) if one["version"] == shown), 0)
    begin = max(0, min(place - _SIBLINGS_MAX // 2, len(versions) - _SIBLINGS_MAX))
    near = versions[begin : begin + _SIBLINGS_MAX]
    yield _versions_table(near)
    if len(near) < len(versions):
        name = near[0]["name"]
        yield Block("", f"{len(versions) - len(near):,} more versions: `lineal artifacts {name}` lists them.")


def _versions_table(versions: list[ArtifactVersion]) -> Table:
    if not any(map(labels_text, versions)):
        return Table("versions", VERSION_COLUMNS, map(version_row, versions))
    rows = ((*version_row(version), labels_text(version) or NOTHING) for version in versions)
    return Table("versions", (*VERSION_COLUMNS, "labels"), rows)


def _deleted(found: TakenOut | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    why = f": {found['reason']}" if found["reason"] else ""
    return [("deleted", f"at event {found['seq']}, {time_text(found['time'])}{why}; `lineal undo` has it back")]


def _eviction(detail: ArtifactVersionDetail) -> Iterator[tuple[str, str]]:
    released, evicted, since = detail["released"], detail["evicted"], detail["evicted_since"]
    if released is not None:
        text = f"at event {released['seq']}, {time_text(released['time'])}: {released['reason']}"
        yield "released", text if evicted or since else f"{text}; the next gc evicts it"
    if evicted is not None:
        yield "evicted", f"at event {evicted['seq']}, {time_text(evicted['time'])}"
    elif since is not None:
        yield "evicted since", f"at event {since['seq']}, {time_text(since['time'])}"


def of_pipeline(detail: PipelineDetail) -> Iterator[Section]:
    """A pipeline: its versions, the steps of the newest, and its newest runs."""
    newest = detail["versions"][0]
    yield Fields("", [("pipeline", detail["name"]), *labels_fields(detail)])
    yield _values("annotations", detail["annotations"])
    yield _metrics(detail["metrics"])
    yield Table("versions", ("version", "structure", "runs", "steps"), map(_pipeline_row, detail["versions"]))
    yield Table(
        f"steps of version {newest['version']}", ("step", "function", "takes", "gives"), map(_node_row, newest["steps"])
    )
    yield Table("latest runs", RUN_COLUMNS, map(run_row, detail["latest_runs"]))


def _status(status: str, message: str | None) -> str:
    return status if message is None else f"{status}: {message}"


def _environment(environment: Mapping[str, Any]) -> str:
    words = [environment.get("implementation"), environment.get("python")]
    summary = " ".join(str(word) for word in words if word is not None)
    packages = len(environment.get("packages", ()))
    return f"{summary} on {environment.get('platform', 'an unknown platform')}, {packages} packages"


def _checkout(checkout: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if checkout is None:
        return
    commit = (checkout["commit"] or "no commit")[:_COMMIT_DIGITS]
    words = [commit if checkout["branch"] is None else f"{commit} on {checkout['branch']}"]
    if checkout["is_dirty"]:
        number = len(checkout["changed"])
        words.append(f"{number} file{'' if number == 1 else 's'} changed")
    if checkout["untracked_count"]:
        words.append(f"{checkout['untracked_count']} untracked")
    yield "git", ", ".join(words)


def _values(title: str, values: Mapping[str, Any]) -> Fields:
    return Fields(title, [(name, repr(value)) for name, value in values.items()])


def _metrics(metrics: Mapping[str, Metric], title: str = "metrics") -> Table:
    rows = (
        (name, f"{metric['value']}", str(metric["step"]), str(metric["points"]), time_text(metric["time"]))
        for name, metric in metrics.items()
    )
    return Table(title, ("metric", "last", "step", "points", "logged"), rows)


def _attempt_row(one: Attempt) -> Row:
    failure = one["failure"]
    return (
        str(one["number"]),
        one["status"],
        time_text(one["started"]),
        duration_text(one["duration_s"]),
        NOTHING if failure is None else f"{failure['type']}: {failure['message']}",
        NOTHING if one["delay_s"] is None else duration_text(one["delay_s"]),
    )


def _difference_row(one: Difference) -> Row:
    before = _step_reference(one["first_step"], one["first_run_name"])
    return one["output"], one["again"][:ID_DIGITS], one["first"][:ID_DIGITS], before


def _versions(title: str, label: str, versions: Mapping[str, ArtifactVersion]) -> Table:
    rows = ((name, *version_row(version)) for name, version in versions.items())
    return Table(title, (label, *VERSION_COLUMNS), rows)


def _step_row(step: Step) -> Row:
    return (
        step["name"],
        step["status"],
        duration_text(step["duration_s"]),
        ", ".join(step["outputs"].values()) or NOTHING,
        NOTHING if step["reuses"] is None else _step_reference(step["reuses"], step["reuses_run_name"]),
    )


def _step_reference(id_: str, run_name: str | None) -> str:
    run, _, name = id_.partition("/")
    return f"{run_name or run}/{name}"


def _consumer_row(step: Step) -> Row:
    return f"{step['run_name']}/{step['name']}", step["status"], step["function"]


def _pipeline_row(version: PipelineVersion) -> Row:
    steps = ", ".join(step["name"] for step in version["steps"])
    return str(version["version"]), version["structure"][:ID_DIGITS], str(version["runs"]), steps


def _node_row(step: dict[str, Any]) -> Row:
    takes = ", ".join(f"{path} = {node}.{output}" for path, (node, output) in step["inputs"].items())
    return step["name"], step["function"], takes or NOTHING, ", ".join(step["outputs"]) or NOTHING
