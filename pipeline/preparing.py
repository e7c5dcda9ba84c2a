"""Preparing a step: its inputs as content ids, its code, and the fingerprint of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..cas import Blob, Digest
from ..events.catalogue import Event, Input, Output
from ..events.ids import Fingerprint, RunId
from ..events.projections.cache import Reusable
from ..store import Store
from .captures import new_code
from .fingerprint import CodeManifest, CodeWalker, fingerprint
from .graph import Node, OutputRef, causes
from .literals import Literals
from .policy import UNSAID, Policy

Given = Mapping[tuple[str, str], Output]
"""What the steps of a run gave by now, by step and output."""


@dataclass(slots=True)
class Ready:
    """A step whose inputs are known."""

    node: Node
    inputs: tuple[Input, ...]
    fingerprint: Fingerprint
    code: CodeManifest
    policy: Policy = UNSAID
    blobs: list[Blob] = field(default_factory=list)
    """Receipts of literals and code, which the step's first event names."""
    captured: Sequence[Event] = ()
    """What goes with its first event."""
    newest: Reusable | None = None
    """The newest step run of the fingerprint when this one began."""
    because: str | None = None
    """What its policy says against taking that: ``off``, ``refresh``, ``expired``."""
    is_claimed: bool = False
    begun_us: int = 0
    begun_ns: int = 0
    """When it was first looked for in the cache, on the clock of `time.perf_counter_ns`."""

    def causes(self, run: RunId) -> tuple[RunId, str, str, Fingerprint, Digest, tuple[Input, ...]]:
        """What every fact of the step's end begins with."""
        step = self.node.step.qualified_name
        return run, self.node.name, step, self.fingerprint, self.code.digest, self.inputs


class Preparer:
    """Prepares the steps of one plan, or of several that see the same code; not for several threads at once.

    The code of a step is walked once, and a simple literal that recurs is saved once.
    """

    def __init__(self, store: Store, policy: Policy = UNSAID) -> None:
        """Prepare for runs in a store, under what their pipeline says about caching."""
        self._store = store
        self._policy = policy
        self._walker = CodeWalker()
        self._literals = Literals(store.blobs)
        self._recorded_code: set[Digest] = set()

    def literal(self, name: str, value: Any) -> tuple[Input, Sequence[Blob]]:
        """A parameter of the pipeline, saved, with the receipts of its blobs; raises as `Literals.save` says."""
        saved = self._literals.save(name, value)
        return Input(name, saved.content, None, saved.text, None), saved.blobs

    def prepare(self, node: Node, given: Given) -> Ready:
        """Save a step's literals and determine its fingerprint. Raises as `Literals.save` and `CodeWalker` say."""
        inputs: list[Input] = []
        blobs: list[Blob] = []
        for source in node.sources:
            if isinstance(source.value, OutputRef):
                output = given[source.value.node, source.value.output]
                inputs.append(Input(source.path, output.content, output.artifact, None, source.value.node))
            else:
                literal = self._literals.save(source.path, source.value, node.name)
                blobs += literal.blobs
                inputs.append(Input(source.path, literal.content, None, literal.text, None))
        options = node.step.options
        code = self._walker.manifest(node.step.function, depends_on=options.depends_on, version=options.version)
        captured: Sequence[Event] = ()
        if code.digest not in self._recorded_code:
            self._recorded_code.add(code.digest)
            captured = new_code(self._store, code.digest, node.step.qualified_name)
            with self._store.blobs.batch() as batch:
                batch.put(code.encoded)
                blobs += batch.publish()
        given_by = causes(node.arguments, [taken.content for taken in inputs])
        counted = {name: cause for name, cause in given_by.items() if name not in options.ignore_inputs}
        print_ = Fingerprint(fingerprint(code=code.digest, inputs=counted, outputs=node.step.outputs.names))
        return Ready(node, tuple(inputs), print_, code, options.policy.under(self._policy), blobs, captured)
