"""Foreseeing a run: each step prepared as a run would prepare it, and looked for in the cache, but nothing recorded.

What a step takes of one that would execute is not known before it has: of such a step no more is said than that it may
run, unless its policy or its code settle it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from ...cas import Digest
from ...events.catalogue import Input, Output
from ...events.ids import Fingerprint
from ...history import Reader
from ...history.code import CodeManifest
from ...history.code_changes import code_changes
from ...history.expectation import expected
from ...history.explaining import FORCED, mention, miss_reasons
from ...history.ingredients import Ingredients, ingredients_of
from ...history.nearest import Begun, nearest
from ...history.pipeline_names import declared_pipeline
from ...history.reasons import Reason
from ...history.sources import SourceIndex, Sources
from ...store import Store
from ..fingerprint import carried_by
from ..graph.agenda import Agenda
from ..graph.graph import Node
from ..graph.unfolding import Folded, Unfolding
from ..graph.unkept import Unkept
from ..planning.plan import Plan
from .cache import StepCache
from .captures import has_code
from .forecast import Forecast, ForeseenStep
from .preparing import Known, Preparer
from .sources import capture_sources


def foresee(store: Store, plan: Plan, *, is_sequential: bool, allow_pickle: bool) -> Forecast:
    """Tell what a run of a plan would do now.

    Args:
        store: The store that it would run in.
        plan: What to run.
        is_sequential: Whether each step ends before the next begins.
        allow_pickle: As the store was opened.
    """
    store.head()  # What this process has on its way is in the log then.
    return _Foreseer(store, plan, is_sequential, Reader(store, allow_pickle=allow_pickle)).forecast()


class _Execution(NamedTuple):
    """A step that will execute, and what it gives will be offered."""

    step: str
    is_waited_for: bool
    """Whether steps of the same causes wait for it, where several execute at a time."""


class _Foreseer:
    """Looks ahead in one plan."""

    def __init__(self, store: Store, plan: Plan, is_sequential: bool, reader: Reader) -> None:
        self._plan = plan
        self._is_sequential = is_sequential
        self._reader = reader
        self._store = store
        self._blobs = Unkept(store.blobs)
        allow_pickle = reader.allow_pickle
        self._preparer = Preparer(store, plan.policy, plan.seed, allow_pickle=allow_pickle, blobs=self._blobs)
        self._cache = StepCache(store, self._blobs)
        self._given: dict[tuple[str, str], Output] = {}
        self._agenda = Agenda(plan.graph.nodes)
        self._unfolding = Unfolding(plan.pipeline, partial(self._preparer.length, given=self._given))
        self._unknown: set[str] = set()
        """Steps whose outputs are not known, and maps whose calls are not."""
        self._to_execute: dict[Fingerprint, _Execution] = {}
        self._codes: set[Digest] = set()
        """Of the steps that will execute, or may."""

    def forecast(self) -> Forecast:
        """Foresee each step, in the order in which a run would come to them."""
        self._preparer.parameters(self._plan.parameters)  # A run saves them first, whatever else was evicted.
        found: list[ForeseenStep] = []
        while node := self._agenda.next_ready():
            if not isinstance(node, Folded):
                found.append(self._foreseen(node))
                self._agenda.done(node.name)
            elif waits_for := tuple(sorted(node.parents & self._unknown)):
                found.append(self._undecided(node, waits_for))
                self._agenda.done(node.name)
            else:
                self._unfold(node)
        return Forecast(self._plan.pipeline, tuple(found))

    def _unfold(self, folded: Folded) -> None:
        for node in self._unfolding.unfold(folded):
            self._agenda.add(node)
        if self._unfolding.is_unfolded(folded.name):
            self._agenda.done(folded.name)

    def _foreseen(self, node: Node) -> ForeseenStep:
        waits_for = tuple(sorted((node.parents - set(node.after)) & self._unknown))
        if waits_for:
            return self._undecided(node, waits_for)
        ready = self._preparer.prepare(node, self._given)
        ready.begun_us = time.time_ns() // 1000
        policy = ready.policy
        shares = self._to_execute.get(ready.fingerprint) if policy.expires_after_us != 0 else None
        if shares is not None and policy.takes:
            return self._shared(node, ready.code, shares, is_waited_for=policy.offers and shares.is_waited_for)
        ready.newest = self._cache.newest(ready.fingerprint)
        reusable = self._cache.serve(ready)
        if reusable is not None:
            self._given.update({(node.name, output.name): output for output in reusable.outputs})
            reuses = mention(self._reader, reusable.step)
            return ForeseenStep(node.name, node.step.qualified_name, "hit", reuses=reuses, gaps=ready.code.gaps)
        self._will_execute(node, ready.code.digest)
        if policy.offers:
            self._to_execute[ready.fingerprint] = _Execution(node.name, policy.takes)
        earlier = self._nearest(node)
        new = self._ingredients(node, ready.code, ready.fingerprint, ready.inputs)
        reasons = miss_reasons(self._reader, new, earlier, self._reader.head_seq + 1, ready.because)
        return self._missed(node, ready.code, tuple(reasons), earlier)

    def _undecided(self, node: Node, waits_for: tuple[str, ...]) -> ForeseenStep:
        """A step whose inputs are not known yet: it executes where its policy or its code settle that, or may."""
        known = self._preparer.known(node)
        earlier = self._nearest(node)
        reasons = tuple(self._settling(node, known, earlier))
        self._will_execute(node, known.code.digest)
        if reasons:
            return self._missed(node, known.code, reasons, earlier)
        return self._unknown_step(node, known.code, waits_for)

    def _unknown_step(self, node: Node, code: CodeManifest, waits_for: tuple[str, ...]) -> ForeseenStep:
        function = node.step.qualified_name
        took = expected(self._reader, function)
        return ForeseenStep(node.name, function, "unknown", waits_for=waits_for, expected=took, gaps=code.gaps)

    def _settling(self, node: Node, known: Known, earlier: Begun | None) -> Iterator[Reason]:
        """What makes a step execute whatever its inputs."""
        mode, function = known.policy.mode, node.step.qualified_name
        is_forced = not known.policy.takes and mode in FORCED
        if is_forced:
            yield Reason(FORCED[mode], f"forced: its cache policy was {mode}")
        elif known.code.digest in self._codes or has_code(self._store, known.code.digest, function):
            return
        if earlier is None:
            yield Reason("first-run", f"first run of {function}", function)
        elif earlier.event.code is not None and (is_forced or has_code(self._store, earlier.event.code, function)):
            old = ingredients_of(self._reader, earlier)
            new = self._ingredients(node, known.code, Fingerprint(bytes(32)), ())
            before = old.manifest()
            if before is not None and not carried_by(before):  # Else inputs bring code, too, and nobody knows which.
                yield from code_changes(old, new)

    def _will_execute(self, node: Node, code: Digest) -> None:
        """Note that a step will execute, or may."""
        self._unknown.add(node.name)
        self._codes.add(code)

    def _shared(self, node: Node, code: CodeManifest, other: _Execution, *, is_waited_for: bool) -> ForeseenStep:
        """A step that asks for what another one of the run will have computed."""
        self._unknown.add(node.name)
        if self._is_sequential or is_waited_for:
            return ForeseenStep(node.name, node.step.qualified_name, "hit", shares=other.step, gaps=code.gaps)
        return self._unknown_step(node, code, (other.step,))

    def _missed(
        self, node: Node, code: CodeManifest, reasons: tuple[Reason, ...], earlier: Begun | None
    ) -> ForeseenStep:
        return ForeseenStep(
            node.name,
            node.step.qualified_name,
            "miss",
            reasons,
            compared_with=None if earlier is None else mention(self._reader, earlier.id),
            expected=expected(self._reader, node.step.qualified_name),
            gaps=code.gaps,
        )

    def _nearest(self, node: Node) -> Begun | None:
        function = node.step.qualified_name
        pipeline = declared_pipeline(self._reader, self._plan.pipeline)
        return nearest(self._reader, pipeline, node.name, function, self._reader.head_seq + 1)

    def _ingredients(
        self, node: Node, code: CodeManifest, fingerprint: Fingerprint, inputs: tuple[Input, ...]
    ) -> Ingredients:
        return Ingredients(
            self._plan.pipeline,
            node.name,
            node.step.qualified_name,
            fingerprint,
            inputs,
            node.step.outputs.names,
            code.digest,
            lambda: code,
            lambda: self._sources(node, code),
            self._blobs,
        )

    def _sources(self, node: Node, code: CodeManifest) -> Sources:
        index, _ = capture_sources(self._preparer.reached(node, code), self._blobs)
        return Sources(SourceIndex.decode(self._blobs.read(index)), self._blobs)
