"""Recomputation: making an evicted artifact version again, by running its step with what it took then.

It runs as a run of its own, of a pipeline called ``recompute``, and never from the cache. The step is found by the
name that its function had; its code must be what it was, and what it gives is held against the digest on record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from ...cas.digest import Digest
from ...errors import LinealError, RecomputeFailed
from ...events.catalogue import ArtifactSaved, ContentRecomputed, Event, Output, StepCompleted
from ...events.ids import Fingerprint, StepRunId
from ...events.projections import Artifacts, Lineage
from ...events.projections.artifacts import version_in
from ...events.rows import key
from ...history import ArtifactVersionView, Reader, RunView
from ...history.lineage_parts import VersionKey, execution
from ...store import Store
from ..deciding.preparing import Ready
from ..declaring.declared import declared
from ..fingerprint import CodeManifest, CodeWalker, carried_by
from ..graph.graph import Graph, Node
from ..graph.templates import Template
from ..planning.plan import Plan
from ..running.runner import Runner
from ..step import Step, StepOptions
from ..surroundings.script import MAIN
from ..workers.executors import InlineExecutor
from .arguments import form_of_arguments
from .trusted import is_trusted_step, require_trusted_step

PIPELINE = "recompute"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How to make a version again."""

    version: ArtifactVersionView
    executed: StepCompleted
    step: Step[..., Any]
    code: CodeManifest
    arguments: dict[str, Template]


def recompute(store: Store, version: ArtifactVersionView, *, allow_pickle: bool) -> ArtifactVersionView:
    """Make a version again, and first those that it was made from and that are gone, too.

    Nothing runs before all of it is known to be possible, as far as can be told.

    Raises:
        BlobCorrupt: It is there, but damaged.
        LoadRefused: What made it was imported from a store that is not trusted.
        RecomputeFailed: It can't be made again, or what was made is another value, which is then recorded as such.
        StepFailed: A step raised.
    """
    reader = Reader(store, allow_pickle=allow_pickle)
    version = ArtifactVersionView(reader, version.name, version.content)
    if version.is_available:
        _require_sound(store, version)
    recipes = [_recipe(reader, missing) for missing in _missing(reader, version)]
    for recipe in recipes:
        if not recipe.version.is_available:
            _follow(store, reader, recipe)
    return version


def _require_sound(store: Store, version: ArtifactVersionView) -> None:
    """Raise `BlobCorrupt` if what is there is damaged: then it has to be moved away before it can be made again."""
    for digest in version.blobs():
        store.blobs.verify(digest)


def _missing(reader: Reader, wanted: ArtifactVersionView) -> list[ArtifactVersionView]:
    """What has to be made, each after what it was made from."""
    ordered: dict[VersionKey, ArtifactVersionView] = {}
    entered: set[VersionKey] = set()
    waiting = [wanted]
    while waiting:
        version = waiting[-1]
        place = VersionKey(version.name, version.content)
        if place in entered or version.is_available:
            waiting.pop()
            if place in entered:
                ordered.setdefault(place, version)
            continue
        entered.add(place)
        inputs = _executed(reader, version).inputs
        waiting += [
            ArtifactVersionView(reader, one.artifact, one.content) for one in inputs if one.artifact is not None
        ]
    return list(ordered.values())


def _executed(reader: Reader, version: ArtifactVersionView) -> StepCompleted:
    """The execution to do again: the one that the version comes from, else the newest that gave the same content.

    One of a store that is not trusted is none where another one gave it, too.
    """
    first: StepCompleted | None = None
    for executed in _executions(reader, version):
        if is_trusted_step(reader, executed.run, executed.step):
            return executed
        first = first or executed
    if first is None:
        raise RecomputeFailed(f"{version} was saved by hand, so nothing can make it again", hint="Save it again.")
    return first


def _executions(reader: Reader, version: ArtifactVersionView) -> Iterator[StepCompleted]:
    """The executions that gave a version's content, that which the version comes from first, then the newest first."""
    made = version_in(reader.rows(Artifacts.name), version.name, version.content)
    given = reader.rows(Lineage.name).history(key("p", version.content), newest_first=True)
    seqs = (seq for seq, row in given if row and row[3])
    for seq in seqs if made is None else chain([made.seq], seqs):
        event = reader.event(seq).event
        executed = None if isinstance(event, ArtifactSaved) else execution(reader, event)
        if executed is not None:
            yield executed


