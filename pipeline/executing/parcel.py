"""Parcels: tasks on their way to another process, and what keeps a worker from running other code than was digested."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Self

from ...cas import Batch, BlobFiles, BlobKind, Digest, Inline, PlacedBlobs, Row, digest_of
from ...cas.durable import write_all
from ...cas.files import Scratch
from ...during import During
from ...errors import Conflict
from ...events.elsewhere import CALL, commit_elsewhere
from ...events.ids import Fingerprint, RunId
from ...store import flush_opened
from ..capturing.broadcast import Broadcast
from ..capturing.capture import Frame, write_with
from ..capturing.spill import of_this_process
from ..capturing.threads import inherited
from ..declaring.outputs import Outputs
from ..fingerprint import CodeManifest, code_manifest
from ..fingerprint.main_module import MAIN_MODULE
from ..fingerprint.source_index import SOURCE_INDEX
from ..graph.graph import TracedStep
from ..graph.templates import Leaf
from ..surroundings.script import importing
from ..surroundings.seeds import Entropy
from ..workers.line import line_in_force
from ..workers.pool import Processes
from ..workers.warm import warm_pools
from ..workers.worker import has_worked
from ..workers.workforce import Hear, Terms
from .afar import called_from
from .context import Reports
from .giving import Giver, Newest, Shown
from .packing import MainProgram, packed
from .reports import Before, Facts, GatheredReports, WhatWasBefore, WhetherShown, shown_through
from .task import Result, Task, execute
from .taught import Taught

_SOURCES = ("def:", "class:", "module:")
"""Symbols whose digest is that of source text."""

_SENT_MAX_BYTES = 64 * 1024
"""A function that takes more, packed, does not travel with each task."""
_APART = Processes(workers=1024)
"""A worker for each step with a time limit that runs at the same time."""
inherited(CALL)
inherited(MAIN_MODULE)
_UNPACKED_MAX = 256
_unpacked: dict[Digest, Unpacked] = {}
"""What this process has unpacked and checked."""
_orders: dict[bytes, _Ordered] = {}
"""The same, by the order that it came in."""
_live: tuple[Path, Broadcast] | None = None


class Unpacked(NamedTuple):
    """A step's function in this process."""

    function: Callable[..., Any]
    outputs: Outputs
    others: tuple[str, ...]
    """Values that it reaches which are others here than were digested."""
    main: ModuleType | None
    """What stands in for the main module that it is of."""


@dataclass(frozen=True, slots=True)
class CodeParcel:
    """A step's function on its way to other processes, packed once; each unpacks and checks it once."""

    key: Digest
    """Digest of ``data``."""
    data: bytes | None
    """The function, its outputs, the code manifest of its fingerprint, and what is registered; None where that is in a
    file."""
    path: str | None

    @classmethod
    def of(cls, step: TracedStep, code: CodeManifest, scratch: Callable[[], Scratch]) -> Self:
        """Pack a step's function; one that is large, as with data that it refers to, goes to a scratch file."""
        parts = (Taught.of_this_process(), step.function, step.outputs, code.encoded)
        data = _packed_with(parts, MainProgram.of(step.function, code))
        if len(data) <= _SENT_MAX_BYTES:
            return cls(digest_of(data), data, None)
        file = scratch()
        write_all(file.fd, data)
        return cls(digest_of(data), None, str(file.path))

    def unpacked(self, step: str) -> Unpacked:
        """The function and its outputs, the same objects for each task of this process.

        Raises:
            Conflict: The source that this process has is not what was digested: a worker imports modules from disk,
                where they may have changed since, and a result of other code must not enter the cache.
        """
        found = _unpacked.get(self.key)
        if found is None:
            data = Path(self.path).read_bytes() if self.data is None and self.path is not None else self.data
            assert data is not None
            taught, function, outputs, encoded, main = pickle.loads(data)
            taught.teach()
            if main is not None:
                main.settle()
            module = None if main is None else main.module
            with During(MAIN_MODULE, module):
                others = _check_code(function, encoded, step)
            if len(_unpacked) >= _UNPACKED_MAX:
                _unpacked.clear()
            found = _unpacked[self.key] = Unpacked(function, outputs, others, module)
        return found


