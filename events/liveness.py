"""Liveness: which contents the log holds, and which may be collected.

Every event holds the contents in its refs, until they are released: a content is held while the newest event that
names it is newer than the position as of which it was released last. (That is a count of references being above zero,
without the count.) A pin holds its content whatever was released, and nothing once it is removed or has expired.

What a content shows of itself, in whatever version, is held while the content is, if it was drawn after the content was
released last, or a pin has kept it through that: else it may be gone by the time that the content is made again.

The fold reads envelopes only, so that events of newer versions hold what they name, too; it decodes the payloads of
releases, pins and visualizations alone. Nothing of this is kept: a step pays nothing for it, a collection scans the
log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ..cas.digest import Digest
from .catalogue import ContentsReleased, ContentVisualized, PinAdded, PinRemoved
from .codec import Envelope

DECODED = frozenset({ContentsReleased.TYPE, ContentVisualized.TYPE, PinAdded.TYPE, PinRemoved.TYPE})
"""The types of event whose payload the fold needs."""


class Pin(NamedTuple):
    """A label on a content that keeps it."""

    label: str
    content: Digest
    expires_us: int | None
    seq: int
    """Position of the event that set it."""

    def holds(self, now_us: int) -> bool:
        """Whether it has not expired."""
        return self.expires_us is None or now_us < self.expires_us


class Liveness:
    """The fold over the log up to a position. `fold` goes on from there; it is no projection and keeps no history."""

    def __init__(self) -> None:
        self.upto = 0
        """The last position folded in."""
        self.pins: dict[str, Pin] = {}
        """By label, expired ones included."""
        self._named: dict[bytes, int] = {}
        self._released: dict[bytes, int] = {}
        self._shown: defaultdict[bytes, dict[bytes, int]] = defaultdict(dict)
        """By content, the blobs of its visualizations and the newest event that names each."""

    def fold(self, envelopes: Iterable[Envelope]) -> None:
        """Take in the events that follow."""
        named = self._named
        for seq, type_, _, refs, fields in envelopes:
            self.upto = seq
            if fields is None:
                for ref in refs:
                    named[ref] = seq
            elif type_ == ContentsReleased.TYPE:
                for content in fields.contents:
                    self._released[content] = max(fields.upto, self._released.get(content, 0))
                    self._drop_drawn(content)
            elif type_ == ContentVisualized.TYPE:
                self._shown[fields.content].update(dict.fromkeys(refs, seq))
            elif type_ == PinAdded.TYPE:
                before = self.pins.get(fields.label)
                self.pins[fields.label] = Pin(fields.label, Digest(fields.content), fields.expires_us, seq)
                self._drop_drawn(None if before is None else before.content)
            else:
                before = self.pins.pop(fields.label, None)
                self._drop_drawn(None if before is None else before.content)

    def _drop_drawn(self, content: bytes | None) -> None:
        """Hold no more what was drawn of a content before its release, unless a pin has kept it that never expires."""
        shown = None if content is None else self._shown.get(content)
        if shown and not any(pin.content == content and pin.expires_us is None for pin in self.pins.values()):
            upto = self._released.get(content or b"", 0)
            self._shown[content or b""] = {blob: seq for blob, seq in shown.items() if seq > upto}

    def released_upto(self, content: Digest) -> int:
        """The position as of which a content was released last: what names it later holds it. 0 if it never was."""
        return self._released.get(content, 0)

    def is_named(self, content: Digest) -> bool:
        """Whether an event holds a content, pins left aside."""
        return self._named.get(content, 0) > self._released.get(content, 0)

    def pins_of(self, content: Digest, now_us: int) -> list[Pin]:
        """The pins that hold a content at this time."""
        return [pin for pin in self.pins.values() if pin.content == content and pin.holds(now_us)]

    def held(self, now_us: int) -> set[bytes]:
        """Everything that an event or a pin holds at this time: content ids, and blobs that are no values."""
        released = self._released
        held = {content for content, seq in self._named.items() if seq > released.get(content, 0)}
        held.update(pin.content for pin in self.pins.values() if pin.holds(now_us))
        held.update(*[blobs for content, blobs in self._shown.items() if content in held])
        return held
