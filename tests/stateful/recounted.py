"""A history recounted from its events in plain dicts, without projections: what questions are to be answered with."""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from lineal.events import catalogue as facts
from lineal.events.catalogue import Event

Key = tuple[str, bytes]
"""An artifact's name and a content."""
StepKey = tuple[bytes, str]

_ENDS = {facts.RunCompleted: "completed", facts.RunFailed: "failed"}
_STEPS = {
    facts.StepStarted: "running",
    facts.StepCompleted: "completed",
    facts.StepReused: "cached",
    facts.StepFailed: "failed",
    facts.StepSkipped: "skipped",
}


@dataclass
class Run:
    """What is known of a run."""

    id: bytes
    name: str
    pipeline: str
    began: int
    parameters: dict[str, Any]
    status: str = "running"
    ended: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)


class Recounted:
    """What a history has come to so far."""

    def __init__(self) -> None:
        self.seq = 0
        self.runs: dict[bytes, Run] = {}
        self.counts: dict[str, int] = defaultdict(int)
        self.versions: dict[str, dict[bytes, int]] = {}
        self.first: dict[Key, Event] = {}
        self.told: dict[StepKey, Any] = {}
        self.users: dict[Key, list[Any]] = defaultdict(list)
        self.makers: dict[bytes, list[StepKey]] = defaultdict(list)
        self.saved: dict[StepKey, list[Key]] = defaultdict(list)
        self.called: dict[Key, list[Key]] = defaultdict(list)
        self.of_code: dict[bytes, list[Any]] = defaultdict(list)
        self.executed: dict[bytes, StepKey] = {}
        self.tags: dict[facts.Subject, set[str]] = defaultdict(set)
        self.notes: dict[facts.Subject, dict[str, Any]] = defaultdict(dict)
        self.aliases: dict[tuple[str, str], bytes] = {}
        self.pins: dict[str, bytes] = {}
        self.deleted: dict[facts.Subject, int] = {}
        self.made_last: dict[Key, int] = {}
        self.inputs = 0

    def take(self, event: Event) -> None:
        """Go on by one event."""
        self.seq += 1
        for output in event.made:
            self._make(event, output)
        for about in (self._take_run, self._take_step, self._take_label, self._take_record):
            about(event)

    def _make(self, event: Event, output: facts.Output) -> None:
        key = output.artifact, output.content
        self.made_last[key] = self.seq
        versions = self.versions.setdefault(output.artifact, {})
        if output.content in versions:
            return
        versions[output.content] = len(versions) + 1
        self.first[key] = event
        if isinstance(event, facts.ArtifactNamed):
            self.called[event.source, output.content].append(key)

    def _take_run(self, event: Event) -> None:
        if isinstance(event, facts.RunStarted):
            self.counts[event.pipeline] += 1
            parameters = {one.name: ast.literal_eval(one.literal or "None") for one in event.parameters}
            name = event.name or f"{event.pipeline}-{self.counts[event.pipeline]}"
            self.runs[event.run] = Run(event.run, name, event.pipeline, self.seq, parameters)
        elif isinstance(event, facts.RunRenamed):
            self.runs[event.run].name = event.name
        elif isinstance(event, facts.RunCompleted | facts.RunFailed):
            run = self.runs[event.run]
            run.status, run.ended = _ENDS[type(event)], self.seq
        elif isinstance(event, facts.MetricsLogged):
            self.runs[event.subject.id].metrics.update({one.name: one.value for one in event.latest})

    def _take_step(self, event: Event) -> None:
        if not isinstance(event, tuple(_STEPS)):
            return
        step = event.run, event.step  # type: ignore[attr-defined]
        self.runs[step[0]].steps[step[1]] = _STEPS[type(event)]
        if isinstance(event, facts.StepSkipped):
            return
        self.told[step] = event
        if isinstance(event, facts.StepStarted):
            return
        self.of_code[event.code].append(event)  # type: ignore[attr-defined]
        for taken in event.inputs:  # type: ignore[attr-defined]
            self.inputs += 1
            if taken.artifact is not None:
                self.users[taken.artifact, taken.content].append(event)
        if isinstance(event, facts.StepCompleted):
            self.executed[event.fingerprint] = step
            for output in event.outputs:
                self.makers[output.content].append(step)

    def _take_label(self, event: Event) -> None:
        match event:
            case facts.Tagged(subject, tags):
                self.tags[subject] |= set(tags)
            case facts.Untagged(subject, tags):
                self.tags[subject] -= set(tags)
            case facts.Annotated(subject, values):
                self.notes[subject].update(values)
            case facts.AnnotationsRemoved(subject, keys):
                for key in keys:
                    self.notes[subject].pop(key, None)
            case facts.AliasSet(artifact, alias, content):
                self.aliases[artifact, alias] = content
            case facts.AliasRemoved(artifact, alias):
                self.aliases.pop((artifact, alias), None)

    def _take_record(self, event: Event) -> None:
        match event:
            case facts.PinAdded(label, content):
                self.pins[label] = content
            case facts.PinRemoved(label):
                self.pins.pop(label, None)
            case facts.Deleted(subjects, upto):
                self.deleted |= dict.fromkeys(subjects, upto)
            case facts.Restored(subjects):
                for subject in subjects:
                    self.deleted.pop(subject, None)
            case facts.ArtifactSaved(output, by) if by is not None:
                self.saved[by.run, by.step].append((output.artifact, output.content))
                self.makers[output.content].append((by.run, by.step))

    def is_deleted(self, subject: facts.Subject) -> bool:
        """Whether a run, or a version that nothing has made since, is deleted."""
        upto = self.deleted.get(subject)
        if upto is None or subject.kind != "version":
            return upto is not None
        return self.made_last[subject.name, subject.id] <= upto

    def present_runs(self) -> list[Run]:
        """The runs that are not deleted, newest first."""
        runs = sorted(self.runs.values(), key=lambda run: -run.began)
        return [run for run in runs if not self.is_deleted(facts.Subject("run", "", run.id))]

    def present_versions(self, name: str) -> list[Key]:
        """The versions of an artifact that are not deleted, newest first."""
        keys = [(name, content) for content in reversed(self.versions[name])]
        return [key for key in keys if not self.is_deleted(facts.Subject("version", *key))]

    def row_count(self, key: Key) -> Any:
        """What the event that made a version says of its rows."""
        [output] = [one for one in self.first[key].made if (one.artifact, one.content) == key]
        return output.metadata.get("rows")

    def origin(self, key: Key) -> StepKey | None:
        """The execution that a version first came from."""
        event = self.first.get(key)
        passed: set[str] = set()
        while isinstance(event, facts.ArtifactNamed) and event.source not in passed:
            passed.add(event.source)
            event = self.first.get((event.source, key[1]), event)
        match event:
            case facts.StepCompleted():
                return event.run, event.step
            case facts.StepReused():
                return event.reuses.run, event.reuses.step
            case facts.ArtifactSaved(_, by) if by is not None:
                return by.run, by.step
        return None

    def parents(self, key: Key) -> list[Key]:
        """What a version was made from."""
        origin = self.origin(key)
        taken = () if origin is None else self.told[origin].inputs
        return [(one.artifact, one.content) for one in taken if one.artifact is not None]

    def children(self, key: Key) -> Iterator[Key]:
        """What was made of a version."""
        for event in self.users.get(key, ()):
            yield from given(event)
            yield from self.saved.get(execution(event), ())
        yield from self.called.get(key, ())

    def distances(self, roots: Collection[Key], following: Callable[[Key], Any]) -> dict[Key, int]:
        """How far away everything is that can be reached."""
        found = dict.fromkeys(roots, 0)
        waiting = deque(roots)
        while waiting:
            at = waiting.popleft()
            for to in following(at):
                if to not in found:
                    found[to] = found[at] + 1
                    waiting.append(to)
        return found


def given(event: Event) -> list[Key]:
    """The versions that an event gives."""
    return [(one.artifact, one.content) for one in event.made]


def execution(event: Any) -> StepKey:
    """The step run that executed, behind the end of one."""
    by = event.reuses if isinstance(event, facts.StepReused) else event
    return by.run, by.step
