"""What a list of events answers, by going through it from its beginning; and the same questions to projections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.projections.artifacts import version_key, versions_key
from lineal.events.projections.names import version_key as labels_key
from lineal.events.projections.runs import RunRow
from lineal.events.projections.subjects import subject_key
from lineal.events.rows import RowReader, framed, key

Said = dict[str, Any]
"""Answers by question, without the empty ones."""

_STATUS = {
    facts.StepStarted: "running",
    facts.StepCompleted: "completed",
    facts.StepReused: "cached",
    facts.StepFailed: "failed",
    facts.StepSkipped: "skipped",
}
_ENDS = {
    facts.RunCompleted: "completed",
    facts.RunFailed: "failed",
    facts.RunCancelled: "cancelled",
    facts.RunInterrupted: "interrupted",
}


class Answers:
    """Every answer after the last event of a list, whose first one has the sequence number 1."""

    def __init__(self, events: Sequence[Event]) -> None:
        """Go through the list."""
        self.status: dict[bytes, str] = {}
        self.running: list[bytes] = []
        self.runs: list[bytes] = []
        self.runs_of: dict[str, list[list[Any]]] = defaultdict(list)
        self.leads_to: dict[str, str] = {}
        self.called: dict[str, str] = {}
        self.called_with: dict[str, list[list[Any]]] = defaultdict(list)
        self.run_named: dict[str, bytes] = {}
        self.structures: dict[str, list[bytes]] = defaultdict(list)
        self.steps: dict[tuple[bytes, str], str] = {}
        self.attempts: dict[tuple[bytes, str], list[int]] = defaultdict(list)
        self.versions: dict[str, dict[bytes, int]] = {}
        self.deleted: dict[facts.Subject, list[Any]] = {}
        self.held_again: dict[bytes, int] = {}
        self.executed: dict[bytes, int] = {}
        self.pinned: dict[str, bytes] = {}
        self.released: dict[bytes, tuple[int, str]] = {}
        self.evicted: dict[bytes, bool] = {}
        self.made: dict[bytes, list[list[Any]]] = defaultdict(list)
        self.used: dict[bytes, list[list[Any]]] = defaultdict(list)
        self.named: dict[bytes, list[int]] = defaultdict(list)
        self.holding: dict[bytes, int] = {}
        self.streams: dict[bytes, list[int]] = defaultdict(list)
        self.tags: dict[facts.Subject, set[str]] = defaultdict(set)
        self.aliases: dict[tuple[str, str], bytes] = {}
        self.notes: dict[tuple[facts.Subject, str], Any] = {}
        self.metrics: dict[tuple[facts.Subject, str], list[Any]] = {}
        for seq, event in enumerate(events, start=1):
            self._take(seq, event)

    def _take(self, seq: int, event: Event) -> None:
        for ref in dict.fromkeys(event.refs):
            self.named[ref].append(seq)
            if not isinstance(event, facts.PinAdded):
                self.holding[ref] = seq
        if event.stream:
            self.streams[event.stream].append(seq)
        for output in event.made:
            known = self.versions.setdefault(output.artifact, {})
            if output.content not in known:
                wanted = event.number or 0 if isinstance(event, facts.ArtifactNamed) else 0
                known[output.content] = max([wanted, 1, *(number + 1 for number in known.values())])
        if isinstance(event, facts.Deleted | facts.Restored):
            is_deleted = isinstance(event, facts.Deleted)
            upto = event.upto if isinstance(event, facts.Deleted) else seq
            self.deleted |= {subject: [is_deleted, upto, list(subject)] for subject in event.subjects}
        if isinstance(event, facts.Restored):
            self.held_again |= dict.fromkeys(event.held, seq)
        self._take_run(event)
        self._take_step(seq, event)
        self._take_content(event)
        self._take_label(event)

    def _take_run(self, event: Event) -> None:
        if isinstance(event, facts.RunStarted):
            pipeline = self.leads_to.get(event.pipeline, event.pipeline)
            earlier = self.runs_of[pipeline]
            earlier.append([event.run, len(earlier) + 1])
            self.run_named[event.name or f"{self.called.get(pipeline, pipeline)}-{len(earlier)}"] = event.run
            self.runs.append(event.run)
            for name, content, artifact, text, *_ in event.parameters:
                if artifact is None:
                    self.called_with[name].append([event.run, content, text])
            self.running.append(event.run)
            self.status[event.run] = "running"
            if event.structure not in self.structures[pipeline]:
                self.structures[pipeline].append(event.structure)
        elif isinstance(event, facts.PipelineRenamed):
            pipeline = self.leads_to.get(event.pipeline, event.pipeline)
            self.leads_to[event.name], self.called[pipeline] = pipeline, event.name
        elif isinstance(event, facts.RunRenamed):
            if event.run in self.status:
                self.run_named[event.name] = event.run
        elif type(event) in _ENDS and self.status.get(event.run) == "running":  # type: ignore[attr-defined]
            run = event.run  # type: ignore[attr-defined]
            self.status[run] = _ENDS[type(event)]  # type: ignore[index]
            self.running = [one for one in self.running if one != run]

    def _take_step(self, seq: int, event: Event) -> None:
        if isinstance(event, facts.StepRetried):
            self.attempts[event.run, event.step].append(event.attempt)
        elif type(event) in _STATUS:
            self.steps[event.run, event.step] = _STATUS[type(event)]  # type: ignore[attr-defined, index]
        if isinstance(event, facts.StepCompleted):
            self.executed[event.fingerprint] = seq
        if isinstance(event, facts.StepCompleted | facts.StepReused | facts.StepFailed):
            for taken in event.inputs:
                self.used[taken.content].append([event.run, event.step, taken.name, taken.artifact])
            is_executed = not isinstance(event, facts.StepReused)
            for output in event.made:
                self.made[output.content].append([event.run, event.step, output.name, is_executed])
        else:
            for output in event.made:
                self.made[output.content].append([])

    def _take_content(self, event: Event) -> None:
        match event:
            case facts.PinAdded(label, content):
                self.pinned[label] = content
            case facts.PinRemoved(label):
                self.pinned.pop(label, None)
            case facts.ContentsReleased(contents, reason, upto):
                for content in contents:
                    self.released[content] = max(upto, self.released.get(content, (0, ""))[0]), reason
            case facts.ContentsEvicted(contents):
                self.evicted.update(dict.fromkeys(contents, True))

    def _take_label(self, event: Event) -> None:
        if isinstance(event, facts.Tagged):
            self.tags[event.subject] |= set(event.tags)
        elif isinstance(event, facts.Untagged):
            self.tags[event.subject] -= set(event.tags)
        elif isinstance(event, facts.AliasSet):
            self.aliases[event.artifact, event.alias] = event.content
        elif isinstance(event, facts.AliasRemoved):
            self.aliases.pop((event.artifact, event.alias), None)
        elif isinstance(event, facts.Annotated):
            self.notes |= {(event.subject, name): value for name, value in event.values.items()}
        elif isinstance(event, facts.AnnotationsRemoved):
            for name in event.keys:
                self.notes.pop((event.subject, name), None)
        elif isinstance(event, facts.MetricsLogged):
            for name, points, *place in event.latest:
                _, before, *_ = self.metrics.get((event.subject, name), (name, 0))
                self.metrics[event.subject, name] = [name, before + points, *place]

    def held(self) -> set[bytes]:
        """The contents whose bytes must be there."""
        named = {content for content, seq in self.holding.items() if seq > self.released.get(content, (0,))[0]}
        return named | set(self.pinned.values())


def asked_of_events(events: Sequence[Event]) -> Said:
    """The answers of a list of events."""
    plain = Answers(events)
    said: Said = {"runs": plain.runs, "running": plain.running}
    said |= {f"run {run.hex()}": status for run, status in plain.status.items()}
    said |= {f"runs of {pipeline}": found for pipeline, found in plain.runs_of.items()}
    said |= {f"runs called with {name}": found for name, found in plain.called_with.items()}
    said |= {f"run named {name}": run for name, run in plain.run_named.items()}
    for pipeline, structures in plain.structures.items():
        said[f"structures of {pipeline}"] = [[number, one] for number, one in enumerate(structures, start=1)]
    for (run, step), status in plain.steps.items():
        said[f"step {run.hex()} {step}"] = [step, status]
    said |= {f"attempts {run.hex()} {step}": found for (run, step), found in plain.attempts.items()}
    said["artifacts"] = list(plain.versions)
    for name, versions in plain.versions.items():
        said[f"versions of {name}"] = [[number, one] for one, number in versions.items()]
        for content, number in versions.items():
            said[f"{content.hex()} as {name}"] = [name, number]
            said.setdefault(f"names of {content.hex()}", set()).add(name)
    said |= {f"cached {fingerprint.hex()}": seq for fingerprint, seq in plain.executed.items()}
    said |= {f"pin {label}": content for label, content in plain.pinned.items()}
    for content in plain.pinned.values():
        said[f"pins of {content.hex()}"] = sorted(label for label, one in plain.pinned.items() if one == content)
    said |= {f"released {content.hex()}": list(found) for content, found in plain.released.items()}
    said |= {f"deleted {subject_key(subject).hex()}": found for subject, found in plain.deleted.items()}
    said |= {f"held again {content.hex()}": seq for content, seq in plain.held_again.items()}
    said |= {f"evicted {content.hex()}": found for content, found in plain.evicted.items()}
    said |= {f"made {content.hex()}": found for content, found in plain.made.items()}
    said |= {f"used {content.hex()}": found for content, found in plain.used.items()}
    said |= {f"named {content.hex()}": found for content, found in plain.named.items()}
    said |= {f"stream {stream.hex()}": found for stream, found in plain.streams.items()}
    _say_labels(plain, said)
    return {question: answer for question, answer in said.items() if answer not in (None, [])}


def _say_labels(plain: Answers, said: Said) -> None:
    for subject, tags in plain.tags.items():
        said[f"tags of {subject_key(subject).hex()}"] = sorted(tags)
        for tag in tags:
            said[f"tagged {tag} {subject_key(subject).hex()}"] = list(subject)
    for (artifact, alias), content in plain.aliases.items():
        said[f"{artifact}@{alias}"] = content
        same = {one for (name, one), other in plain.aliases.items() if (name, other) == (artifact, content)}
        said[f"aliases of {labels_key(artifact, content).hex()}"] = sorted(same)
    for (subject, name), value in plain.notes.items():
        said[f"note {subject_key(subject).hex()} {name}"] = [name, value]
    for (subject, name), latest in plain.metrics.items():
        said[f"metric {subject_key(subject).hex()} {name}"] = latest


class _Asked:
    """Reads every row of a projection's tables, without knowing what to look for."""

    def __init__(self, rows: RowReader) -> None:
        self._rows = rows

    def latest(self, row_key: bytes) -> Any:
        found = self._rows.latest(row_key)
        return None if found is None else found.row

    def history(self, row_key: bytes) -> list[Any]:
        return [row for _, row in self._rows.history(row_key)]

    def seqs(self, row_key: bytes) -> list[int]:
        return [seq for seq, _ in self._rows.history(row_key)]

    def keys(self, table: str) -> list[bytes]:
        return self._rows.keys(key(table))


