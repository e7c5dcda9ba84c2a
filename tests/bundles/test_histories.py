"""Bundles of any history, held against a part of it that is found by reading the log from its beginning."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

import lineal
from lineal import Client
from lineal.bundles.reading import Bundle
from lineal.cas import Digest, digest_of
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.codec import Recorded
from lineal.events.ids import Fingerprint, RunId, StepRunId

NAMES = ["a", "b"]
VALUES = 4
BLOB = digest_of(b"blob")
PROCESS = facts.Process("host", "boot", 1, 1)
Version = tuple[str, bytes]


def output(name: str, content: Digest) -> facts.Output:
    return facts.Output(f"as {name}", name, content, "test/1", "builtins.int", 1, {})


class Drawn:
    """Runs of a step or two each, with reuses, saves by hand and by steps, second names, and labels."""

    def __init__(self, draw: st.DrawFn, contents: list[Digest]) -> None:
        self.draw = draw
        self.contents = contents
        self.events: list[Event] = []
        self.done: list[facts.StepCompleted] = []
        self.versions: list[Version] = []

    def some(self, most: int) -> list[tuple[str, Digest]]:
        version = st.tuples(st.sampled_from(NAMES), st.sampled_from(self.contents))
        return self.draw(st.lists(version, max_size=most, unique_by=lambda one: one[0]))

    def taken(self) -> tuple[facts.Input, ...]:
        count = self.draw(st.integers(0, 2)) if self.versions else 0
        found = [self.draw(st.sampled_from(self.versions)) for _ in range(count)]
        return tuple(facts.Input(f"x{place}", Digest(one[1]), one[0], None, None) for place, one in enumerate(found))

    def run(self) -> None:
        run = RunId(len(self.events).to_bytes(16, "big"))
        self.events.append(facts.RunStarted(run, "p", BLOB, (), None, PROCESS, BLOB))
        for name in ("first", "second")[: self.draw(st.integers(1, 2))]:
            self.step(StepRunId(run, name))
        self.events.append(facts.RunCompleted(run))

    def step(self, step: StepRunId) -> None:
        if self.done and self.draw(st.booleans()):
            done = self.draw(st.sampled_from(self.done))
            executed = StepRunId(done.run, done.step)
            ended = (*step, "m.f", done.fingerprint, BLOB, done.inputs, done.outputs, executed, 1, 1)
            self.events.append(facts.StepReused(*ended))
            return
        inputs, fingerprint = self.taken(), Fingerprint(digest_of(step.run + step.step.encode()))
        self.events += [facts.ArtifactSaved(output(*version), step) for version in self.some(1)]
        outputs = tuple(output(*version) for version in self.some(2))
        self.done.append(facts.StepCompleted(*step, "m.f", fingerprint, BLOB, inputs, outputs, 1, 1, None))
        self.events.append(self.done[-1])
        self.versions += [(one.artifact, one.content) for one in outputs]

    def save(self) -> None:
        for version in self.some(1):
            self.events.append(facts.ArtifactSaved(output(*version)))
            self.versions.append(version)

    def name(self) -> None:
        for name, content in [self.draw(st.sampled_from(self.versions))] if self.versions else []:
            other = self.draw(st.sampled_from(NAMES))
            self.events.append(facts.ArtifactNamed(output(other, Digest(content)), name))
            self.versions.append((other, content))

    def label(self) -> None:
        if self.versions:
            name, content = self.draw(st.sampled_from(self.versions))
            self.events.append(facts.Tagged(facts.Subject("version", name, content), ("tagged",)))


def expected(log: list[Recorded], asked: list[Any]) -> set[bytes]:
    """The ids of the events that belong to what was asked for, found the slow way."""
    whole = {one for one in asked if isinstance(one, bytes)}
    traced = {one for one in asked if not isinstance(one, bytes)}
    versions: set[Any] = set()
    steps = {StepRunId(one.event.run, one.event.step) for one in log if _step_of(one) and one.event.run in whole}
    before = -1
    while before != len(traced) + len(steps):
        before = len(traced) + len(steps)
        for name, content in list(traced):
            naming = [_maker(one, content) for one in log if (name, content) in _given(one)]
            steps |= {maker for maker in naming[:1] if maker is not None}
            makers = (_maker(one, content) for one in log)
            steps |= {*[maker for maker in makers if maker is not None][:1]}
        for one in log:
            if _step_of(one) and StepRunId(one.event.run, one.event.step) in steps:
                traced |= {(taken.artifact, taken.content) for taken in one.event.inputs}
                versions |= {(given.artifact, given.content) for given in one.event.outputs}
                steps |= {one.event.reuses} if isinstance(one.event, facts.StepReused) else set()
            if isinstance(one.event, facts.ArtifactSaved) and one.event.by in steps:
                versions |= {(one.event.output.artifact, one.event.output.content)}
    runs = whole | {step.run for step in steps}
    return {one.raw_id for one in log if _belongs(one, runs, whole, steps, versions | traced)}


def _given(one: Recorded) -> list[Version]:
    return [(given.artifact, given.content) for given in one.event.made]


def _step_of(one: Recorded) -> bool:
    return isinstance(one.event, facts.StepCompleted | facts.StepReused)


def _maker(one: Recorded, content: bytes) -> StepRunId | None:
    event: Any = one.event
    if content not in [given.content for given in event.made]:
        return None
    return StepRunId(event.run, event.step) if _step_of(one) else getattr(event, "by", None)


def _belongs(one: Recorded, runs: Any, whole: Any, steps: Any, versions: Any) -> bool:
    event: Any = one.event
    match event:
        case facts.StoreCreated():
            return True
        case facts.RunStarted() | facts.RunCompleted():
            return event.run in runs
        case facts.StepCompleted() | facts.StepReused():
            return event.run in whole or StepRunId(event.run, event.step) in steps
        case facts.ArtifactSaved(by=StepRunId() as by):
            return by.run in whole or by in steps
        case facts.ArtifactSaved() | facts.ArtifactNamed():
            return (event.output.artifact, event.output.content) in versions
        case facts.Tagged():
            return (event.subject.name, event.subject.id) in versions
    return False


def fill(store: Client, data: st.DataObject) -> Drawn:
    """Append a history in which everything that is named is there."""
    contents = [store.save(number, f"value {number}").content for number in range(VALUES)]
    store.flush()
    drawn = data.draw(st.composite(lambda draw: draw_history(draw, contents))())
    with store.store.blobs.batch() as batch:
        batch.put(b"blob")
        store.store.append(drawn.events, batch.publish()).wait()
    return drawn


def draw_history(draw: st.DrawFn, contents: list[Digest]) -> Drawn:
    drawn = Drawn(draw, contents)
    drawn.run()
    for _ in range(draw(st.integers(0, 8))):
        draw(st.sampled_from([drawn.run, drawn.run, drawn.save, drawn.name, drawn.label]))()
    return drawn


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_bundle_of_any_history_has_what_belongs_to_what_was_asked_for_and_is_whole_with_the_rest(
    data: st.DataObject,
) -> None:
    with TemporaryDirectory(dir=IN_MEMORY) as name, lineal.open(Path(name) / "source") as store:
        folder = Path(name)
        drawn = fill(store, data)
        runs = [event.run for event in drawn.events if isinstance(event, facts.RunStarted)]
        asked: list[Any] = data.draw(
            st.lists(st.sampled_from([*runs, *dict.fromkeys(drawn.versions)]), min_size=1, max_size=2, unique=True)
        )
        views = [
            store.run(one) if isinstance(one, bytes) else store.artifact(f"{one[0]}@{Digest(one[1])}") for one in asked
        ]
        store.export_bundle(folder / "part", *views)
        store.export_bundle(folder / "all")
        log = list(store.events())
        with Bundle(folder / "part") as bundle:
            events = [Recorded.read(0, b"", body) for body in bundle.bodies()]
        missing = expected(log, asked) ^ {one.raw_id for one in events}
        assert [repr(one.event)[:200] for one in log if one.raw_id in missing] == []
        with lineal.open(folder / "target") as target:
            target.import_bundle(folder / "part")
            for view in views:
                if not isinstance(view, lineal.history.RunView):
                    there = target.artifact(f"{view.name}@{view.content}")
                    assert {str(key) for key in there.lineage().nodes} == {str(key) for key in view.lineage().nodes}
                    assert there.tags == view.tags
            target.import_bundle(folder / "all")
            assert not target.import_bundle(folder / "part").is_new
            assert {one.raw_id for one in log[1:]} <= {one.raw_id for one in target.events()}
            assert target.verify().is_sound
