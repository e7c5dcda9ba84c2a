"""Which run a word of the command line means."""

from __future__ import annotations

from ..errors import PipelineNotFound, RunNotFound
from ..history import History, RunView

RUN_HELP = "a run's name, its id or the beginning of that; or a pipeline, whose newest run is meant"


def run_meant(history: History, reference: str) -> RunView:
    """The run that is called so, else the newest of the pipeline that is.

    Raises:
        RunNotFound, InvalidReference: Nothing is called so.
        PipelineNotFound: A pipeline is, and has no run any more.
    """
    try:
        return history.run(reference)
    except RunNotFound as miss:
        try:
            pipeline = history.pipeline(reference)
        except PipelineNotFound:
            raise miss from None
        return pipeline.latest
