"""A bundle that was damaged, or made to mislead, is refused with an error of ours, and nothing of it is imported."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest
from forging import events_of, forged, read, said, without

import lineal
from lineal import Client
from lineal.bundles.layout import HEADER_BYTES, MAGIC
from lineal.bundles.reading import Bundle
from lineal.cas import digest_of
from lineal.errors import BundleCorrupt, BundleRefused, FormatTooNew, LinealError, NotABundle
from lineal.events import catalogue as facts
from lineal.events.ids import EventId, Fingerprint, RunId, StepRunId, StoreId

NOBODY = StoreId(b"n" * 16)
RUN = RunId(b"r" * 16)
PROCESS = facts.Process("host", "boot", 1, 1)


@pytest.fixture(scope="module")
def exported(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "honest.bundle"
    with lineal.open(filled, read_only=True) as store:
        store.export_bundle(path, "model@2")
    return path


@pytest.fixture
def honest(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(exported, tmp_path))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A store to which each of many refusals has to leave nothing."""
    store = lineal.open(tmp_path_factory.mktemp("untouched") / "store", visualize=False)
    yield store
    store.close()


def refused(target: Client, path: Path, kind: type[LinealError] | tuple[type[LinealError], ...], match: str) -> None:
    """The bundle is refused by an import and in place, and the store is as it was."""
    blobs = target.store.blobs
    before = target.head, list(blobs.entries()), set(blobs.files.volumes())
    with pytest.raises(kind, match=match):
        target.import_bundle(path)
    assert (target.head, list(blobs.entries()), set(blobs.files.volumes())) == before


def test_a_bundle_that_is_cut_short_anywhere_is_refused(honest: Path, target: Client, tmp_path: Path) -> None:
    data = honest.read_bytes()
    chance = random.Random(1)
    sizes = [0, 5, len(MAGIC), HEADER_BYTES - 1, HEADER_BYTES, *(chance.randrange(len(data)) for _ in range(8))]
    for size_bytes in (*sizes, len(data) - 1):
        cut = tmp_path / "cut.bundle"
        cut.write_bytes(data[:size_bytes])
        refused(target, cut, (BundleCorrupt, NotABundle), "bundle")
    (tmp_path / "longer.bundle").write_bytes(data + b"\0")
    refused(target, tmp_path / "longer.bundle", BundleCorrupt, "added")


def test_a_flipped_bit_is_refused_wherever_it_is(honest: Path, target: Client, tmp_path: Path) -> None:
    data = honest.read_bytes()
    chance = random.Random(2)
    flipped = tmp_path / "flipped.bundle"
    head, places = target.head, [*range(0, HEADER_BYTES, 9), *(chance.randrange(len(data)) for _ in range(25))]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << chance.randrange(8)
        flipped.write_bytes(damaged)
        with pytest.raises((BundleCorrupt, NotABundle, FormatTooNew)):
            target.import_bundle(flipped)
        assert target.head == head


