"""What is remembered of executions."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import BlobMissing
from lineal.events.catalogue import Input, StepCompleted
from lineal.events.ids import RunId, StepRunId
from lineal.events.projections.cache import Reusable
from lineal.history import execution_at
from lineal.pipeline.deciding.executions import Executions, executions_of


@step
def look(x: int) -> tuple[int, dict[str, list[float]]]:
    lineal.load("base")
    if x:
        with pytest.raises(lineal.LinealError):
            lineal.load("nothing-yet")
    return x, {"found": [0.5, float(x)]}


@pipeline
def looking() -> None:
    for x in range(3):
        look(x)


def test_what_is_remembered_of_executions_of_this_process_is_what_the_log_says(client: Client) -> None:
    client.save([1, 2], "base")
    looking()
    log, remembered = client.store.log, executions_of(client.store)
    seqs = [one.seq for one in client.events() if isinstance(one.event, StepCompleted)]
    assert len(seqs) == 3
    for seq in seqs:
        assert remembered.at(seq) == Reusable.of(execution_at(log, seq))
        assert remembered.at(seq) is remembered.at(seq)
    assert remembered.at(seqs[-1]).missed == ("nothing-yet",)


def test_what_the_log_has_refused_is_not_remembered(client: Client) -> None:
    looking_at = client.store
    client.save([1, 2], "base")
    looking()
    completed = next(one for one in client.events() if isinstance(one.event, StepCompleted))
    fields = completed.event
    assert isinstance(fields, StepCompleted)
    lost = fields.replaced(inputs=(Input("x", type(fields.code)(bytes(32)), None, "1", None),))
    remembered = Executions(looking_at)
    refused = looking_at.append([lost])
    with pytest.raises(BlobMissing):
        refused.wait()
    remembered.expect(Reusable(StepRunId(RunId.new(), "look"), (), 0), refused)
    kept = looking_at.append([fields])
    kept.wait()
    here = Reusable.of(fields)
    remembered.expect(here, kept)
    assert remembered.at(kept.places[0]) is here
    assert remembered.at(completed.seq) == here


def test_what_is_remembered_of_stores_that_are_closed_does_not_gather(tmp_path: Path) -> None:
    remembered = []
    for number in range(3):
        with lineal.open(tmp_path / str(number)) as client:
            client.save([1, 2], "base")
            looking.with_options(executor="inline")()
            remembered.append(weakref.ref(executions_of(client.store)))
    gc.collect()
    assert [one() for one in remembered[:2]] == [None, None]
