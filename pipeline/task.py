"""One execution of a step: load its inputs, call it, save its outputs; the same code in whatever process."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ..cas import Batch, Blob, BlobFiles, BlobReader, Digest, MemoryBlobs
from ..cas.blob import read_manifest
from ..errors import Conflict, InvalidPipeline, UnsavableValue
from ..events.catalogue import Failure, Output
from ..materializers import load, save
from .capture import Log, captured
from .fingerprint import CodeManifest, code_manifest
from .graph import Template, fill, tracing
from .outputs import Outputs, OutputSpec

_TRACEBACK_MAX_CHARACTERS = 64 * 1024
_MESSAGE_MAX_CHARACTERS = 4 * 1024
_SOURCES = ("def:", "class:", "module:")
"""Symbols whose digest is that of source text; the values of globals may differ between processes, as ever."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    outputs: tuple[Output, ...]
    blobs: tuple[Blob, ...]
    """Receipts of everything saved, durable where it is a file."""
    log: Digest | None
    started_us: int
    duration_us: int
    failure: Failure | None
    exception: BaseException | None
    """What the step raised, where it can be carried over."""

    def packed(self) -> bytes:
        """The result in bytes, less an exception that does not survive it."""
        try:
            data = pickle.dumps(self)
            pickle.loads(data)
        except Exception:  # noqa: BLE001 — the user's need not pickle; its traceback is in the failure
            return pickle.dumps(replace(self, exception=None))
        return data

    @staticmethod
    def unpacked(data: bytes) -> Result:
        """What `packed` packed."""
        result: Result = pickle.loads(data)
        return result


def execute(task: Task, files: BlobFiles, reader: BlobReader) -> Result:
    """Execute a step. What it raises is in the result; only an interrupt, or a broken store, raises here."""
    started_us = time.time_ns() // 1000
    start_ns = time.perf_counter_ns()
    log = Log()
    with Batch(files) as batch:
        failure: Failure | None = None
        exception: BaseException | None = None
        outputs: tuple[Output, ...] = ()
        try:
            with captured(log), tracing(None):
                returned = _call(task, reader)
            outputs = _save(task, returned, batch)
        except (Exception, SystemExit) as error:  # noqa: BLE001 — the user's own; the result carries it
            failure, exception = _failure(error), error
        frames = log.encoded()
        log_digest = None if frames is None else batch.put(frames)
        blobs = batch.publish()
    duration_us = (time.perf_counter_ns() - start_ns) // 1000
    return Result(outputs, blobs, log_digest, started_us, duration_us, failure, exception)


def _call(task: Task, reader: BlobReader) -> Any:
    values = [load(read_manifest(reader, content), reader, allow_pickle=task.allow_pickle) for content in task.contents]
    arguments = {name: fill(template, values) for name, template in task.arguments.items()}
    args, kwargs = _as_call(task.function, arguments)
    return task.function(*args, **kwargs)


def _as_call(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional-only parameters, ``*args`` and ``**kwargs`` in their places."""
    code = function.__code__
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    extra = code.co_varnames[len(named) :]
    star = extra[0] if code.co_flags & 0x04 else None
    double_star = extra[1 if star else 0] if code.co_flags & 0x08 else None
    args = [arguments.pop(name) for name in named[: code.co_posonlyargcount] if name in arguments]
    starred = arguments.pop(star, ()) if star else ()
    if starred:
        args += [arguments.pop(name) for name in named[code.co_posonlyargcount : code.co_argcount] if name in arguments]
        args += starred
    spread = arguments.pop(double_star, {}) if double_star else {}
    return args, {**arguments, **spread}


def _save(task: Task, returned: Any, batch: Batch) -> tuple[Output, ...]:
    specs = task.outputs.specs
    if not specs:
        if returned is not None:
            raise InvalidPipeline(
                f"step {task.step!r} is declared to return None but returned a {type(returned).__name__}",
                hint="Correct its return annotation.",
            )
        return ()
    values: Sequence[Any] = (returned,)
    if task.outputs.is_tuple:
        if not isinstance(returned, tuple | list) or len(returned) != len(specs):
            found = f"{len(returned)}" if isinstance(returned, tuple | list) else f"a {type(returned).__name__}"
            raise InvalidPipeline(
                f"step {task.step!r} declares {len(specs)} outputs but returned {found}",
                hint="Return one value for each output that it declares.",
            )
        values = returned
    return tuple(_save_one(task, spec, value, batch) for spec, value in zip(specs, values, strict=True))


def _save_one(task: Task, spec: OutputSpec, value: Any, batch: Batch) -> Output:
    try:
        saved = save(value, batch)
    except UnsavableValue as error:
        raise error.about(f"output {spec.name!r} of step {task.step!r} can't be saved") from error
    manifest = saved.manifest
    artifact = spec.artifact or f"{task.pipeline}.{task.step}.{spec.name}"
    return Output(
        spec.name,
        artifact,
        manifest.digest,
        manifest.format,
        manifest.type,
        manifest.size_bytes,
        saved.metadata,
    )


def _failure(error: BaseException) -> Failure:
    kind = type(error)
    text = "".join(traceback.format_exception(kind, error, _users_frames(error.__traceback__)))
    return Failure(
        f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        str(error)[:_MESSAGE_MAX_CHARACTERS],
        text[-_TRACEBACK_MAX_CHARACTERS:],
    )


def _users_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the step's own frame on: ours say nothing to its author."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__ and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


@dataclass(frozen=True, slots=True)
class Parcel:
    """A task on its way to another process, with the small blobs it needs."""

    root: Path
    task: Task
    code: bytes
    """The code manifest that the fingerprint was made with, encoded."""
    blobs: tuple[Blob, ...]

    def packed(self) -> bytes:
        """The parcel in bytes: functions that can't be imported elsewhere, as those of the main program, go along."""
        import cloudpickle

        data: bytes = cloudpickle.dumps(self)
        return data


def execute_parcel(data: bytes) -> bytes:
    """Execute a packed `Parcel` in this process; give the packed `Result`.

    The step's code is digested here too: a worker imports modules from disk, where they may have changed since
    the driver loaded them, and a result of other code must not enter the cache.
    """
    parcel: Parcel = pickle.loads(data)
    _check_code(parcel)
    files = BlobFiles(parcel.root)
    result = execute(parcel.task, files, MemoryBlobs(parcel.blobs, files))
    return result.packed()


def _check_code(parcel: Parcel) -> None:
    diff = CodeManifest.decode(parcel.code).diff(code_manifest(parcel.task.function))
    changed = [symbol for symbol in diff.changed if symbol.startswith(_SOURCES) and not _travelled(symbol)]
    if changed:
        raise Conflict(
            f"the source of step {parcel.task.step!r} changed while the pipeline ran: {changed[0]}",
            hint="Start the program again.",
            step=parcel.task.step,
        )


def _travelled(symbol: str) -> bool:
    """Whether code came with the parcel, as that of the main program does, rather than from this machine's disk."""
    return ":__main__:" in symbol or "<locals>" in symbol or "<lambda>" in symbol
