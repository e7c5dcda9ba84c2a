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
