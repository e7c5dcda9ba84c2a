"""The one public handle on a store: `open` gives a `Client`, and `current` the one in force."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .cas.environment import DATA_FILE
from .cas.progress import Progress as Progress
from .cas.progress import reporting as reporting
from .cas.store import stored_bytes
from .directory import LOG, find_store
from .errors import StoreClosed
from .events.catalogue import ArtifactSaved, Output, Subject
from .events.ids import Fingerprint
from .events.log import Head
from .events.merkle import TreeHead as TreeHead
from .events.merkle import known_head
from .events.proof import PROOF_MAX_BYTES as PROOF_MAX_BYTES
from .events.proof import ExtensionProof as ExtensionProof
from .events.proof import InclusionProof as InclusionProof
from .events.proof import read_proof as read_proof
from .history import (
    ArtifactVersionView,
    ArtifactView,
    History,
    RunView,
    StepRunView,
    View,
    check_name,
    newest_content,
)
from .in_force import InForce, Resolved, entered, entered_store, nearest_store, running_step, tell_resolved
from .materializers import Previous
from .materializers import save as save_value
from .store import Store, open_store

if TYPE_CHECKING:
    from .collection import Collection
    from .directory import OldLog
    from .history import Retention
    from .migration import Foreseen
    from .repair import Repair
    from .verification import Verification

_GRACE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a store holds."""

    stored_bytes: int
    """What blobs take: those in the catalog, and the files of the others, each once."""
    logical_bytes: int
    """All outputs of all step runs and all saves, each as if it were stored for itself."""
    blobs: int
    events: int


