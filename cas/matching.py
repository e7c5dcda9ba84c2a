"""What a new buffer shares with the one it succeeds: byte-exact matches, of which only what lies between is new.

Matches follow a shift: the distance between bytes of the new and the equal bytes of the old. Along one shift both are
compared as fast as memory allows; where they differ for long, cuts propose other shifts. Every match comes from a
comparison of all its bytes, so neither a hash nor a bad proposal can make it wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cuts import BLOCK_BYTES, Cutter, element_bytes
from .index import Index
from .source import Reader, Source

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

# How much is compared or cut at once.
_SEGMENT_BYTES = 256 * 1024
_FIRST_COMPARED_BYTES = 8 * 1024
_LEAST_BYTES = 4 * 1024
_MATCHES_MAX = 1 << 17
_REACHES_BYTES = 32 * 1024, _SEGMENT_BYTES
_ROW_BYTES = 2048, 4096
_INDEX_ROW_BYTES_MIN = 8 * 1024
_INDEX_ROWS_MAX = 1 << 19
_INDEX_SHARE = 256
_TRIED_MAX = 8
_TRUSTED_SEGMENTS_MAX = 16
_SKIPPED_SHARE = 16
_REPEATED_SHARE = 4


@dataclass(frozen=True, slots=True)
class Match:
    """Bytes of the new that equal bytes of the old."""

    start: int
    """Where they are in the new bytes."""

    origin: int
    """Where they are in the old bytes."""

    size_bytes: int

    @property
    def stop(self) -> int:
        """Where they end in the new bytes."""
        return self.start + self.size_bytes

    @property
    def shift(self) -> int:
        """How much farther on they are in the old bytes."""
        return self.origin - self.start


def matches(new: Source, old: Source, *, item_bytes: int = 1) -> list[Match]:
    """Find what the new bytes share with the old: disjoint byte-equal matches in the order of the new bytes.

    Neighbours of one shift are merged. None is shorter than 4 KiB; in buffers over 512 MiB than the 131,072nd part of
    them, up to 128 KiB. What is all new is seen only in part, so up to a sixteenth more than it may go unfound.
    Beside the sources and the list this takes some 5 MiB. Where bytes moved by more than is found nearby, all of the
    old are cut, at about 2 GB/s: 40 bytes for each 8 KiB, and from 4 GiB on (where rows grow) up to 20 MiB.

    Args:
        item_bytes: Size of the elements that both are made of. Edits are taken to move bytes by whole elements,
            or by multiples of the largest power of two, 8 at most, that divides this.
    """
    return _Comparison(new, old, element_bytes(item_bytes)).run()


class _Comparison:
    """One pass over the new bytes."""

    def __init__(self, new: Source, old: Source, width: int) -> None:
        import numpy as np

        self._width = width
        self._cutters = [Cutter(width, row_bytes) for row_bytes in _ROW_BYTES]
        room = max(_SEGMENT_BYTES, BLOCK_BYTES + self._cutters[0].ahead_bytes)
        self._new = Reader(new, room)
        self._old = Reader(old, room)
        self._differs = np.empty(_SEGMENT_BYTES, np.bool_)
        self._least = min(max(_LEAST_BYTES, new.size_bytes // _MATCHES_MAX), _SEGMENT_BYTES // 2)
        self._shift = 0
        self._stop = new.size_bytes
        self._old_start, self._old_stop = 0, old.size_bytes
        self._found: list[Match] = []
        self._index: Index | None = None
        self._trusted = self._trusted_next = 0

    def run(self) -> list[Match]:
        """Match both ends, then all between them."""
        shorter = min(self._stop, self._old_stop)
        prefix = self._equal_ahead(0, 0, shorter)
        suffix = self._equal_behind(self._stop, self._old_stop, shorter - prefix)
        self._stop -= suffix
        if self._stop - prefix < self._old.size_bytes // _REPEATED_SHARE:
            # Too little is left to look for repetitions of what both ends share.
            self._old_start, self._old_stop = prefix, self._old_stop - suffix
        self._emit(Match(0, 0, prefix))
        at = prefix
        while at < self._stop:
            at = self._bridge(at)
            origin = at + self._shift
            after = self._equal_ahead(at, origin, self._limit(at, origin))
            before = self._equal_behind(at, origin, min(at - self._decided, origin)) if after else 0
            self._emit(Match(at - before, origin - before, before + after))
            at += after
        self._emit(Match(self._stop, self._old.size_bytes - suffix, suffix))
        return self._found

    @property
    def _decided(self) -> int:
        """Where the last match ends."""
        return self._found[-1].stop if self._found else 0

    def _limit(self, start: int, origin: int) -> int:
        return max(0, min(self._stop - start, self._old.size_bytes - origin))

    def _bridge(self, at: int) -> int:
        """Get beyond a difference, on this shift or others; gives the place to go on from.

        After much that is new some is skipped, in proportion: what is shared farther on still reaches back to it.
        """
        stop = min(at + _SEGMENT_BYTES, self._stop)
        proposed: list[Match] = []
        is_same_shift = False
        is_asked = not self._trusted and self._old_start < self._old_stop
        if is_asked:
            proposed, is_same_shift = self._proposed(at)
        runs = self._equal_runs(at, min(stop, max((match.stop for match in proposed), default=stop)))
        if proposed:
            runs = _longest(runs + proposed, self._least)
            # What the old shift has beyond a turn may be chance, and more of what is proposed too far off.
            turn = next((which for which, run in enumerate(runs) if run.shift != self._shift), len(runs))
            runs = runs[: turn + 1]
            stop = runs[-1].stop
        for run in runs:
            self._emit(run)
        is_turned = bool(runs) and runs[-1].shift != self._shift
        if is_turned:
            self._shift = runs[-1].shift
        if not is_asked:
            self._trusted = max(0, self._trusted - 1)
        elif is_turned or not (runs or is_same_shift):
            self._trusted_next = 0
        else:
            self._trusted_next = self._trusted = min(2 * self._trusted_next + 1, _TRUSTED_SEGMENTS_MAX)
        return min(stop + (stop - self._decided) // _SKIPPED_SHARE, self._stop)

    def _proposed(self, at: int) -> tuple[list[Match], bool]:
        """Matches that cuts propose on other shifts, and whether they propose the present one.

        They are sought nearby and then farther off where a run has just ended, and anywhere if that does not do.
        """
        proposed: list[Match] = []
        if at == self._decided:
            for reach, cutter in zip(_REACHES_BYTES, self._cutters, strict=True):
                start = max(0, at + self._shift - reach // 2)
                start -= start % self._width
                nearby = Index(self._old, start, min(start + 2 * reach, self._old.size_bytes), cutter)
                found, is_same_shift = self._verified(at, nearby, cutter, reach)
                proposed += found
                if is_same_shift or any(match.size_bytes >= reach // 2 for match in found):
                    return proposed, is_same_shift
                if self._index is not None:
                    break
        if self._index is None:
            if self._stop - at < max(_SEGMENT_BYTES, self._old_stop - self._old_start) // _INDEX_SHARE:
                return proposed, False
            rows = (self._old_stop - self._old_start) // _INDEX_ROWS_MAX
            row_bytes = min(max(_INDEX_ROW_BYTES_MIN, 1 << rows.bit_length()), BLOCK_BYTES)
            start = self._old_start - self._old_start % self._width
            self._index = Index(self._old, start, self._old_stop, Cutter(self._width, row_bytes))
        found, is_same_shift = self._verified(at, self._index, self._cutters[-1], _SEGMENT_BYTES)
        return proposed + found, is_same_shift

    def _verified(self, at: int, index: Index, cutter: Cutter, size: int) -> tuple[list[Match], bool]:
        """The matches around cuts that the index knows on other shifts, and whether it knows one only on this."""
        first = at + -at % self._width
        last = min(min(at + size, self._stop) + cutter.ahead_bytes, self._new.size_bytes)
        places, prints = cutter.cut(self._new.read(min(first, last), last))
        found: list[Match] = []
        is_same_shift = False
        tried = 0
        for start, origins in index.hits(places + first, prints, self._shift):
            for origin in origins:
                shift = origin - start
                if shift == self._shift:
                    is_same_shift |= len(origins) == 1
                elif not any(match.shift == shift and start < match.stop for match in found):
                    tried += 1
                    match = self._around(start, origin)
                    if match.size_bytes >= self._least:
                        found.append(match)
            if tried >= _TRIED_MAX or any(match.size_bytes >= size // 2 for match in found):
                break
        return found, is_same_shift

    def _around(self, start: int, origin: int) -> Match:
        """What is equal around a place, back to the last match, and some way ahead."""
        before = self._equal_behind(start, origin, min(start - self._decided, origin))
        after = self._equal_ahead(start, origin, min(_SEGMENT_BYTES, self._limit(start, origin)))
        return Match(start - before, origin - before, before + after)

    def _equal_runs(self, start: int, stop: int) -> list[Match]:
        """What is equal on the present shift, where it is long enough."""
        import numpy as np

        stop = min(stop, self._old.size_bytes - self._shift)
        size = (stop - start) // 8 * 8
        if size < self._least:
            return []
        new = self._new.read(start, start + size)
        old = self._old.read(start + self._shift, start + self._shift + size)
        differs = np.not_equal(new, old, out=self._differs[:size])
        words = differs.view(np.uint64)
        if np.bitwise_or.reduceat(words, np.arange(0, len(words), self._least // 16)).all():
            return []
        unequal = np.flatnonzero(words != 0)
        bytes_of = differs.reshape(-1, 8)[unequal]
        starts = np.concatenate(([0], unequal * 8 + 8 - bytes_of[:, ::-1].argmax(axis=1)))
        sizes = np.concatenate((unequal * 8 + bytes_of.argmax(axis=1), [size])) - starts
        long = sizes >= self._least
        return [
            Match(start + first, start + first + self._shift, length)
            for first, length in zip(starts[long].tolist(), sizes[long].tolist(), strict=True)
        ]

    def _equal_ahead(self, start: int, origin: int, limit: int) -> int:
        """How many bytes from here on are equal."""
        import numpy as np

        equal, step = 0, _FIRST_COMPARED_BYTES
        while equal < limit:
            step = min(step, limit - equal)
            new = self._new.read(start + equal, start + equal + step)
            old = self._old.read(origin + equal, origin + equal + step)
            differs = np.not_equal(new, old, out=self._differs[:step])
            first = int(differs.argmax())
            if differs[first]:
                return equal + first
            equal, step = equal + step, _SEGMENT_BYTES
        return equal

    def _equal_behind(self, stop: int, origin_stop: int, limit: int) -> int:
        """How many bytes up to here are equal."""
        import numpy as np

        equal, step = 0, _FIRST_COMPARED_BYTES
        while equal < limit:
            step = min(step, limit - equal)
            new = self._new.read(stop - equal - step, stop - equal)
            old = self._old.read(origin_stop - equal - step, origin_stop - equal)
            differs = np.not_equal(new, old, out=self._differs[:step])
            if differs.any():
                return equal + int(differs[::-1].argmax())
            equal, step = equal + step, _SEGMENT_BYTES
        return equal

    def _emit(self, run: Match) -> None:
        """Lengthen the last match, or add one if it is long enough."""
        last = self._found[-1] if self._found else None
        if last is not None and last.stop == run.start and last.shift == run.shift:
            self._found[-1] = Match(last.start, last.origin, last.size_bytes + run.size_bytes)
        elif run.size_bytes >= self._least:
            self._found.append(run)


def _longest(runs: list[Match], least_bytes: int) -> list[Match]:
    """The longest runs, and what they leave of shorter ones, in order."""
    chosen: list[Match] = []
    for run in sorted(runs, key=lambda run: -run.size_bytes):
        start, stop = run.start, run.stop
        for other in chosen:
            if other.start <= start < other.stop:
                start = other.stop
            if other.start < stop <= other.stop:
                stop = other.start
        if stop - start >= least_bytes and not any(start < other.stop and other.start < stop for other in chosen):
            chosen.append(Match(start, start + run.shift, stop - start))
    return sorted(chosen, key=lambda run: run.start)
