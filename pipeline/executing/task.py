"""One execution of a step: load its inputs, call it, save its outputs; the same code in whatever process."""

from __future__ import annotations

import inspect
import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage, struct_rusage
from types import FunctionType, TracebackType
from typing import Any

from ...cas import Blob, BlobReader, Digest
from ...cas.blob import read_manifest
from ...cas.manifest import Manifest
from ...during import During
from ...errors import LinealError
from ...events.catalogue import ContentVisualized, Failure, Input, Output, Resources
from ...events.ids import RunId, StepRunId
from ...in_force import LISTENING, Listening, Resolved
from ...materializers import load
from ..capturing.broadcast import Hear
from ..capturing.capture import Log, captured
from ..capturing.threads import inherited
from ..declaring.attempts import name_of
from ..declaring.checks import check, check_kinds, checks_of
from ..declaring.outputs import Outputs
from ..declaring.recorded_kinds import recorded_kinds
from ..graph.templates import Leaf, Template, fill
from ..graph.tracing import tracing
from ..surroundings.seeds import Entropy, seeded
from ..workers.worker import Stopped
from .awaiting import awaited
from .context import Point, Reports, StepContext, running
from .giving import Given, Giver

inherited(LISTENING)
_TRACEBACK_MAX_CHARACTERS = 64 * 1024
_MESSAGE_MAX_CHARACTERS = 4 * 1024
_MEASURED_FROM_US = 1000
"""What takes less is not worth the system call that tells what it took of the machine, nor the bytes that record it."""


@dataclass(slots=True)  # as the nodes of a graph
class Task:
    """What to execute: it travels to other processes, with values as digests only."""

    pipeline: str
    step: str
    function: Callable[..., Any]
    arguments: Mapping[str, Template]
    contents: tuple[Digest, ...]
    """Content ids of the inputs, by number."""
    outputs: Outputs
    allow_pickle: bool
    """Whether inputs may be loaded whose format executes code."""
    run: RunId
    entropy: Entropy
    attempt: int = 1
    """Which execution it is of those that the step may take."""
    unchecked: tuple[str, ...] = ()
    """Parameters whose arguments have not been held against their annotations."""
    store: Path = Path()
    """Where the store of the run is."""
    within: tuple[RunId, ...] = ()
    """The runs in whose steps the run was begun."""
    visualizes: bool = True
    """Whether it is kept what the outputs show of themselves."""
    scalars: Mapping[int, Any] = field(default_factory=dict)
    """By number, inputs that are known here: literals that are the same however often they are loaded."""


@dataclass(slots=True)  # likewise
class Result:
    """What came of it."""

    outputs: tuple[Output, ...]
    blobs: tuple[Blob, ...]
    """Receipts of everything saved, durable where it is a file."""
    log: Digest | None
    started_us: int
    duration_us: int
    resources: Resources | None
    """None of what took less than a millisecond."""
    failure: Failure | None
    exception: BaseException | None
    """What the step raised, where it can be carried over."""
    is_ours: bool
    """Whether what failed is no code of the step's: its inputs could not be loaded, or its outputs not be taken."""
    metadata: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """What the step told of itself and its outputs."""
    points: Sequence[Point] = ()
    """Metrics that it logged and that are in no store yet."""
    kinds: tuple[str, ...] = ()
    """Names of the kinds of what the step raised, where that can't be carried over."""

    loads: tuple[Input, ...] = ()
    """What it loaded itself, by reference."""
    visualized: tuple[ContentVisualized, ...] = ()
    """What its outputs show of themselves, where they show anything."""
    missed: tuple[str, ...] = ()
    """References by which it looked for artifacts where there were none."""
    others: tuple[str, ...] = ()
    """Values of globals that were others where it executed than those that its fingerprint has."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Result, tuple([getattr(self, name) for name in _FIELDS])

    def packed(self) -> bytes:
        """The result in bytes, less an exception that does not survive it."""
        if self.exception is None:
            return pickle.dumps(self, pickle.HIGHEST_PROTOCOL)
        try:
            data = pickle.dumps(self)
            pickle.loads(data)
        except Exception:  # noqa: BLE001 — the user's need not pickle; its traceback is in the failure
            kinds = tuple(name_of(kind) for kind in type(self.exception).__mro__)
            return pickle.dumps(replace(self, exception=None, kinds=kinds))
        return data

    @staticmethod
    def unpacked(data: bytes) -> Result:
        """What `packed` packed."""
        result: Result = pickle.loads(data)
        return result


_FIELDS = tuple(one.name for one in fields(Result))


def execute(
    task: Task,
    giver: Giver,
    reports: Reports,
    hear: Hear | None = None,
) -> Result:
    """Execute a step; ``hear`` is told what it prints.

    What it raises is in the result; only an interrupt, or a broken store, raises here.
    """
    context = _context(task, reports)
    started_us = time.time_ns() // 1000
    start_ns = time.perf_counter_ns()
    before = getrusage(RUSAGE_THREAD)
    log = Log(None if hear is None else partial(hear, started_us))
    batch = giver.batch
    with batch:
        failure: Failure | None = None
        exception: BaseException | None = None
        given = Given()
        heard = Listening(task.store, StepRunId(task.run, task.step), {})
        is_users = is_ours = False
        try:
            with captured(log), tracing(None), running(context), During(LISTENING, heard):
                args, kwargs = _loaded(task, giver.reader)
                with seeded(task.entropy.seed):
                    is_users = True
                    returned = awaited(task.function(*args, **kwargs))
                    is_users = False
            given = giver.give(task.outputs, returned, task.pipeline, task.step, visualizes=task.visualizes)
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # noqa: BLE001 — the user's own; the result carries it
            failure, exception = failure_of(error), error.with_traceback(_users_frames(error.__traceback__))
            is_ours = isinstance(error, LinealError) and not is_users
            batch.drop()  # Of outputs that nothing will name, nothing is kept, least of all on a full disk.
        frames = log.encoded()
        log_digest = None if frames is None else batch.put(frames)
        blobs = batch.publish()
    resolved = heard.resolved
    duration_us = (time.perf_counter_ns() - start_ns) // 1000
    resources = None if duration_us < _MEASURED_FROM_US else _taken(before, getrusage(RUSAGE_THREAD))
    return Result(
        given.outputs,
        blobs,
        log_digest,
        started_us,
        duration_us,
        resources,
        failure,
        exception,
        is_ours,
        context.metadata,
        reports.points,
        loads=tuple([_load_of(one, one.content) for one in resolved.values() if one.content is not None]),
        visualized=given.visualized,
        missed=tuple([one.reference for one in resolved.values() if one.content is None]),
    )


def _load_of(one: Resolved, content: Digest) -> Input:
    return Input(one.reference, content, one.name, None, None, None, one.reference)


def _context(task: Task, reports: Reports) -> StepContext:
    return StepContext(
        run_id=task.run,
        pipeline=task.pipeline,
        step=task.step,
        attempt=task.attempt,
        outputs=task.outputs.names,
        entropy=task.entropy,
        reports=reports,
        within=task.within,
    )


def _taken(before: struct_rusage, after: struct_rusage) -> Resources:
    """What lies between two looks at this thread; of memory, Linux tells the process's peak, in KiB (getrusage(2))."""
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Resources(int(cpu_s * 1_000_000), after.ru_maxrss * 1024)