def asked_of_rows(rows: Callable[[str], RowReader]) -> Said:
    """The answers of projections, given their readers by name."""
    said: Said = {}
    for ask in (_ask_runs, _ask_steps, _ask_artifacts, _ask_contents, _ask_edges, _ask_labels):
        ask(lambda name: _Asked(rows(name)), said)
    return {question: answer for question, answer in said.items() if answer not in (None, [])}


def _ask_runs(of: Callable[[str], _Asked], said: Said) -> None:
    runs, pipelines = of("runs"), of("pipelines")
    said["runs"] = [row[0] for row in runs.history(key("a"))]
    said["running"] = runs.latest(key("l"))
    for place in runs.keys("r"):
        state = RunRow.of(runs.latest(place))
        said[f"run {state.run.hex()}"] = state.status
    for place in runs.keys("p"):
        said[f"runs of {_text(place)}"] = runs.history(place)
    for place in of("parameters").keys("p"):
        said[f"runs called with {_text(place)}"] = of("parameters").history(place)
    for place in runs.keys("n"):
        said[f"run named {_text(place)}"] = runs.latest(place)[0]
    for place in pipelines.keys("v"):
        said[f"structures of {_text(place)}"] = pipelines.history(place)


def _ask_steps(of: Callable[[str], _Asked], said: Said) -> None:
    steps, cache = of("steps"), of("cache")
    for place in steps.keys("s"):
        said[f"step {place[1:17].hex()} {_text(place[16:])}"] = steps.latest(place)
    for place in steps.keys("t"):
        said[f"attempts {place[1:17].hex()} {_text(place[16:])}"] = steps.history(place)
    for place in cache.keys("f"):
        said[f"cached {place[1:].hex()}"] = cache.seqs(place)[-1]


