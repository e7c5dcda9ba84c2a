"""What steps in other processes submit: what comes of each is told, whatever comes of the others."""

from __future__ import annotations

from lineal import Client
from lineal.errors import Invalid
from lineal.events.catalogue import Annotated, Subject
from lineal.events.elsewhere import Submission
from lineal.events.ids import EventId, RunId
from lineal.pipeline.executing.reports import Facts, hear_from


def submission(text: object, *after: int) -> Submission:
    return Submission([Annotated(Subject("run", "noted", RunId.new()), {"text": text})], [EventId.new()], [], after)


def test_of_submissions_that_were_sent_together_only_those_fail_that_are_refused_and_what_follows_them(
    client: Client,
) -> None:
    client.save(1, "noted")
    client.flush()
    before = client.store.head().seq
    sent = [submission("first"), submission(1 << 80), submission("follows", 1), submission("last", 0)]
    outcomes = hear_from(client.store, lambda *_: None, Facts(sent))
    assert isinstance(outcomes, list)
    first, refused, follows, last = outcomes
    assert (list(first), list(last)) == ([before + 1], [before + 2])
    assert isinstance(refused, Invalid)
    assert follows is refused
    assert client.store.head().seq == before + 2
