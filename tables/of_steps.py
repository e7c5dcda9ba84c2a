"""Tables of step runs: what each came to, what they and their runs took, and what they gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..events.catalogue import (
    Failure,
    Input,
    Output,
    Resources,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepReused,
    StepSkipped,
    StepStarted,
)
from ..events.ids import StepRunId
from ..events.projections import Steps
from ..events.projections.artifacts import BY_HAND
from ..events.projections.steps import RUNNING, STATUS
from .base import CODE, TIME, Batch, Definition, Source, always, columns, seconds, seqs, times
from .cuts import Flags, Positions
from .of_events import pages_with
from .packed import Cells
from .pages import EventColumns, Read, columns_of, fields_of, log_pages, newest_seqs


def _step_fields(type_: str) -> dict[str, Read]:
    """What a row of `steps` shows of an event of this type."""
    names: dict[str, Read] = {"run": Cells.hexes, "step": Cells.texts, "function": Cells.texts}
    if type_ == StepSkipped.TYPE:
        return {**names, "because": Cells.texts}
    names = {**names, "fingerprint": Cells.hexes, "code": Cells.hexes}
    if type_ == StepStarted.TYPE:
        return names
    names = {**names, "started_us": Cells.integers, "duration_us": Cells.integers}
    if type_ == StepReused.TYPE:
        return {**names, "reuses": Cells.record}
    names = {**names, "log": Cells.hexes, "resources": Cells.record}
    return {**names, "failure": Cells.record} if type_ == StepFailed.TYPE else names


_STEP_FIELDS = {type_: _step_fields(type_) for type_ in STATUS}


def _steps(source: Source) -> Iterator[Batch]:
    for page in log_pages(source.database, source.upto, among=_current(source)):
        for type_, status in STATUS.items():
            found = columns_of(page, [type_], _STEP_FIELDS[type_])
            if found is not None:
                batch = _step_batch(found.fields)
                if status == RUNNING:
                    batch["started"] = times(found.time_us)
                yield batch | {"seq": seqs(found.seq), "status": always(status, len(found.seq))}


def _step_batch(fields: dict[str, Any]) -> Batch:
    batch: Batch = {
        name: fields[name] for name in ("run", "step", "function", "fingerprint", "code", "log") if name in fields
    }
    if "started_us" in fields:
        batch["started"], batch["duration_s"] = times(fields["started_us"]), seconds(fields["duration_us"])
    if "reuses" in fields:
        reused = fields_of(fields["reuses"], StepRunId._fields, {"run": Cells.hexes, "step": Cells.texts})
        batch["reuses_run"], batch["reuses_step"] = reused["run"], reused["step"]
    if "resources" in fields:
        used = {"cpu_us": Cells.integers, "peak_memory_bytes": Cells.integers}
        taken = fields_of(fields["resources"], Resources._fields, used)
        batch["cpu_s"], batch["peak_memory_bytes"] = seconds(taken["cpu_us"]), taken["peak_memory_bytes"].arrow()
    if "failure" in fields:
        failure = fields_of(fields["failure"], Failure._fields, {"type": Cells.texts, "message": Cells.texts})
        batch["error"], batch["message"] = failure["type"], failure["message"]
    if "because" in fields:
        batch["message"] = fields["because"]
    return batch


def _current(source: Source) -> Flags:
    """By event, whether it is the newest of its step run. A byte an event is all of it that memory holds."""
    current = np.zeros(source.upto + 1, np.bool_)
    for positions in newest_seqs(source.database, Steps.name, "s", source.upto):
        current[positions] = True
    return current


_USERS = (StepCompleted.TYPE, StepReused.TYPE, StepFailed.TYPE)
_TAKEN: dict[str, Read] = {
    "name": Cells.texts,
    "content": Cells.hexes,
    "artifact": Cells.texts,
    "literal": Cells.texts,
    "source": Cells.texts,
}


def _uses(source: Source) -> Iterator[Batch]:
    wanted: dict[str, Read] = {"run": Cells.hexes, "step": Cells.texts, "inputs": Cells.elements}
    for page in log_pages(source.database, source.upto, types=_USERS):
        found = columns_of(page, _USERS, wanted)
        if found is not None:
            rows, inputs = found.fields["inputs"]
            taken = fields_of(inputs.entered(), Input._fields, _TAKEN)
            yield {"input": taken.pop("name"), **taken, **_in_rows(found, rows)}


def _parameters(source: Source) -> Iterator[Batch]:
    wanted: dict[str, Read] = {"run": Cells.hexes, "parameters": Cells.elements}
    for page in pages_with(RunStarted.TYPE, source):
        found = columns_of(page, (RunStarted.TYPE,), wanted)
        if found is not None:
            rows, parameters = found.fields["parameters"]
            taken = fields_of(parameters.entered(), Input._fields, _TAKEN)
            del taken["source"]
            yield {"parameter": taken.pop("name"), **taken, **_in_rows(found, rows, ("run",))}


MAKERS = (StepCompleted.TYPE, StepReused.TYPE)
"""The types of event that give the outputs of a step."""
_GIVEN: dict[str, Read] = {
    "name": Cells.texts,
    "artifact": Cells.texts,
    "content": Cells.hexes,
    "format": Cells.texts,
    "type": Cells.texts,
    "size_bytes": Cells.integers,
}


def _productions(source: Source) -> Iterator[Batch]:
    wanted: dict[str, Read] = {"run": Cells.hexes, "step": Cells.texts, "outputs": Cells.elements}
    for page in log_pages(source.database, source.upto, types=(*MAKERS, *BY_HAND)):
        found = columns_of(page, MAKERS, wanted)
        if found is not None:
            rows, outputs = found.fields["outputs"]
            is_executed = pa.array(found.are(StepCompleted.TYPE)[rows])
            yield _given(outputs.entered()) | _in_rows(found, rows) | {"executed": is_executed}
        found = columns_of(page, BY_HAND, {"output": Cells.record})
        if found is not None:
            yield _given(found.fields["output"]) | {"seq": seqs(found.seq), "time": times(found.time_us)}


def _given(outputs: Cells) -> Batch:
    given = fields_of(outputs, Output._fields, _GIVEN)
    return {"output": given.pop("name"), **given, "size_bytes": given["size_bytes"].arrow()}


def _in_rows(found: EventColumns, rows: Positions, names: Sequence[str] = ("run", "step")) -> Batch:
    """What events have said of their rows, of which one may have several: by default their step runs."""
    batch = {"time": times(found.time_us), **{name: found.fields[name] for name in names}}
    if not np.array_equal(rows, np.arange(len(found.seq))):
        place = pa.array(rows)
        batch = {name: column.take(place) for name, column in batch.items()}
    return batch | {"seq": seqs(found.seq[rows])}


STEPS = Definition(
    "steps",
    columns(
        run="string",
        step="string",
        function="string",
        status=CODE,
        started=TIME,
        duration_s="double",
        cpu_s="double",
        peak_memory_bytes="int64",
        fingerprint="string",
        code="string",
        reuses_run="string",
        reuses_step="string",
        error="string",
        message="string",
        log="string",
        seq="int64",
    ),
    _steps,
)
USES = Definition(
    "uses",
    columns(
        run="string",
        step="string",
        input="string",
        artifact="string",
        content="string",
        literal="string",
        source="string",
        time=TIME,
        seq="int64",
    ),
    _uses,
)
PARAMETERS = Definition(
    "parameters",
    columns(
        run="string",
        parameter="string",
        artifact="string",
        content="string",
        literal="string",
        time=TIME,
        seq="int64",
    ),
    _parameters,
)
PRODUCTIONS = Definition(
    "productions",
    columns(
        artifact="string",
        content="string",
        run="string",
        step="string",
        output="string",
        executed="bool",
        type="string",
        format="string",
        size_bytes="int64",
        time=TIME,
        seq="int64",
    ),
    _productions,
)
