"""Preparing a step: its inputs as content ids, its code, and the fingerprint of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ...cas import Blob, Digest, Inline
from ...events.catalogue import Event, Input
from ...events.ids import Fingerprint, RunId
from ...events.projections.cache import Reusable
from ...store import Store
from ..declaring.materialized import materializers_of
from ..declaring.policy import UNSAID, Policy
from ..fingerprint import CodeManifest, CodeWalker, FingerprintForm, carried_by
from ..fingerprint.graph import Node as Reached
from ..fingerprint.source_index import SOURCE_INDEX
from ..graph.graph import Node
from ..graph.literals import Literals
from ..graph.references import OutputRef
from ..graph.taking import Given, Taken, Taking
from ..graph.templates import causes
from ..graph.unkept import Unkept
from ..planning.plan import Plan
from ..surroundings.seeds import SEED
from .captures import has_code, known_pipeline, new_code, qualified_name, remember_pipeline


class Ready:
    """A step whose inputs are known; what most never come to has its default in the class."""

    newest: Reusable | None = None
    """The newest step run of the fingerprint when this one began."""
    because: str | None = None
    """What its policy says against taking that: ``off``, ``refresh``, ``expired``."""
    is_claimed: bool = False
    begun_us: int = 0
    begun_ns: int = 0
    """When it was first looked for in the cache, on the clock of `time.perf_counter_ns`."""
    loads: tuple[Input, ...] = ()
    """What the step loaded itself while it executed."""
    missed: tuple[str, ...] = ()
    """References by which it found nothing then."""
    attempt: int = 0
    """The latest one, from 1."""
    tried_us: int = 0
    """When that was submitted."""
    is_in_flight: bool = False
    """Whether others of this process wait for it."""

    def __init__(
        self,
        node: Node,
        inputs: tuple[Input, ...],
        fingerprint: Fingerprint,
        code: CodeManifest,
        policy: Policy = UNSAID,
        blobs: Sequence[Blob] = (),
    ) -> None:
        """Be ready; ``blobs`` are receipts of literals that the step's first event names."""
        self.node = node
        self.inputs = inputs
        self.fingerprint = fingerprint
        self.code = code
        self.policy = policy
        self.blobs = blobs

    @property
    def contents(self) -> tuple[Digest, ...]:
        """Content ids of what the function is given."""
        return tuple([taken.given for taken in self.inputs if taken.name != SEED])

    @property
    def seed(self) -> int | None:
        """What its randomness is derived from, where that was declared; the last of its inputs then."""
        last = self.inputs[-1] if self.inputs else None
        return int(last.literal) if last is not None and last.name == SEED and last.literal else None

    def causes(self, run: RunId) -> tuple[RunId, str, str, Fingerprint, Digest, tuple[Input, ...]]:
        """What every fact of the step's end begins with."""
        step = self.node.step.qualified_name
        inputs = (*self.inputs, *self.loads) if self.loads else self.inputs
        return run, self.node.name, step, self.fingerprint, self.code.digest, inputs


@dataclass(slots=True)
class Known:
    """What step runs of one step have in common."""

    names: Set[str]
    """Of the parameters that it is given."""
    code: CodeManifest
    form: FingerprintForm
    policy: Policy
    seed: int | None


class PipelineCode(NamedTuple):
    """What a run says of the code of its pipeline's function."""

    function: str | None = None
    digest: Digest | None = None
    captured: Sequence[Event] = ()
    blobs: Sequence[Blob] = ()