def _ask_artifacts(of: Callable[[str], _Asked], said: Said) -> None:
    artifacts = of("artifacts")
    said["artifacts"] = [row[0] for row in artifacts.history(key("a"))]
    for name in said["artifacts"]:
        said[f"versions of {name}"] = artifacts.history(versions_key(name))
        for _, content in said[f"versions of {name}"]:
            said[f"{content.hex()} as {name}"] = artifacts.latest(version_key(name, content))
    for place in of("content_names").keys("c"):
        (name,) = of("content_names").history(place)
        said.setdefault(f"names of {place[1:33].hex()}", set()).add(name)


def _ask_contents(of: Callable[[str], _Asked], said: Said) -> None:
    pins, releases = of("pins"), of("releases")
    for place in pins.keys("l"):
        label, content, _ = pins.latest(place)
        said[f"pin {label}"] = content
    for place in pins.keys("c"):
        said[f"pins of {place[1:].hex()}"] = sorted(label for label, _ in pins.latest(place))
    for place in releases.keys("c"):
        said[f"released {place[1:].hex()}"] = releases.latest(place)
    for place in releases.keys("h"):
        said[f"held again {place[1:].hex()}"] = releases.seqs(place)[-1]
    for place in of("deletions").keys("d"):
        said[f"deleted {place[1:].hex()}"] = of("deletions").latest(place)
    for place in releases.keys("e"):
        said[f"evicted {place[1:].hex()}"] = releases.latest(place)


