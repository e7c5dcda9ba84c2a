"""Equivalence: somebody's word that what one fingerprint determines may be served for another.

After a change of code that changes no result, as a renaming: what the old code computed need not be computed again.
"""

from __future__ import annotations

from ...errors import InvalidReference, NotFound, StepNotFound
from ...events.catalogue import EquivalenceDeclared, EquivalenceRevoked
from ...events.ids import Fingerprint
from ...events.projections import Cache, Causes
from ...events.rows import key
from ...history import History, StepRunView
from ...in_force import recorded
from ...store import Store

Which = str | StepRunView | Fingerprint
"""A fingerprint, or a step run that has one, as a view or as ``run/step``."""


def declare(store: Store, history: History, which: Which, same_as: Which, reason: str) -> None:
    """Have results of one fingerprint served for another; durable on return. See `Client.declare_equivalent`."""
    wanted, given = _fingerprint(history, which), _fingerprint(history, same_as)
    if wanted == given:
        raise InvalidReference("both have the same fingerprint, so one is served for the other already", where=wanted)
    if store.rows(Cache.name).latest(key("f", given)) is None:
        raise StepNotFound("no step run has executed for the fingerprint that is to be served", where=given)
    recorded(store, [EquivalenceDeclared(wanted, given, reason)])


def revoke(store: Store, history: History, which: Which, same_as: Which) -> None:
    """Take that back; durable on return. Raises `NotFound` if it is not in force."""
    wanted, given = _fingerprint(history, which), _fingerprint(history, same_as)
    found = store.rows(Causes.name).latest(key("q", wanted))
    if found is None or all(other != given for other, _reason in found.row):
        raise NotFound("they were not declared to be equivalent", where=wanted, hint="Name them in the same order.")
    recorded(store, [EquivalenceRevoked(wanted, given)])


def _fingerprint(history: History, which: Which) -> Fingerprint:
    if isinstance(which, Fingerprint):
        return which
    step = history.step_run(which) if isinstance(which, str) else which
    found = step.fingerprint
    if found is None:
        raise InvalidReference(f"step {step.name!r} was skipped, so it has no fingerprint", where=step.run.name)
    return found
