"""The kinds of JSON objects that verbs print which bring things into a store or out; by the rules of `kinds`."""

from __future__ import annotations

from typing import Literal, TypedDict


class Got(TypedDict):
    """A version that was written as a file."""

    kind: Literal["got"]
    v: Literal[1]
    artifact_version: str
    content: str
    path: str
    form: str
    """csv, parquet, npy, png, svg, html, jpeg, json, txt, bin, file or directory."""
    size_bytes: int


class Exported(TypedDict):
    """What was written of runs or artifacts in a standard form."""

    kind: Literal["exported"]
    v: Literal[1]
    path: str
    form: str
    """prov or openlineage."""
    step_runs: int


class Bundle(TypedDict):
    """A bundle that was written."""

    kind: Literal["bundle"]
    v: Literal[1]
    path: str
    id: str
    store: str
    """Id of the store that it was written from."""
    head_seq: int
    events: int
    blobs: int
    size_bytes: int
    lacking: int
    """How many contents had been collected, so that they are not in it."""


class Arrival(TypedDict):
    """What an import brought."""

    kind: Literal["arrival"]
    v: Literal[1]
    path: str
    bundle: str
    """Its id."""
    store: str
    """Id of the store that it was written from."""
    events: int
    """How many were not here before."""
    known: int
    """How many were, or are not taken."""
    blobs: int
    """How many were not here before."""
    lacking: int
    """How many contents are neither here nor in it."""
    merged: int
    """How many things that had tags here have those of there as well now."""
    kept: int
    """How many changes of labels were not taken, since what was set here stays."""
    is_trusted: bool
    """Whether all that was ever imported from that store is trusted."""


class ImportSource(TypedDict):
    """A store that something was imported from."""

    kind: Literal["import-source"]
    v: Literal[1]
    store: str
    imports: int
    events: int
    is_trusted: bool
