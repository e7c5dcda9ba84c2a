"""The classic walk after a run: ``get_pipelines()[0].versions[0].runs[0].get_step(step=…).outputs[…].read()``."""

from __future__ import annotations

from typing import Any

from .client import current
from .history import PipelineView, RunView


def get_pipelines() -> list[PipelineView]:
    """The pipelines of the store in force, the one that appeared last first."""
    return current().pipelines()


def get_pipeline(pipeline: Any) -> PipelineView:
    """A pipeline by its name, or by the declared pipeline itself. Raises `PipelineNotFound`."""
    return current().pipeline(pipeline if isinstance(pipeline, str) else pipeline.name)


def get_run(name: str) -> RunView:
    """A run by its name or id. Raises `RunNotFound`."""
    return current().run(name)


__all__ = ["get_pipeline", "get_pipelines", "get_run"]
