"""Reproducing: each step of a run is executed again from the inputs it had, and its outputs are compared with those on
record.

Each begins with the recorded contents of its inputs, so a difference stays with the step it comes from. They execute in
a run of a pipeline called ``reproduce``: what they give is versions of that pipeline's artifacts, and served to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import msgpack

from ...cas.digest import Digest
from ...errors import InvalidPipeline, LinealError
from ...events.catalogue import Again, Event, Output, StepCompleted, StepReused
from ...events.ids import Fingerprint, RunId
from ...events.projections.cache import Reusable
from ...history import Reader, RunView, StepRunView
from ...history.code import CodeManifest
from ...history.why import environment_differences
from ...in_force import InForce, existing_store
from ...materializers.comparing import Leaf, Stored, leaves
from ...store import Store
from ..deciding.preparing import Ready
from ..declaring.declared import declared
from ..declaring.policy import Policy
from ..executing.hooks import NO_HOOKS
from ..fingerprint import CodeWalker, FingerprintForm
from ..graph.graph import Graph, Node
from ..graph.templates import causes
from ..planning.earlier import RunReference, outcome_of, run_of
from ..planning.plan import Plan
from ..running.runner import Runner
from ..step import Step, StepOptions
from ..surroundings.environment import captured_environment
from ..surroundings.seeds import SEED
from ..workers.executors import InlineExecutor
from .apart import call_apart
from .arguments import form_of_arguments, ignored_in
from .reproduction import OutputCheck, Reproduction, StepCheck
from .rerun import CodeChoice, code_like, source_differences
from .trusted import require_trusted

PIPELINE = "reproduce"
_LEAVES_MAX = 5


def reproduce(run: RunReference | StepRunView, /, *, code: CodeChoice = "recorded") -> Reproduction:
    """Execute the steps of a run again, each from the inputs it had, and compare what they give with what they gave.

    Args:
        run: A run in the store in force: a view of it, its id, its name, or the beginning of its id; or a step run, as
            a view or as ``run/step``.
        code: ``"recorded"``: the code that ran then, in a process of its own; ``"current"``: the code of today, here.

    Raises:
        RunNotFound, StepNotFound: There is no such run or step.
        LoadRefused: The run was imported from a store that is not trusted.
        CodeMissing: The code was not recorded, or can't be imported here; nothing has run.
        StoreClosed: The store was opened for reading only.
    """
    if code not in ("recorded", "current"):
        raise InvalidPipeline(f"there is no code {code!r}", hint="Say 'recorded' or 'current'.")
    in_force = existing_store()
    in_force.writable()
    wanted, steps = _meant(_reader(in_force), run)
    if code == "current":
        require_trusted(_reader(in_force), wanted)
        return reproduce_here(wanted.id, steps, False)
    made: Reproduction = call_apart(in_force, wanted, reproduce_here, wanted.id, steps, True)
    return made


def _meant(reader: Reader, which: RunReference | StepRunView) -> tuple[RunView, tuple[str, ...]]:
    if isinstance(which, StepRunView):
        return run_of(reader, which.id.run), (which.name,)
    if isinstance(which, str) and "/" in which:
        name, _, step = which.rpartition("/")
        run = run_of(reader, name)
        return run, (run.get_step(step).name,)
    run = run_of(reader, which)
    return run, tuple(run.steps)


def _reader(in_force: InForce) -> Reader:
    return Reader(in_force.store, allow_pickle=in_force.allow_pickle)


class _Trial(NamedTuple):
    """A step that can be executed again."""

    ready: Ready
    then: StepCompleted | StepReused
    is_fickle: bool
    """Whether what it gave then had already come out otherwise before."""


def reproduce_here(run: RunId, steps: Sequence[str], is_recorded: bool) -> Reproduction:
    """The same with the code that this process has, which is to be what was recorded, or is of today."""
    in_force = existing_store()
    reader, store = _reader(in_force), in_force.writable()
    then = run_of(reader, run)
    trials, checks = _trials(reader, then, steps, is_recorded)
    runs: list[str] = []
    left = trials
    while left:
        runner = _Reproducer(store, run, left, allow_pickle=in_force.allow_pickle)
        try:
            runner.run()
        except LinealError:
            if not runner.failed:
                raise
            for name, error in runner.failed.items():
                checks[name] = StepCheck(name, "not comparable", error.what)
        made = RunView(reader, runner.run_id)
        runs.append(made.name)
        for name in runner.given:
            checks[name] = _check(reader, left[name], made.steps[name], runner.given[name])
        left = {name: trial for name, trial in left.items() if name not in checks}
    here = msgpack.unpackb(captured_environment(), unicode_errors="surrogateescape")
    environment = environment_differences(then.environment, here)
    return Reproduction(run, then.name, tuple(checks[name] for name in steps), tuple(runs), environment)


def _trials(
    reader: Reader, run: RunView, steps: Sequence[str], is_recorded: bool
) -> tuple[dict[str, _Trial], dict[str, StepCheck]]:
    """The steps that can be executed again, and what is to be said of the others."""
    walker = CodeWalker()
    trials: dict[str, _Trial] = {}
    checks: dict[str, StepCheck] = {}
    for name in steps:
        prepared = _prepared(reader, run.steps[name], walker, is_recorded)
        if isinstance(prepared, str):
            checks[name] = StepCheck(name, "not comparable", prepared)
        else:
            trials[name] = prepared
    return trials, checks


def _prepared(reader: Reader, step_run: StepRunView, walker: CodeWalker, is_recorded: bool) -> _Trial | str:
    """A step that can be executed again, or why it can't."""
    then = outcome_of(reader, step_run.id.run, step_run.name)
    if then is None:
        return f"it gave nothing then: {step_run.status}"
    gone = [taken.name for taken in then.inputs if not reader.store.blobs.holds(taken.given)]
    if gone:
        return f"its input {gone[0]} is gone"
    found: Step[..., Any] | None = declared(then.function, Step, lambda plain: Step(plain, StepOptions()))
    if found is None:
        return f"its function {then.function} can't be imported"
    step = found.with_options(cache="off")
    step.options = replace(step.options, hooks=NO_HOOKS)  # Whoever they tell has heard of it.
    arguments = form_of_arguments(step, then)
    if arguments is None:
        return "what it was called with can't be put together"
    recorded = CodeManifest.decode(reader.store.blobs.read(then.code))
    code = code_like(walker, step, recorded)
    differing = source_differences(code, recorded) if is_recorded else []
    if differing:
        return f"its recorded code is not what ran: {differing[0]} differs"
    inputs = tuple(taken for taken in then.inputs if taken.reference is None)
    seed = {taken.name: taken.content for taken in inputs if taken.name == SEED}
    given = causes(arguments, [taken.given for taken in inputs]) | seed
    ignored = ignored_in(step, inputs)
    counted = [name for name in given if name not in ignored]
    print_ = FingerprintForm(code=code.digest, names=counted, outputs=step.outputs.causes).of(given)
    step.outputs = replace(step.outputs, specs=tuple(_nameless(spec) for spec in step.outputs.specs))
    node = Node(then.step, step, arguments, ())
    ready = Ready(node, inputs, Fingerprint(print_), code, Policy("off"))
    return _Trial(ready, then, step_run.divergence is not None)


