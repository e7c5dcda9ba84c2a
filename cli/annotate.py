"""The verb ``annotate``."""

from __future__ import annotations

import argparse
import json
from typing import Any, NamedTuple

from .labelled import add_subject, chosen, labels_record, labels_sections
from .outcome import ExitCode
from .output import Output
from .past import opened_to_write

EXAMPLE = "lineal annotate training-1 reviewed=true 'note=looks fine'"


class Annotation(NamedTuple):
    """A key and its value."""

    name: str
    value: Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    add_subject(parser)
    parser.add_argument(
        "annotations",
        metavar="KEY=VALUE",
        nargs="*",
        type=annotation,
        help="what to note; the value is read as JSON where it is JSON, else it is text",
    )
    parser.add_argument("--remove", metavar="KEY", action="append", default=[], help="take a key away; can be repeated")


def annotation(text: str) -> Annotation:
    """An argument that is an annotation."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    try:
        return Annotation(name, json.loads(value))
    except (ValueError, RecursionError):
        return Annotation(name, value)


def execute(options: argparse.Namespace, output: Output) -> int:
    """Annotate something."""
    with opened_to_write(options) as client:
        view = chosen(client, options)
        client.annotate(view, dict(options.annotations), remove=options.remove)
        output.document(labels_record(view), labels_sections)
    return ExitCode.OK
