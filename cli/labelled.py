"""What the verbs that label have in common: what they label, what they say of it then, and how lists show labels."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..client import Client
from ..errors import InvalidReference
from ..history import FOUND_ORDER, ArtifactVersionView, ArtifactView, History, StepRunView, View
from .layout import Fields, Row, Section
from .records import json_value
from .units import NOTHING

if TYPE_CHECKING:
    from .kinds import Labels

R = TypeVar("R", bound=Mapping[str, Any])

COLUMN = "labels"
"""Its cells have the aliases of a version with an @ before them, then tags."""


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Add what is labelled."""
    parser.add_argument("reference", metavar="REF", help=f"tried in this order: {FOUND_ORDER}")
    parser.add_argument(
        "--whole", action="store_true", help="of an artifact: all of it, rather than the one version that REF means"
    )


def chosen(client: Client, options: argparse.Namespace) -> View:
    """What a command line means to label."""
    found: View = client.find(options.reference)
    if not options.whole:
        return found
    if not isinstance(found, ArtifactVersionView):
        raise InvalidReference(f"{options.reference!r} names no artifact", hint="Leave --whole out.")
    return found.artifact


def labels_record(view: View) -> Labels:
    """The labels that something has now."""
    return {
        "kind": "labels",
        "v": 1,
        "of": title(view),
        "of_kind": view.subject.kind,
        "tags": list(view.tags),
        "aliases": list(view.aliases) if isinstance(view, ArtifactVersionView | ArtifactView) else [],
        "annotations": json_value(view.annotations),
    }


def title(view: View) -> str:
    """What something is called in a reference."""
    if isinstance(view, ArtifactVersionView):
        return str(view)
    if isinstance(view, StepRunView):
        return f"{view.run.name}/{view.name}"
    return view.name


def labels_sections(labels: Labels) -> list[Section]:
    """The labels of one thing as text."""
    return [
        Fields(
            "",
            [
                (labels["of_kind"], labels["of"]),
                ("tags", ", ".join(labels["tags"]) or NOTHING),
                *([("aliases", ", ".join(labels["aliases"]))] if labels["aliases"] else []),
            ],
        ),
        Fields("annotations", [(name, repr(value)) for name, value in labels["annotations"].items()]),
    ]


def with_labels(
    history: History, kind: str, columns: Sequence[str], row: Callable[[R], Row]
) -> tuple[Sequence[str], Callable[[R], Row]]:
    """The columns of a list and what makes its rows, with labels where any thing of the kind has had some."""
    if not history.has_labels(kind):
        return columns, row
    return (*columns, COLUMN), lambda record: (*row(record), labels_text(record) or NOTHING)


def labels_text(record: Mapping[str, Any]) -> str:
    """The labels of a thing on one line."""
    return ", ".join([*(f"@{alias}" for alias in record.get("aliases", ())), *record["tags"]])


def labels_fields(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same as a field, if it has any."""
    text = labels_text(record)
    return [(COLUMN, text)] if text else []
