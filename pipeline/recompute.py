"""Recomputation: making an evicted artifact version again, by running its step with what it took then.

It runs as a run of its own, of a pipeline called ``recompute``, and never from the cache. The step is found by the
name that its function had; its code must be what it was, and what it gives is held against the digest on record.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..cas.digest import Digest
from ..errors import LinealError, RecomputeFailed
from ..events.catalogue import ContentRecomputed, Event, Input, Output, StepCompleted
from ..events.ids import Fingerprint, StepRunId
from ..events.projections import Artifacts
from ..events.projections.artifacts import version_in
from ..history import ArtifactVersionView, Reader, RunView
from ..history.lineage import VersionKey, execution
from ..store import Store
from .declared import declared
from .executors import InlineExecutor
from .fingerprint import CodeManifest, CodeWalker, carried_by, fingerprint
from .graph import Graph, Node
from .plan import Plan
from .preparing import Ready
from .runner import Runner
from .script import MAIN
from .seeds import SEED
from .step import Step, StepOptions
from .templates import Gathered, Leaf, Template, causes, key_digest

PIPELINE = "recompute"
_SHAPES_MAX = 1024
_PATH = re.compile(r"(\w+)((?:\[.*\])?)", re.DOTALL)


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
    first = version_in(reader.rows(Artifacts.name), version.name, version.content)
    executed = None if first is None else execution(reader, reader.event(first.seq).event)
    if executed is None:
        raise RecomputeFailed(f"{version} was saved by hand, so nothing can make it again", hint="Save it again.")
    return executed


def _recipe(reader: Reader, version: ArtifactVersionView) -> _Recipe:
    executed = _executed(reader, version)
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
    """The form of the arguments: of those that the inputs' paths allow, the one with the fingerprint on record."""
    inputs = [taken for taken in executed.inputs if taken.reference is None]
    contents = [taken.given for taken in inputs]
    renamed = zip(step.outputs.specs, executed.outputs, strict=False)
    outputs = [replace(spec, name=output.name).cause for spec, output in renamed]
    for arguments in itertools.islice(_shapes(inputs), _SHAPES_MAX):
        given = causes(arguments, contents) | {one.name: one.content for one in executed.inputs if one.name == SEED}
        counted = {name: cause for name, cause in given.items() if name not in step.options.ignore_inputs}
        if fingerprint(code=executed.code, inputs=counted, outputs=outputs) == executed.fingerprint:
            return arguments
    raise RecomputeFailed(
        f"{version} can't be made again: what step {executed.step!r} was called with can't be put together",
        hint="Run its pipeline again with caching off.",
    )


def _shapes(inputs: Sequence[Input]) -> Iterator[dict[str, Template]]:
    """The forms of arguments that inputs may have come from: a path does not tell a list from a tuple or a dict."""
    parts: dict[str, list[tuple[tuple[Any, ...], int]]] = {}
    for number, taken in enumerate(inputs):
        if taken.name == SEED:
            continue
        matched = _PATH.fullmatch(taken.name)
        if matched is None:
            return
        try:
            steps = tuple(ast.literal_eval(f"[{text}]")[0] for text in _keys(matched[2]))
        except (ValueError, SyntaxError):
            return
        parts.setdefault(matched[1], []).append((steps, number))
    forms = [list(itertools.islice(_forms(members), _SHAPES_MAX)) for members in parts.values()]
    for chosen in itertools.product(*forms):
        yield dict(zip(parts, chosen, strict=True))


def _keys(path: str) -> list[str]:
    """The keys of a path such as ``[0]['a']``, as they are written."""
    return [] if not path else _split(path[1:-1])


def _split(inner: str) -> list[str]:
    parts, start = [], 0
    for found in re.finditer(r"\]\[", inner):
        if _is_literal(inner[start : found.start()]):
            parts.append(inner[start : found.start()])
            start = found.end()
    return [*parts, inner[start:]]


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _forms(members: list[tuple[tuple[Any, ...], int]]) -> Iterator[Template]:
    if members[0][0] == ():
        if len(members) == 1:
            yield Leaf(members[0][1])
        return
    inner: dict[Any, list[tuple[tuple[Any, ...], int]]] = {}
    for (first, *rest), number in members:
        inner.setdefault(first, []).append((tuple(rest), number))
    keys = tuple(inner)
    kinds = (list, tuple, dict) if keys == tuple(range(len(keys))) else (dict,)
    for items in itertools.product(*(list(_forms(below)) for below in inner.values())):
        for kind in kinds:
            if kind is dict:
                yield Gathered(dict, keys, tuple(key_digest("", one) for one in keys), items)
            else:
                yield Gathered(kind, (), (), items)


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
        ready = Ready(node, executed.inputs, print_, recipe.code, policy, list(batch.publish()))
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