class Preparer:
    """Prepares the steps of one plan, or of several that see the same code; not for several threads at once.

    The code of a step is walked once, and a simple literal that recurs is saved once.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy = UNSAID,
        seed: int | None = None,
        *,
        allow_pickle: bool = True,
        blobs: Unkept | None = None,
    ) -> None:
        """Prepare for runs in a store, under what their pipeline says about caching and randomness.

        Literals are saved to ``blobs``, by default the store's.
        """
        self._store = store
        self._policy = policy
        self._seed = seed
        self._walker = CodeWalker()
        SOURCE_INDEX.use(store.path)
        self._literals = Literals(store.blobs if blobs is None else blobs)
        self._taking = Taking(store, self._literals, allow_pickle=allow_pickle)
        self._recorded_code: set[Digest] = set()
        self._recorded: set[Digest] = set()
        """Of blobs that ride in commits, those whose receipts have gone to the log."""
        self._steps: dict[Any, Known] = {}

    def parameters(self, values: Mapping[str, Any]) -> tuple[list[Input], list[Blob]]:
        """The parameters of the pipeline, saved, with the receipts of their blobs; raises as `Taking.inputs` says.

        Call it right before they are recorded.
        """
        inputs, blobs = self._taking.parameters(values)
        return inputs, self._new(blobs)

    def pipeline_code(self, plan: Plan) -> PipelineCode:
        """The code of the pipeline's function, so that it can be run again. It is walked where it may have changed."""
        function = plan.function
        if function is None:
            return PipelineCode()
        name = qualified_name(function)
        known = known_pipeline(self._store, function, plan.graph)
        if known is not None and (known in self._recorded_code or has_code(self._store, known, name)):
            return PipelineCode(name, known)
        code = self._walker.manifest(function)
        self._recorded_code.add(code.digest)
        remember_pipeline(self._store, function, plan.graph, code.digest)
        with self._store.blobs.batch() as batch:
            batch.put(code.encoded)
            captured = new_code(self._store, code.digest, name, batch, partial(self._walker.reached, function))
            return PipelineCode(name, code.digest, captured, batch.publish())

    def length(self, ref: OutputRef, given: Given) -> int:
        """How many items an output has, or rows; raises as `Taking.length` says."""
        return self._taking.length(ref, given)

    def value(self, ref: OutputRef, given: Given) -> Any:
        """The value of an output, or of a part of it, loaded anew; raises as `Taking.value` says."""
        return self._taking.value(ref, given)

    def prepare(self, node: Node, given: Given) -> Ready:
        """Save a step's literals and determine its fingerprint. Raises as `Literals.save` and `CodeWalker` say."""
        taken = self._taking.inputs(node, given)
        return self._ready(node, taken, self.known(node, taken.code))

    def _ready(self, node: Node, taken: Taken, known: Known) -> Ready:
        inputs, blobs, _ = taken
        given_by = causes(node.arguments, [one.content if one.element is None else one.given for one in inputs])
        if known.seed is not None:
            seed, saved = self._taking.parameters({SEED: known.seed})
            given_by[SEED] = seed[0].content
            inputs += seed
            blobs += saved
        return Ready(node, tuple(inputs), known.form.of(given_by), known.code, known.policy, blobs)

    def prepared_ahead(self, node: Node, given: Given) -> Ready | None:
        """The same where it makes no difference whether other steps execute before: of a known step, called with
        scalars and whole outputs that carry no code; None for any other."""
        known = self._steps.get(node.step)
        if known is None or known.names != node.arguments.keys() or not self._taking.is_simple(node, given):
            return None
        return self._ready(node, self._taking.inputs(node, given), known)

    def captured(self, ready: Ready) -> tuple[Sequence[Event], Sequence[Blob]]:
        """Save a step's code where this run has not had it yet; give what goes with the step's first event.

        Call it right before that is recorded: what is published for no commit stays held as long as the process lives,
        and of receipts that several steps have, the first that is recorded brings them.
        """
        code, function = ready.code, ready.node.step.qualified_name
        blobs = self._new(ready.blobs) if ready.blobs else ()
        self._taking.recorded(ready.inputs)
        if code.digest in self._recorded_code:
            return (), blobs
        self._recorded_code.add(code.digest)
        with self._store.blobs.batch() as batch:
            batch.put(code.encoded)
            events = new_code(self._store, code.digest, function, batch, partial(self.reached, ready.node, code))
            return events, [*blobs, *batch.publish()]

    def _new(self, blobs: Sequence[Blob]) -> list[Blob]:
        """Those of these receipts that have not gone to the log yet; they go there now. Files are held for each."""
        new = [blob for blob in blobs if blob.digest not in self._recorded]
        self._recorded.update([blob.digest for blob in new if isinstance(blob.place, Inline)])
        return new

    def known(self, node: Node, carried: Sequence[str] = ()) -> Known:
        """What all step runs of a step have in common that are given the same parameters.

        Args:
            node: A call of the step.
            carried: The code that its inputs are made of, as `prepare` finds it.
        """
        kind = (node.step, *carried) if carried else node.step
        known = self._steps.get(kind)
        if known is None or known.names != node.arguments.keys():
            known = self._steps[kind] = self._determined(node, carried)
        return known

    def reached(self, node: Node, code: CodeManifest) -> list[Reached]:
        """All code that a step reaches, whose manifest this is."""
        function, options = node.step.function, node.step.options
        return self._walker.reached(function, depends_on=options.depends_on, carried=carried_by(code))

    def _determined(self, node: Node, carried: Sequence[str]) -> Known:
        step, options = node.step, node.step.options
        code = self._walker.manifest(
            step.function,
            depends_on=options.depends_on,
            version=options.version,
            carried=sorted(materializers_of(step.function, step.outputs).union(carried)),
        )
        counted = [name for name in node.arguments if name not in options.ignore_inputs]
        seed = self._seed if options.seed is None else options.seed
        if seed is not None:
            counted.append(SEED)
        form = FingerprintForm(code=code.digest, names=counted, outputs=step.outputs.causes)
        return Known(node.arguments.keys(), code, form, options.policy.under(self._policy), seed)
