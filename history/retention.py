"""Retention: which artifact versions a policy would release, and why each of the others is kept. It only reads.

A version is one content under one name. What is released in the end is a content, so a content goes only if every
version of it goes. Literals stay, and so do the blobs of code, logs, structures and environments: they are small, and
without them nothing could be explained or made again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from ..cas.digest import Digest
from ..events.catalogue import Subject
from ..events.ids import RunId
from ..events.liveness import Liveness
from ..events.projections import Artifacts, Runs
from ..events.projections import Lineage as LineageRows
from ..events.projections.artifacts import version_in, versions_key
from ..events.projections.runs import RUNNING
from ..events.rows import key
from ..immutable import Immutable
from ..store import Store
from .closure import Closure
from .deletion import is_deleted
from .eviction import is_literal, pinned_as
from .labels import tags_of, version_aliases
from .lineage_parts import VersionKey, made_as
from .reader import Reader
from .tracing import node_of
from .views import RunView


class Retention(Immutable):
    """A policy. With nothing set it releases nothing.

    ``keep_last`` is a promise, ``max_age`` and ``max_bytes`` are limits: what the promise covers stays whatever its age
    and size. Without a limit, all that the promise does not cover goes.
    """

    keep_last: int | None = None
    """How many of the newest versions of each artifact stay."""
    max_age: timedelta | None = None
    """Versions that nothing has made or reused for so long go."""
    max_bytes: int | None = None
    """The versions last made or reused go first, until all blobs together, each once, take no more."""
    keep_latest: bool = True
    """Whether the latest version of each artifact stays in any case."""
    keep_pinned: bool = True
    """Whether pinned versions stay, as they would in fact: without it, they go once they are no longer pinned."""
    keep_aliased: bool = True
    """Whether versions that an alias points to stay: something asks for them by that name."""
    keep_tagged: tuple[str, ...] = ()
    """Versions that have one of these tags or aliases stay, and all versions of an artifact that has such a tag."""
    keep_used_by_kept: bool = True
    """Whether all stays that a version that stays was made from."""

    @property
    def releases(self) -> bool:
        """Whether it could release anything."""
        return any(limit is not None for limit in (self.keep_last, self.max_age, self.max_bytes))


class Verdict(NamedTuple):
    """What becomes of one artifact version."""

    name: str
    version: int
    content: Digest
    size_bytes: int
    """Logical: shared blobs counted."""
    is_released: bool
    reason: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Plan(Immutable):
    """What a policy comes to at one position of the log."""

    upto: int
    verdicts: tuple[Verdict, ...]
    """One for each version that has not been released before, by artifact, oldest first."""

    @property
    def released(self) -> tuple[Verdict, ...]:
        """The versions that go."""
        return tuple(one for one in self.verdicts if one.is_released)

    @property
    def kept(self) -> tuple[Verdict, ...]:
        """The versions that stay."""
        return tuple(one for one in self.verdicts if not one.is_released)


def plan(store: Store, retention: Retention, liveness: Liveness, now_us: int) -> Plan:
    """What a policy comes to, as of the position and the time that the liveness was folded to."""
    return _Planner(Reader(store, liveness.upto), retention, liveness, now_us).plan()


def running_runs(reader: Reader) -> Iterator[RunView]:
    """The runs that go on now, those whose process died left aside."""
    listed = reader.rows(Runs.name).latest(key("l"))
    runs = (RunView(reader, RunId(run)) for run in ([] if listed is None else listed.row))
    return (run for run in runs if run.status == RUNNING)


class _Version(NamedTuple):
    """An artifact version, as far as a decision needs it."""

    key: VersionKey
    number: int
    size_bytes: int
    rank: int
    """From the newest of its name, which is 0; those that are deleted count for nothing."""
    used_seq: int
    """When something last made or reused the content."""
    inputs: tuple[VersionKey, ...]
    is_held: bool
    """False if it has been released before, or deleted: then only what it was made from matters."""


class _Planner:
    """Decides. Versions depend on those that they were made from, which are older: a graph without cycles."""

    def __init__(self, reader: Reader, retention: Retention, liveness: Liveness, now_us: int) -> None:
        self._reader = reader
        self._retention = retention
        self._liveness = liveness
        self._now_us = now_us
        self._versions = {version.key: version for version in self._read_versions()}
        self._in_use = self._contents_in_use()
        self._kept = {one.key: why for one in self._versions.values() if (why := self._protection(one))}
        self._condemned: dict[VersionKey, str] = {}
        self._released: dict[VersionKey, str] = {}
        self._users: dict[VersionKey, set[VersionKey]] = {}
        if retention.keep_used_by_kept:
            for version in self._versions.values():
                for taken in version.inputs:
                    self._users.setdefault(taken, set()).add(version.key)

    def plan(self) -> Plan:
        """Decide on every version."""
        retention = self._retention
        for version in self._versions.values():
            if version.is_held and version.key not in self._kept and (why := self._limit_passed(version)):
                self._condemned[version.key] = why
        self._release(list(self._versions))
        if retention.max_bytes is not None:
            self._release_until_below(retention.max_bytes)
        staying = {one.content: one for one in self._versions if one not in self._released}
        decided = self._versions.values()
        return Plan(self._reader.upto or 0, tuple(self._verdict(one, staying) for one in decided if one.is_held))

    def _read_versions(self) -> Iterator[_Version]:
        rows = self._reader.rows(Artifacts.name)
        for name in sorted({row[0] for _, row in rows.history(key("a"))}):
            rank = 0
            versions: list[_Version] = []
            for _, (number, content) in rows.history(versions_key(name), newest_first=True):
                version = VersionKey(name, Digest(content))
                is_there = not is_deleted(self._reader, Subject("version", *version))
                versions.append(self._version(version, number, rank, is_there=is_there))
                rank += is_there
            yield from reversed(versions)

    def _version(self, version: VersionKey, number: int, rank: int, *, is_there: bool) -> _Version:
        first = version_in(self._reader.rows(Artifacts.name), *version)
        made = self._reader.rows(LineageRows.name).latest(key("p", version.content))
        assert first is not None
        output = made_as(self._reader.event(first.seq).event, *version)
        return _Version(
            version,
            number,
            output.size_bytes,
            rank,
            first.seq if made is None else made.seq,
            tuple(set(node_of(self._reader, *version).parents) - {version}),
            is_there and self._liveness.is_named(version.content),
        )

    def _contents_in_use(self) -> dict[Digest, str]:
        """What runs take and give that are running."""
        in_use: dict[Digest, str] = {}
        for run in running_runs(self._reader.at_present()):
            for step in run.steps.values():
                for version in (*step.inputs.values(), *step.outputs.values()):
                    in_use[version.content] = f"run {run.name} is running"
        return in_use

    def _protection(self, version: _Version) -> str | None:
        """Why a version stays whatever the limits say."""
        retention, content = self._retention, version.key.content
        if retention.keep_pinned and (labels := pinned_as(self._reader, content, self._now_us)):
            return f"pinned as {labels[0]}"
        if content in self._in_use:
            return self._in_use[content]
        if retention.keep_latest and version.rank == 0:
            return "the latest version"
        if retention.keep_last is not None and version.rank < retention.keep_last:
            return (
                "the newest version" if retention.keep_last == 1 else f"among the last {retention.keep_last} versions"
            )
        if label := self._label_kept(version.key):
            return label
        if is_literal(self._reader, content):
            return "a step took it as a literal"
        return None

    def _label_kept(self, version: VersionKey) -> str | None:
        """Which of its labels keeps a version."""
        reader, wanted = self._reader, self._retention.keep_tagged
        for alias in version_aliases(reader, *version):
            if self._retention.keep_aliased or alias in wanted:
                return f"aliased {alias}"
        if not wanted:
            return None
        tags = {
            "tagged": tags_of(reader, Subject("version", *version)),
            f"{version.name} is tagged": tags_of(reader, Subject("artifact", version.name, b"")),
        }
        return next((f"{how} {one}" for how, found in tags.items() for one in found if one in wanted), None)

    def _limit_passed(self, version: _Version) -> str | None:
        """Why a version that nothing protects goes, its size left aside."""
        retention = self._retention
        if retention.max_age is not None:
            age = timedelta(microseconds=self._now_us - self._reader.event(version.used_seq).time_us)
            return f"not used for more than {age_text(retention.max_age)}" if age > retention.max_age else None
        if retention.keep_last is not None and retention.max_bytes is None:
            return (
                "not the newest version"
                if retention.keep_last == 1
                else f"not among the last {retention.keep_last} versions"
            )
        return None

    def _release(self, waiting: list[VersionKey]) -> None:
        """Release the condemned among these that nothing kept uses, and what becomes free by that."""
        while waiting:
            version = waiting.pop()
            if self._can_go(version):
                waiting.extend(self._let_go(version))

    def _can_go(self, version: VersionKey) -> bool:
        known = self._versions.get(version)
        if known is None or version in self._released or self._users.get(version):
            return False
        return version in self._condemned or not known.is_held

    def _let_go(self, version: VersionKey) -> tuple[VersionKey, ...]:
        """Release a version; give those it was made from."""
        self._released[version] = self._condemned.get(version, "")
        inputs = self._versions[version].inputs
        for taken in inputs:
            self._users.get(taken, set()).discard(version)
        return inputs

    def _release_until_below(self, max_bytes: int) -> None:
        """Release the version used longest ago of those that can go, again and again, until little enough is left."""
        why = f"the least recently used beyond {max_bytes:,} bytes"
        for version in self._versions.values():
            if version.is_held and version.key not in self._kept:
                self._condemned.setdefault(version.key, why)
        left: dict[Digest, int] = {}
        for version in self._versions.values():
            if version.key not in self._released:
                left[version.key.content] = left.get(version.key.content, 0) + 1
        held = {Digest(content) for content in self._liveness.held(self._now_us)}
        gone = {one.key.content for one in self._versions.values() if one.is_held} - left.keys()
        closure = Closure(self._reader.store.blobs, held - gone)
        ready = [(self._versions[one].used_seq, one) for one in self._versions if self._can_go(one)]
        heapq.heapify(ready)
        while ready and closure.size_bytes > max_bytes:
            _, oldest = heapq.heappop(ready)
            for taken in self._let_go(oldest):
                if self._can_go(taken):
                    heapq.heappush(ready, (self._versions[taken].used_seq, taken))
            left[oldest.content] -= 1
            if not left[oldest.content] and self._versions[oldest].is_held:
                closure.drop(oldest.content)

    def _verdict(self, version: _Version, staying: Mapping[Digest, VersionKey]) -> Verdict:
        why_kept = self._kept.get(version.key)
        if why_kept is None and version.key in self._released:
            other = staying.get(version.key.content)
            why_kept = None if other is None else f"the same content as {self._title(other)}"
        elif why_kept is None:
            users = sorted(self._users.get(version.key, ()), key=lambda one: self._versions[one].used_seq)
            why_kept = f"{self._title(users[-1])} was made from it" if users else "within the limits"
        reason = self._released[version.key] if why_kept is None else why_kept
        is_released = why_kept is None
        return Verdict(version.key.name, version.number, version.key.content, version.size_bytes, is_released, reason)

    def _title(self, version: VersionKey) -> str:
        return f"{version.name}@{self._versions[version].number}"


def _last_text(number: int) -> str:
    return "the newest version" if number == 1 else f"among the last {number} versions"


def age_text(age: timedelta) -> str:
    """An age as people say it."""
    if age >= timedelta(days=1):
        return f"{age / timedelta(days=1):g} days"
    return f"{age / timedelta(hours=1):.3g} hours"
