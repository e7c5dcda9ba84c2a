"""What a pipeline is called: by its name of today; of one that is called otherwise now it is told how."""

from __future__ import annotations

from ..errors import PipelineNotFound
from ..events.projections import Pipelines
from ..events.projections.pipeline_names import first_name_in, name_in
from ..events.rows import key
from .reader import Reader
from .references import near


def pipeline_name(reader: Reader, first: str) -> str:
    """What the pipeline of a first name is called."""
    return name_in(reader.rows(Pipelines.name), first)


def declared_pipeline(reader: Reader, name: str) -> str:
    """The first name of the pipeline that runs of a function declared under this name go on with."""
    return first_name_in(reader.rows(Pipelines.name), name)


def called_now(reader: Reader, declared: str) -> str:
    """What the pipeline is called that runs of a function declared under this name go on with."""
    return pipeline_name(reader, declared_pipeline(reader, declared))


def pipeline_named(reader: Reader, name: str) -> str | None:
    """The first name of the pipeline of a name; None where none was ever called so.

    Raises:
        PipelineNotFound: The one that was is called otherwise now; the hint says how.
    """
    rows = reader.rows(Pipelines.name)
    first = first_name_in(rows, name)
    if rows.latest(key("v", first)) is None:
        return None
    now = name_in(rows, first)
    if now != name:
        raise PipelineNotFound(
            f"no pipeline is called {name!r} any more", hint=f"It was renamed to {now}.", was_there=True
        )
    return first


def pipeline_meant(reader: Reader, name: str) -> str:
    """As `pipeline_named`; raises `PipelineNotFound` as well where none was ever called so, with what is near."""
    first = pipeline_named(reader, name)
    if first is None:
        rows = reader.rows(Pipelines.name)
        names = [name_in(rows, row[0]) for _, row in rows.history(key("a"), newest_first=True)]
        raise PipelineNotFound(f"no pipeline is called {name!r}", hint=near(name, names))
    return first
