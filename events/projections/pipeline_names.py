"""What pipelines are called, for the projections that tell them apart.

A pipeline is known by its first name for good: under that it has its runs, versions and labels. A name leads to the
pipeline that was given it last, which keeps it after it is called otherwise, until another one is called so.

Tables, in each of them: ``c name`` → ``[first name]`` of the pipeline that it leads to;
``m first name`` → ``[first name, name]``. Neither has a row of what was never renamed.
"""

from __future__ import annotations

from ..codec import Recorded
from ..rows import RowReader, RowWriter, framed


def note_renaming(rows: RowWriter, recorded: Recorded) -> None:
    """Note that a pipeline is called otherwise."""
    first = first_name(rows, recorded.fields.pipeline)
    name = recorded.fields.name
    rows.add(b"c" + framed(name), [first])
    rows.add(b"m" + framed(first), [first, name])


def first_name(rows: RowWriter, name: str) -> str:
    """The first name of the pipeline that a name leads to: where nobody has been renamed to it, itself."""
    found = rows.latest(b"c" + framed(name))
    return name if found is None else str(found[0])


def name_after(rows: RowWriter, first: str) -> str:
    """What the pipeline of a first name is called by now."""
    found = rows.latest(b"m" + framed(first))
    return first if found is None else str(found[1])


def first_name_in(rows: RowReader, name: str) -> str:
    """As `first_name`, read."""
    found = rows.latest(b"c" + framed(name))
    return name if found is None else str(found.row[0])


def name_in(rows: RowReader, first: str) -> str:
    """As `name_after`, read."""
    found = rows.latest(b"m" + framed(first))
    return first if found is None else str(found.row[1])
