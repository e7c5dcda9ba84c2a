"""The one tree of errors that Lineal raises.

Branches answer what a caller can do next: ask for something else (`NotFound`), fix the call (`Invalid`),
read again and retry (`Conflict`), stop and repair (`Corrupt`), upgrade or install (`Unsupported`),
make room (`StoreFull`), fix the step (`StepFailed`, `RecomputeFailed`) or the projection (`ProjectionFailed`).
Every error survives pickling with its fields, since steps may fail in another process.
"""

from __future__ import annotations

from typing import Any, Self


class LinealError(Exception):
    """Base of everything that Lineal raises on purpose.

    Attributes:
        what: One sentence that says what is wrong.
        where: The path, step or name it is about, if there is one.
        hint: One imperative sentence that says what to do next, if something can be done.
        details: The leaf's own fields, by name.
    """

    def __init__(self, what: str, *, where: object = None, hint: str | None = None, **details: Any) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.hint = hint
        self.details = details
        super().__init__(what)

    def about(self, context: str, *, hint: str | None = None) -> Self:
        """The same error said of something that its raiser didn't know; raise it from this one."""
        return type(self)(f"{context}: {self.what}", where=self.where, hint=hint or self.hint, **self.details)

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.what} [{self.where}]"
        return text if self.hint is None else f"{text}\nHint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        notes = getattr(self, "__notes__", [])
        return _rebuild, (type(self), self.what, self.where, self.hint, self.details, _carried(self.__cause__), notes)


def _rebuild(
    kind: type[LinealError],
    what: str,
    where: str | None,
    hint: str | None,
    details: dict[str, Any],
    cause: BaseException | None,
    notes: list[str],
) -> LinealError:
    error = kind(what, where=where, hint=hint, **details)
    error.__cause__ = cause
    for note in notes:
        error.add_note(note)
    return error


def _carried(cause: BaseException | None) -> BaseException | None:
    """The cause if it survives pickling, as those of users need not."""
    import pickle

    try:
        pickle.loads(pickle.dumps(cause))
    except Exception:  # noqa: BLE001 — whatever it raises, the error must get through without it
        return None
    return cause


class NotFound(LinealError, KeyError):
    """What was asked for does not exist."""

    __str__ = LinealError.__str__


class BlobMissing(NotFound):
    """A blob is named but its bytes are gone."""


class RunNotFound(NotFound):
    """No run has this id or name."""


class StepNotFound(NotFound):
    """The run has no step of this name."""


class PipelineNotFound(NotFound):
    """No pipeline of this name has ever run."""


class ArtifactNotFound(NotFound):
    """No artifact, version or output answers to this reference."""


class EntryNotFound(NotFound):
    """A directory has no entry under this path."""


class ArtifactEvicted(NotFound):
    """The artifact version was collected: what it was made from is known, its bytes are gone."""


class PinNotFound(NotFound):
    """No pin has this label."""


class TableNotFound(NotFound):
    """No table has this name."""


class LabelNotFound(NotFound):
    """There is no tag, alias or annotation of this name."""


class CodeMissing(NotFound):
    """The code that ran can't be found: it can't be imported, or was not recorded."""


class StoreNotFound(NotFound):
    """There is no store at this place."""


class Invalid(LinealError, ValueError):
    """The call itself is wrong; the same call will fail again."""


class InvalidDigest(Invalid):
    """A text or byte string is not a digest."""


class InvalidName(Invalid):
    """A name can't be used for what it is meant to name."""


class InvalidReference(Invalid):
    """A reference such as ``name@3`` can't be read, or fits more than one thing."""


class InvalidCondition(Invalid):
    """A condition such as ``metrics.accuracy > 0.9`` can't be read; the error shows where."""


class InvalidPipeline(Invalid):
    """A pipeline or step is declared or called in a way that can't run."""


class NoStepRunning(Invalid):
    """Something was asked of the running step where none is running."""


class NothingToResume(Invalid):
    """The run completed: there is nothing of it left to do."""


class LineageCut(Invalid):
    """An answer lies beyond the number of artifact versions and step runs that were to be looked through."""


class UnsavableValue(Invalid):
    """A value, or a part of it, has no byte form that could be loaded again."""


class LoadRefused(Invalid):
    """Loading the value would execute code, and the caller did not allow that."""


class NotAStore(Invalid):
    """The directory holds something else than a store."""


class NotABundle(Invalid):
    """The file is something else than a bundle."""


class BundleRefused(Invalid):
    """A bundle says what no honest one would: of the store that is to take it, or of runs that it does not bring."""


class StoreClosed(Invalid):
    """The store was closed, or was opened read-only and asked to write."""


class Conflict(LinealError):
    """Somebody else was faster; read again and retry."""


class StreamMoved(Conflict):
    """A stream of the log has an event that the caller had not seen."""


class Corrupt(LinealError):
    """Stored bytes are not what was written."""


class BlobCorrupt(Corrupt):
    """A blob's bytes do not have the digest or size that names them."""


class ManifestCorrupt(Corrupt):
    """A manifest's bytes can't be read, or do not describe its value."""


class LogCorrupt(Corrupt):
    """The event log, or the database that holds it, is damaged."""


class BundleCorrupt(Corrupt):
    """A bundle was cut short or changed, or does not hold what it has to."""


class InvalidProof(Corrupt):
    """A proof about a log can't be read, or does not prove what it says."""


class Unsupported(LinealError):
    """This version or installation can't do it; another can."""


class FormatTooNew(Unsupported):
    """The store was written by a newer Lineal."""


class FormatTooOld(Unsupported):
    """The store was written by an older Lineal and has to be brought to today's format first."""


class MaterializerMissing(Unsupported):
    """No installed materializer can load this format."""


class StoreFull(LinealError, OSError):
    """The file system has no room left; nothing acknowledged was lost."""

    __str__ = LinealError.__str__


class StoreBroken(LinealError, OSError):
    """A write to the disk failed in a way that only opening the store again makes known."""

    __str__ = LinealError.__str__


class ProjectionFailed(LinealError, RuntimeError):
    """A projection raised; ``seq`` says at which event, ``__cause__`` is what it raised."""


class RecomputeFailed(LinealError, RuntimeError):
    """An evicted artifact version can't be made again as it was."""


class StepTimeout(LinealError, TimeoutError):
    """An execution of a step took longer than it may, and was stopped."""

    __str__ = LinealError.__str__


class WorkerDied(LinealError, RuntimeError):
    """The process that executed a step ended: by a signal, as for want of memory, or by its own doing."""


class StepFailed(LinealError, RuntimeError):
    """A step raised; ``__cause__`` is what it raised, where that could be carried over."""


class StepsFailed(StepFailed):
    """Several steps of a run that went on after the first failed; ``__cause__`` is the group of their errors."""

    @property
    def failures(self) -> tuple[LinealError, ...]:
        """The error of each step, in the order in which they failed."""
        failures: tuple[LinealError, ...] = self.details.get("failures", ())
        return failures
