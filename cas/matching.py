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

_COMPARED_BYTES = 256 * 1024
_FIRST_COMPARED_BYTES = 8 * 1024
_SEGMENT_BYTES = 128 * 1024
_LEAST_BYTES = 4 * 1024
_MATCHES_MAX = 1 << 18
_NEAR_BYTES = 32 * 1024
_NEAR_ROW_BYTES = 1024
_ROW_BYTES = 2 * 1024
_INDEX_ROW_BYTES_MIN = 8 * 1024
_INDEX_ROWS_MAX = 1 << 19
_CUTS_TRIED = 16
_TRUSTED_SEGMENTS_MAX = 16


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

    Neighbours of one shift are merged, and none is shorter than 4 KiB, or in buffers over 1 GiB the 262,144th part.
    Beside the sources it takes some 4 MiB, and 16 bytes for each row of the old (8 KiB, longer in buffers over 4 GiB)
    if edits moved bytes by more than is found nearby: at most 24 MiB.

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
        self._near_cutter = Cutter(width, _NEAR_ROW_BYTES)
        self._cutter = Cutter(width, _ROW_BYTES)
        self._new = Reader(new, BLOCK_BYTES + self._cutter.ahead_bytes)
        self._old = Reader(old, BLOCK_BYTES + self._cutter.ahead_bytes)
        self._differs = np.empty(_COMPARED_BYTES, np.bool_)
        self._least = max(_LEAST_BYTES, new.size_bytes // _MATCHES_MAX)
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
        self._old_start, self._old_stop = prefix, self._old_stop - suffix
        self._emit(Match(0, 0, prefix))
        at = prefix
        while at < self._stop:
            at = self._bridge(at)
            size = self._equal_ahead(at, at + self._shift, self._limit(at, at + self._shift))
            self._emit(Match(at, at + self._shift, size))
            at += size
        self._emit(Match(self._stop, self._old_stop, suffix))
        self._drop_short()
        return self._found

    @property
    def _decided(self) -> int:
        """Where the last match ends."""
        return self._found[-1].stop if self._found else 0

    def _limit(self, start: int, origin: int) -> int:
        return max(0, min(self._stop - start, self._old.size_bytes - origin))

    def _bridge(self, at: int) -> int:
        """Get beyond a difference, on this shift or others; gives the place up to which all is decided."""
        runs = self._equal_runs(at, min(at + _SEGMENT_BYTES, self._stop))
        if self._trusted:
            self._trusted -= 1
        elif self._old_start < self._old_stop:
            proposed = self._proposed(at)
            if all(match.shift == self._shift for match in proposed):
                self._trusted = self._trusted_next if proposed else 0
                self._trusted_next = min(2 * self._trusted_next + 1, _TRUSTED_SEGMENTS_MAX)
            else:
                self._trusted_next = 0
                runs = self._chosen(runs + proposed)
                for run in runs:
                    self._emit(run)
                self._shift = runs[-1].shift
                return runs[-1].stop
        for run in runs:
            self._emit(run)
        return min(at + _SEGMENT_BYTES, self._stop)

    def _chosen(self, runs: list[Match]) -> list[Match]:
        """The longest runs, and what they leave of shorter ones, in order."""
        chosen: list[Match] = []
        for run in sorted(runs, key=lambda run: -run.size_bytes):
            start, stop = run.start, run.stop
            for other in chosen:
                if other.start <= start < other.stop:
                    start = other.stop
                if other.start < stop <= other.stop:
                    stop = other.start
            if stop - start >= self._least and not any(start < other.stop and other.start < stop for other in chosen):
                chosen.append(Match(start, start + run.shift, stop - start))
        return sorted(chosen, key=lambda run: run.start)

    def _proposed(self, at: int) -> list[Match]:
        """Matches that cuts propose: with what is nearby, where a run has just ended, else with anything."""
        proposed: list[Match] = []
        if at == self._decided:
            origin = max(0, at + self._shift - _NEAR_BYTES // 2)
            origin -= origin % self._width
            stop = min(origin + 2 * _NEAR_BYTES, self._old.size_bytes)
            near = Index(self._old, origin, stop, self._near_cutter)
            proposed = self._verified(at, near, self._near_cutter, _NEAR_BYTES)
            if any(match.size_bytes >= _NEAR_BYTES // 2 for match in proposed):
                return proposed
        if self._index is None:
            rows = (self._old_stop - self._old_start) // _INDEX_ROWS_MAX
            row_bytes = min(max(_INDEX_ROW_BYTES_MIN, 1 << rows.bit_length()), BLOCK_BYTES)
            start = self._old_start - self._old_start % self._width
            self._index = Index(self._old, start, self._old_stop, Cutter(self._width, row_bytes))
        return proposed + self._verified(at, self._index, self._cutter, _SEGMENT_BYTES)

    def _verified(self, at: int, index: Index, cutter: Cutter, size: int) -> list[Match]:
        """The matches around the first cuts that the index knows; those on the present shift aren't compared."""
        first = at + -at % self._width
        last = min(min(at + size, self._stop) + cutter.ahead_bytes, self._new.size_bytes)
        places, prints = cutter.cut(self._new.read(min(first, last), last))
        found: list[Match] = []
        for start, origins in index.hits(places + first, prints, self._shift)[:_CUTS_TRIED]:
            for origin in origins:
                shift = origin - start
                if any(match.start <= start < match.stop and match.shift == shift for match in found):
                    continue
                match = self._around(start, origin)
                if match.size_bytes >= self._least:
                    found.append(match)
            if found and found[-1].stop - start >= _SEGMENT_BYTES:
                break
        return found

    def _around(self, start: int, origin: int) -> Match:
        """What is equal around a place, back to the last match, and some way ahead."""
        before = self._equal_behind(start, origin, min(start - self._decided, origin))
        after = self._equal_ahead(start, origin, min(_SEGMENT_BYTES, self._limit(start, origin)))
        return Match(start - before, origin - before, before + after)

    def _equal_runs(self, start: int, stop: int) -> list[Match]:
        """What is equal on the present shift: runs that are long enough, or may be as they go on at the stop."""
        import numpy as np

        stop = min(stop, self._old.size_bytes - self._shift)
        if stop <= start:
            return []
        size = stop - start
        differs = self._differs[: size + -size % 8]
        differs[size:] = True
        np.not_equal(
            self._new.read(start, stop), self._old.read(start + self._shift, stop + self._shift), out=differs[:size]
        )
        words = np.flatnonzero(differs.view(np.uint64))
        if size % 8 == 0:
            words = np.append(words, size // 8)
        long = np.flatnonzero(np.diff(words, prepend=-1) > self._least // 8 - 1)
        if size - 8 * (words[-2] if len(words) > 1 else 0) > 8 and len(words) - 1 not in long:
            long = np.append(long, len(words) - 1)
        runs = []
        for which in long.tolist():
            first = 0 if which == 0 else _last_true(differs, int(words[which - 1])) + 1
            last = min(int(words[which]) * 8, size)
            if last < size:
                last += int(differs[last : last + 8].argmax())
            if last > first and (last - first >= self._least or last == size):
                runs.append(Match(start + first, start + first + self._shift, last - first))
        return runs

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
            equal, step = equal + step, _COMPARED_BYTES
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
            equal, step = equal + step, _COMPARED_BYTES
        return equal

    def _emit(self, run: Match) -> None:
        """Add a match, or lengthen the last one; one that ended too short is dropped when the next begins."""
        if not run.size_bytes:
            return
        if self._found:
            last = self._found[-1]
            if last.stop == run.start and last.shift == run.shift:
                self._found[-1] = Match(last.start, last.origin, last.size_bytes + run.size_bytes)
                return
            self._drop_short()
        self._found.append(run)

    def _drop_short(self) -> None:
        if self._found and self._found[-1].size_bytes < self._least:
            self._found.pop()


def _last_true(differs: Array, word: int) -> int:
    """Where the last difference within these eight bytes is."""
    return word * 8 + 7 - int(differs[word * 8 : word * 8 + 8][::-1].argmax())
