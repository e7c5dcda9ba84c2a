"""Taking: what a step run is given, as the log says it: stored, and known by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...cas import Blob, Digest
from ...cas.blob import read_manifest
from ...errors import InvalidPipeline
from ...events.catalogue import Element, Input, Output
from ...events.projections import Artifacts
from ...events.projections.artifacts import version_in
from ...history import ArtifactVersionView, Reader, Trust, may_execute
from ...materializers import code_in, load
from ...store import Store
from .graph import Node
from .literals import SCALARS, Literals, SavedLiteral, is_scalar
from .mapping import rows_of
from .references import OutputRef, Selector, selector_text
from .templates import holds_input, taken_apart

Given = Mapping[tuple[str, str], Output]
"""What the steps of a run gave by now, by step and output."""


class Taken(NamedTuple):
    """What a step run is given."""

    inputs: list[Input]
    blobs: list[Blob]
    """Receipts of what was saved for it."""
    code: Sequence[str]
    """The code that the values carry, sorted."""


class Taking:
    """Gives the inputs of nodes. Of a whole output the last one that a part was taken of is kept in memory."""

    def __init__(self, store: Store, literals: Literals, *, allow_pickle: bool) -> None:
        self._store = store
        self._literals = literals
        self._allow_pickle = allow_pickle
        self._whole: tuple[Digest, Any] | None = None
        self._elements: dict[tuple[Digest, str], SavedLiteral] = {}

    def inputs(self, node: Node, given: Given) -> Taken:
        """What a node takes; raises as `Literals.save` says.

        Raises:
            InvalidPipeline: An output has no such part, or an artifact is of another store.
        """
        inputs: list[Input] = []
        blobs: list[Blob] = []
        code: set[str] = set()
        ignored = node.step.options.ignore_inputs
        for source in node.sources:
            value = source.value
            if isinstance(value, OutputRef):
                output = given[value.node, value.output]
                element, named = None, self._code(output.content, output.metadata)
                if value.selector:
                    saved = self._element(output.content, value, node.name)
                    element, named = Element(selector_text(value.selector), saved.content), saved.code
                    blobs += saved.blobs
                inputs.append(Input(source.path, output.content, output.artifact, None, value.node, element))
            elif type(value) not in SCALARS and isinstance(value, ArtifactVersionView):
                named = self._code(value.content, self._here(value, node.name).computed_metadata)
                inputs.append(Input(source.path, value.content, value.name, None, None))
            else:
                literal = self._literals.save(source.path, value, node.name)
                blobs += literal.blobs
                named = literal.code
                inputs.append(Input(source.path, literal.content, None, literal.text, None))
            if ignored and source.parameter in ignored:
                inputs[-1] = inputs[-1]._replace(is_ignored=True)
            elif named:
                code.update(named)
        return Taken(inputs, blobs, sorted(code) if code else ())

    def is_simple(self, node: Node, given: Given) -> bool:
        """Whether it takes nothing but small scalars and whole outputs that carry no code."""
        for source in node.sources:
            value = source.value
            if isinstance(value, OutputRef):
                if value.selector or code_in(given[value.node, value.output].metadata):
                    return False
            elif not is_scalar(value):
                return False
        return True

    def parameters(self, values: Mapping[str, Any]) -> tuple[list[Input], list[Blob]]:
        """What a pipeline is called with, likewise; artifacts that are gathered in one are parameters of their own."""
        inputs: list[Input] = []
        blobs: list[Blob] = []
        for name, value in values.items():
            for path, part in taken_apart({name: value})[1] if holds_input(value) else [(name, value)]:
                if isinstance(part, ArtifactVersionView):
                    self._here(part, None)
                    inputs.append(Input(path, part.content, part.name, None, None))
                else:
                    literal = self._literals.save(path, part)
                    blobs += literal.blobs
                    inputs.append(Input(path, literal.content, None, literal.text, None))
        return inputs, blobs

    def length(self, ref: OutputRef, given: Given) -> int:
        """How many items an output has, or rows. Raises `InvalidPipeline` if it has none."""
        whole = self._part_of(given[ref.node, ref.output].content, ref, None)
        if isinstance(whole, str | bytes | dict | set | frozenset) or not hasattr(whole, "__len__"):
            raise InvalidPipeline(
                f"the output {ref.output!r} of step {ref.node!r}, a {type(whole).__name__}, can't be mapped over",
                hint="Give a list, or row_groups(…) of a table; unmapped(…) passes it whole to each call.",
            )
        return len(whole)

    def value(self, ref: OutputRef, given: Given) -> Any:
        """The value of an output, or of a part of it, loaded anew. Raises `InvalidPipeline` if it has no such part."""
        self._whole = None
        value = self._part_of(given[ref.node, ref.output].content, ref, None)
        self._whole = None  # It is the caller's to change.
        return value

    def _code(self, content: Digest, metadata: Mapping[str, Any]) -> Sequence[str]:
        """The code that a value carries; none where it is loaded without, and records stand in for its classes."""
        named = code_in(metadata)
        return named if named and self._allow_pickle and Trust(self._store).allows([content]) else ()

    def _element(self, content: Digest, ref: OutputRef, step: str) -> SavedLiteral:
        """A part of an output, saved by itself. Equal ones are stored once, and large buffers with the whole."""
        known_as = content, selector_text(ref.selector)
        known = self._elements.get(known_as)
        if known is not None:
            return known
        value = self._part_of(content, ref, step)
        saved = self._elements[known_as] = self._literals.save(f"{ref.node}{known_as[1]}", value, step)
        return saved

    def recorded(self, inputs: Sequence[Input]) -> None:
        """Let go of the receipts of the parts among these, which go to the log now."""
        for one in inputs:
            known_as = None if one.element is None else (one.content, one.element.selector)
            if known_as in self._elements:
                self._elements[known_as] = self._elements[known_as]._replace(blobs=())

    def _part_of(self, content: Digest, ref: OutputRef, step: str | None) -> Any:
        try:
            return _part(self._loaded(content), ref.selector)
        except (LookupError, TypeError, AttributeError) as error:
            raise InvalidPipeline(
                f"the output {ref.output!r} of step {ref.node!r} has no {selector_text(ref.selector)}, which"
                f" {'a map' if step is None else f'step {step!r}'} is to take: {type(error).__name__}: {error}",
                hint="Look at what it is with `lineal show`.",
            ) from error

    def _loaded(self, content: Digest) -> Any:
        if self._whole is None or self._whole[0] != content:
            blobs = self._store.blobs
            manifest = read_manifest(blobs, content)
            allowed = may_execute(self._store, manifest, allow_pickle=self._allow_pickle)
            value: Any = load(manifest, blobs, allow_pickle=allowed)
            # A stream is gone through once, rather than once an item.
            self._whole = content, value if hasattr(value, "__getitem__") else _listed(value)
        return self._whole[1]

    def _here(self, version: ArtifactVersionView, step: str | None) -> ArtifactVersionView:
        """The version in this store."""
        place = version.name, version.content
        for rows in (self._store.committed_rows(Artifacts.name), None):
            if version_in(rows or self._store.rows(Artifacts.name), *place) is not None:
                return ArtifactVersionView(Reader(self._store), *place)
        raise InvalidPipeline(
            f"{'the pipeline' if step is None else f'step {step!r}'} is to take a version of {version.name!r} that is"
            f" in another store",
            where=self._store.path,
            hint="Load it, and pass the value.",
        )


def _listed(value: Any) -> Any:
    try:
        return list(value)
    except TypeError:
        return value


def _part(value: Any, selector: Selector) -> Any:
    for key in selector:
        value = value[key] if not isinstance(key, slice) else rows_of(value, key)
    return value
