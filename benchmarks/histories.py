"""Big histories, as busy stores have them: the same for the same seed, any number of events, in bounded memory.

Pipelines of several steps run again and again, some from scratch, some partly out of the cache, a few failing; their
artifacts feed each other, so that lineage goes far back; people save, name, pin, tag, release and delete in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import msgpack

from lineal.cas import Blob, BlobKind, Digest, Inline, Manifest, MemoryBlobs, digest_of
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.ids import Fingerprint, RunId, StepRunId
from lineal.materializers import save
from lineal.store import Store

PIPELINES, NAMES_BY_HAND = 24, 40
_SUPERSEDED_MAX = 500
_RATES = 50
_KINDS = ("tree", "forest", "linear", "net")
_SENT_MAX = 100_000
_BEGAN_US = 1_700_000_000_000_000
_PROCESS = facts.Process("elsewhere", "boot", 1, 1)


class Moment(NamedTuple):
    """What a pipeline appends at once: mostly one event, with the receipts of the blobs that it brings."""

    events: tuple[Event, ...]
    blobs: tuple[Blob, ...] = ()


def small_blob(data: bytes, kind: BlobKind = BlobKind.BYTES) -> Blob:
    """The receipt of bytes that ride in the commit."""
    return Blob(digest_of(data), len(data), kind, Inline(data))


def plain_value(value: Any) -> Blob:
    """The receipt of a plain value that is saved as a literal is."""
    return small_blob(save(value, MemoryBlobs()).manifest.encoded, BlobKind.MANIFEST)


def grow(store: Store, moments: Iterable[Moment], moments_each: int = 1) -> int:
    """Append moments, so many in one submission; all are durable on return. Give the number of events.

    A receipt goes in once; of very many, now and then again.
    """
    appended = 0
    events: list[Event] = []
    blobs: dict[bytes, Blob] = {}
    sent: set[bytes] = set()
    gathered = 0
    for moment in moments:
        events += moment.events
        for blob in moment.blobs:
            if blob.digest not in sent:
                sent.add(blob.digest)
                blobs[blob.digest] = blob
        if len(sent) > _SENT_MAX:
            sent.clear()
        appended += len(moment.events)
        gathered += 1
        if gathered == moments_each:
            store.append(events, tuple(blobs.values()))
            events, blobs, gathered = [], {}, 0
    if events:
        store.append(events, tuple(blobs.values()))
    store.flush()
    return appended


@dataclass
class _Step:
    name: str
    function: str
    takes: tuple[int, ...]
    """The earlier steps of the pipeline whose outputs it takes."""
    artifact: str
    code: Blob
    done: facts.StepCompleted | None = None
    """The newest execution."""


@dataclass
class _Pipeline:
    name: str
    structure: Blob
    borrows: str | None
    """The artifact of another pipeline that its first step takes."""
    steps: list[_Step]


def _structure(steps: Sequence[_Step]) -> bytes:
    """The graph as a run's pipeline version has it."""
    entries = []
    for step in steps:
        inputs = {f"x{place}": [steps[place].name, "output"] for place in step.takes}
        entries.append({"name": step.name, "function": step.function, "outputs": ["output"], "inputs": inputs})
    packed: bytes = msgpack.packb({"steps": entries})
    return packed


