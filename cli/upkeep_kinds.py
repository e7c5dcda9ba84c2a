"""The kinds of JSON objects that the verbs of upkeep print: of damage and repair, of what is kept, and of what goes.

They go on from `kinds`, and by its rules.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from .kinds import ArtifactVersion


class Damage(TypedDict):
    """One thing that is not as it was written."""

    kind: Literal["damage"]
    v: Literal[2]
    to: str
    """database, log, head, index, blob or file."""
    digest: str | None
    """Of a blob."""
    size_bytes: int | None
    is_missing: bool
    what: str
    where: str | None
    hurts: list[str]
    """What the blob is a part of: artifact versions as ``name@3``, and things of runs."""
    remedies: list[str]
    """What makes each of them whole again."""


class Orphan(TypedDict):
    """A file that nothing names, or not yet."""

    kind: Literal["orphan"]
    v: Literal[1]
    path: str
    size_bytes: int


class HeadCheck(TypedDict):
    """What a head that was kept elsewhere tells of the log."""

    kind: Literal["head-check"]
    v: Literal[1]
    head: str
    state: str
    """reached, rewritten, cut back, foreign or unknown."""
    what: str


class Verification(TypedDict):
    """The result of verifying a store."""

    kind: Literal["verification"]
    v: Literal[2]
    path: str
    is_quick: bool
    is_sound: bool
    head_seq: int
    head_chain: str
    """Empty where the log is damaged: then the head is the last sound event."""
    blobs: int
    damaged: list[Damage]
    orphans: list[Orphan]
    heads: list[HeadCheck]
    """Those that were given, by their place in the log."""


class Repair(TypedDict):
    """What a repair has done, or would do."""

    kind: Literal["repair"]
    v: Literal[1]
    path: str
    is_dry_run: bool
    mended: list[dict[str, Any]]
    """What of each, and the digest where it is a blob."""
    quarantined: list[str]
    """Where damaged files and rows were moved to."""
    lost: list[Damage]


class Decision(TypedDict):
    """What a policy decided of an artifact version."""

    reference: str
    content: str
    size_bytes: int
    """Logical size: shared blobs counted."""
    reason: str


class Collection(TypedDict):
    """What was released and freed, or would be."""

    kind: Literal["collection"]
    v: Literal[1]
    path: str
    is_dry_run: bool
    released: list[Decision]
    """By artifact, oldest first."""
    kept: list[Decision]
    """Empty without a policy."""
    blobs: int
    files: int
    compacted: int
    """Files of which only what is needed was kept, in a new one."""
    freed_bytes: int


class HoldingEvent(TypedDict):
    """An event that names a content."""

    seq: int
    type: str
    """Name and schema version, as ``step.completed/1``."""
    run_name: str | None
    step: str | None


class Repacking(TypedDict):
    """Large buffers that were given files of their own."""

    kind: Literal["repacking"]
    v: Literal[1]
    artifact_version: ArtifactVersion
    repacked: int
    """How many; those that had one are not counted."""


class Pin(TypedDict):
    """A label that keeps a content."""

    kind: Literal["pin"]
    v: Literal[1]
    label: str
    content: str
    artifact_versions: list[str]
    """Those that have the content, as ``name@3``."""
    expires: str | None
    seq: int
    """Position of the event that set it."""


class Unpin(TypedDict):
    """A pin that was taken away."""

    kind: Literal["unpin"]
    v: Literal[1]
    label: str


class Hold(TypedDict):
    """A content that keeps a blob, and what keeps the content."""

    content: str
    artifact_versions: list[str]
    events: list[HoldingEvent]
    """Newest first, ten at most."""
    more_events: int
    pins: list[str]
    """Labels."""
    labels: dict[str, list[str]]
    """Tags and aliases, by artifact version; a policy can keep versions for them."""
    aliases: list[str]
    """What points to one of the versions, as ``model@champion``; a policy keeps those, unless it says otherwise."""


class Holding(TypedDict):
    """What keeps a blob."""

    kind: Literal["holding"]
    v: Literal[1]
    digest: str
    size_bytes: int
    is_kept: bool
    holds: list[Hold]


class Recomputation(TypedDict):
    """An artifact version that is there again."""

    kind: Literal["recomputation"]
    v: Literal[1]
    artifact_version: ArtifactVersion
    runs: list[str]
    """Names of the runs that made it and what it takes, oldest first; none where it was there already."""


class Rebuild(TypedDict):
    """Indexes replayed from the log."""

    kind: Literal["rebuild"]
    v: Literal[1]
    path: str
    head_seq: int
    head_chain: str


class Migration(TypedDict):
    """A store brought to today's format, or about to be."""

    kind: Literal["migration"]
    v: Literal[1]
    path: str
    is_dry_run: bool
    from_version: int
    needed_bytes: int
    """Room that it may take; 0 where the store has today's format already."""
    kept: list[str]
    """Where old logs are, or on a dry run are already."""
    dropped: list[str]
    """Where there are none any more, or on a dry run would be."""


class Initialization(TypedDict):
    """A store that is there now."""

    kind: Literal["initialization"]
    v: Literal[1]
    path: str
    id: str
    is_new: bool


class Footprint(TypedDict):
    """What an artifact takes."""

    kind: Literal["footprint"]
    v: Literal[1]
    artifact: str
    versions: int
    evicted: int
    """How many of the versions have had their bytes taken away."""
    logical_bytes: int
    """All versions, each as if it were stored for itself."""
    stored_bytes: int
    """What its blobs take, each once."""
    own_bytes: int
    """What of that belongs to no other artifact."""


class Check(TypedDict):
    """One thing that ``doctor`` has looked at."""

    name: str
    finding: str
    """ok, warning, problem or damage."""
    what: str
    hint: str | None


class Diagnosis(TypedDict):
    """All that ``doctor`` has looked at."""

    kind: Literal["diagnosis"]
    v: Literal[1]
    is_well: bool
    """Whether there is neither a problem nor damage."""
    checks: list[Check]