@dataclass(frozen=True, slots=True)
class Order:
    """What all tasks of one step's function have in common that a run sends to other processes: packed once."""

    root: Path
    """Where the blobs are."""
    store: Path
    pipeline: str
    run: RunId
    run_name: str
    within: tuple[RunId, ...]
    allow_pickle: bool
    code: CodeParcel
    live: Path
    """Where what steps print is put while the run goes on."""
    is_drawn_on: bool
    """Whether the process of the run draws on the terminal, so that others must not write there."""
    meeting: str
    """Where the process of the run is met by calls that have no line to it; empty where all have."""

    def packed(self) -> bytes:
        """The order in bytes, to go into parcels."""
        return pickle.dumps(self, pickle.HIGHEST_PROTOCOL)


class _Ordered(NamedTuple):
    """An order that this process has unpacked: the same objects for each of its tasks."""

    order: Order
    code: Unpacked
    files: BlobFiles


class Succeeded(NamedTuple):
    """What the outputs of a task succeed."""

    contents: Mapping[str, Digest | None]
    """Of the newest versions of the artifacts that they become."""
    shown: Iterable[Digest]
    """Those of which it is kept already what they show of themselves."""


def packed_parcel(order: bytes, task: Task, rows: Mapping[Digest, Row], succeeded: Succeeded | None) -> bytes:
    """A task on its way to another process, in bytes.

    Args:
        order: What `Order.packed` gave of it; its function and outputs are in there.
        task: What to execute.
        rows: Where the inputs' blobs are, and those that outputs may succeed.
        succeeded: What the outputs succeed; None where that can be asked when there is an output large enough.
    """
    # Plain values alone, which pickle in a tenth of the time that classes take. Keys of dicts may be anything, though.
    templates = task.arguments
    has_only_ours = all(type(template) is Leaf for template in templates.values())
    arguments = {name: leaf.number for name, leaf in templates.items()} if has_only_ours else packed(templates)  # type: ignore[union-attr]
    return pickle.dumps(
        (
            order,
            task.step,
            arguments,
            tuple(map(bytes, task.contents)),
            bytes(task.entropy.fingerprint),
            task.entropy.declared,
            task.attempt,
            task.unchecked,
            [(bytes(digest), *_plain(row)) for digest, row in rows.items()],
            task.scalars,
            task.visualizes,
            None if succeeded is None else _plain_succeeded(succeeded),
        ),
        pickle.HIGHEST_PROTOCOL,
    )


def _plain_succeeded(succeeded: Succeeded) -> tuple[dict[str, bytes | None], tuple[bytes, ...]]:
    contents = {name: None if content is None else bytes(content) for name, content in succeeded.contents.items()}
    return contents, tuple(map(bytes, succeeded.shown))


def _plain(row: Row) -> tuple[int, int, Any]:
    return row.kind.value, row.size_bytes, row.place.data if type(row.place) is Inline else row.place


def _row(kind: int, size_bytes: int, place: Any) -> Row:
    return Row(BlobKind(kind), size_bytes, Inline(place) if type(place) is bytes else place)


def _ordered(packed: bytes, step: str) -> _Ordered:
    """What was packed; raises as `CodeParcel.unpacked` says."""
    found = _orders.get(packed)
    if found is None:
        if len(_orders) >= _UNPACKED_MAX:
            _orders.clear()
        order: Order = pickle.loads(packed)
        SOURCE_INDEX.use(order.store)
        found = _orders[packed] = _Ordered(order, order.code.unpacked(step), BlobFiles(order.root))
    return found


def _broadcast(path: Path) -> Broadcast:
    """The one of this process; a worker works for one run after the other, and lets go of what was before."""
    global _live
    if _live is None or _live[0] != path:
        if _live is not None:
            _live[1].close()
        _live = path, Broadcast(path)
    return _live[1]


