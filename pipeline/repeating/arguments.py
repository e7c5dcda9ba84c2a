"""The arguments of a step run, put together again from the inputs that were recorded of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...events.catalogue import Input, StepCompleted, StepReused
from ..fingerprint import fingerprint
from ..graph.graph import parameter_of
from ..graph.shapes import SHAPES_MAX, shapes
from ..graph.templates import Template, causes
from ..step import Step
from ..surroundings.seeds import SEED


def form_of_arguments(step: Step[..., Any], made: StepCompleted | StepReused) -> dict[str, Template] | None:
    """Of the forms that the inputs' paths allow, the one with the fingerprint on record; None if there is none."""
    inputs = [taken for taken in made.inputs if taken.reference is None]
    contents = [taken.given for taken in inputs]
    ignored = ignored_in(step, inputs)
    renamed = zip(step.outputs.specs, made.outputs, strict=False)
    outputs = [replace(spec, name=output.name).cause for spec, output in renamed]
    for arguments in itertools.islice(shapes(inputs), SHAPES_MAX):
        given = causes(arguments, contents) | {one.name: one.content for one in made.inputs if one.name == SEED}
        counted = {name: cause for name, cause in given.items() if name not in ignored}
        if fingerprint(code=made.code, inputs=counted, outputs=outputs) == made.fingerprint:
            return arguments
    return None


def ignored_in(step: Step[..., Any], inputs: Iterable[Input]) -> frozenset[str]:
    """The parameters that did not count when a step took these; an older version did not record it."""
    recorded = frozenset(parameter_of(taken.name) for taken in inputs if taken.is_ignored)
    return recorded or step.options.ignore_inputs