def _loaded(task: Task, reader: BlobReader) -> tuple[Sequence[Any], dict[str, Any]]:
    """What to call the function with."""
    scalars, allowed = task.scalars, task.allow_pickle
    manifests = {
        number: read_manifest(reader, content) for number, content in enumerate(task.contents) if number not in scalars
    }
    if task.unchecked:
        _check_recorded(task, manifests)
    values = [
        scalars[number] if number in scalars else load(manifests[number], reader, allow_pickle=allowed)
        for number in range(len(task.contents))
    ]
    arguments = {name: fill(template, values) for name, template in task.arguments.items()}
    if task.unchecked:
        checks = checks_of(task.function)
        check(checks, {name: arguments[name] for name in task.unchecked}, f"step {task.step!r}")
    if _takes_all_by_name(task.function):
        return (), arguments
    return _as_call(task.function, arguments)


def _check_recorded(task: Task, manifests: Mapping[int, Manifest]) -> None:
    """Refuse what can't fit before any of it is loaded; what is in its manifest whole is said by its value."""
    taken = {name: task.arguments[name] for name in task.unchecked}
    leaves = {name: leaf.number for name, leaf in taken.items() if isinstance(leaf, Leaf)}
    large = {name: manifests[one] for name, one in leaves.items() if one in manifests and manifests[one].parts}
    check_kinds(checks_of(task.function), recorded_kinds(large), f"step {task.step!r}")


def _takes_all_by_name(function: Callable[..., Any]) -> bool:
    """Whether it surely has neither positional-only parameters nor ``*args`` or ``**kwargs``, nor wraps another."""
    if type(function) is not FunctionType or "__wrapped__" in function.__dict__ or "__signature__" in function.__dict__:
        return False
    code = function.__code__
    return not code.co_posonlyargcount and not code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)


def _as_call(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments in their places: by position where that is the only way, else by name.

    A function that wraps another takes what the other's signature says; where it has ``*args`` itself, which need not
    go with ``**kwargs``, all that can go by position does.
    """
    named = dict(arguments)
    positional: list[inspect.Parameter] = []
    starred: Sequence[Any] = ()
    spread: Mapping[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            starred = named.pop(parameter.name, ())
        elif parameter.kind is parameter.VAR_KEYWORD:
            spread = named.pop(parameter.name, {})
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(parameter)
    # One that was left out before one that must go by position is filled with its default.
    by_position = len(positional) if starred else _count_by_position(positional, named)
    if not starred and function.__code__.co_flags & inspect.CO_VARARGS:
        while by_position < len(positional) and positional[by_position].name in named:
            by_position += 1
    args = [named.pop(parameter.name, parameter.default) for parameter in positional[:by_position]]
    return [*args, *starred], {**named, **spread}


def _count_by_position(positional: Sequence[inspect.Parameter], given: Mapping[str, Any]) -> int:
    """How many parameters there are up to the last positional-only one that is given."""
    places = [
        place
        for place, parameter in enumerate(positional)
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.name in given
    ]
    return places[-1] + 1 if places else 0


def failure_of(error: BaseException) -> Failure:
    """An exception as a fact: type, text, and the traceback from the user's own frames on."""
    kind = type(error)
    return Failure(
        f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        text_of(error)[:_MESSAGE_MAX_CHARACTERS],
        _traceback_of(error)[-_TRACEBACK_MAX_CHARACTERS:],
    )


def text_of(error: BaseException) -> str:
    """What an error says; where asking it raises in turn, that it says nothing."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 — the user's code; that the error happened must be recorded all the same
        return f"<{type(error).__qualname__} without a text>"


def _traceback_of(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, _users_frames(error.__traceback__)))
    except Exception:  # noqa: BLE001 — notes and causes are the user's code, too
        return f"{type(error).__qualname__}: {text_of(error)}\n"


def _users_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the step's own frame on: ours say nothing to its author."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__ and trace.tb_next is not None:
        trace = trace.tb_next
    return trace