def execute_parcel(data: bytes) -> bytes:
    """Execute what `packed_parcel` gave in this process; give the packed `Result`."""
    with importing():
        ordered, step, arguments, contents, fingerprint, seed, attempt, unchecked, *known = pickle.loads(data)
        order, code, files = _ordered(ordered, step)
        is_plain = type(arguments) is dict
        templates = {name: Leaf(number) for name, number in arguments.items()} if is_plain else pickle.loads(arguments)
    rows, scalars, visualizes, succeeded = known
    task = Task(
        order.pipeline,
        step,
        code.function,
        templates,
        tuple(map(Digest, contents)),
        code.outputs,
        order.allow_pickle,
        order.run,
        Entropy(Fingerprint(fingerprint), seed),
        attempt,
        unchecked,
        order.store,
        order.within,
        visualizes,
        scalars,
    )
    placed = {digest: _row(*row) for digest, *row in rows}
    there = PlacedBlobs(files, placed.get)
    newest, shown = _asked(placed) if succeeded is None else _told(*succeeded)
    giver = Giver(Batch(files, there.find), there, newest, shown)
    line = line_in_force()
    if line is not None:
        commit_elsewhere(order.store, lambda submissions: line.ask(Facts(submissions)))
        write_with(shown_through(line) if order.is_drawn_on else None)
        result = _executed(task, giver, GatheredReports(order.run_name, files, line), order.live, code.main)
        flush_opened(order.store)
    else:
        with called_from(order.meeting, order.store, step) as shared:
            result = _executed(task, giver, GatheredReports(order.run_name, files, shared), order.live, code.main)
    return (replace(result, others=code.others) if code.others else result).packed()


def _told(succeeded: Mapping[str, bytes | None], shown: Iterable[bytes]) -> tuple[Newest, Shown]:
    """What answers what outputs succeed, from what came with the parcel."""
    newest = {name: None if content is None else Digest(content) for name, content in succeeded.items()}
    return newest.get, frozenset(map(Digest, shown)).__contains__


def _asked(placed: dict[Digest, Row]) -> tuple[Newest, Shown]:
    """The same by asking who sent the parcel; what is known of the blobs is added to what is known of others."""

    def newest(artifact: str) -> Digest | None:
        before: Before = _ask(WhatWasBefore(artifact))
        placed.update(before.rows)
        return before.content

    def shown(content: Digest) -> bool:
        return bool(_ask(WhetherShown(content)))

    return newest, shown


def _ask(what: WhatWasBefore | WhetherShown) -> Any:
    line = line_in_force()
    assert line is not None  # Else what it would ask is in the parcel.
    return line.ask(what)


def _executed(task: Task, giver: Giver, reports: Reports, live: Path, main: ModuleType | None) -> Result:
    with During(MAIN_MODULE, main):
        return _told_of(task, giver, reports, live)


def _told_of(task: Task, giver: Giver, reports: Reports, live: Path) -> Result:
    spill, tell = of_this_process(), _broadcast(live).of(task.step, task.attempt)
    if spill is None:
        return execute(task, giver, reports, tell)
    spill.clear()

    def hear(started_us: int, frame: Frame) -> None:
        spill.add(frame)
        tell(started_us, frame)

    return execute(task, giver, reports, hear)


def execute_apart(data: bytes, timeout_s: float, hear: Hear | None = None) -> bytes:
    """The same in a worker of this process, which can be stopped, for so long at most."""
    with warm_pools.leased(_APART) as pool:
        future = pool.submit_as(Terms(timeout_s, hear=hear), execute_parcel, data)
        try:
            result: bytes = future.result()
        except BaseException:
            pool.stop(future)
            raise
    return result


def _packed_with(parts: tuple[Any, ...], main: MainProgram | None) -> bytes:
    """What is packed of a step, with the main program if that can be: some of what it names may not."""
    if main is not None:
        try:
            return packed((*parts, main))
        except Exception:  # noqa: BLE001 — whatever the user's own raise; what the step itself needs is tried anew
            return packed((*parts, None))
    return packed((*parts, None))


def _check_code(function: Callable[..., Any], encoded: bytes, step: str) -> tuple[str, ...]:
    """Refuse code that is not what was digested; name the values of globals that are not, as those of an import may be.

    A process that has worked before may just have imported a module before it was changed: a new one is to try.
    """
    diff = CodeManifest.decode(encoded).diff(code_manifest(function))
    ours = [symbol for symbol in diff.changed if not _travelled(symbol)]
    changed = [symbol for symbol in ours if symbol.startswith(_SOURCES)]
    others = tuple([symbol for symbol in ours if symbol.startswith("value:")])
    if changed or (others and has_worked()):
        raise Conflict(
            f"the source of step {step!r} changed while the pipeline ran: {[*changed, *others][0]}",
            hint="Start the program again.",
            step=step,
        )
    return others


def _travelled(symbol: str) -> bool:
    """Whether code came with the parcel, as that of the main program does, rather than from this machine's disk."""
    return ":__main__:" in symbol or "<locals>" in symbol or "<lambda>" in symbol
