"""Explaining step runs: what the log says of why each was served from the cache or had to execute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..cas.digest import Digest
from ..errors import Invalid, LinealError, NotFound, StepNotFound
from ..events.catalogue import RunStarted, StepCompleted, StepFailed, StepReused, StepSkipped
from ..events.ids import RunId, StepRunId, StoreId
from ..events.projections import Causes, Steps
from ..events.rows import key
from ..materializers import runs_code
from .code_changes import code_changes
from .eviction import eviction_of
from .ingredients import Ingredients, gaps_in, ingredients_of, run_row
from .input_changes import input_changes, shown, taken_changes
from .meaning import version_meant
from .nearest import Begun, beginning, nearest
from .reader import Reader, moment
from .reasons import Reason, ReasonKind, change, time_text
from .reuse import current_executions, doubted_execution, newest_execution
from .stored import StoredVersion
from .surroundings import environment_in
from .why import Difference, Mention, Why, environment_differences

_STORE_DIGITS = 8
"""How much of a store's id is shown, which is enough for `lineal trust`."""
FORCED: dict[str | None, ReasonKind] = {"off": "off", "refresh": "refresh"}
"""What a policy says against any result."""


def explain(reader: Reader, step_run: StepRunId) -> Why:
    """Why a step run was a hit or a miss. Cost: a few lookups, and reading the blobs of what differs."""
    row = run_row(reader, step_run.run)
    name = f"{step_run.run if row is None else row.name}/{step_run.step}"
    begun = beginning(reader, step_run)
    if begun is None:
        return Why(name, "skipped", tuple(_skipped(reader, step_run)))
    if isinstance(begun.event, StepReused):
        reused = begun.event.reuses
        environment = _environment_differences(reader, reused.run, step_run.run)
        reasons = (*_equivalences(reader, begun), *_ignored(reader, begun, reused))
        return Why(name, "hit", reasons, mention(reader, reused), None, environment, gaps_in(reader, begun.event.code))
    new = ingredients_of(reader, begun)
    earlier = nearest(reader, new.pipeline, new.step, new.function, begun.seq)
    reasons = (*miss_reasons(reader, new, earlier, begun.seq, begun.event.because), *_divergence(reader, step_run))
    gaps = gaps_in(reader, new.code)
    if earlier is None:
        return Why(name, "miss", reasons, gaps=gaps)
    environment = _environment_differences(reader, earlier.id.run, step_run.run)
    return Why(name, "miss", reasons, None, mention(reader, earlier.id), environment, gaps)


def miss_reasons(
    reader: Reader, new: Ingredients, earlier: Begun | None, before: int, because: str | None
) -> Iterator[Reason]:
    """Why what is determined so was not served from the cache at a position, or will not be.

    Args:
        reader: What to read with.
        new: What determines the result.
        earlier: What to compare it with; None where its function has not run before.
        before: The position.
        because: What its policy said against taking a result; as in `StepStarted`.
    """
    then = Reader(reader.store, before - 1, allow_pickle=reader.allow_pickle)
    result = next(current_executions(then, new.fingerprint), None)
    if result is None and because is None:
        doubted = doubted_execution(then, new.fingerprint)
        if doubted is not None:
            yield _not_trusted(then, *doubted)
            return
    result = result or newest_execution(then, new.fingerprint)
    if because in FORCED:
        yield Reason(FORCED[because], f"forced: its cache policy was {because}")
    if result is not None and because is None:
        yield from _not_held(then, result)
    elif because == "expired":
        yield _expired(reader, result)
    if result is not None:
        return
    if earlier is None:
        yield Reason("first-run", f"first run of {new.function}", new.function)
    elif earlier.event.fingerprint == new.fingerprint:
        yield from _not_served(reader, earlier)
    else:
        yield from changes(reader, ingredients_of(reader, earlier), new)


