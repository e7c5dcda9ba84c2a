"""Histories: plausible events in any order, as several processes might have made them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st
from memory import IN_MEMORY

from lineal.cas import Changes, Environment, digest_of
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.codec import encode_all
from lineal.events.ids import EventId, Fingerprint, RunId, StepRunId, StoreId
from lineal.events.kept_roots import HASH_TREE
from lineal.events.log import EVENTS, Log
from lineal.events.projections import PROJECTIONS
from lineal.events.projector import Projector
from lineal.events.standing import META, database_of, databases_of
from lineal.events.transaction import Learned, TransactionWriter

ORIGIN = StoreId(b"o" * 16)
PROCESS = facts.Process("host", "boot", 1, 1)
CONTENTS = [digest_of(bytes([number])) for number in range(5)]
runs = st.integers(0, 3).map(lambda number: RunId(bytes([number]) * 16))
steps = st.sampled_from(["load", "train"])
contents = st.sampled_from(CONTENTS)
names = st.sampled_from(["data", "model", "ünïcode", "x" * 300])
fingerprints = contents.map(Fingerprint)
visualizations = st.builds(facts.StoredVisualization, names, st.just("image/png"), contents, st.integers(0, 9))
elements = st.builds(facts.Element, st.just("[0]"), contents)
inputs = st.builds(
    facts.Input,
    st.just("x"),
    contents,
    st.none() | names,
    st.none() | st.just("3"),
    st.none() | steps,
    st.none() | elements,
    st.none(),
)
outputs = st.builds(
    facts.Output, st.just("output"), names, contents, st.just("f/1"), st.just("t"), st.integers(0, 9), st.just({"a": 1})
)
some_inputs, some_outputs = st.lists(inputs, max_size=2).map(tuple), st.lists(outputs, max_size=2).map(tuple)
times = st.integers(0, 10**6)
labels = st.sampled_from(["best", "old"])
subjects = st.one_of(
    st.builds(facts.Subject, st.just("version"), names, contents),
    st.builds(facts.Subject, st.sampled_from(["artifact", "pipeline"]), names, st.just(b"")),
    st.builds(facts.Subject, st.just("step"), steps, runs),
    st.builds(facts.Subject, st.just("run"), st.just(""), runs),
)
stores = st.integers(0, 1).map(lambda number: StoreId(bytes([number]) * 16))
numbers = st.one_of(
    st.builds(facts.Numbered, st.just("version"), names, contents, st.integers(1, 9)),
    st.builds(facts.Numbered, st.just("pipeline"), st.sampled_from(["p", "q"]), contents, st.integers(1, 9)),
    st.builds(facts.Numbered, st.just("run"), st.sampled_from(["p", "q"]), runs, st.integers(1, 9)),
)
some_subjects = st.lists(subjects, max_size=3).map(tuple)
tags = st.lists(labels | names, max_size=3).map(tuple)
point = st.builds(facts.MetricPoint, labels | names, st.integers(1, 3), times, times, st.sampled_from([1.5, -0.0]))
points = st.lists(point, max_size=3).map(tuple)
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
        st.none(),
        st.none() | times,
    ),
    st.builds(facts.RunRenewed, runs, times),
    st.builds(facts.RunCancelled, runs, st.just("stopped")),
    st.builds(facts.RunCompleted, runs),
    st.builds(facts.RunFailed, runs, st.none() | steps, st.just("boom")),
    st.builds(facts.RunInterrupted, runs, st.just("died")),
    st.builds(facts.StepStarted, runs, steps, st.just("m.f"), fingerprints, some_inputs),
    st.builds(
        facts.StepCompleted,
        runs,
        steps,
        st.just("m.f"),
        fingerprints,
        contents,
        some_inputs,
        some_outputs,
        times,
        times,
        st.none() | contents,
    ),
    st.builds(
        facts.StepReused,
        runs,
        steps,
        st.just("m.f"),
        fingerprints,
        contents,
        some_inputs,
        some_outputs,
        st.builds(StepRunId, runs, steps),
        times,
        times,
    ),
    st.builds(
        facts.StepFailed,
        runs,
        steps,
        st.just("m.f"),
        fingerprints,
        contents,
        some_inputs,
        st.just(facts.Failure("ValueError", "boom", "trace")),
        times,
        times,
        st.none(),
    ),
    st.builds(facts.StepSkipped, runs, steps, st.just("m.f"), st.just("boom")),
    st.builds(facts.ArtifactSaved, outputs),
    st.builds(
        facts.ContentsReleased, st.lists(contents, max_size=3).map(tuple), st.just("too old"), st.integers(0, 20)
    ),
    st.builds(facts.RunCancelled, runs, st.just("stopped")),
    st.builds(facts.ArtifactNamed, outputs, names, st.none() | st.integers(1, 9), st.booleans()),
    st.builds(facts.ContentsEvicted, st.lists(contents, max_size=3).map(tuple)),
    st.builds(facts.ContentRecomputed, contents, st.builds(StepRunId, runs, steps)),
    st.builds(facts.ContentVisualized, contents, st.lists(visualizations, max_size=2).map(tuple), tags),
    st.builds(facts.PinAdded, labels, contents, st.none() | times),
    st.builds(facts.PinRemoved, labels),
    st.builds(facts.ArtifactNamed, outputs, names),
    st.builds(facts.Tagged, subjects, tags),
    st.builds(facts.Untagged, subjects, tags),
    st.builds(facts.AliasSet, names, labels, contents),
    st.builds(facts.AliasRemoved, names, labels),
    st.builds(facts.Annotated, subjects, st.dictionaries(labels | names, st.none() | times, max_size=2)),
    st.builds(facts.AnnotationsRemoved, subjects, tags),
    st.builds(facts.MetricsLogged, subjects, points, st.just(()), st.none() | contents),
    st.builds(
        facts.DivergenceSeen,
        runs,
        steps,
        fingerprints,
        st.builds(StepRunId, runs, steps),
        st.just((facts.Difference("output", CONTENTS[0], CONTENTS[1]),)),
    ),
    st.builds(facts.FingerprintClaimed, fingerprints, runs, steps),
    st.builds(facts.ClaimEnded, fingerprints, runs),
    st.builds(facts.EnvironmentCaptured, contents, st.just("3.11"), st.just("Linux")),
    st.builds(facts.CodeCaptured, contents, st.just("m.f"), st.none() | contents),
    st.builds(facts.EquivalenceDeclared, fingerprints, fingerprints, st.just("same")),
    st.builds(facts.EquivalenceRevoked, fingerprints, fingerprints),
    st.builds(facts.Deleted, some_subjects, st.integers(0, 20), st.just("wrong")),
    st.builds(facts.Restored, some_subjects, st.lists(contents, max_size=2).map(tuple)),
    st.builds(facts.RunRenamed, runs, st.sampled_from(["named", "best"])),
    st.builds(facts.PipelineRenamed, st.sampled_from(["p", "q", "s"]), st.sampled_from(["p", "q", "s"])),
    st.builds(facts.ArtifactRenamed, names, names, st.integers(0, 3)),
    st.builds(
        facts.StoreImported,
        stores,
        st.integers(1, 9),
        contents,
        st.integers(0, 3),
        st.none() | contents,
        st.lists(numbers, max_size=3).map(tuple),
    ),
    st.builds(facts.ImportsTrusted, stores),
    st.builds(facts.TrustRevoked, stores),
)
histories = st.lists(events, max_size=40)
Rows = dict[str, list[tuple[bytes, bytes]]]


class Ledger:
    """A log with its projections, in an environment of its own."""

    def __init__(self, directory: Path) -> None:
        databases = (
            EVENTS,
            HASH_TREE,
            META,
            *(name for projection in PROJECTIONS for name in databases_of(projection.name)),
        )
        self.environment = Environment(directory, databases, map_size_bytes=1 << 30, read_only=False)
        self.log = Log(self.environment)
        self.projector = Projector(self.environment, self.log, self.changes)
        self.projector.rebuild()

    def changes(self, txn: Any) -> Changes:
        """What a transaction will write."""
        return Changes(self.environment, txn)

    def append(self, *appended: Event) -> None:
        """Append events in one transaction."""
        head = self.log.head().seq
        ids = [EventId((head + number).to_bytes(16, "big")) for number, _ in enumerate(appended, start=1)]
        with self.environment.begin(write=True) as txn:
            changes = self.changes(txn)
            recorded = encode_all(appended, ids, 7, ORIGIN).recorded(ORIGIN)
            TransactionWriter(changes, 0, self.projector, Learned()).append(recorded)
            changes.flush()

    def rows(self) -> Rows:
        """Every row of every projection, those kept behind caught up."""
        for projection in PROJECTIONS:
            self.projector.catch_up(projection.name)
        found: Rows = {}
        with self.environment.begin() as txn:
            databases = self.environment.databases
            for projection in PROJECTIONS:
                cursor = txn.cursor(databases[database_of(txn, databases, projection.name)])
                found[projection.name] = [(bytes(key), bytes(value)) for key, value in cursor]
        return found


@contextmanager
def new_ledger() -> Iterator[Ledger]:
    """A ledger in a directory of its own, for each example of a property."""
    with TemporaryDirectory(dir=IN_MEMORY) as directory:
        ledger = Ledger(Path(directory))
        try:
            yield ledger
        finally:
            ledger.environment.close()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger for one test."""
    with new_ledger() as made:
        yield made


@pytest.fixture(scope="session", name="new_ledger")
def _new_ledger() -> object:
    """Makes a ledger for each example of a property."""
    return new_ledger


@pytest.fixture(scope="session")
def history_of_events() -> st.SearchStrategy[list[Event]]:
    """The strategy, for tests that draw from it."""
    return histories
