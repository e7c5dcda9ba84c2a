"""Claims: of runs that are about to compute the same at once, one does, and the others wait for it.

A run holds a claim only while the step executes, and while it waits it goes on recording what its own steps come to.
So what is waited for never waits itself, unless a step's own body runs what takes the step's result: that has no end
without claims either. A claim counts as long as the run that holds it goes on: one whose process died, or whose lease
has run out, blocks nobody.
"""

from __future__ import annotations

import time

from ...cas.process import CLOCK_SKEW_US, ProcessStamp
from ...errors import StreamMoved
from ...events.catalogue import FingerprintClaimed
from ...events.ids import Fingerprint, RunId, StepRunId
from ...events.projections import Claims as ClaimRows
from ...events.projections import Runs
from ...events.projections.runs import RUNNING, RunRow
from ...events.rows import Stamped, key
from ...store import Store, now_us
from .leases import LEASE_S


class Claims:
    """The claims of one run. Threads may share it."""

    def __init__(self, store: Store, run: RunId) -> None:
        self._store = store
        self._run = run
        self._claims = store.committed_rows(ClaimRows.name)
        self._runs = store.committed_rows(Runs.name)
        self._seen: dict[RunId, tuple[int | None, float]] = {}

    def attempt(self, fingerprint: Fingerprint, step: str) -> StepRunId | None:
        """Claim a fingerprint, durably on return; None if it is this step's now, else who holds it.

        Cost: where nobody holds it, a commit of its own. Raises what makes the store refuse it.
        """
        wanted = StepRunId(self._run, step)
        while True:
            found = self._claims.latest(key("f", fingerprint))
            holder = self._holder(found)
            if holder is not None:
                return None if holder == wanted else holder
            last = 0 if found is None else found.seq
            claim = FingerprintClaimed(fingerprint, self._run, step)
            try:
                self._store.append([claim], expected={fingerprint: last}).wait()
            except StreamMoved:
                continue
            return None

    def _holder(self, found: Stamped | None) -> StepRunId | None:
        if found is None or not found.row:
            return None
        run, step = found.row
        return StepRunId(RunId(run), step) if self._goes_on(RunId(run)) else None

    def _goes_on(self, run: RunId) -> bool:
        found = self._runs.latest(key("r", run))
        row = None if found is None else RunRow.of(found.row)
        if row is None or row.status != RUNNING:
            return False
        process, lease, at_us = ProcessStamp(*row.process), row.lease_until_us, now_us()
        if not process.is_taken_for_alive(lease, at_us) or self._has_stalled(run, lease):
            return False
        # A process of this host that is alive but does not renew its lease was stopped, and may be for long.
        return lease is None or not process.is_of_this_host or at_us < lease

    def _has_stalled(self, run: RunId, lease: int | None) -> bool:
        """Whether a lease has stayed as it is for longer than any lasts: a clock that is wrong must not block."""
        known, since = self._seen.get(run, (None, 0.0))
        now = time.monotonic()
        if known != lease or not since:
            self._seen[run] = lease, now
            return False
        return now - since > LEASE_S + CLOCK_SKEW_US / 1_000_000
