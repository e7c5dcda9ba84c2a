"""The kind of JSON object that ``lineal visualize`` prints; it goes on from `kinds`, and by its rules."""

from __future__ import annotations

from typing import Literal, TypedDict

from .kinds import ArtifactVersion


class Visualization(TypedDict):
    """One picture, text or table."""

    name: str
    media_type: str
    size_bytes: int
    blob: str


class Visualizations(TypedDict):
    """What an artifact version shows of itself."""

    kind: Literal["visualizations"]
    v: Literal[1]
    artifact_version: ArtifactVersion
    visualizations: list[Visualization]
    problems: list[str]
    """What went wrong when it was drawn."""
    page: str | None
    """Where the page is; null where there is nothing to show."""
