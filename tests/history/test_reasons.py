"""Reasons read as people tell them."""

from __future__ import annotations

import re
from typing import Annotated

import pandas as pd

from lineal import Artifact, Client, pipeline, step


def test_places_that_only_differ_are_told_in_one_line_and_many_of_them_are_counted(client: Client) -> None:
    @step
    def make(rows: int, columns: int) -> Annotated[pd.DataFrame, Artifact("frame")]:
        return pd.DataFrame({f"c{number}": range(rows) for number in range(columns)})

    @step
    def take(frame: pd.DataFrame) -> None: ...

    @pipeline
    def framing(rows: int, columns: int) -> None:
        take(make(rows, columns))

    for rows, columns in ((2, 12), (3, 12), (3, 11)):
        framing(rows, columns)
    lines = [line.removeprefix("  ") for line in str(client.diff("framing-1", "framing-2")).splitlines()]
    told = lines[lines.index("take: input frame: frame@1 → frame@2, of step make") :]
    assert told[1] == "  .rows: 2 → 3"
    assert re.fullmatch(r"  .*\['c0'\], .* and \d+ more differ", told[2])
    assert len(client.diff("frame@1", "frame@2").leaves) > 12
    assert "removed: there" not in str(client.diff("frame@2", "frame@3"))
    assert re.search(r"\['c11'\] +removed", str(client.diff("frame@2", "frame@3")))
