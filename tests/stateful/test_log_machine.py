"""The log against a plain list of events: append, be refused, be killed, reopen, rebuild, collect, look back.

The model answers every question by going through the list from its beginning; the store answers from its projections.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from depth import examples
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import IN_MEMORY
from plain_answers import Answers, asked_of_events, asked_of_rows

import lineal
from lineal.cas import Blob, Changes, digest_of
from lineal.errors import BlobMissing
from lineal.events import catalogue as facts
from lineal.events import replay, sorted_rows
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.events.replay import Replay

"""Killing a process loses nothing that it wrote, so no disk is needed."""
BYTES = [b"content %d" % number for number in range(5)]
BYTES_OF = {digest_of(data): data for data in BYTES}
PROCESS = facts.Process("elsewhere", "boot", 1, 1)

contents = st.sampled_from(list(BYTES_OF))
runs = st.integers(1, 3).map(lambda number: RunId(bytes([number]) * 16))
steps = st.sampled_from(["load", "train"])
names = st.sampled_from(["data", "ünïcode", "x" * 300])
labels = st.sampled_from(["best", "old"])
fingerprints = contents.map(Fingerprint)
some_inputs = st.lists(
    st.builds(
        facts.Input, st.just("x"), contents, st.none() | names, st.none(), st.none() | steps, st.none(), st.none()
    ),
    max_size=2,
).map(tuple)
outputs = st.builds(
    facts.Output, st.just("output"), names, contents, st.just("f/1"), st.just("t"), st.just(1), st.just({})
)
some_outputs = st.lists(outputs, max_size=2).map(tuple)
times = st.just(1)
function = st.just("m.f")
failures = st.just(facts.Failure("ValueError", "boom", "trace"))
short_names = st.sampled_from(["data", "ünïcode"])
subjects = st.builds(facts.Subject, st.just("run"), st.just(""), runs) | st.just(facts.Subject("artifact", "data", b""))
tags = st.lists(labels, max_size=2, unique=True).map(tuple)
events = st.one_of(
    st.builds(
        facts.RunStarted,
        runs,
        st.sampled_from(["p", "q"]),
        contents,
        some_inputs,
        st.none() | st.just("named"),
        st.just(PROCESS),
        contents,
    ),
    st.builds(facts.RunCompleted, runs),
    st.builds(facts.RunFailed, runs, steps, st.just("boom")),
    st.builds(facts.StepStarted, runs, steps, function, fingerprints, some_inputs, st.none() | contents),
    st.builds(
        facts.StepCompleted,
        *(runs, steps, function, fingerprints, contents, some_inputs, some_outputs, times, times),
        st.none() | contents,
    ),
    st.builds(
        facts.StepReused,
        *(runs, steps, function, fingerprints, contents, some_inputs, some_outputs),
        *(st.builds(StepRunId, runs, steps), times, times),
    ),
    st.builds(
        facts.StepFailed,
        *(runs, steps, function, fingerprints, contents, some_inputs, failures, times, times, st.none()),
    ),
    st.builds(facts.StepRetried, runs, steps, function, st.integers(1, 3), failures, times, times, times, st.none()),
    st.builds(facts.StepSkipped, runs, steps, function, st.just("boom")),
    st.builds(facts.ArtifactSaved, outputs),
    st.builds(facts.ArtifactNamed, outputs, names),
    st.builds(facts.PinAdded, labels, contents),
    st.builds(facts.PinRemoved, labels),
    st.builds(facts.ContentsReleased, st.lists(contents, max_size=4).map(tuple), st.just("old"), st.integers(1, 30)),
    st.builds(facts.Tagged, subjects, tags),
    st.builds(facts.Untagged, subjects, tags),
    st.builds(facts.AliasSet, short_names, labels, contents),
    st.builds(facts.AliasRemoved, short_names, labels),
    st.builds(facts.Annotated, subjects, st.dictionaries(short_names, st.integers(0, 3), max_size=2)),
    st.builds(facts.AnnotationsRemoved, subjects, st.lists(short_names, max_size=2, unique=True).map(tuple)),
    st.builds(
        facts.MetricsLogged,
        subjects,
        st.builds(facts.MetricPoint, short_names, st.integers(1, 3), st.integers(0, 9), times, st.just(0.5)).map(
            lambda point: (point,)
        ),
        st.just(()),
    ),
)
appends = st.lists(events, min_size=1, max_size=5)


def named_by(appended: Sequence[Event]) -> set[bytes]:
    """The contents that events need."""
    return {ref for event in appended for ref in event.refs}


class LogMachine(RuleBasedStateMachine):
    """The model: every event, in the order of the log, and which contents are there."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.client = lineal.open(self.folder / "store")
        self.model: list[Event] = [self.client.store.log.get(1).event]
        self.gone: set[bytes] = set(BYTES_OF)

    def teardown(self) -> None:
        self.client.close()
        shutil.rmtree(self.folder)

    def _blobs(self, appended: Sequence[Event]) -> tuple[Blob, ...]:
        with self.client.store.blobs.batch() as batch:
            for content in named_by(appended):
                batch.put(BYTES_OF[content])  # type: ignore[index]
            return batch.publish()

    def _took(self, appended: Sequence[Event]) -> None:
        self.model += appended
        self.gone -= named_by(appended)

    @rule(submissions=st.lists(appends, min_size=1, max_size=3), waits=st.booleans())
    def append(self, submissions: list[list[Event]], waits: bool) -> None:
        tickets = [self.client.store.append(one, self._blobs(one)) for one in submissions]
        for one in submissions:
            self._took(one)
        if waits:
            tickets[-1].wait()
            assert all(ticket.done for ticket in tickets)

    @rule(before=appends, after=appends, dependent=appends)
    def be_refused_as_a_whole_with_what_comes_after(
        self, before: list[Event], after: list[Event], dependent: list[Event]
    ) -> None:
        store = self.client.store
        missing = facts.PinAdded("never", digest_of(os.urandom(8)))
        refused = store.append([*before, missing, *after], self._blobs([*before, *after]))
        follows = store.append(dependent, self._blobs(dependent), after=[refused])
        for ticket in (refused, follows):
            try:
                ticket.wait()
            except BlobMissing:
                continue
            raise AssertionError("what names no bytes was taken")

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def be_refused_what_names_bytes_that_are_not_there(self, data: st.DataObject) -> None:
        content = data.draw(st.sampled_from(sorted(self.gone)))
        try:
            self.client.store.append([facts.PinAdded("best", content)]).wait()  # type: ignore[arg-type]
        except BlobMissing:
            return
        raise AssertionError("a fact without its bytes was taken")

    @rule(submissions=st.lists(appends, min_size=1, max_size=3), data=st.data())
    def be_killed_in_mid_commit(self, submissions: list[list[Event]], data: st.DataObject) -> None:
        last = data.draw(st.integers(0, len(submissions) - 1))
        when = data.draw(st.sampled_from(["before the rows", "before the commit", "after the commit"]))

        def append_until_killed() -> None:
            die_in(Changes, "flush", last, when == "before the commit" if when != "after the commit" else None)
            for one in submissions[: last + 1]:
                self.client.store.append(one, self._blobs(one)).wait()

        self._in_killed_child(append_until_killed)
        for one in submissions[: last + (when == "after the commit")]:
            self._took(one)

    @rule(pieces=st.integers(0, 5), has_rows=st.booleans())
    def be_killed_while_rebuilding(self, pieces: int, has_rows: bool) -> None:
        self.client.flush()

        def rebuild_until_killed() -> None:
            replay._COMMIT_ROWS = 3
            sorted_rows._BLOCK_ROWS = sorted_rows._RANGE_BLOCKS = 2
            die_in(Replay, "_put_range", pieces, has_rows)
            die_in(Changes, "flush", 1, has_rows)
            self.client.rebuild()

        self._in_killed_child(rebuild_until_killed)

    def _in_killed_child(self, work: Callable[[], None]) -> None:
        self.client.flush()
        child = os.fork()
        if child == 0:
            try:
                work()
                os.kill(os.getpid(), signal.SIGKILL)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL

    @rule()
    def reopen(self) -> None:
        self.client.close()
        self.client = lineal.open(self.folder / "store")
        self._learn(facts.RunInterrupted)

    def _learn(self, *kinds: type[Event]) -> list[Event]:
        """Take in what the store itself has appended, which is of these kinds only."""
        self.client.flush()
        learned = [recorded.event for recorded in self.client.store.log.scan(len(self.model))]
        assert {type(event) for event in learned} <= set(kinds)
        self.model += learned
        return learned

    @rule()
    def rebuild(self) -> None:
        self.client.rebuild()

    @rule(content=contents)
    def release_and_collect(self, content: Any) -> None:
        store = self.client.store
        store.append([facts.ContentsReleased((content,), "by hand", store.head().seq)])
        self._took([facts.ContentsReleased((content,), "by hand", len(self.model))])
        held = Answers(self.model).held()
        self.client.collect(grace_s=0)
        for event in self._learn(facts.ContentsEvicted):
            assert held.isdisjoint(event.contents)  # type: ignore[attr-defined]
        self.gone = set(BYTES_OF) - held
        assert {entry.digest for entry in store.blobs.entries()} == held

    @precondition(lambda self: len(self.model) > 1)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        upto = data.draw(st.integers(1, len(self.model)))
        self._compare(upto)

    @invariant()
    def the_log_and_all_answers_are_the_models(self) -> None:
        store = self.client.store
        assert store.head().seq == len(self.model)
        assert store.log.verify() == store.head()
        assert [recorded.event for recorded in store.log.scan()] == self.model
        self._compare(None)

    def _compare(self, upto: int | None) -> None:
        store = self.client.store
        expected = asked_of_events(self.model[:upto])
        assert asked_of_rows(lambda name: store.rows(name, upto)) == expected


def die_in(kind: Any, method: str, number: int, has_rows: bool | None) -> None:
    """Have this process killed in the call of this number, from 0, before rows are handed over or after."""
    real = getattr(kind, method)
    calls = 0

    def call(self: Any, *arguments: Any) -> Any:
        nonlocal calls
        if calls == number and has_rows is False:
            os.kill(os.getpid(), signal.SIGKILL)
        given = real(self, *arguments)
        if calls == number and has_rows:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return given

    setattr(kind, method, call)


LogMachine.TestCase.settings = settings(max_examples=examples(15), stateful_step_count=15, deadline=None)
test_the_log_behaves_as_a_list_of_events = LogMachine.TestCase