def _nameless(spec: Any) -> Any:
    """An output that takes over no artifact's name, nor tags."""
    plain = None if spec.declared is None else replace(spec.declared, tags=(), metadata={})
    return replace(spec, artifact=None, declared=plain)


class _Reproducer(Runner):
    """Executes steps, each with the inputs that it had; what they give is told in ``given``."""

    def __init__(self, store: Store, run: RunId, trials: Mapping[str, _Trial], *, allow_pickle: bool) -> None:
        graph = Graph(tuple(trial.ready.node for trial in trials.values()))
        plan = Plan(PIPELINE, graph, {}, again=Again("reproduce", run), failure="continue")
        super().__init__(store, plan, InlineExecutor(), allow_pickle=allow_pickle)
        self._trials = trials
        self.given: dict[str, tuple[Output, ...]] = {}

    @property
    def failed(self) -> Mapping[str, LinealError]:
        """The steps that failed, and why."""
        return self._course.lost

    def _prepare(self, node: Node) -> Ready:
        return self._trials[node.name].ready

    def _consequences(self, ready: Ready, outputs: tuple[Output, ...]) -> list[Event]:
        then = self._trials[ready.node.name].then
        self.given[ready.node.name] = outputs
        is_same_cause = ready.fingerprint == then.fingerprint
        ready.newest = Reusable.of(then) if is_same_cause else None
        return super()._consequences(ready, outputs)


def _check(reader: Reader, trial: _Trial, again: StepRunView, given: Sequence[Output]) -> StepCheck:
    by_name = {output.name: output for output in given}
    before = {output.name: output for output in trial.then.outputs}
    name = trial.ready.node.name
    if by_name.keys() != before.keys():
        return StepCheck(name, "not comparable", f"it gives other outputs: {', '.join(by_name) or 'none'}")
    checks = tuple(_compared(reader, before[one], by_name[one]) for one in before)
    if all(check.is_same for check in checks):
        return StepCheck(name, "same", None, checks)
    if trial.is_fickle:
        return StepCheck(name, "not comparable", "it has given different results for the same before", checks)
    return StepCheck(name, "differs", None, checks)


def _compared(reader: Reader, then: Output, again: Output) -> OutputCheck:
    found: tuple[Leaf, ...] = ()
    if then.content != again.content:
        try:
            pair = [Stored(reader.manifest(one.content), one.metadata) for one in (then, again)]
            found = tuple(islice(leaves(pair[0], pair[1], reader.store.blobs), _LEAVES_MAX))
        except LinealError:  # What it gave then is gone: its digest is all that is left to compare.
            found = ()
    return OutputCheck(then.name, Digest(then.content), Digest(again.content), found)