def _recipe(reader: Reader, version: ArtifactVersionView) -> _Recipe:
    executed = _executed(reader, version)
    require_trusted_step(reader, executed.run, executed.step)
    for taken in executed.inputs:
        if taken.artifact is None and not reader.store.blobs.holds(taken.content):
            raise RecomputeFailed(
                f"{version} can't be made again: the literal {taken.name} = {taken.literal} is gone",
                hint="Restore the store from a copy.",
            )
    step = _found(executed.function, version)
    options = step.options
    recorded = _recorded_code(reader, executed.code)
    code = CodeWalker().manifest(
        step.function,
        depends_on=options.depends_on,
        version=options.version,
        carried=() if recorded is None else carried_by(recorded),
    )
    if code.digest != executed.code:
        raise RecomputeFailed(
            f"{version} can't be made again: the code of step {executed.step!r} is not what it was",
            where=executed.function,
            hint=_difference(code, recorded),
        )
    return _Recipe(version, executed, step, code, _arguments(step, executed, version))


def _recorded_code(reader: Reader, digest: Digest) -> CodeManifest | None:
    try:
        return CodeManifest.decode(reader.store.blobs.read(digest))
    except LinealError:
        return None


def _difference(code: CodeManifest, recorded: CodeManifest | None) -> str:
    if recorded is None:
        return "Check out the code as it was then."
    diff = code.diff(recorded)
    symbols = [*diff.changed, *diff.added, *diff.removed]
    more = f" and {len(symbols) - 3} more" if len(symbols) > 3 else ""
    return f"Check out the code as it was then: {', '.join(symbols[:3])}{more} differ."


def _found(function: str, version: ArtifactVersionView) -> Step[..., Any]:
    """The step whose function has this module and qualified name. Raises `RecomputeFailed` if it can't be imported."""
    step: Step[..., Any] | None = declared(function, Step, lambda plain: Step(plain, StepOptions()))
    if step is None:
        raise RecomputeFailed(
            f"{version} can't be made again: its step's function {function} can't be imported",
            hint=f"Give the script that ran: `lineal recompute {version} --script FILE`."
            if function.startswith(f"{MAIN}.")
            else "Run it where that module can be imported; a function inside another one never can.",
        )
    return step


def _arguments(step: Step[..., Any], executed: StepCompleted, version: ArtifactVersionView) -> dict[str, Template]:
    arguments = form_of_arguments(step, executed)
    if arguments is None:
        raise RecomputeFailed(
            f"{version} can't be made again: what step {executed.step!r} was called with can't be put together",
            hint="Run its pipeline again with caching off.",
        )
    return arguments


class _Again(Runner):
    """Runs one step with the inputs that it had."""

    def __init__(self, store: Store, plan: Plan, ready: Ready, wanted: Digest, *, allow_pickle: bool) -> None:
        super().__init__(store, plan, InlineExecutor(), allow_pickle=allow_pickle)
        self._ready = ready
        self._wanted = wanted

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        events = super()._consequences(ready, outputs)
        if any(output.content == self._wanted for output in outputs):
            events.append(ContentRecomputed(self._wanted, StepRunId(self.run_id, ready.node.name)))
        return events

    def _prepare(self, node: Node) -> Ready:
        return self._ready


def _follow(store: Store, reader: Reader, recipe: _Recipe) -> None:
    executed, version = recipe.executed, recipe.version
    step = recipe.step.with_options(cache="refresh")
    artifacts = {output.name: output.artifact for output in executed.outputs}
    specs = tuple(replace(spec, artifact=artifacts.get(spec.name)) for spec in step.outputs.specs)
    step.outputs = replace(step.outputs, specs=specs)
    node = Node(executed.step, step, recipe.arguments, ())
    with store.blobs.batch() as batch:
        batch.put(recipe.code.encoded)
        print_, policy = Fingerprint(executed.fingerprint), step.options.policy
        ready = Ready(
            node,
            tuple(taken for taken in executed.inputs if taken.reference is None),
            print_,
            recipe.code,
            policy,
            list(batch.publish()),
        )
    plan = Plan(PIPELINE, Graph((node,)), {})
    run = RunView(reader, _Again(store, plan, ready, version.content, allow_pickle=reader.allow_pickle).run())
    made = {view.content: view for view in run.steps[executed.step].outputs.values()}
    if version.content not in made:
        others = ", ".join(str(view) for view in made.values())
        raise RecomputeFailed(
            f"step {executed.step!r} gave another value than {version} was: the same code and inputs don't always "
            f"give the same",
            where=run.name,
            hint=f"What it gave is {others}; {version} stays evicted.",
        )
