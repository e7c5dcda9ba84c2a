"""The kinds of JSON objects that ``--json`` prints, with their fields.

Every object says its ``kind`` and the version ``v`` of that kind's fields: fields are added without a new version,
and changed or removed only with one. Ids and digests are whole and in hex, times are ISO 8601 in UTC,
sizes are in bytes, durations in seconds. Values of users (parameters, metadata) are plain JSON, see `json_value`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from .why_kinds import Gap


class StepCounts(TypedDict):
    """How many steps of a run are in which state."""

    executed: int
    cached: int
    failed: int
    skipped: int
    running: int
    cancelled: int
    interrupted: int


class Run(TypedDict):
    """One execution of a pipeline."""

    kind: Literal["run"]
    v: Literal[1]
    id: str
    name: str
    status: str
    pipeline: str
    started: str
    duration_s: float | None
    message: str | None
    """What made it fail or end early."""
    steps: StepCounts
    tags: list[str]


class Step(TypedDict):
    """One execution, or reuse, of a step in a run."""

    kind: Literal["step"]
    v: Literal[1]
    id: str
    """Id of the run, a slash, and the step's name."""
    run: str
    run_name: str
    name: str
    status: str
    function: str
    duration_s: float | None
    reuses: str | None
    """Id of the step run whose outputs it was served with."""
    reuses_run_name: str | None
    outputs: dict[str, str]
    """Artifact versions by output, as ``name@3``."""
    tags: list[str]


class Metric(TypedDict):
    """The last point of a metric."""

    value: float | str
    """A text where it is not finite."""
    step: int
    time: str
    points: int
    """How many the metric has."""


class DoesAgain(TypedDict):
    """Which earlier run a run does again."""

    how: str
    """``resume``, ``rerun`` or ``reproduce``."""
    run: str
    run_name: str


class RunDetail(TypedDict):
    """A run in full."""

    kind: Literal["run-detail"]
    v: Literal[1]
    run: Run
    pipeline_version: int
    does_again: DoesAgain | None
    deleted: TakenOut | None
    """Null while it is in the record."""
    parameters: dict[str, Any]
    environment: dict[str, Any]
    checkout: dict[str, Any] | None
    """The git checkout that its code came from: commit, branch, remote, is_dirty, changed, diff, untracked."""
    steps: list[Step]
    """In the order in which they began."""
    annotations: dict[str, Any]
    metrics: dict[str, Metric]


class Failure(TypedDict):
    """What a step raised."""

    type: str
    message: str
    traceback: str


class Attempt(TypedDict):
    """One execution of a step in a run."""

    number: int
    status: str
    """completed or failed."""
    failure: Failure | None
    started: str
    duration_s: float
    delay_s: float | None
    """How long the next one waited; null if there was none."""
    log: str


class Difference(TypedDict):
    """An output that came out otherwise than before, from the same code and inputs."""

    output: str
    first_step: str
    """Id of the step run that gave the other one."""
    first_run_name: str
    first: str
    """Its content."""
    again: str
    """The content that this step run gave."""


class StepDetail(TypedDict):
    """A step run in full."""

    kind: Literal["step-detail"]
    v: Literal[1]
    step: Step
    docstring: str | None
    fingerprint: str | None
    parents: list[str]
    """Names of the steps whose outputs it took."""
    inputs: dict[str, ArtifactVersion]
    parameters: dict[str, Any]
    outputs: dict[str, ArtifactVersion]
    failure: Failure | None
    attempts: list[Attempt]
    """Its executions, oldest first, the one that goes on left out."""
    cpu_s: float | None
    """Processor time of the step's thread; None if it did not execute, or took less than a millisecond."""
    peak_memory_bytes: int | None
    """The most that its process had resident until its end."""
    divergence: list[Difference]
    """Outputs that differ from those of an earlier step run of the same fingerprint."""
    gaps: list[Gap]
    """Where its fingerprint is less exact than its code."""
    log: str
    annotations: dict[str, Any]
    metadata: dict[str, Any]
    """The annotations and, where it was reused, those of the execution; so the metrics."""
    metrics: dict[str, Metric]


class LogLine(TypedDict):
    """A line of what a step printed or logged."""

    kind: Literal["log-line"]
    v: Literal[1]
    time: str
    run: str
    run_name: str
    step: str
    stream: str
    """stdout, stderr, or log of a logging record or a warning."""
    level: str | None
    logger: str | None
    text: str


class ArtifactVersion(TypedDict):
    """One distinct content under an artifact's name."""

    kind: Literal["artifact-version"]
    v: Literal[1]
    reference: str
    """As ``name@3``."""
    name: str
    version: int
    content: str
    type: str
    format: str
    size_bytes: int
    """Logical size: shared blobs counted."""
    created: str
    is_evicted: bool
    """Whether its bytes had been taken away, as of the view; its lineage stays."""
    tags: list[str]
    aliases: list[str]


class Release(TypedDict):
    """What let an artifact version be collected."""

    seq: int
    time: str
    reason: str


class TakenOut(TypedDict):
    """What took a run or an artifact version out of the record."""

    seq: int
    """Position of the event, for ``undo``."""
    time: str
    reason: str


class Eviction(TypedDict):
    """What took the bytes of an artifact version away."""

    seq: int
    time: str


