"""PROV-JSON: documents are valid by the schema of the W3C's member submission, and say what ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest

import lineal
from lineal import Artifact, pipeline, step
from lineal.errors import StepFailed
from lineal.history import prov_document, step_runs_behind

SCHEMA = json.loads((Path(__file__).parent / "schemas/prov-json.schema.json").read_text(encoding="utf-8"))


@step
def load() -> Annotated[int, Artifact("a number/é")]:
    return 3


@step
def square(x: int, fails: bool) -> Annotated[int, "squared"]:
    if fails:
        raise ValueError("no")
    return x * x


@pipeline
def squaring(fails: bool = False) -> None:
    square(load(), fails)


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    with lineal.open(tmp_path / "store") as store:
        squaring()
        squaring()
        with pytest.raises(StepFailed):
            squaring(fails=True)
        store.flush()
        return prov_document(step_runs_behind(store.runs()))


def test_a_document_is_valid(document: dict[str, Any]) -> None:
    validator = jsonschema.Draft4Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(json.loads(json.dumps(document)))] == []
    del document["used"][next(iter(document["used"]))]["prov:entity"]
    assert not validator.is_valid(document)


def test_what_executed_generated_and_what_was_cached_was_informed(document: dict[str, Any]) -> None:
    statuses = [activity["lineal:status"] for activity in document["activity"].values()]
    assert sorted(statuses) == ["cached", "cached", "cached", "completed", "completed", "failed"]
    assert len(document["wasGeneratedBy"]) == 2
    assert len(document["wasInformedBy"]) == 3
    (derived,) = document["wasDerivedFrom"].values()
    labels = {name: entity.get("prov:label") for name, entity in document["entity"].items()}
    assert labels[derived["prov:generatedEntity"]] == "squared@1"
    assert labels[derived["prov:usedEntity"]] == "a number/é@1"


def test_every_name_that_is_used_is_declared(document: dict[str, Any]) -> None:
    declared = {*document["entity"], *document["activity"], *document["agent"]}
    roles = {"prov:label", "prov:role", "prov:type", "prov:time"}
    relations = [
        one for section in document if section[:3] == "was" or section == "used" for one in document[section].values()
    ]
    assert {name for one in relations for key, name in one.items() if key not in roles} <= declared