def changes(reader: Reader, old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    """All that differs between the causes of two results."""
    is_told = False
    for reason in (*code_changes(old, new), *_output_changes(old, new), *input_changes(reader, old, new)):
        if reason.kind != "ignored":
            is_told = True
            yield reason
    if not is_told:
        what = "how its inputs are gathered differs; the log does not say more"
        yield Reason("untold", what)


def mention(reader: Reader, step_run: StepRunId) -> Mention:
    """A step run, to be spoken of."""
    row = run_row(reader, step_run.run)
    begun = beginning(reader, step_run)
    time_us = 0 if begun is None else reader.event(begun.seq).time_us
    return Mention(step_run, str(step_run.run) if row is None else row.name, moment(time_us))


def _mention(reader: Reader, event: StepCompleted) -> Mention:
    return mention(reader, StepRunId(event.run, event.step))


def _expired(reader: Reader, result: StepCompleted | None) -> Reason:
    if result is None:
        return Reason("expired", "expired: the result that it could have had was too old")
    source, ended = _mention(reader, result), moment(result.started_us + result.duration_us)
    return Reason("expired", f"expired: the result of {source}, of {time_text(ended)}, was too old", str(source))


def _not_trusted(then: Reader, store: StoreId, result: StepCompleted) -> Reason:
    source, id_ = _mention(then, result), str(store)[:_STORE_DIGITS]
    what = f"not trusted: the result of {source} came from store {id_}, which was not trusted"
    return Reason("not-trusted", f"{what}; `lineal trust {id_}` lets it be served", str(source), None, str(store))


def _not_held(then: Reader, result: StepCompleted) -> Iterator[Reason]:
    """What kept a result from being served: what it loaded is something else, or bytes of it are gone."""
    moved = list(_moved(then, result))
    yield from moved
    source = _mention(then, result)
    evicted = {output.name: eviction_of(then, output.content) for output in result.outputs}
    names = ", ".join(name for name, eviction in evicted.items() if eviction is not None)
    eviction = next((one for one in evicted.values() if one is not None), None)
    if eviction is not None:
        when = f"at event {eviction.seq}, {time_text(eviction.time)}"
        yield Reason("evicted", f"evicted: output {names} of {source} was collected {when}", names, str(source))
    elif not moved:
        text = f"the result of {source} was not served: bytes of it were lost, or it completed at the same time"
        yield Reason("evicted", text, names, str(source))


def _moved(then: Reader, result: StepCompleted) -> Iterator[Reason]:
    """The references that the step loaded by and that meant something else than when it executed."""
    for taken in result.inputs:
        if taken.reference is None:
            continue
        try:
            meant: StoredVersion | None = version_meant(then, taken.reference)
        except (NotFound, Invalid):
            meant = None
        if meant is None or meant.content != taken.content:
            yield _reference(taken.reference, shown(then, taken), meant)
    for reference in result.missed:
        with suppress(NotFound, Invalid):
            yield _reference(reference, None, version_meant(then, reference))


def _reference(reference: str, old: str | None, meant: StoredVersion | None) -> Reason:
    new = None if meant is None else f"{meant.name}@{meant.version}"
    return Reason("reference", f"reference {reference}: {change(old, new)}", reference, old, new)


def _not_served(reader: Reader, earlier: Begun) -> Iterator[Reason]:
    """Why a step run of the same causes left no result to be served."""
    found = reader.rows(Steps.name).latest(key("s", earlier.id.run, earlier.id.step))
    event = None if found is None else reader.event(found.seq).event
    source = mention(reader, earlier.id)
    if isinstance(event, StepCompleted):
        what = f"not offered: the policy of {source} keeps its result from other runs"
        yield Reason("not-offered", what, str(source))
    elif isinstance(event, StepFailed):
        yield Reason("unfinished", f"unfinished: the same failed in {source}", str(source))
    else:
        yield Reason("unfinished", f"unfinished: the same began in {source} and had not completed", str(source))


def _output_changes(old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    if old.outputs is not None and new.outputs is not None and old.outputs != new.outputs:
        before, after = ", ".join(old.outputs) or "none", ", ".join(new.outputs) or "none"
        yield Reason("outputs", f"declared outputs: {before} → {after}", "", before, after)


def _divergence(reader: Reader, step_run: StepRunId) -> Iterator[Reason]:
    found = reader.rows(Steps.name).latest(key("d", step_run.run, step_run.step))
    event: Any = None if found is None else reader.event(found.seq).event
    for difference in () if event is None else event.differences:
        source = mention(reader, event.first)
        pickles = all(_is_pickled(reader, one) for one in (difference.first, difference.again))
        note = "; it is pickled, and what is equal may tell other things of itself each time" if pickles else ""
        text = f"diverged: output {difference.output} is not what {source} gave for the same causes{note}"
        yield Reason("divergence", text, difference.output, str(difference.first), str(difference.again))


def _is_pickled(reader: Reader, content: Digest) -> bool:
    try:
        return runs_code(reader.manifest(content), reader.store.blobs)
    except LinealError:
        return False  # Its bytes are gone, and nobody can tell.


def _equivalences(reader: Reader, begun: Begun) -> Iterator[Reason]:
    """The declarations by which a result of another fingerprint was served."""
    event = begun.event
    executed = beginning(reader, event.reuses) if isinstance(event, StepReused) else None
    if executed is None or executed.event.fingerprint == event.fingerprint:
        return
    rows = Reader(reader.store, begun.seq - 1).rows(Causes.name)
    goal: bytes = executed.event.fingerprint
    here = event.fingerprint
    reached: dict[bytes, tuple[bytes, str]] = {}
    waiting: list[bytes] = [here]
    for one in waiting:
        found = rows.latest(key("q", one))
        for other, reason in [] if found is None else found.row:
            if other not in reached and other != here:
                reached[other] = one, reason
                waiting.append(other)
    told: list[Reason] = []
    while goal in reached:
        by, reason = reached[goal]
        told.append(Reason("equivalence", f"by an equivalence: {reason}", reason, by.hex(), goal.hex()))
        goal = by
    yield from reversed(told)


def _ignored(reader: Reader, begun: Begun, reused: StepRunId) -> Iterator[Reason]:
    """What a step took otherwise than the one it was served from, as it does not count."""
    executed = beginning(reader, reused)
    if executed is None or not any(taken.is_ignored for taken in begun.event.inputs):
        return
    for reason in taken_changes(reader, executed.event.inputs, begun.event.inputs, reader.store.blobs):
        if reason.kind == "ignored":
            yield reason


def _skipped(reader: Reader, step_run: StepRunId) -> Iterator[Reason]:
    found = reader.rows(Steps.name).latest(key("s", step_run.run, step_run.step))
    if found is None:
        raise StepNotFound(f"no step {step_run.step!r} in this run", where=step_run.run)
    event = reader.event(found.seq).event
    if isinstance(event, StepSkipped):
        yield Reason("skipped", f"skipped: {event.because}", event.because)
    else:
        yield Reason("untold", "the log does not say how it began")


def _environment_differences(reader: Reader, old: RunId, new: RunId) -> tuple[Difference, ...]:
    environments = [_environment(reader, run) for run in (old, new)]
    if environments[0] is None or environments[1] is None:
        return ()
    return environment_differences(environments[0], environments[1])


def _environment(reader: Reader, run: RunId) -> dict[str, Any] | None:
    row = run_row(reader, run)
    started = None if row is None else reader.event(row.started_seq).event
    if not isinstance(started, RunStarted):
        return None
    try:
        return environment_in(reader, started.environment)
    except (LinealError, ValueError):
        return None