class ArtifactVersionDetail(TypedDict):
    """An artifact version in full."""

    kind: Literal["artifact-version-detail"]
    v: Literal[1]
    artifact_version: ArtifactVersion
    released: Release | None
    """What released it; null while something holds it."""
    deleted: TakenOut | None
    """Null while it is in the record."""
    evicted: Eviction | None
    """What had taken its bytes away, as of the view."""
    evicted_since: Eviction | None
    """What has taken its bytes away by now, whatever the view is as of; null if they are there."""
    metadata: dict[str, Any]
    """What was computed of the value, and over that its annotations."""
    annotations: dict[str, Any]
    metrics: dict[str, Metric]
    visualizations: list[str]
    """Names of what is kept of what it shows of itself; `lineal visualize` draws small values, of which nothing is."""
    artifact: Artifact
    producer: Step | None
    """The step run that first made this content; null if it was first saved by hand."""
    consumers: list[Step]
    versions: list[ArtifactVersion]
    """All versions under the name, newest first."""


class Artifact(TypedDict):
    """A name with a history."""

    kind: Literal["artifact"]
    v: Literal[1]
    name: str
    versions: int
    latest: ArtifactVersion
    tags: list[str]
    """Those of the artifact itself."""
    aliases: dict[str, str]
    """The versions that its aliases point to, as ``name@3``."""


class PipelineVersion(TypedDict):
    """One distinct structure of a pipeline."""

    kind: Literal["pipeline-version"]
    v: Literal[1]
    version: int
    structure: str
    runs: int
    steps: list[dict[str, Any]]
    """Each step's name, function, outputs, and the ``[step, output]`` that its inputs take."""


class PipelineDetail(TypedDict):
    """A pipeline in full."""

    kind: Literal["pipeline-detail"]
    v: Literal[1]
    name: str
    versions: list[PipelineVersion]
    """Newest first."""
    latest_runs: list[Run]
    """Newest first, ten at most."""
    tags: list[str]
    annotations: dict[str, Any]
    metrics: dict[str, Metric]


class Event(TypedDict):
    """A fact in the log."""

    kind: Literal["event"]
    v: Literal[1]
    seq: int
    id: str
    time: str
    type: str
    """Name and schema version, as ``run.started/1``."""
    is_known: bool
    """False for an event that a newer version wrote."""
    origin: str
    """Id of the store whose log it was first written to."""
    stream: str
    """Id of the run it belongs to; empty for a fact of the store."""
    refs: list[str]
    chain: str
    payload: dict[str, Any]


class Printed(TypedDict):
    """A piece of what a step printed."""

    step: str
    stream: str
    """stdout or stderr."""
    text: str


class Scene(TypedDict):
    """Something that happened in a run: an event, or something printed; the other is null."""

    kind: Literal["scene"]
    v: Literal[1]
    at_s: float
    """Since the run began; never less than that of the scene before."""
    event: Event | None
    printed: Printed | None


class Lineage(TypedDict):
    """An artifact version and all it was made from, or what was made of it; docs/lineage.md says more."""

    kind: Literal["lineage"]
    v: Literal[1]
    reference: str | None
    """Null where everything is asked for that was made by some code or in some environment."""
    content: str | None
    is_complete: bool
    """False where something was left out for its depth or its number."""
    artifacts: list[dict[str, Any]]
    """Name, version, content, type and producer of each, the root first, then nearest first."""
    direction: str
    """upstream, downstream or path."""
    roots: list[dict[str, str]]
    """Name and content of where it starts; of a path, both its ends."""
    steps: list[dict[str, Any]]
    """Run, name, function, status, duration, fingerprint, code, environment and literals of each step run."""
    links: list[dict[str, Any]]
    """Which step run took or gave which artifact version, and as what."""
    named: list[dict[str, Any]]
    """Versions, and what else they were called by hand."""


class Store(TypedDict):
    """The store itself."""

    kind: Literal["store"]
    v: Literal[1]
    path: str
    id: str
    head_seq: int
    head_chain: str
    runs: int
    pipelines: int
    artifacts: int
    artifact_versions: int
    blobs: int
    logical_bytes: int
    """All outputs of all step runs and all saves, each as if it were stored for itself."""
    stored_bytes: int
    """What blobs take: those in the catalog, and the files of the others, each once."""
    disk_bytes: int
    """What the directory takes on disk, the log included."""


class Head(TypedDict):
    """A head of the log, to be kept elsewhere."""

    kind: Literal["head"]
    v: Literal[1]
    head: str
    """The number of events, a colon, and the root of the tree over them in hex."""
    store: str
    """Id of the store."""
    time: str
    """Of the last event."""


class InclusionProof(TypedDict):
    """That the event which made an artifact version is in the log under a head."""

    kind: Literal["inclusion-proof"]
    v: Literal[1]
    head: str
    seq: int
    previous_chain: str
    """Chain hash of the event before."""
    event: str
    """The event's bytes, in hex."""
    path: list[str]
    """Hashes that lead from the event to the head's root, the nearest first."""
    artifact: str
    content: str


class ExtensionProof(TypedDict):
    """That the log under a head begins with all that was in it under an older one."""

    kind: Literal["extension-proof"]
    v: Literal[1]
    old: str
    head: str
    path: list[str]


class Inclusion(TypedDict):
    """What an inclusion proof proves."""

    kind: Literal["inclusion"]
    v: Literal[1]
    head: str
    is_known_head: bool
    """Whether the head was given, and not just taken from the proof."""
    artifact: str
    content: str
    format: str
    type: str
    seq: int
    """Of the event that made it."""
    event: str
    """Name and schema version of that event's type."""
    time: str
    run: str | None
    """Id of its run; None where it was saved by hand."""
    step: str | None
    store: str
    """Id of the store that it was first written to."""


class Extension(TypedDict):
    """What an extension proof proves."""

    kind: Literal["extension"]
    v: Literal[1]
    head: str
    is_known_head: bool
    old: str


class Labels(TypedDict):
    """What people have put on something."""

    kind: Literal["labels"]
    v: Literal[1]
    of: str
    of_kind: str
    """artifact, version, pipeline, run or step."""
    tags: list[str]
    aliases: list[str]
    annotations: dict[str, Any]
