"""Lineage held against answers found by reading the log from its beginning, now and as of every past moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from depth import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

from lineal.cas import digest_of
from lineal.directory import create_store
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.history import ArtifactVersionView, History, Lineage, VersionKey
from lineal.store import Store

CONTENTS = [digest_of(bytes([number])) for number in range(4)]
NAMES = ["a", "b", "c"]
VERSIONS = [VersionKey(name, content) for name in NAMES for content in CONTENTS]
BLOB = digest_of(bytes([0]))
_PROCESS = facts.Process("host", "boot", 1, 1)


def output(version: VersionKey) -> facts.Output:
    return facts.Output(f"as {version.name}", version.name, version.content, "test/1", "builtins.int", 1, {})


def taken(place: int, version: VersionKey) -> facts.Input:
    return facts.Input(f"x{place}", version.content, version.name, None, None)


class Drawn:
    """Makes histories: executions, reuses, failures, saves by hand and within steps, and second names."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.events: list[Event] = []
        self.done: list[facts.StepCompleted] = []

    def some(self, most: int) -> list[VersionKey]:
        return self.draw(st.lists(st.sampled_from(VERSIONS), max_size=most))

    def execute(self) -> None:
        step = StepRunId(RunId(len(self.events).to_bytes(16, "big")), "step")
        inputs = tuple(taken(place, version) for place, version in enumerate(self.some(2)))
        inputs += (facts.Input("rate", CONTENTS[0], None, "0", None),)
        fingerprint = Fingerprint(digest_of(step.run))
        self.events.append(facts.RunStarted(step.run, "p", BLOB, (), None, _PROCESS, BLOB))
        self.events.append(facts.StepStarted(*step, "m.f", fingerprint, inputs, BLOB))
        self.events += [facts.ArtifactSaved(output(version), step) for version in self.some(1)]
        ended = (*step, "m.f", fingerprint, BLOB, inputs)
        if self.draw(st.integers(0, 4)) == 0:
            self.events.append(facts.StepFailed(*ended, facts.Failure("ValueError", "no", ""), 1, 1, None))
            return
        outputs = tuple(output(version) for version in dict.fromkeys(self.some(2)))
        self.done.append(facts.StepCompleted(*ended, outputs, 1, 1, None))
        self.events.append(self.done[-1])

    def reuse(self) -> None:
        if not self.done:
            return
        done = self.draw(st.sampled_from(self.done))
        run = RunId(len(self.events).to_bytes(16, "big"))
        inputs = tuple(
            one if one.artifact is None else one._replace(artifact=self.draw(st.sampled_from(NAMES)))
            for one in done.inputs
        )
        outputs = tuple(one._replace(artifact=self.draw(st.sampled_from(NAMES))) for one in done.outputs)
        executed = StepRunId(done.run, done.step)
        self.events.append(
            facts.StepReused(run, "again", "m.f", done.fingerprint, BLOB, inputs, outputs, executed, 1, 1)
        )

    def save(self) -> None:
        self.events.append(facts.ArtifactSaved(output(self.draw(st.sampled_from(VERSIONS)))))

    def name(self) -> None:
        version = self.draw(st.sampled_from(VERSIONS))
        self.events.append(facts.ArtifactNamed(output(version), self.draw(st.sampled_from(NAMES))))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    drawn = Drawn(draw)
    acts = [drawn.execute, drawn.execute, drawn.execute, drawn.reuse, drawn.save, drawn.name]
    for act in draw(st.lists(st.sampled_from(range(len(acts))), min_size=1, max_size=10)):
        acts[act]()
    return drawn.events


