"""Facts of what determines results: code, environments, fingerprints that are one, and who is about to compute one."""

from __future__ import annotations

from typing import ClassVar

from ...cas.digest import Digest
from ..ids import Fingerprint, RunId
from .base import Event


class EnvironmentCaptured(Event):
    """A run met an environment that no run before it had."""

    TYPE: ClassVar[str] = "environment.captured/1"
    environment: Digest
    """Blob that describes Python, machine, packages and variables."""
    python: str
    platform: str

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.environment,)


class CodeCaptured(Event):
    """A step had code that no step of its function had before."""

    TYPE: ClassVar[str] = "code.captured/1"
    code: Digest
    """Blob of the code manifest."""
    function: str
    """Module and qualified name of the step's function."""
    sources: Digest | None = None
    """Blob that lists the source files of the step's code and where in them each symbol of the manifest stands; None
    where an older version wrote it."""
    files: tuple[Digest, ...] = ()
    """The blobs of those files' bytes."""

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.code, *(() if self.sources is None else (self.sources,)), *self.files)


class EquivalenceDeclared(Event):
    """Somebody vouches that what one fingerprint determines may be served for another."""

    TYPE: ClassVar[str] = "equivalence.declared/1"
    fingerprint: Fingerprint
    """The one that may be asked for."""
    same_as: Fingerprint
    """The one that has results."""
    reason: str


class EquivalenceRevoked(Event):
    """Nobody vouches for that any more."""

    TYPE: ClassVar[str] = "equivalence.revoked/1"
    fingerprint: Fingerprint
    same_as: Fingerprint


class FingerprintClaimed(Event):
    """A run is about to compute what a fingerprint determines; others may wait for it.

    The claim holds as long as the run goes on and renews its lease, or until `ClaimEnded`.
    """

    TYPE: ClassVar[str] = "fingerprint.claimed/1"
    fingerprint: Fingerprint
    by: RunId
    step: str

    @property
    def stream(self) -> bytes:
        return self.fingerprint


class ClaimEnded(Event):
    """A run does not compute what it had claimed, or is done with it."""

    TYPE: ClassVar[str] = "claim.ended/1"
    fingerprint: Fingerprint
    by: RunId

    @property
    def stream(self) -> bytes:
        return self.fingerprint
