"""What an event says, in a line of a table: in the names that things have as of the view, not in the digits of ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import InvalidReference, NotFound
from ..history import History
from .kinds import Event
from .layout import Row
from .units import ID_DIGITS, NOTHING, time_text

COLUMNS = ("seq", "time", "type", "what")
_KEPT_MAX = 10_000
"""How many names are remembered; then it begins anew."""


class EventRows:
    """Puts events of a history into words."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._names: dict[str, str] = {}
        self._forms: dict[str, Callable[[Any], str]] = {
            "store": str,
            "subject": self._labelled,
            "subjects": lambda subjects: ", ".join(map(self._labelled, subjects)),
            "tags": lambda tags: f"with {', '.join(tags)}",
            "values": lambda values: f"with {', '.join(values)}",
            "keys": lambda keys: f"without {', '.join(keys)}",
            "latest": lambda latest: f"with {', '.join(point['name'] for point in latest)}",
            "alias": str,
            "artifact": lambda name: f"of {name}",
            "pipeline": lambda name: f"of {name}",
            "name": lambda name: f"as {name}",
            "output": lambda output: _names([output]),
            "contents": lambda contents: f"{len(contents)} content{'' if len(contents) == 1 else 's'}",
            "label": str,
            "content": partial(self._on, None),
            "outputs": lambda outputs: f"gave {_names(outputs)}",
            "reuses": lambda step_run: f"as in {self._step_run(step_run)}",
            "failure": lambda failure: f"raised {failure['type']}: {failure['message']}",
            "message": lambda message: f"because {message}",
            "reason": lambda reason: f"because {reason}",
            "because": lambda because: f"because {because}",
        }
        """How the fields of an event that say most are put, in this order."""
        self._forms_of_no_run: dict[str, Callable[[Any], str]] = {
            "environment": _digits,
            "code": _digits,
            "fingerprint": _digits,
            "same_as": lambda fingerprint: f"as {_digits(fingerprint)}",
            "by": lambda run: f"by {self._run(run)}",
            "function": lambda function: f"of {function}",
        }
        """Those that only say most of an event that is of no run; before the others."""

    def row(self, event: Event) -> Row:
        """An event's row under `COLUMNS`."""
        name = event["type"].partition("/")[0]
        what = self._what(event["payload"]) if event["is_known"] else "written by a newer version"
        return str(event["seq"]), time_text(event["time"]), name, what

    def _what(self, payload: Mapping[str, Any]) -> str:
        words = [self._step_run(payload)] if "run" in payload else []
        forms = self._forms if words else self._forms_of_no_run | self._forms
        if payload.get("artifact"):
            forms = forms | {"content": partial(self._on, payload["artifact"])}
        words += [form(payload[name]) for name, form in forms.items() if payload.get(name)]
        return " ".join(words) or NOTHING

    def _step_run(self, step_run: Mapping[str, Any]) -> str:
        run, step = self._run(step_run["run"]), step_run.get("step")
        return f"{run}/{step}" if step else run

    def _labelled(self, subject: Mapping[str, Any]) -> str:
        kind, name, id_ = subject["kind"], subject["name"], subject["id"]
        if kind == "version":
            return f"{kind} {self._version(name, id_)}"
        parts = [self._run(id_) if id_ else "", name]
        return f"{kind} {'/'.join(filter(None, parts))}"

    def _run(self, id_: str) -> str:
        return self._named(id_, lambda: self._history.run(id_).name, _digits(id_))

    def _version(self, name: str, content: str) -> str:
        reference = f"{name}@{content}"
        return self._named(reference, lambda: str(self._history.artifact(reference)), f"{name}@{_digits(content)}")

    def _on(self, artifact: str | None, content: str) -> str:
        """The version of this artifact that has a content, else the first of any."""
        if artifact is not None:
            return f"on {self._version(artifact, content)}"
        return f"on {self._named(content, lambda: self._first_version(content), _digits(content))}"

    def _first_version(self, content: str) -> str:
        return next(iter(self._history.versions_of(content)), _digits(content))

    def _named(self, which: str, look_up: Callable[[], str], otherwise: str) -> str:
        """What something is called; otherwise, where history does not know it, as of a part of a bundle."""
        known = self._names.get(which)
        if known is None:
            try:
                known = look_up()
            except (NotFound, InvalidReference):
                known = otherwise
            if len(self._names) >= _KEPT_MAX:
                self._names.clear()
            self._names[which] = known
        return known


def _digits(id_: str) -> str:
    return id_[:ID_DIGITS]


def _names(outputs: list[dict[str, Any]]) -> str:
    return ", ".join(output["artifact"] for output in outputs)
