"""What a run was surrounded by: its environment, and the checkout that its code came from."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..cas.digest import Digest
from .reader import Reader


class Checkout(NamedTuple):
    """The git checkout that a run's code came from."""

    commit: str | None
    """In hex; None where nothing was committed, or it could not be told."""
    branch: str | None
    """None where a commit was checked out, not a branch."""
    remote: str | None
    """Where ``origin`` is, less passwords."""
    is_dirty: bool | None
    """Whether files differed from the commit; None where that could not be told."""
    changed: tuple[str, ...]
    """The files that did, the first 200."""
    diff: str
    """How they did, secrets and what is too long left out."""
    untracked: tuple[str, ...]
    """Files and folders that were neither tracked nor ignored, the first 200."""
    untracked_count: int | None
    """How many there were; None where that could not be told."""


def environment_in(reader: Reader, blob: Digest) -> dict[str, Any]:
    """The environment that a blob describes."""
    return reader.told(blob)


def checkout_in(reader: Reader, blob: Digest) -> Checkout:
    """The checkout that a blob describes."""
    told = reader.told(blob)
    return Checkout(
        told.get("commit"),
        told.get("branch"),
        told.get("remote"),
        told.get("is_dirty"),
        tuple(told.get("changed") or ()),
        told.get("diff") or "",
        tuple(told.get("untracked") or ()),
        told.get("untracked_count"),
    )
