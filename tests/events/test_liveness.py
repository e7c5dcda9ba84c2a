"""Liveness: what the log holds, against a plain model of references."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lineal.cas import Digest, digest_of
from lineal.events import catalogue as facts
from lineal.events.catalogue import Event
from lineal.events.codec import Envelope, EnvelopeReader, encode
from lineal.events.ids import EventId, StoreId
from lineal.events.liveness import DECODED, Liveness

EVENT, ORIGIN = EventId.new(), StoreId.new()
A, B, C = (digest_of(letter) for letter in (b"a", b"b", b"c"))


def saved(content: Digest) -> facts.ArtifactSaved:
    """Something that names a content."""
    return facts.ArtifactSaved(facts.Output("x", "x", content, "f/1", "t", 1, {}))


def envelopes(events: list[Event], first: int = 1) -> list[Envelope]:
    """The events as a scan of the log gives them."""
    reader = EnvelopeReader(DECODED)
    return [
        reader.read(seq, encode(event, event_id=EVENT, time_us=5, origin=ORIGIN))
        for seq, event in enumerate(events, start=first)
    ]


def folded(*events: Event) -> Liveness:
    """The liveness after these events."""
    liveness = Liveness()
    liveness.fold(envelopes(list(events)))
    return liveness


def modelled(history: list[Event], now_us: int) -> set[Digest]:
    """What is held, by lists of references that are struck out one by one."""
    references: dict[Digest, list[int]] = {}
    pins: dict[str, tuple[Digest, int | None]] = {}
    shown: list[tuple[int, Digest, Digest]] = []
    released: dict[Digest, int] = {}
    for seq, event in enumerate(history, start=1):
        match event:
            case facts.ContentsReleased(contents, _, upto):
                for content in contents:
                    references[content] = [named for named in references.get(content, []) if named > upto]
                    released[content] = max(upto, released.get(content, 0))
            case facts.PinAdded(label, content, expires_us):
                pins[label] = content, expires_us
            case facts.PinRemoved(label):
                pins.pop(label, None)
            case facts.ContentVisualized(content):
                shown += [(seq, content, blob) for blob in event.refs]
            case _:
                for ref in event.refs:
                    references.setdefault(ref, []).append(seq)
        kept = {content for content, expires_us in pins.values() if expires_us is None}
        shown = [one for one in shown if one[1] in kept or one[0] > released.get(one[1], 0)]
    pinned = {content for content, expires_us in pins.values() if expires_us is None or expires_us > now_us}
    held = {content for content, named in references.items() if named} | pinned
    return held | {blob for _, content, blob in shown if content in held}


def possible(history: list[Event]) -> list[Event]:
    """The history with releases that were decided before they were written, as all are."""
    return [
        facts.ContentsReleased(event.contents, event.reason, min(event.upto, seq - 1))
        if isinstance(event, facts.ContentsReleased)
        else event
        for seq, event in enumerate(history, start=1)
    ]


@given(st.data())
def test_what_is_held_is_what_a_count_of_references_would_say(
    history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = possible(data.draw(history_of_events))
    now_us = data.draw(st.integers(0, 10**6))
    assert folded(*history).held(now_us) == modelled(history, now_us)


@given(st.data())
def test_a_fold_that_goes_on_is_the_fold_of_the_whole_log(
    history_of_events: st.SearchStrategy[list[Event]], data: st.DataObject
) -> None:
    history = possible(data.draw(history_of_events))
    cut = data.draw(st.integers(0, len(history)))
    liveness = folded(*history[:cut])
    liveness.fold(envelopes(history[cut:], cut + 1))
    assert liveness.upto == len(history)
    assert liveness.held(500_000) == modelled(history, 500_000)


def test_what_names_a_content_between_the_decision_and_its_record_keeps_it() -> None:
    liveness = folded(saved(A), saved(B), saved(A), facts.ContentsReleased((A, B), "too old", 2))
    assert liveness.held(0) == {A}


def test_what_names_a_released_content_holds_it_again() -> None:
    released = facts.ContentsReleased((A,), "too old", 1)
    assert folded(saved(A), released).held(0) == set()
    assert folded(saved(A)).held(0) == {A}


def test_a_pin_holds_until_it_is_moved_removed_or_expired() -> None:
    liveness = folded(
        saved(A),
        saved(B),
        facts.ContentsReleased((A, B), "too old", 2),
        facts.PinAdded("best", A),
        facts.PinAdded("best", B, 100),
    )
    assert liveness.held(99) == {B}
    assert [pin.label for pin in liveness.pins_of(B, 99)] == ["best"]
    assert liveness.held(100) == set()
    assert folded(facts.PinAdded("best", A), facts.PinRemoved("best")).held(0) == set()


def test_the_log_is_read_as_it_was_written(ledger: Any) -> None:
    ledger.append(saved(A), facts.PinAdded("best", B), facts.ContentsReleased((A,), "too old", 2))
    liveness = Liveness()
    liveness.fold(ledger.log.envelopes(0, DECODED))
    assert (liveness.held(0), liveness.upto) == ({B}, 3)


def test_an_event_of_a_newer_version_holds_what_it_names() -> None:
    liveness = Liveness()
    liveness.fold([Envelope(1, "artifact.saved/9", b"", [A], None)])
    assert liveness.held(0) == {A}


def test_what_a_content_shows_of_itself_is_held_with_it_in_every_version_and_holds_nothing() -> None:
    def visualized(content: Digest, blob: Digest) -> Event:
        return facts.ContentVisualized(content, (facts.StoredVisualization("table", "text/html", blob, 1),))

    events = saved(A), visualized(A, B), visualized(A, C)
    assert folded(*events).held(0) == {A, B, C}
    assert folded(*events, facts.ContentsReleased((A,), "too old", 1)).held(0) == set()
    assert folded(visualized(A, B)).held(0) == set()
    again = *events, facts.ContentsReleased((A,), "too old", 3), saved(A)
    assert folded(*again).held(0) == {A}, "what was drawn before may be gone"
    assert folded(*again, visualized(A, C)).held(0) == {A, C}