class Client(History):
    """An open store: everything `History` answers, and saving. Use it with ``with``, or close it.

    Inside the ``with`` block it is the store that pipelines and the functions of `lineal` use.
    """

    def __init__(self, opened: InForce, *, is_borrowed: bool = False) -> None:
        """Wrap an open store; `open` is the way to get one. A borrowed one stays open when this handle is closed."""
        super().__init__(opened.store, allow_pickle=opened.allow_pickle)
        self._opened = opened
        self._entered = ExitStack()
        self._is_borrowed = is_borrowed
        self._is_closed = False

    @property
    def store(self) -> Store:
        """The store itself, to write to.

        Raises:
            StoreClosed: It was closed, or opened for reading only.
        """
        if self._is_closed:
            raise StoreClosed("the store is closed", where=self.path, hint="Open it again.")
        return self._opened.writable()

    @property
    def path(self) -> Path:
        """The store's directory."""
        return self._opened.store.path

    def save(self, value: Any, name: str) -> ArtifactVersionView:
        """Save a value as a version of an artifact; durable once `flush` or `close` has returned.

        A value that is there already, under whatever name, is stored no second time. In a running step the version
        comes from the step run, whether that completes or not; where a step is served from the cache, it saves nothing.

        Raises:
            StoreFull, StoreBroken: This save, or an earlier one that was on its way, could not be written.
            InvalidName: The name can't name an artifact.
            UnsavableValue: A part of the value has no byte form.
        """
        store = self.store
        store.raise_failed()
        check_name(name, "artifact")
        with store.blobs.batch() as batch:
            saved = save_value(value, batch, previous=Previous(partial(newest_content, store, name), store.blobs))
            blobs = batch.publish()
        manifest = saved.manifest
        output = Output(
            name, name, manifest.digest, manifest.format, manifest.type, manifest.size_bytes, saved.metadata
        )
        store.append([ArtifactSaved(output, running_step(self.path))], blobs)
        return ArtifactVersionView(self._reader, name, manifest.digest)

    def artifact(self, reference: str) -> ArtifactVersionView:
        """A version of an artifact, as `History.artifact` says.

        In a running step it is an input of the step run: what is served from the cache later is what was made of the
        same version.
        """
        version = super().artifact(reference)
        tell_resolved(self.path, Resolved(reference, version.name, version.content))
        return version

    def flush(self) -> None:
        """Return when everything submitted is durable."""
        self.store.flush()

    def verify(self, *, quick: bool = False, heads: Iterable[TreeHead | str] = ()) -> Verification:
        """Read every byte of the store and say what is damaged, and what that hurts; see `verification.verify`.

        Quick: sizes, the catalog, manifests and the end of the log only.
        Heads: what `tree_head` gave, kept elsewhere; that the log goes on from each of them is verified, too.
        """
        from .verification import verify

        return verify(self._reader.store, is_quick=quick, heads=[known_head(head) for head in heads])

    def repair(self, *, dry_run: bool = False) -> Repair:
        """Put right what is damaged, move away what can't be, and say how to make the rest again; see `repair.repair`.

        A dry run changes nothing.
        """
        from .repair import repair

        return repair(self.store, is_trial=dry_run)

    def usage(self) -> Usage:
        """What the store takes, and what it would take without deduplication. Cost: reads the whole log and catalog."""
        store = self._reader.store
        entries = list(store.blobs.entries())
        outputs = (output for recorded in self.events() for output in recorded.event.made)
        return Usage(
            stored_bytes=stored_bytes(entries),
            logical_bytes=sum(output.size_bytes for output in outputs),
            blobs=len(entries),
            events=self.head.seq,
        )

    def pin(self, reference: str, label: str, *, expires: datetime | None = None) -> None:
        """Keep a version, and all that it was made from, whatever a collection would release; durable on return.

        A label holds one version: to pin another one under it moves it.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            ArtifactEvicted: Its bytes are gone already.
            InvalidName: The label can't be written in a reference.
        """
        version = self.artifact(reference)
        expires_us = None if expires is None else int(expires.timestamp() * 1_000_000)
        check_name(label, "pin")
        from .collection import pin

        with version.explained():
            pin(self.store, label, version.content, expires_us)

    def unpin(self, label: str) -> None:
        """Take a pin away; durable on return. Raises `PinNotFound`."""
        from .collection import unpin

        unpin(self.store, label)

    def tag(self, of: str | View, *tags: str) -> None:
        """Put tags on something; durable on return. Those that it has stay.

        Args:
            of: What `find` finds, which of ``model`` is its latest version; or a view, as of the artifact itself.
            tags: Words that can be written in a reference.

        Raises:
            NotFound, InvalidReference: As `find` says.
            InvalidName: One of them can't be a tag.
        """
        from .labels import tag

        tag(self.store, self._subject(of), tags)

    def untag(self, of: str | View, *tags: str) -> None:
        """Take tags off something, all or none; durable on return. Raises `LabelNotFound` if it lacks one."""
        from .labels import untag

        untag(self.store, self._subject(of), tags)

    def alias(self, reference: str, alias: str) -> None:
        """Let ``name@alias`` mean this version from now on; durable on return. An alias that is in use is moved.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            InvalidName: It would read as a number, as ``latest`` or as a digest.
        """
        from .labels import alias as set_alias

        set_alias(self.store, self.artifact(reference), alias)

    def unalias(self, artifact: str, alias: str) -> None:
        """Take an alias of an artifact away; durable on return.

        Raises:
            ArtifactNotFound: There is no such artifact.
            LabelNotFound: It has no such alias.
        """
        from .labels import unalias

        unalias(self.store, artifact, alias, self.artifact(f"{artifact}@latest").artifact.aliases)

    def annotate(self, of: str | View, values: Mapping[str, Any] | None = None, *, remove: Iterable[str] = ()) -> None:
        """Note something of a thing, key by key; durable on return. A key that it has is given the new value.

        Args:
            of: As in `tag`.
            values: By key, of plain types: None, bool, int, float, str, bytes, and lists and dicts of them; together
                no more than 64 KiB.
            remove: Keys to take away.

        Raises:
            NotFound, InvalidReference: As `find` says.
            UnsavableValue: A value is not plain, or they are too large; the error names the key.
            LabelNotFound: A key to be taken away is not there.
        """
        from .labels import annotate

        annotate(self.store, self._subject(of), values or {}, tuple(remove))

    def name(self, reference: str, name: str) -> ArtifactVersionView:
        """Make a version's content a version of another artifact, too; durable on return.

        No bytes are stored again, and its lineage is that under the name it had.

        Raises:
            ArtifactNotFound, InvalidReference: As `artifact` says.
            ArtifactEvicted: Its bytes are gone already.
            InvalidName: The name can't name an artifact.
        """
        version = self.artifact(reference)
        from .labels import name as give_name

        with version.explained():
            give_name(self.store, version, name)
        return ArtifactVersionView(self._reader, name, version.content)

    def log_metrics(self, of: str | View, values: Mapping[str, float], *, step: int | None = None) -> None:
        """Log a value of each of these metrics; durable once `flush` or `close` has returned.

        Points that come fast are gathered, so that many of them make one event.

        Args:
            of: As in `tag`; a view costs no lookup.
            values: By metric: numbers, NaN and infinities included.
            step: Where the values stand, as an epoch; by default one after each metric's last one, from 0.

        Raises:
            NotFound, InvalidReference: As `find` says.
            InvalidName, UnsavableValue: A metric can't be called so, or a value is no number.
            StoreFull, StoreBroken: Something earlier that was on its way could not be written.
        """
        store = self.store
        store.raise_failed()
        store.metrics.log(self._subject(of), values, step=step)

    def _subject(self, of: str | View) -> Subject:
        """What something is called in events. Raises as `find` if it is not of this store."""
        if isinstance(of, str):
            return self.find(of).subject
        subject = of.subject
        if of._reader.store is self._reader.store:
            return subject
        return self._same(of).subject

    def _same(self, of: View) -> View:
        """What is called so here, of a view on another store."""
        if isinstance(of, ArtifactVersionView):
            return self.artifact(f"{of.name}@{of.content}")
        if isinstance(of, ArtifactView):
            return self.artifact(f"{of.name}@latest").artifact
        if isinstance(of, RunView):
            return self.run(of.id)
        if isinstance(of, StepRunView):
            return self.run(of.id.run).get_step(of.name)
        return self.pipeline(of.name)

    def release(self, reference: str) -> None:
        """Let the next collection evict a version, pinned or used or not, unless it is made again; durable on return.

        It goes under every name that it has.
        """
        version = self.artifact(reference)
        from .collection import release_contents

        release_contents(self.store, [version.content], "released by hand")

    def collect(
        self, retention: Retention | None = None, *, dry_run: bool = False, grace_s: float = _GRACE_S
    ) -> Collection:
        """Release what a policy lets go, then free the bytes that nothing holds; safe beside writers and readers.

        Args:
            retention: The policy; without one only what was released before, and what nothing ever named, is freed.
            dry_run: Say what would happen, and do nothing.
            grace_s: How old a file must be that no commit has named: a batch may be about to.

        Raises:
            Conflict: Another collection is under way, or a migration has kept an old log.
            BlobMissing, Corrupt: What a held value needs can't be told, as its manifest is damaged.
        """
        from .collection import collect

        return collect(self.store, retention, is_dry_run=dry_run, grace=timedelta(seconds=grace_s))

    def repack(self, reference: str) -> int:
        """Give a version's large buffers files of their own, so that loading maps them; tell how many had none.

        It takes the room that sharing with other versions had saved.
        """
        from .collection import repack

        version = self.artifact(reference)
        with version.explained():
            return repack(self.store, version.content)

    def recompute(self, reference: str) -> ArtifactVersionView:
        """Make an evicted version again by running its step, and first what that takes, and verify its digest.

        A version that is there is given back as it is.

        Raises:
            RecomputeFailed: The step's code can't be found or has changed, an input can't be had, or it gave another
                value; the error says which.
            StepFailed: The step raised.
        """
        from .pipeline.recompute import recompute

        return recompute(self._opened.writable(), self.artifact(reference), allow_pickle=self._reader.allow_pickle)

    def declare_equivalent(
        self, which: str | StepRunView | Fingerprint, same_as: str | StepRunView | Fingerprint, reason: str
    ) -> None:
        """Vouch that results of one fingerprint may be served for another; durable on return.

        Runs that begin afterwards reuse the results of ``same_as`` where ``which`` is wanted and has none of its own,
        and record so. It goes one way, and on: what is equivalent to ``same_as`` counts, too.

        Args:
            which: The one that is asked for: a fingerprint, or a step run that has it, also as ``run/step``.
            same_as: The one that has results.
            reason: Why that is right, for whoever asks later.

        Raises:
            RunNotFound, StepNotFound: There is no such step run, or none has executed for ``same_as``.
            InvalidReference: They have one fingerprint, or a step run has none.
        """
        from .pipeline.equivalence import declare

        declare(self.store, self, which, same_as, reason)

    def revoke_equivalent(
        self, which: str | StepRunView | Fingerprint, same_as: str | StepRunView | Fingerprint
    ) -> None:
        """Take back what `declare_equivalent` said; what was reused stays so. Raises `NotFound` if it said nothing."""
        from .pipeline.equivalence import revoke

        revoke(self.store, self, which, same_as)

    def rebuild(self) -> Head:
        """Delete every projection and replay it from the log; give the log's end."""
        self.store.rebuild()
        return self.head

    def drop_old_logs(self) -> list[OldLog]:
        """Remove the logs of older formats that migrations have kept: from then on there is no way back."""
        from .migration import drop_old_logs

        return drop_old_logs(self.store.path)

    def old_logs(self) -> list[OldLog]:
        """The logs of older formats that migrations have kept; while there are any, nothing is collected."""
        return self._opened.store.old_logs()

    def close(self) -> None:
        """Make everything submitted durable and let go of the store; closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            if not self._is_borrowed:
                self._opened.store.close()

    def __enter__(self) -> Client:
        self._entered.enter_context(entered(self._opened))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.path}>"


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    create: bool = True,
    allow_pickle: bool = True,
    check_structure: bool = False,
) -> Client:
    """Open a store.

    Args:
        path: Its directory; by default ``LINEAL_STORE``, else the nearest ``.lineal`` upwards, else a new one here.
        read_only: Write nothing to the directory.
        create: Make the store if there is none.
        allow_pickle: Load values whose format executes code.
        check_structure: Look at every page of the database first, as is wise before a store that may be damaged is
            used: a page with a flipped bit can end the process that maps it. Cost: a second for 100 MB of log.

    Raises:
        StoreNotFound, NotAStore, FormatTooNew, FormatTooOld, LogCorrupt, StoreFull, Conflict: As
            `lineal.store.open_store` says.
    """
    found = find_store(path)
    if check_structure:
        from .verification import require_structure

        require_structure(found / LOG / DATA_FILE)
    store = open_store(found, read_only=read_only, create=create)
    return Client(InForce(store, read_only, allow_pickle))


def foreseen_migration(path: str | os.PathLike[str] | None = None) -> Foreseen:
    """What opening a store to write would do to its format first. Changes nothing.

    Raises:
        StoreNotFound, NotAStore, FormatTooNew: As `open` says.
    """
    from .migration import foreseen

    return foreseen(find_store(path))


def current() -> Client:
    """The store of the enclosing ``with lineal.open(…)``, else the one that `open` finds."""
    opened = entered_store()
    return open(nearest_store()) if opened is None else Client(opened, is_borrowed=True)


def save(value: Any, name: str) -> ArtifactVersionView:
    """Save a value in the store in force; as `Client.save`."""
    return current().save(value, name)


def load(reference: str) -> Any:
    """Load a value from the store in force; as `Client.load`."""
    return current().load(reference)


def artifact(reference: str) -> ArtifactVersionView:
    """A version of an artifact in the store in force; as `History.artifact`."""
    return current().artifact(reference)


def runs(pipeline: str | None = None, *, status: str | None = None, limit: int | None = None) -> Iterator[RunView]:
    """Runs in the store in force, newest first; as `History.runs`."""
    return current().runs(pipeline, status=status, limit=limit)
