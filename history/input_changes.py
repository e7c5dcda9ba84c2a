"""What changed in a step's inputs: which, and at which leaf, as far as digests tell it without loading anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from ..cas.blob import BlobReader, read_manifest
from ..errors import LinealError
from ..events.catalogue import Input
from ..events.projections import Artifacts
from ..events.projections.artifacts import version_in
from ..materializers.comparing import Leaf, Stored, leaves
from .ingredients import Ingredients
from .lineage_parts import made_as
from .reader import Reader
from .reasons import Reason, ReasonKind, change

LEAVES_MAX = 20
"""How many places inside one input are told."""

_WEIGHTS = {False: "it counts", True: "it is ignored"}


def input_changes(reader: Reader, old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    """Each input of a step that differs, as `taken_changes` has them."""
    return taken_changes(reader, old.inputs, new.inputs, new.blobs)


def taken_changes(reader: Reader, old: Iterable[Input], new: Iterable[Input], blobs: BlobReader) -> Iterator[Reason]:
    """Each input that differs, in the order of the new one's parameters; those that are gone come last.

    Of one that did not count before and does not now, the kind of the reason is ``ignored``: it is none.
    """
    before = {taken.name: taken for taken in old}
    after = {taken.name: taken for taken in new}
    for name, taken in after.items():
        if name not in before:
            yield Reason(_kind(taken), f"{_kind(taken)} {name} added: {shown(reader, taken)}", name, None)
        elif before[name].given != taken.given:
            yield _changed(reader, before[name], taken, blobs)
        elif before[name].is_ignored != taken.is_ignored:
            was, is_now = _WEIGHTS[before[name].is_ignored], _WEIGHTS[taken.is_ignored]
            yield Reason(_kind(taken), f"{_kind(taken)} {name}: {change(was, is_now)}", name, was, is_now)
    for name, taken in before.items():
        if name not in after:
            yield Reason(_kind(taken), f"{_kind(taken)} {name} removed: {shown(reader, taken)}", name, None)


def _changed(reader: Reader, old: Input, new: Input, blobs: BlobReader) -> Reason:
    texts = shown(reader, old), shown(reader, new)
    source = "" if new.source is None else f", of step {new.source}"
    found, note = _leaves(reader, old, new, blobs)
    if len(found) == 1 and found[0].path == "" and (new.artifact is None or found[0].new is None):
        found = ()  # It says of the whole what the texts say already.
    if old.is_ignored and new.is_ignored:
        text = f"ignored {_kind(new)} {new.name}: {change(*texts)}{source}{note}"
        return Reason("ignored", text, new.name, *texts, leaves=found)
    if old.is_ignored != new.is_ignored:
        note = f"; {_WEIGHTS[new.is_ignored]} now{note}"
    text = f"{_kind(new)} {new.name}: {change(*texts)}{source}{note}"
    return Reason(_kind(new), text, new.name, *texts, leaves=found)


def _kind(taken: Input) -> ReasonKind:
    return "parameter" if taken.artifact is None else "input"


def shown(reader: Reader, taken: Input) -> str:
    """An input in a word: a literal's text, or the artifact's name and version."""
    if taken.artifact is None:
        return taken.literal or "?"
    found = version_in(reader.rows(Artifacts.name), taken.artifact, taken.content)
    number = str(taken.content)[:8] if found is None else found.row[1]
    return f"{taken.artifact}@{number}{'' if taken.element is None else taken.element.selector}"


def _leaves(reader: Reader, old: Input, new: Input, blobs: BlobReader) -> tuple[tuple[Leaf, ...], str]:
    try:
        stored = [_stored(reader, taken, blobs) for taken in (old, new)]
        found = tuple(islice(leaves(stored[0], stored[1], blobs), LEAVES_MAX + 1))
    except LinealError:
        return (), "; in what can't be told: bytes of one are gone"
    more = "; the first differences inside are" if len(found) > LEAVES_MAX else ""
    return found[:LEAVES_MAX], more


def _stored(reader: Reader, taken: Input, blobs: BlobReader) -> Stored:
    manifest = read_manifest(blobs, taken.given)
    if taken.artifact is None or taken.element is not None:
        return Stored(manifest, {})
    made = version_in(reader.rows(Artifacts.name), taken.artifact, taken.content)
    if made is None:
        return Stored(manifest, {})
    return Stored(manifest, made_as(reader.event(made.seq).event, taken.artifact, taken.content).metadata)
