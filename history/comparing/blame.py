"""Blame: what changed between an artifact version and the one before it, followed upstream to the first causes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...errors import ArtifactNotFound, InvalidReference, LinealError
from ...events.ids import StepRunId
from ...events.projections import Artifacts
from ...events.projections.artifacts import versions_key
from ..code_changes import code_changes
from ..ingredients import Ingredients, ingredients_of
from ..input_changes import input_changes
from ..nearest import beginning
from ..reader import Reader
from ..reasons import Reason
from ..views import ArtifactVersionView, RunView, StepRunView
from ..why import Difference, environment_differences
from .changes import row_of
from .told import Part, Told

ARTIFACTS_MAX = 1000
"""How many artifacts upstream are followed; then it says so."""


class Cause(NamedTuple):
    """What made one version differ from another of the same artifact, or one that was taken in its place."""

    old: str
    """As in ``model@2``."""
    new: str
    step: str | None
    """Run and step that made the new one; None where it was saved by hand."""
    instead_of: str | None
    """Run and step that made the old one."""
    reasons: tuple[Reason, ...]
    """What differs by itself: code, parameters, declared outputs; inputs that came or went."""
    through: tuple[tuple[str, str], ...]
    """Inputs that differ, and so explain it by what explains them: old and new version."""
    environment: tuple[Difference, ...]
    """What differs in the environment: it may explain what nothing else does."""
    note: str
    """What else is to be said; else empty."""

    @property
    def is_root(self) -> bool:
        """Whether something here changed that nothing upstream explains."""
        return bool(self.reasons or self.note) or not self.through

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {
            "old": self.old,
            "new": self.new,
            "step": self.step,
            "instead_of": self.instead_of,
            "reasons": [one.to_dict() for one in self.reasons],
            "through": [{"old": old, "new": new} for old, new in self.through],
            "environment": [one._asdict() for one in self.environment],
            "note": self.note,
        }


class Blame(Told):
    """What explains that a version is not as the one before; `str` tells it."""

    old: str
    new: str
    causes: tuple[Cause, ...]
    """The version itself first, then what it was made from, nearest first."""
    is_complete: bool
    """False where it was cut at `ARTIFACTS_MAX` artifacts."""

    @property
    def roots(self) -> tuple[Cause, ...]:
        """The causes that nothing upstream explains, nearest first."""
        return tuple(cause for cause in self.causes if cause.is_root)

    @property
    def title(self) -> str:
        texts = list(dict.fromkeys(reason.text for root in self.roots for reason in root.reasons))
        first = f": {texts[0]}" if texts else ""
        return f"{self.old} → {self.new}{first}{f', and {len(texts) - 1} more' if texts[1:] else ''}"

    def parts(self) -> Iterator[Part]:
        yield Part("followed upstream", text="\n".join(_tree(self)))
        for root in self.roots:
            lines = [line for reason in root.reasons for line in reason._replace(diff="").lines()]
            if root.note:
                lines.append(root.note)
            yield Part(f"cause, in {root.step or root.new}", text="\n".join(lines))
            yield from (Part(reason.what, diff=reason.diff) for reason in root.reasons if reason.diff)
        environment = dict.fromkeys(one for cause in self.causes for one in cause.environment)
        yield Part("environment, which may matter, too", ("what", "before", "now"), tuple(map(row_of, environment)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "new": self.new,
            "causes": [one.to_dict() for one in self.causes],
            "roots": [one.new for one in self.roots],
            "is_complete": self.is_complete,
        }


def blame(reader: Reader, new: ArtifactVersionView, old: ArtifactVersionView | None = None) -> Blame:
    """What explains that a version is not as an earlier one, by default the one before it.

    Cost: as `diff` for each artifact upstream that differs; those that are the same are not followed.

    Raises:
        ArtifactNotFound: It is the first of its artifact.
        InvalidReference: They are one content.
    """
    before = version_before(reader, new) if old is None else old
    if before.content == new.content:
        raise InvalidReference(f"{before} and {new} are one content", hint="Name two versions that differ.")
    waiting = [(before, new)]
    seen = {(before, new)}
    causes: list[Cause] = []
    for one, other in waiting:
        if len(causes) == ARTIFACTS_MAX:
            break
        cause, further = _cause(reader, one, other)
        causes.append(cause)
        for pair in further:
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return Blame(str(before), str(new), tuple(causes), len(causes) == len(waiting))


def version_before(reader: Reader, version: ArtifactVersionView) -> ArtifactVersionView:
    """The version of the same artifact that came before. Raises `ArtifactNotFound` for the first."""
    listed = reader.rows(Artifacts.name).history(versions_key(version.name), newest_first=True)
    for _, (number, content) in listed:
        if number < version.version:
            return ArtifactVersionView(reader, version.name, type(version.content)(content))
    raise ArtifactNotFound(f"{version} is the first version of its artifact", hint="Name what to compare it with.")


_Pair = tuple[ArtifactVersionView, ArtifactVersionView]


def _cause(reader: Reader, old: ArtifactVersionView, new: ArtifactVersionView) -> tuple[Cause, list[_Pair]]:
    steps = old.producer, new.producer
    titles = [None if step is None else f"{step.run.name}/{step.name}" for step in steps]
    causes = [None if step is None else _ingredients(reader, step.id) for step in steps]
    if causes[0] is None or causes[1] is None:
        return Cause(str(old), str(new), titles[1], titles[0], (), (), (), _unexplained(steps)), []
    further, through = _followed(reader, causes[0], causes[1])
    own = tuple(
        reason
        for reason in (
            *_functions(causes[0], causes[1]),
            *code_changes(causes[0], causes[1]),
            *_declared(causes[0], causes[1]),
            *input_changes(reader, causes[0], causes[1]),
        )
        if reason.what not in through or reason.kind != "input"
    )
    environment = _environment(steps)
    note = ""
    if not own and not further:
        note = "nothing that determines it differs: the step does not give the same twice"
        note += ", or goes by the environment" if environment else ""
    pairs = tuple((str(one), str(other)) for one, other in further)
    return Cause(str(old), str(new), titles[1], titles[0], own, pairs, environment, note), further


def _ingredients(reader: Reader, step: StepRunId) -> Ingredients | None:
    begun = beginning(reader, step)
    return None if begun is None else ingredients_of(reader, begun)


def _followed(reader: Reader, old: Ingredients, new: Ingredients) -> tuple[list[_Pair], set[str]]:
    """The artifacts that were taken by one parameter and differ; and those parameters."""
    before = {taken.name: taken for taken in old.inputs}
    pairs: list[_Pair] = []
    names: set[str] = set()
    for taken in new.inputs:
        other = before.get(taken.name)
        if other is None or taken.artifact is None or other.artifact is None or taken.content == other.content:
            continue
        if taken.given == other.given:  # Of different lists, the same element was taken.
            continue
        names.add(taken.name)
        pairs.append(
            (
                ArtifactVersionView(reader, other.artifact, other.content),
                ArtifactVersionView(reader, taken.artifact, taken.content),
            )
        )
    return pairs, names


def _functions(old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    if old.function != new.function:
        yield Reason("code", f"made by {new.function}, not {old.function}", "function", old.function, new.function)


def _declared(old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    if None not in (old.outputs, new.outputs) and old.outputs != new.outputs:
        before, after = (", ".join(one.outputs or ()) or "none" for one in (old, new))
        yield Reason("outputs", f"declared outputs: {before} → {after}", "", before, after)


def _unexplained(steps: tuple[StepRunView | None, StepRunView | None]) -> str:
    old, new = steps
    if old is None and new is None:
        return "both were saved by hand"
    if new is None:
        return "it was saved by hand, the one before by a step"
    if old is None:
        return "a step made it; the one before was saved by hand"
    return "the log does not say how the steps began"


def _environment(steps: tuple[StepRunView | None, StepRunView | None]) -> tuple[Difference, ...]:
    runs: list[RunView] = [step.run for step in steps if step is not None]
    if len(runs) < 2 or runs[0] == runs[1]:
        return ()
    try:
        return environment_differences(runs[0].environment, runs[1].environment)
    except (LinealError, ValueError):
        return ()


def _tree(found: Blame) -> Iterator[str]:
    """Each pair below the one that it explains, once."""
    by_pair = {(cause.old, cause.new): cause for cause in found.causes}
    shown: set[tuple[str, str]] = set()
    stack = [((found.old, found.new), 0)]
    while stack:
        pair, depth = stack.pop()
        cause = by_pair.get(pair)
        again = pair in shown
        shown.add(pair)
        how = "" if cause is None else f"  by {cause.step}" if cause.step else "  saved by hand"
        mark = "  (see above)" if again else "  ← changed here" if cause is not None and cause.is_root else ""
        yield f"{'  ' * depth}{pair[0]} → {pair[1]}{how}{mark}"
        if cause is not None and not again:
            stack.extend((one, depth + 1) for one in reversed(cause.through))
    if not found.is_complete:
        yield f"… and more: cut at {ARTIFACTS_MAX:,} artifacts"