class History:
    """Goes on for ever; what it remembers of the past does not grow."""

    def __init__(self, seed: int = 0) -> None:
        """Begin; equal seeds go the same way."""
        self._chance = Random(seed)
        self._events = 1
        self._number = 0
        self._environment = small_blob(
            msgpack.packb({"python": "3.11", "packages": {f"package-{number}": "2.0" for number in range(30)}})
        )
        rates = [round(10 ** (-4 + 4 * number / _RATES), 6) for number in range(_RATES)]
        self._rates = [(plain_value(rate), repr(rate)) for rate in rates]
        self._kinds = [(plain_value(kind), repr(kind)) for kind in _KINDS]
        self._newest: dict[str, Digest] = {}
        """By artifact, its newest content."""
        self._superseded: deque[Digest] = deque(maxlen=_SUPERSEDED_MAX)
        self._deleted: deque[facts.Subject] = deque(maxlen=_SUPERSEDED_MAX)
        self._runs: deque[RunId] = deque(maxlen=100)
        self._pipelines: list[_Pipeline] = []
        for number in range(PIPELINES):
            self._pipelines.append(self._pipeline(number))

    def moments(self, events: int) -> Iterator[Moment]:
        """What happens next, until there are at least so many events more and the last run has ended."""
        until = self._events + events
        while self._events < until:
            happening = self._run(self._chance.choice(self._pipelines))
            if self._chance.random() < 0.15:
                happening = self._by_hand()
            for moment in happening:
                self._events += len(moment.events)
                yield moment

    def _bytes(self, size_bytes: int) -> bytes:
        return self._chance.randbytes(size_bytes)

    def _value(self, head: Any) -> Blob:
        return small_blob(Manifest("history/1", "builtins.dict", head).encoded, BlobKind.MANIFEST)

    def _new_value(self) -> Blob:
        self._number += 1
        return self._value(["value", self._number, self._chance.random()])

    def _pipeline(self, number: int) -> _Pipeline:
        chance = self._chance
        earlier = self._pipelines[: max(0, number)]
        borrows = chance.choice(chance.choice(earlier).steps).artifact if earlier else None
        steps: list[_Step] = []
        for place in range(chance.randint(3, 8)):
            takes = tuple(sorted(chance.sample(range(place), min(place, chance.randint(1, 2)))))
            name = f"step-{place}"
            steps.append(
                _Step(name, f"module_{number}.{name}", takes, f"{name}-of-{number}", small_blob(self._bytes(120)))
            )
        return _Pipeline(f"pipeline-{number}", small_blob(_structure(steps)), borrows, steps)

    def _run(self, pipeline: _Pipeline) -> Iterator[Moment]:
        chance = self._chance
        run = RunId(self._bytes(16))
        self._runs.append(run)
        rate, kind = chance.choice(self._rates), chance.choice(self._kinds)
        literals = (rate[0], kind[0])
        parameter = facts.Input("lr", rate[0].digest, None, rate[1], None)
        parameters = (parameter, facts.Input("kind", kind[0].digest, None, kind[1], None))
        started = facts.RunStarted(
            run, pipeline.name, pipeline.structure.digest, parameters, None, _PROCESS, self._environment.digest
        )
        yield Moment((started,), (pipeline.structure, self._environment, *literals))
        reused = chance.randrange(len(pipeline.steps) + 1) if chance.random() < 0.5 else 0
        fails = chance.randrange(len(pipeline.steps)) if chance.random() < 0.04 else None
        for place, step in enumerate(pipeline.steps):
            if place < reused and step.done is not None:
                yield Moment((self._reused(run, step, step.done),), (step.code,))
                continue
            if chance.random() < 0.02:
                step.code = small_blob(self._bytes(120))
            inputs = (*self._inputs(pipeline, step), parameter)
            fingerprint = Fingerprint(self._bytes(32))
            began = facts.StepStarted(run, step.name, step.function, fingerprint, inputs, step.code.digest)
            yield Moment((began,), (step.code, *literals))
            if place == fails:
                yield from self._failed(run, pipeline, place, began)
                return
            yield self._completed(step, began)
            if chance.random() < 0.01:
                yield self._saved_within(step)
        yield Moment((*self._scored(run), facts.RunCompleted(run)))

    def _scored(self, run: RunId) -> Iterator[Event]:
        """What most runs log at their end."""
        if self._chance.random() < 0.6:
            at_us, accuracy = self._times()[0], self._chance.random()
            point = facts.MetricPoint("accuracy", 1, 0, at_us, accuracy)
            column = facts.MetricColumn("accuracy", (0,), (at_us,), (accuracy,))
            yield facts.MetricsLogged(facts.Subject("run", "", run), (point,), (column,))

    def _saved_within(self, step: _Step) -> Moment:
        """What a step saves by hand while it runs."""
        name, value = self._some_name(), self._new_value()
        self._supersede(name, value.digest)
        saved = facts.Output(name, name, value.digest, "history/1", "builtins.dict", value.size_bytes, {})
        by = None if step.done is None else StepRunId(step.done.run, step.done.step)
        return Moment((facts.ArtifactSaved(saved, by),), (value,))

    def _inputs(self, pipeline: _Pipeline, step: _Step) -> Iterator[facts.Input]:
        if not step.takes and pipeline.borrows in self._newest:
            yield facts.Input("borrowed", self._newest[pipeline.borrows], pipeline.borrows, None, None)
        for place in step.takes:
            giver = pipeline.steps[place]
            yield facts.Input(f"x{place}", self._newest[giver.artifact], giver.artifact, None, giver.name)

    def _times(self) -> tuple[int, int]:
        return _BEGAN_US + self._events * 1000, self._chance.randrange(1000, 10_000_000)

    def _reused(self, run: RunId, step: _Step, done: facts.StepCompleted) -> facts.StepReused:
        return facts.StepReused(
            run,
            step.name,
            step.function,
            done.fingerprint,
            done.code,
            done.inputs,
            done.outputs,
            StepRunId(done.run, done.step),
            *self._times(),
        )

    def _completed(self, step: _Step, began: facts.StepStarted) -> Moment:
        blobs = []
        content = self._newest.get(step.artifact)
        if content is None or self._chance.random() < 0.85:
            value = self._new_value()
            blobs.append(value)
            content = self._supersede(step.artifact, value.digest)
        log = None
        if self._chance.random() < 0.3:
            printed = f"epoch {self._events} of 10\n" * 20
            blobs.append(small_blob(msgpack.packb([[0, "stdout", printed]])))
            log = blobs[-1].digest
        output = facts.Output(
            "output", step.artifact, content, "history/1", "builtins.dict", 5000, {"rows": self._number}
        )
        step.done = facts.StepCompleted(
            began.run,
            step.name,
            step.function,
            began.fingerprint,
            step.code.digest,
            began.inputs,
            (output,),
            *self._times(),
            log,
            "As little as a step says of itself.",
            facts.Resources(self._chance.randrange(10_000_000), 300_000_000),
        )
        return Moment((step.done,), tuple(blobs))

    def _supersede(self, artifact: str, content: Digest) -> Digest:
        if artifact in self._newest:
            self._superseded.append(self._newest[artifact])
        self._newest[artifact] = content
        return content

    def _failed(self, run: RunId, pipeline: _Pipeline, place: int, began: facts.StepStarted) -> Iterator[Moment]:
        step = pipeline.steps[place]
        failure = facts.Failure("ValueError", "no convergence", 'File "train.py", line 3\n' * 10)
        if self._chance.random() < 0.5:
            yield Moment((facts.StepRetried(run, step.name, step.function, 1, failure, *self._times(), 1000, None),))
        failed = facts.StepFailed(
            run,
            step.name,
            step.function,
            began.fingerprint,
            step.code.digest,
            began.inputs,
            failure,
            *self._times(),
            None,
        )
        skipped = [facts.StepSkipped(run, one.name, one.function, step.name) for one in pipeline.steps[place + 1 :]]
        yield Moment((failed,), (step.code,))
        yield Moment((*skipped, facts.RunFailed(run, step.name, failure.message)))

    def _by_hand(self) -> Iterator[Moment]:
        acts = (
            *[self._save] * 6,
            *[self._pin, self._unpin, self._release, self._label, self._alias, self._log] * 2,
            self._call,
            self._rename,
            self._unlabel,
            self._delete,
            self._restore,
        )
        return iter(self._chance.choice(acts)())

    def _some_name(self) -> str:
        return f"by-hand-{self._chance.randrange(NAMES_BY_HAND)}"

    def _save(self) -> Sequence[Moment]:
        name, value = self._some_name(), self._new_value()
        self._supersede(name, value.digest)
        saved = facts.Output(name, name, value.digest, "history/1", "builtins.dict", value.size_bytes, {})
        return [Moment((facts.ArtifactSaved(saved),), (value,))]

    def _about(self) -> tuple[str, Digest] | None:
        """An artifact and its newest content, once there is one."""
        return self._chance.choice(list(self._newest.items())) if self._newest else None

    def _pin(self) -> Sequence[Moment]:
        about = self._about()
        label = f"pin-{self._chance.randrange(100)}"
        return [] if about is None else [Moment((facts.PinAdded(label, about[1]),))]

    def _unpin(self) -> Sequence[Moment]:
        return [Moment((facts.PinRemoved(f"pin-{self._chance.randrange(100)}"),))]

    def _release(self) -> Sequence[Moment]:
        """Let go of what is superseded: a few contents, oldest first."""
        count = min(len(self._superseded), self._chance.randint(1, 20))
        contents = tuple(self._superseded.popleft() for _ in range(count))
        return [Moment((facts.ContentsReleased(contents, "keep the newest", self._events),))] if contents else []

    def _label(self) -> Sequence[Moment]:
        about = self._about()
        if about is None:
            return []
        subject = facts.Subject("version", about[0], about[1])
        return [
            Moment((facts.Tagged(subject, ("candidate", f"week-{self._events // 10_000}")),)),
            Moment((facts.Annotated(subject, {"accuracy": self._chance.random(), "by": "somebody"}),)),
        ]

    def _alias(self) -> Sequence[Moment]:
        about = self._about()
        return [] if about is None else [Moment((facts.AliasSet(about[0], "production", about[1]),))]

    def _log(self) -> Sequence[Moment]:
        if not self._runs:
            return []
        subject = facts.Subject("run", "", self._runs[-1])
        values = tuple(self._chance.random() for _ in range(20))
        times_us = tuple(range(_BEGAN_US, _BEGAN_US + 20))
        column = facts.MetricColumn("loss", tuple(range(20)), times_us, values)
        latest = facts.MetricPoint("loss", len(values), column.steps[-1], times_us[-1], values[-1])
        return [Moment((facts.MetricsLogged(subject, (latest,), (column,)),))]

    def _call(self) -> Sequence[Moment]:
        """Give a content another name."""
        about = self._about()
        if about is None:
            return []
        name = self._some_name()
        named = facts.Output(name, name, about[1], "history/1", "builtins.dict", 5000, {})
        if name != about[0]:
            self._supersede(name, about[1])
        return [Moment((facts.ArtifactNamed(named, about[0]),))]

    def _rename(self) -> Sequence[Moment]:
        if not self._runs:
            return []
        return [Moment((facts.RunRenamed(self._chance.choice(self._runs), f"best-of-{self._events // 20_000}"),))]

    def _unlabel(self) -> Sequence[Moment]:
        about = self._about()
        if about is None:
            return []
        subject = facts.Subject("version", about[0], about[1])
        return [
            Moment((facts.Untagged(subject, ("candidate",)), facts.AnnotationsRemoved(subject, ("by",)))),
            Moment((facts.AliasRemoved(about[0], "production"),)),
        ]

    def _delete(self) -> Sequence[Moment]:
        """Delete a run or a version."""
        about = self._about()
        if about is None or not self._runs:
            return []
        subject = facts.Subject("version", *about)
        if self._chance.random() < 0.7:
            subject = facts.Subject("run", "", self._chance.choice(self._runs))
        self._deleted.append(subject)
        return [Moment((facts.Deleted((subject,), self._events, "not needed"),))]

    def _restore(self) -> Sequence[Moment]:
        if not self._deleted or self._chance.random() < 0.7:
            return []
        return [Moment((facts.Restored((self._deleted.pop(),), ()),))]
