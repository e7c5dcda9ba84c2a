"""The cache decision: which earlier step run a fingerprint can be served from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain

from ...events.committer import Ticket
from ...events.ids import Fingerprint, StepRunId
from ...events.projections import Cache, Causes
from ...events.projections.cache import Reusable
from ...events.rows import key
from ...history import Meanings, Reader, Trust, executed_at
from ...store import Store
from ..declaring.outputs import Outputs
from ..graph.unkept import Unkept
from .executions import executions_of
from .preparing import Ready


class StepCache:
    """Looks up fingerprints, in what is committed and in what this run has on its way.

    Invariant: a hit is served only if all its bytes are there, what the step loaded by reference is what it is now, and
    who executed is trusted; so a lost blob, or a moved label, costs an execution, never a wrong answer.
    """

    def __init__(self, store: Store, blobs: Unkept | None = None) -> None:
        """Look up in a store; where no equivalence was declared by now, none is looked for later.

        Bytes are looked for in ``blobs``, by default the store's.
        """
        self._blobs = store.blobs if blobs is None else blobs
        self._store = store
        self._rows = store.committed_rows(Cache.name)
        self._causes = store.committed_rows(Causes.name)
        self._trust = Trust(store)
        head = store.log.head().seq
        self._own_upto = 0 if self._trust.is_needed else head
        """Up to this position nothing was imported, so that nothing there is to be trusted."""
        self._executions = executions_of(store)
        self._has_equivalences = self._causes.has_any(key("q"))
        self._on_their_way: dict[Fingerprint, tuple[Reusable, Ticket]] = {}
        self._submitted: dict[StepRunId, Ticket] = {}

    def announce(self, fingerprint: Fingerprint, completed: Reusable, ticket: Ticket) -> None:
        """Let steps find what is not committed yet."""
        self._on_their_way[fingerprint] = completed, ticket
        self._submitted[completed.step] = ticket
        self._executions.expect(completed, ticket)

    def submission(self, completed: StepRunId) -> Ticket | None:
        """On what it depends that a step run stands, if that is not settled yet."""
        return self._submitted.get(completed) if self._submitted else None

    def newest(self, fingerprint: Fingerprint) -> Reusable | None:
        """The newest step run that executed for this fingerprint, whether its outputs are still there or not."""
        announced = self._on_their_way.get(fingerprint)
        if announced is not None:
            completed, ticket = announced
            if not ticket.done:
                return completed
            del self._on_their_way[fingerprint], self._submitted[completed.step]
        return self._committed(fingerprint)

    def served(self, fingerprint: Fingerprint, newest: Reusable | None, outputs: Outputs) -> Reusable | None:
        """What a fingerprint can be served from, else what one is that was declared to be equivalent.

        Of its executions, the newest serves that loaded by its references what they mean now: it is what executing
        would load, whatever others loaded in between.

        Args:
            fingerprint: What is asked for.
            newest: What `newest` gives for it.
            outputs: What the step declares to give: what is called equivalent must have outputs of the same names.
        """
        found = self._current(fingerprint, newest)
        if found is None and self._has_equivalences:
            for other in self._equivalent(fingerprint):
                found = self._current(other, self.newest(other))
                if found is not None and [one.name for one in found.outputs] == [*outputs.names]:
                    return found
            return None
        return found

    def serve(self, ready: Ready) -> Reusable | None:
        """What a step is served with; where that is nothing, note in it what its policy says against a result."""
        if not ready.policy.takes:
            ready.because = ready.policy.mode
            return None
        found = self.served(ready.fingerprint, ready.newest, ready.node.step.outputs)
        ready.because = "expired" if found is not None and _is_expired(found, ready) else None
        return None if ready.because else found

    def served_at_once(self, prints: Sequence[Fingerprint]) -> dict[Fingerprint, Reusable]:
        """What these are served from by now, of those for which two transactions for all of them tell.

        That is the newest execution, where it is committed, its bytes are there, and nothing else is to be asked.
        """
        upto = self._own_upto if self._trust.is_needed else math.inf
        found: dict[Fingerprint, Reusable] = {}
        for print_, seq in zip(prints, self._rows.latest_seqs_of([b"f" + print_ for print_ in prints]), strict=True):
            if seq is not None and seq <= upto and print_ not in self._on_their_way:
                newest = self._executions.at(seq)
                if not newest.loads and not newest.missed:
                    found[print_] = newest
        contents = [output.content for newest in found.values() for output in newest.outputs]
        lost = set(contents) - self._store.blobs.held(contents)
        if not lost:
            return found
        return {
            print_: one for print_, one in found.items() if lost.isdisjoint([output.content for output in one.outputs])
        }

    def holds(self, found: Reusable) -> bool:
        """Whether all bytes are there of what a step run gave, and what it loaded by reference is what it was."""
        is_kept = not (found.loads or found.missed) or self._meanings().are_kept(found.loads, found.missed)
        return is_kept and self._are_there(found)

    def _are_there(self, found: Reusable) -> bool:
        return all(map(self._blobs.holds, [output.content for output in found.outputs]))

    def _current(self, fingerprint: Fingerprint, newest: Reusable | None) -> Reusable | None:
        """The newest execution for a fingerprint that loaded what its references mean now, if its bytes are there."""
        if newest is None:
            return None
        if newest.loads or newest.missed:
            meanings = self._meanings()
            earlier = map(self._executions.at, self._trusted(fingerprint))
            found = next((one for one in chain([newest], earlier) if meanings.are_kept(one.loads, one.missed)), None)
            return found if found is not None and self._are_there(found) else None
        return newest if self._are_there(newest) else None

    def _meanings(self) -> Meanings:
        return Meanings(Reader(self._store))

    def is_slow(self, function: str) -> bool:
        """Whether an execution of this function has taken `SLOW_US` or more."""
        return self._rows.latest(key("s", function)) is not None

    def _equivalent(self, fingerprint: Fingerprint) -> Iterator[Fingerprint]:
        """The fingerprints that may be served for one, those of these included; the nearest first."""
        seen, waiting = {bytes(fingerprint)}, [bytes(fingerprint)]
        for one in waiting:
            found = self._causes.latest(key("q", one))
            for other, _reason in [] if found is None else found.row:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
                    yield Fingerprint(other)

    def _committed(self, fingerprint: Fingerprint) -> Reusable | None:
        seq = self._rows.latest_seq(b"f" + fingerprint)
        if seq is not None and seq > self._own_upto and self._trust.is_needed:
            seq = next(self._trusted(fingerprint), None)
        return None if seq is None else self._executions.at(seq)

    def _trusted(self, fingerprint: Fingerprint) -> Iterator[int]:
        """Where the executions for a fingerprint are, the newest first; not those of stores that are not trusted."""
        return (seq for seq in executed_at(self._rows, fingerprint) if self._trust.doubted_source(seq) is None)


def _is_expired(found: Reusable, ready: Ready) -> bool:
    expires_after_us = ready.policy.expires_after_us
    return expires_after_us is not None and ready.begun_us - found.completed_us >= expires_after_us
