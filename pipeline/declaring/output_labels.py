"""What steps declare of the artifacts they give: tags and metadata, recorded in the commit that makes a version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...events.catalogue import Annotated, Event, Output, Subject, Tagged
from ...events.projections import Metadata, Names
from ...events.projections.metadata import note_key
from ...events.projections.names import tags_key
from ...store import Store
from .outputs import Outputs


def declared_labels(store: Store, declared: Outputs, outputs: Sequence[Output]) -> Iterable[Event]:
    """What is declared of these outputs and not known to be so already.

    A version that another process labels meanwhile may be said to have a label twice, which is as good as once.
    """
    return _labels(store, declared, outputs) if declared.is_labelled else ()


def _labels(store: Store, declared: Outputs, outputs: Sequence[Output]) -> Iterator[Event]:
    for spec, output in zip(declared.specs, outputs, strict=False):
        if spec.declared is None or not (spec.declared.tags or spec.declared.metadata):
            continue
        subject = Subject("version", output.artifact, output.content)
        found = store.committed_rows(Names.name).latest(tags_key(subject))
        had = () if found is None else found.row
        tags = tuple([tag for tag in spec.declared.tags if tag not in had])
        if tags:
            yield Tagged(subject, tags)
        notes = dict(
            one.row for one in store.committed_rows(Metadata.name).newest(note_key(subject)) if len(one.row) > 1
        )
        values = {name: value for name, value in spec.declared.metadata.items() if _differs(notes, name, value)}
        if values:
            yield Annotated(subject, values)


def _differs(notes: dict[str, object], name: str, value: object) -> bool:
    return name not in notes or (type(notes[name]), notes[name]) != (type(value), value)
