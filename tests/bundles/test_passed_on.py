"""Events of types and versions that are not known here are passed on as they are, with the blobs that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgpack
import pytest
from forging import forged, read, said

import lineal
from lineal import Client
from lineal.cas import BlobKind, Digest
from lineal.errors import BundleCorrupt, BundleRefused, LinealError
from lineal.events import catalogue as facts
from lineal.events import codec
from lineal.events.codec import Recorded
from lineal.events.ids import EventId, RunId, StepRunId, StoreId
from lineal.events.schema import Schema

PAYLOAD = ["deep", [1, {"er": b"\x00"}], 1.5]


class Dreamt(facts.Event):
    """What a newer version calls an event that is not known here."""

    TYPE: ClassVar[str] = "step.dreamt/1"
    run: RunId
    step: str
    of: Digest

    @property
    def refs(self) -> tuple[Digest, ...]:
        return (self.of,)


def newer(
    origin: StoreId, type_: str, stream: bytes = b"", refs: Sequence[Digest] = (), payload: Any = PAYLOAD
) -> bytes:
    """An event as a newer version writes it: with a field more in its envelope."""
    envelope = [3, type_, EventId.new(), 5, origin, stream, list(refs), payload, "more"]
    return bytes(msgpack.packb(envelope))


def put(store: Client, *bodies: bytes) -> None:
    """Have a newer version write events to a store."""
    copies = [Recorded.read(0, b"", body) for body in bodies]
    for copy, body in zip(copies, bodies, strict=True):
        copy.body = body
    with store.store.exclusively() as changes:
        store.store.copy_within(changes, [([], (), copies)])


def bodies_of(store: Client) -> list[bytes]:
    """All events of a store, as they are stored."""
    return [body[32:] for _, body in store._opened.store.log.stored()]


def blob(store: Client, data: bytes) -> Digest:
    """A blob that no event names yet."""
    with store.store.blobs.batch() as batch:
        digest = batch.put(data, BlobKind.BYTES)
        receipts = batch.publish()
        with store.store.exclusively() as changes:
            store.store.copy_within(changes, [([], receipts, [])])
    return digest


def written(store: Client) -> dict[str, bytes]:
    """What a newer version writes to a store: by what it is about."""
    origin, run, other = store.store.id, store.run("training-2").id, store.run("training-3").id
    named = blob(store, b"a dream" * 10_000)
    model = store.artifact("model@2").content
    found = {
        "a run": newer(origin, Dreamt.TYPE, run, [named], [run, "train", named]),
        "a newer version": newer(origin, "step.retried/9", run),
        "another run": newer(origin, "step.dreamt/1", other),
        "a value": newer(origin, "artifact.praised/1", refs=[model]),
        "the store": newer(origin, "mood.changed/1"),
        "its order": newer(origin, "pin.added/9", refs=[model]),
        "a claim": newer(origin, "claim.bent/1", bytes(32)),
    }
    put(store, *found.values())
    return found


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (["training-2"], {"a run", "a newer version", "a value"}),
        (["training-3"], {"another run"}),
        ([], {"a run", "a newer version", "another run", "a value", "the store"}),
    ],
)
def test_they_travel_with_their_run_with_what_they_name_or_with_everything_and_arrive_byte_for_byte(
    source: Client, target: Client, tmp_path: Path, of: list[str], expected: set[str]
) -> None:
    bodies = written(source)
    source.export_bundle(tmp_path / "x.bundle", *of)
    arrived = target.import_bundle(tmp_path / "x.bundle")
    assert arrived.is_new
    assert {what for what, body in bodies.items() if body in bodies_of(target)} == expected
    assert target.import_bundle(tmp_path / "x.bundle").is_new is False
    with lineal.open(tmp_path / "x.bundle") as bundle:
        assert {what for what, body in bodies.items() if body in bodies_of(bundle)} == expected
        assert bundle.verify().is_sound


def test_they_hold_what_they_name_are_verified_and_passed_on_again_until_a_version_that_knows_them_reads_them(
    source: Client, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = written(source)
    source.export_bundle(tmp_path / "x.bundle", "training-2")
    target.import_bundle(tmp_path / "x.bundle")
    target.collect(None, grace_s=0)
    (dream,) = Recorded.read(0, b"", bodies["a run"]).refs
    assert target.store.blobs.read(dream) == b"a dream" * 10_000
    assert target.verify().is_sound
    with lineal.open(tmp_path / "third") as third:
        target.export_bundle(tmp_path / "y.bundle", "training-2")
        third.import_bundle(tmp_path / "y.bundle")
        assert bodies["a run"] in bodies_of(third)
        seq = bodies_of(third).index(bodies["a run"]) + 1
        assert isinstance(third.store.log.get(seq).event, facts.Unknown)
    monkeypatch.setitem(codec.SCHEMAS, Dreamt.TYPE, Schema(Dreamt))
    with lineal.open(tmp_path / "third") as third:
        run = third.run("training-2").id
        assert third.store.log.get(seq).event == Dreamt(run, "train", dream)
        assert third.store.log.get(seq).origin == source.store.id


def test_a_blob_that_one_named_is_gone_with_nothing_else_when_it_was_collected(
    source: Client, target: Client, tmp_path: Path
) -> None:
    run = source.run("training-2").id
    put(source, newer(source.store.id, Dreamt.TYPE, run, [Digest(b"g" * 32)]))
    assert source.export_bundle(tmp_path / "x.bundle", "training-2").lacking == 1
    assert target.import_bundle(tmp_path / "x.bundle").lacking == 1
    assert target.verify().is_sound


FORGERIES: dict[str, tuple[Callable[[StoreId], bytes], type[LinealError], str]] = {
    "of a run that is not in it": (lambda of: newer(of, "x.y/1", b"r" * 16), BundleRefused, "none of its own"),
    "a newer version of what keeps a store in order": (lambda of: newer(of, "pin.added/7"), BundleRefused, "no kind"),
    "a newer version of what trusts": (lambda of: newer(of, "imports.trusted/2"), BundleRefused, "no kind"),
    "a newer beginning of a store": (lambda of: newer(of, "store.created/2"), BundleRefused, "no kind"),
    "an older version": (lambda of: newer(of, "step.completed/0"), BundleRefused, "no kind"),
    "a type that is none": (lambda of: newer(of, "\x1b[2J/1"), BundleRefused, "no kind"),
    "a stream that is none": (lambda of: newer(of, "x.y/1", b"short"), BundleRefused, "no kind"),
    "what names a blob that is not there": (
        lambda of: newer(of, "x.y/1", refs=[Digest(b"m" * 32)]),
        BundleCorrupt,
        "which is not in it",
    ),
    "what is nested too deeply": (
        lambda of: newer(of, "x.y/1", payload=msgpack.unpackb(b"\x91" * 100 + b"\x01")),
        BundleCorrupt,
        "not as its type says",
    ),
    "a run that does not end": (lambda of: newer(of, "run.started/9", b"r" * 16), BundleRefused, "has no end"),
}


@pytest.fixture(scope="module")
def honest(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of what is known."""
    path = tmp_path_factory.mktemp("honest") / "x.bundle"
    with lineal.open(filled, read_only=True) as store:
        store.export_bundle(path, "model@2")
    return path


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store to which each of many refusals has to leave nothing."""
    with lineal.open(tmp_path_factory.mktemp("untouched") / "store") as store:
        yield store


@pytest.mark.parametrize("what", FORGERIES)
def test_one_that_has_no_business_there_is_refused(honest: Path, untouched: Client, tmp_path: Path, what: str) -> None:
    make, kind, match = FORGERIES[what]
    for target, body, expected in (
        (untouched, make(read(honest)[0].store), (kind, match)),
        (untouched, newer(untouched.store.id, "x.y/1"), (BundleRefused, "claims to be of the store itself")),
    ):
        path = forged(honest, tmp_path / "x", bodies=lambda bodies, body=body: [*bodies, body])  # type: ignore[misc]
        head = target.head
        with pytest.raises(expected[0], match=expected[1]):
            target.import_bundle(path)
        assert target.head == head


def test_what_a_run_reuses_may_be_told_of_by_a_newer_version_alone_but_not_by_itself(
    honest: Path, target: Client, tmp_path: Path
) -> None:
    origin, run = read(honest)[0].store, RunId(b"r" * 16)
    events = [Recorded.read(0, b"", body).event for body in read(honest)[1]]
    (done,) = [one for one in events if isinstance(one, facts.StepCompleted) and one.step == "train"]

    def brought(*reuses: tuple[str, str]) -> Path:
        what = [done.function, done.fingerprint, done.code, done.inputs, done.outputs]
        reused = [facts.StepReused(run, step, *what, StepRunId(run, other), 0, 0) for step, other in reuses]
        ran = [newer(origin, "run.started/9", run), *(said(one, origin) for one in reused)]
        ran.append(newer(origin, "run.completed/9", run))
        return forged(honest, tmp_path / "x", bodies=lambda bodies: [*bodies, *ran])

    for circle in ([("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "a")]):
        with pytest.raises(BundleRefused, match="reuses what never completed"):
            target.import_bundle(brought(*circle))
    assert target.import_bundle(brought(("a", "b"))).is_new
    assert target.verify().is_sound