def _ask_edges(of: Callable[[str], _Asked], said: Said) -> None:
    lineage, references, streams = of("lineage"), of("references"), of("streams")
    for table, question in (("p", "made"), ("c", "used")):
        for place in lineage.keys(table):
            said[f"{question} {place[1:].hex()}"] = lineage.history(place)
    for place in references.keys("r"):
        said[f"named {place[1:].hex()}"] = references.seqs(place)
    for place in streams.keys("s"):
        said[f"stream {place[2:].hex()}"] = streams.seqs(place)


def _ask_labels(of: Callable[[str], _Asked], said: Said) -> None:
    labels, notes, metrics = of("names"), of("metadata"), of("metrics")
    for place in labels.keys("t"):
        said[f"tags of {place[1:].hex()}"] = labels.latest(place)
    for place in labels.keys("s"):
        is_tagged, subject = labels.latest(place)
        if is_tagged:
            said[f"tagged {place[2 : 2 + place[1]].decode()} {subject_key(subject).hex()}"] = subject
    for place in labels.keys("a"):
        said[f"{_text(place[: 2 + place[1]])}@{labels.latest(place)[0]}"] = labels.latest(place)[1]
    for place in labels.keys("v"):
        said[f"aliases of {place.hex()}"] = labels.latest(place)
    for place in notes.keys("m"):
        row = notes.latest(place)
        if len(row) > 1:
            said[f"note {_without_last(place, row[0])} {row[0]}"] = row
    for place in metrics.keys("m"):
        row = metrics.latest(place)
        said[f"metric {_without_last(place, row[0])} {row[0]}"] = row


def _without_last(place: bytes, text: str) -> str:
    """The subject in a key, which ends with a text."""
    return place[1 : -len(framed(text))].hex()


def _text(place: bytes) -> str:
    """The one text in a key, after its table's letter and its length."""
    return place[2:].decode()