class Naive:
    """Answers by going through a list of events."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.first: dict[VersionKey, Event] = {}
        self.last: dict[StepRunId, Event] = {}
        self.saved: dict[StepRunId, list[VersionKey]] = {}
        self.ended = [
            one for one in events if isinstance(one, facts.StepCompleted | facts.StepReused | facts.StepFailed)
        ]
        for event in events:
            for made in event.made:
                self.first.setdefault(VersionKey(made.artifact, made.content), event)
            if isinstance(event, facts.StepStarted | facts.StepCompleted | facts.StepFailed | facts.StepReused):
                self.last[StepRunId(event.run, event.step)] = event
            if isinstance(event, facts.ArtifactSaved) and event.by is not None:
                version = VersionKey(event.output.artifact, event.output.content)
                self.saved.setdefault(event.by, []).append(version)

    def origin(self, version: VersionKey) -> StepRunId | None:
        event, passed = self.first.get(version), {""}
        while isinstance(event, facts.ArtifactNamed) and event.source not in passed:
            passed.add(event.source)
            before = self.first.get(VersionKey(event.source, version.content))
            if before is None:
                break
            event = before
        match event:
            case facts.StepCompleted():
                return StepRunId(event.run, event.step)
            case facts.StepReused():
                return event.reuses
            case facts.ArtifactSaved():
                return event.by
        return None

    def parents(self, version: VersionKey) -> list[VersionKey]:
        origin = self.origin(version)
        inputs = () if origin is None else self.last[origin].inputs  # type: ignore[attr-defined]
        return [VersionKey(one.artifact, one.content) for one in inputs if one.artifact is not None]

    def children(self, version: VersionKey) -> list[VersionKey]:
        found: list[VersionKey] = []
        for event in self.ended:
            if (version.name, version.content) in [(one.artifact, one.content) for one in event.inputs]:
                step = event.reuses if isinstance(event, facts.StepReused) else StepRunId(event.run, event.step)
                found += [VersionKey(one.artifact, one.content) for one in event.made]
                found += self.saved.get(step, [])
        for other, first in self.first.items():
            if isinstance(first, facts.ArtifactNamed) and (first.source, other.content) == version:
                found.append(other)
        return [one for one in found if one != version]

    def takers(self, versions: Collection[VersionKey]) -> set[StepRunId]:
        """The executions behind all that took one of these."""
        found = [one for one in self.ended if any((taken.artifact, taken.content) in versions for taken in one.inputs)]
        return {one.reuses if isinstance(one, facts.StepReused) else StepRunId(one.run, one.step) for one in found}

    def distances(self, root: VersionKey, is_upstream: bool) -> dict[VersionKey, int]:
        """How many steps away everything is that can be reached."""
        found = {root: 0}
        waiting = deque([root])
        while waiting:
            at = waiting.popleft()
            for to in self.parents(at) if is_upstream else self.children(at):
                if to not in found:
                    found[to] = found[at] + 1
                    waiting.append(to)
        return found


@contextmanager
def store_of(events: Sequence[Event], more: Sequence[bytes] = ()) -> Iterator[Store]:
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        create_store(Path(folder) / "store", 1)
        store = Store(Path(folder) / "store", read_only=False, clock=lambda: 1)
        try:
            with store.blobs.batch() as batch:
                for blob in (*(bytes([number]) for number in range(len(CONTENTS))), *more):
                    batch.put(blob)
                store.append(events, batch.publish())
            store.flush()
            yield store
        finally:
            store.close()


def view(history: History, version: VersionKey) -> ArtifactVersionView:
    return history.artifact(f"{version.name}@{version.content}")


def check(lineage: Lineage, naive: Naive, root: VersionKey, depth: int | None) -> None:
    """Hold a lineage against the naive answer."""
    away = naive.distances(root, lineage.direction == "upstream")
    expected = {version for version, steps in away.items() if depth is None or steps <= depth}
    assert lineage.nodes.keys() == expected
    assert next(iter(lineage.nodes)) == root
    assert lineage.is_complete or depth is not None
    for link in lineage.links:
        assert link.step in lineage.steps
        assert link.version in lineage.nodes
    for node in lineage:
        assert (node.version is None) == (node.key not in naive.first)
    if lineage.direction == "upstream":
        for node in lineage:
            assert (node.production and node.production.step) == naive.origin(node.key)
    if lineage.direction == "downstream" and depth is None:
        assert lineage.steps.keys() == naive.takers(lineage.nodes.keys())
    str(lineage)
    lineage.to_dict()


@given(histories(), st.integers(0, 3))
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_lineage_is_what_the_log_says_now_and_as_of_any_moment(events: list[Event], depth: int) -> None:
    with store_of(events) as store:
        for upto in {1 + len(events), 1 + len(events) // 2, len(events)}:
            naive, history = Naive(events[: upto - 1]), History(store, upto)
            for version in naive.first:
                check(view(history, version).lineage(), naive, version, None)
                check(view(history, version).lineage(depth=depth), naive, version, depth)
                check(view(history, version).downstream(), naive, version, None)
                check(view(history, version).downstream(depth=depth), naive, version, depth)


@given(histories(), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS))
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_path_is_a_shortest_one_where_there_is_any(events: list[Event], one: VersionKey, other: VersionKey) -> None:
    naive = Naive(events)
    if one not in naive.first or other not in naive.first:
        return
    with store_of(events) as store:
        history = History(store)
        path = view(history, one).path_to(view(history, other))
    away = naive.distances(one, is_upstream=False)
    assert (path is None) == (other not in away)
    if path is not None:
        assert len(path) == away[other] + 1
        assert {one, other} <= path.nodes.keys()


@given(histories(), st.integers(1, 6))
@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_lineage_is_no_larger_than_it_may_be_and_says_whether_it_is_whole(events: list[Event], most: int) -> None:
    with store_of(events) as store:
        history = History(store)
        for version in Naive(events).first:
            for ask in (view(history, version).lineage, view(history, version).downstream):
                whole, cut = ask(), ask(nodes_max=most)
                assert len(cut) <= most
                assert cut.nodes.keys() <= whole.nodes.keys()
                is_whole = (cut.nodes.keys(), cut.steps.keys()) == (whole.nodes.keys(), whole.steps.keys())
                assert is_whole or not cut.is_complete
                assert cut.is_complete or len(cut.nodes) + len(cut.steps) >= most


def test_a_level_wider_than_a_page_is_there_whole_where_the_lineage_ends_at_it() -> None:
    root = VersionKey("root", BLOB)
    blobs = [b"%d" % number for number in range(600)]
    wide = [VersionKey("wide", digest_of(blob)) for blob in blobs]
    run = RunId(bytes(16))
    events: list[Event] = [
        facts.ArtifactSaved(output(root), None),
        facts.RunStarted(run, "p", BLOB, (), None, _PROCESS, BLOB),
    ]
    for number, (source, given_) in enumerate([*((root, one) for one in wide), (wide[0], VersionKey("last", BLOB))]):
        ended = (run, f"step-{number}", "m.f", Fingerprint(digest_of(b"%d" % number)), BLOB)
        events.append(facts.StepCompleted(*ended, (taken(0, source),), (output(given_),), 1, 1, None))
    with store_of(events, blobs) as store:
        found = view(History(store), root).downstream(depth=1)
    assert list(found.nodes) == [root, *wide]
    assert not found.is_complete