def test_a_flipped_bit_is_found_when_a_value_is_loaded_in_place(honest: Path, tmp_path: Path) -> None:
    damaged = bytearray(honest.read_bytes())
    with Bundle(honest) as bundle:
        large = max(bundle.placed.values(), key=lambda one: one.held.size_bytes)
    damaged[large.offset + large.held.size_bytes // 2] ^= 1
    flipped = tmp_path / "flipped.bundle"
    flipped.write_bytes(damaged)
    with lineal.open(flipped) as bundle:
        assert bundle.load("model@2")
        with pytest.raises(LinealError, match="damaged"):
            bundle.load("data")


def test_what_is_no_file_or_no_bundle_is_refused(target: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("hello")
    for name in ("pipe", "text", "nothing", "target"):
        refused(target, tmp_path / name, NotABundle, "bundle")


def test_a_newer_format_is_refused_as_such(honest: Path, target: Client, tmp_path: Path) -> None:
    data = bytearray(honest.read_bytes())
    data[16] = 2
    (tmp_path / "newer").write_bytes(data)
    refused(target, tmp_path / "newer", FormatTooNew, "format 2")


def added(*events: facts.Event, origin: StoreId = NOBODY, time_us: int = 1) -> Callable[[list[bytes]], list[bytes]]:
    return lambda bodies: [*bodies, *(said(event, origin, time_us) for event in events)]


def enveloped(
    payload: object = None, *, origin: object = bytes(NOBODY), refs: object = (), type_: str = "step.dreamt/1"
) -> Callable[[list[bytes]], list[bytes]]:
    """Add an event of these parts, whatever they are."""
    body = msgpack.packb([2, type_, bytes(EventId.new()), 5, origin, b"", refs, payload])
    return lambda bodies: [*bodies, body]


def wordy(bodies: list[bytes]) -> list[bytes]:
    """Add an event whose type is written in one byte more than it takes."""
    body = said(facts.AliasRemoved("model", "x"), NOBODY)
    return [*bodies, body[:2] + bytes([0xD9, body[2] & 0x1F]) + body[3:]]


def twofold(bodies: list[bytes]) -> list[bytes]:
    """Add an event with a map that has a key twice."""
    (body,) = enveloped({"a": 1, "b": 2})([])
    return [*bodies, body.replace(b"\xa1b", b"\xa1a")]


LIE = facts.Output("x", "model", digest_of(b""), "f/1", "t", 1, {})
FORGERIES: dict[str, tuple[Callable[..., Any], type[LinealError], str]] = {
    "a run that does not end": (
        lambda: added(facts.RunRenamed(RUN, "x")),
        BundleRefused,
        "about a run that is none of its own",
    ),
    "what keeps a store in order": (
        lambda: added(facts.ContentsReleased((), "all", 10**9)),
        BundleRefused,
        "of no kind that a bundle brings",
    ),
    "trust": (lambda: added(facts.ImportsTrusted(NOBODY)), BundleRefused, "of no kind"),
    "an equivalence": (
        lambda: added(facts.EquivalenceDeclared(Fingerprint(bytes(32)), Fingerprint(bytes(32)), "")),
        BundleRefused,
        "of no kind",
    ),
    "another first event": (lambda: added(facts.StoreCreated(NOBODY, 2)), BundleCorrupt, "first event"),
    "a blob that is not there": (lambda: added(facts.ArtifactSaved(LIE)), BundleCorrupt, "which is not in it"),
    "a save by a step of nobody": (
        lambda: added(facts.ArtifactSaved(LIE, StepRunId(RUN, "x"))),
        BundleCorrupt,
        "not in it",
    ),
    "a time that is none": (
        lambda: added(facts.AliasRemoved("model", "x"), time_us=2**63),
        BundleCorrupt,
        "not as its type says",
    ),
    "a field of another type": (lambda: added(facts.AliasRemoved(["model"], 7)), BundleCorrupt, "not as its type says"),
    "a label of a version of no content": (
        lambda: added(facts.Tagged(facts.Subject("version", "model", b"short"), ("x",))),
        BundleCorrupt,
        "about what can't be",
    ),
    "a label of no kind of thing": (
        lambda: added(facts.Tagged(facts.Subject("nokind", "model", b""), ("x",))),
        BundleCorrupt,
        "about what can't be",
    ),
    "an extension of msgpack": (lambda: enveloped([msgpack.ExtType(5, b"x")]), BundleCorrupt, "not as its type says"),
    "an extension where a newer version has another field": (
        lambda: enveloped(["model", "x", msgpack.ExtType(5, b"x")], type_="alias.removed/1"),
        BundleCorrupt,
        "not as its type says",
    ),
    "names in a map": (lambda: enveloped(refs={}), BundleCorrupt, "not as its type says"),
    "an origin that is a list": (lambda: enveloped(origin=[1] * 16), BundleCorrupt, "not as its type says"),
    "another form of a type": (lambda: wordy, BundleCorrupt, "not as its type says"),
    "a map with a key twice": (lambda: twofold, BundleCorrupt, "not as its type says"),
    "an event twice": (lambda: lambda bodies: [*bodies, bodies[-1]], BundleCorrupt, "twice"),
    "no events": (lambda: lambda bodies: [], BundleCorrupt, "no events"),
    "no event at all": (lambda: lambda bodies: [*bodies, b"\xc1"], BundleCorrupt, "can't be read"),
    "a bomb": (lambda: lambda bodies: [*bodies, b"\x91" * 100_000], BundleCorrupt, "can't be read"),
    "an array of many": (lambda: lambda bodies: [*bodies, b"\xdd\xff\xff\xff\xff"], BundleCorrupt, "can't be read"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_bundle_is_refused_that_brings(honest: Path, untouched: Client, tmp_path: Path, name: str) -> None:
    change, kind, match = FORGERIES[name]
    path = forged(honest, tmp_path / "forged.bundle", bodies=change())
    refused(untouched, path, kind, match)
    with pytest.raises(kind, match=match):
        lineal.open(path)


def test_events_that_claim_to_be_of_the_store_itself_are_refused(honest: Path, target: Client, tmp_path: Path) -> None:
    own = target.store.id
    path = forged(honest, tmp_path / "x", bodies=added(facts.AliasRemoved("model", "champion"), origin=own))
    refused(target, path, BundleRefused, "claims to be of the store itself")


def test_events_about_a_run_of_the_store_itself_are_refused(
    honest: Path, source: Client, target: Client, tmp_path: Path
) -> None:
    run = source.run("training-1").id
    end = facts.RunFailed(run, None, "it never worked")
    refused(source, forged(honest, tmp_path / "a", bodies=added(end)), BundleRefused, "none of its own")
    then = source.run("training-1").beginning
    begun = facts.RunStarted(run, "p", then.structure, (), None, PROCESS, then.environment)
    source.export_bundle(tmp_path / "third.bundle", "training-3")
    refused(
        source,
        forged(tmp_path / "third.bundle", tmp_path / "b", bodies=added(begun, end)),
        BundleRefused,
        "begins a run that has begun",
    )


def test_a_step_that_reuses_nothing_that_executed_is_refused(
    honest: Path, source: Client, target: Client, tmp_path: Path
) -> None:
    events = [one.event for one in events_of(read(honest)[1])]
    (event,) = [one for one in events if isinstance(one, facts.StepCompleted) and one.step == "train"]

    def reused(step: str, reuses: StepRunId) -> facts.StepReused:
        what = event.run, step, event.function, event.fingerprint, event.code, event.inputs, event.outputs
        return facts.StepReused(*what, reuses, 0, 0)

    for number, (change, match) in enumerate(
        (
            ((reused("again", StepRunId(RUN, "x")),), "never completed"),
            ((reused("again", StepRunId(event.run, "again")),), "never completed"),
            (
                (
                    reused("again", StepRunId(event.run, "train")),
                    reused("train", StepRunId(event.run, "again")),
                ),
                "has ended",
            ),
        )
    ):
        path = forged(honest, tmp_path / f"{number}", bodies=added(*change, origin=source.store.id))
        refused(target, path, BundleRefused, match)


def test_another_event_under_a_known_id_is_refused(honest: Path, source: Client, tmp_path: Path) -> None:
    def change(bodies: list[bytes]) -> list[bytes]:
        last = events_of(bodies)[-1]
        envelope = msgpack.unpackb(bodies[-1], strict_map_key=False)
        envelope[3] += 1
        assert last.origin == source.store.id
        return [*bodies[:-1], msgpack.packb(envelope)]

    refused(source, forged(honest, tmp_path / "x", bodies=change), BundleRefused, "not what the store has")


def test_a_blob_under_another_digest_is_refused(honest: Path, target: Client, tmp_path: Path) -> None:
    for is_large in (False, True):

        def change(blobs: dict[Any, bytes], is_large: bool = is_large) -> dict[Any, bytes]:
            wanted = next(one for one in sorted(blobs) if (len(blobs[one]) > 1_000_000) is is_large and blobs[one])
            return {**blobs, wanted: b"\x80" + blobs[wanted][1:-1] + b"\x80"}

        refused(target, forged(honest, tmp_path / f"{is_large}", blobs=change), BundleCorrupt, "damaged")


def test_a_value_without_its_parts_is_refused(honest: Path, source: Client, target: Client, tmp_path: Path) -> None:
    (part,) = [part.digest for part in source.artifact("data").manifest.named()]
    refused(
        target,
        forged(honest, tmp_path / "x", table=lambda table: without(table, part)),
        BundleCorrupt,
        "a value needs it",
    )


def test_a_table_that_is_out_of_order_or_lies_about_sizes_is_refused(
    honest: Path, target: Client, tmp_path: Path
) -> None:
    for number, change in enumerate(
        (
            lambda table: replace(table, blobs=table.blobs[::-1]),
            lambda table: replace(table, blobs=(*table.blobs, table.blobs[-1])),
            lambda table: replace(table, head_seq=-1),
            lambda table: replace(table, lacking=(table.blobs[0].digest,)),
            lambda table: replace(table, numbers=(facts.Numbered("version", "model", b"", 2**40),)),
            lambda table: replace(table, store=NOBODY),
        )
    ):
        refused(target, forged(honest, tmp_path / f"{number}", table=change), (BundleCorrupt, BundleRefused), "bundle")


def test_a_path_in_a_name_leads_nowhere(source: Client, target: Client, tmp_path: Path) -> None:
    source.save(1, "../../../etc/passwd")
    source.export_bundle(tmp_path / "x.bundle", "../../../etc/passwd")
    target.import_bundle(tmp_path / "x.bundle")
    assert target.load("../../../etc/passwd") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target", "x.bundle"]
