"""Running a historical run's pipeline again."""

from __future__ import annotations

from typing import Any

from ..errors import CodeMissing
from ..history import RunView
from .declared import declared
from .pipeline import Pipeline, PipelineOptions
from .script import MAIN


def found_pipeline(run: RunView) -> Pipeline[..., Any]:
    """The pipeline of a run as it is today, imported by the name that its function had.

    Raises:
        CodeMissing: It can't be imported.
    """
    function = run.beginning.function
    if function is None:
        raise CodeMissing(
            f"of {run.name} it is not known which function its pipeline was",
            hint="An older version recorded it. In Python, call the pipeline's `resume`.",
        )
    found: Pipeline[..., Any] | None = declared(
        function, Pipeline, lambda plain: Pipeline(plain, PipelineOptions(name=run.pipeline.name))
    )
    if found is None:
        raise CodeMissing(
            f"the pipeline of {run.name}, {function}, can't be imported",
            hint="Name the script that ran with --script."
            if function.startswith(f"{MAIN}.")
            else "Do it where that module can be imported; a function inside another one never can.",
        )
    return found
