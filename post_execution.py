"""The classic walk after a run: ``get_pipelines()[0].versions[0].runs[0].get_step(step=…).outputs[…].read()``.

Everything here reads the store in force, needs none of the pipeline's source, and runs none of it.
"""

from __future__ import annotations

from typing import Any

from .client import current
from .history import PipelineVersionView, PipelineView, RunView, name_of
from .history.pipeline_names import called_now


def get_pipelines() -> list[PipelineView]:
    """The pipelines of the store in force, the one that appeared last first."""
    return current().pipelines()


def get_pipeline(pipeline: Any, version: int | str | None = None) -> PipelineView | PipelineVersionView:
    """A pipeline by its name, or by the declared pipeline or its function; or one version of it, by its number.

    Raises:
        PipelineNotFound: It never ran, or has no such version; the hint says what there is.
    """
    store = current()
    found = store.pipeline(pipeline if isinstance(pipeline, str) else called_now(store._reader, name_of(pipeline)))
    return found if version is None else found.version(version)


def get_run(name: str) -> RunView:
    """A run by its name, its id or the beginning of its id. Raises `RunNotFound`."""
    return current().run(name)


__all__ = ["get_pipeline", "get_pipelines", "get_run"]
