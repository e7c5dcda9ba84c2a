"""The kinds of JSON objects that ``rm``, ``undo`` and ``rename`` print; see `kinds` for what holds of all."""

from __future__ import annotations

from typing import Literal, TypedDict


class KeptOutput(TypedDict):
    """An output of a deleted run that stays."""

    artifact_version: str
    reason: str


class Dependent(TypedDict):
    """Something that refers to what goes."""

    of: str
    """What goes."""
    what: str
    """A step as ``training-3/evaluate``, or an alias as ``model@champion``."""
    how: str


class Deletion(TypedDict):
    """What was deleted, or would be."""

    kind: Literal["deletion"]
    v: Literal[1]
    of: str
    is_dry_run: bool
    runs: list[str]
    artifact_versions: list[str]
    kept: list[KeptOutput]
    dependents: list[Dependent]
    """The first hundred."""
    released: list[str]
    """The versions whose content nothing else names."""
    freed_bytes: int
    """What the next collection frees of them."""
    seqs: list[int]
    """Positions of the events, for ``undo``; none of a dry run."""


class Undoing(TypedDict):
    """What was undone."""

    kind: Literal["undoing"]
    v: Literal[1]
    seq: int
    type: str
    """The type of the event that was undone."""
    seqs: list[int]
    """Positions of the events that did it."""
    gone: list[str]
    """Versions of which only the record is back."""


class Renaming(TypedDict):
    """What was renamed."""

    kind: Literal["renaming"]
    v: Literal[1]
    of_kind: str
    """run or artifact."""
    old: str
    name: str
    seq: int
    """Position of the event, for ``undo``."""
