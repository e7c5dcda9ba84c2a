"""What contradicts what was taken is decided under the write lock: the first is there, the other gives way."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest
from children import ended_well, forked
from forging import forged, read, said
from trained import training

import lineal
from lineal import Client
from lineal.cas import BlobFiles
from lineal.changing import renaming
from lineal.errors import BundleRefused, Conflict
from lineal.events import catalogue as facts
from lineal.events.codec import Recorded
from lineal.events.ids import RunId
from lineal.store import Store

MOMENTS = [(BlobFiles, "publish"), (Store, "exclusively")]
"""When somebody else may be faster: before the new is looked at, and right before the write lock is had."""


@pytest.fixture(scope="module")
def honest(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one run."""
    path = tmp_path_factory.mktemp("honest") / "x.bundle"
    with lineal.open(filled, read_only=True) as store:
        store.export_bundle(path, "training-1")
    return path


def later_end(bodies: list[bytes]) -> list[bytes]:
    """The last event says another time, under its id."""
    envelope = msgpack.unpackb(bodies[-1], strict_map_key=False)
    envelope[3] += 1
    return [*bodies[:-1], msgpack.packb(envelope)]


def begun_otherwise(bodies: list[bytes]) -> list[bytes]:
    """The run has begun, and ended, as other events say than those that say it."""
    store = Recorded.read(0, b"", bodies[0]).origin
    (begun,) = [one for body in bodies if isinstance(one := Recorded.read(0, b"", body).event, facts.RunStarted)]
    return [bodies[0], said(begun, store), said(facts.RunFailed(begun.run, None, "it never worked"), store)]


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, moment: str, other: Callable[[], object]) -> None:
    """Have another process do something right before this one does that for the first time."""
    then = getattr(owner, moment)

    def after_the_other(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(owner, moment, then)
        assert ended_well([forked(other)])
        return then(*arguments, **options)

    monkeypatch.setattr(owner, moment, after_the_other)


@pytest.mark.parametrize("change", [later_end, begun_otherwise])
@pytest.mark.parametrize(("owner", "moment"), MOMENTS)
def test_a_bundle_that_contradicts_what_another_process_imports_meanwhile_is_refused_as_a_whole(
    honest: Path, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, moment: str, change: Any
) -> None:
    other = forged(honest, tmp_path / "other", bodies=change)
    before(monkeypatch, owner, moment, partial(target.import_bundle, other))
    with pytest.raises(BundleRefused, match=r"not what the store has under its id|begins a run that has begun"):
        target.import_bundle(honest)
    assert [recorded.id for recorded in target.events()][-len(read(other)[1]) + 1 :] == [
        Recorded.read(0, b"", body).id for body in read(other)[1][1:]
    ]
    assert target.verify().is_sound


def test_of_four_processes_that_import_two_that_contradict_each_other_at_once_one_kind_wins(
    honest: Path, target: Client, tmp_path: Path
) -> None:
    other = forged(honest, tmp_path / "other", bodies=later_end)
    gate = tmp_path / "gate"
    gate.mkdir()
    path, head = target.path, target.head.seq

    def race(number: int) -> None:
        with lineal.open(path) as store:
            (gate / str(number)).touch()
            while len(list(gate.iterdir())) < 4:
                time.sleep(0.001)
            try:
                store.import_bundle((honest, other)[number % 2])
            except BundleRefused:
                (tmp_path / f"refused-{number}").touch()

    assert ended_well([forked(partial(race, number)) for number in range(4)])
    refused = {int(one.name[-1]) % 2 for one in tmp_path.glob("refused-*")}
    assert len(refused) == 1
    assert len(list(tmp_path.glob("refused-*"))) == 2
    winner = (other, honest)[refused.pop()]
    found = [body[32:] for _, body in target.store.log.stored(head)]
    assert [body for body in found if body in read(winner)[1]] == read(winner)[1][1:]
    assert target.verify().is_sound


@pytest.fixture
def named(source: Client, tmp_path: Path) -> Path:
    """A bundle of a run that was called ``best`` where it comes from."""
    source.rename("training-2", "best")
    source.export_bundle(tmp_path / "named.bundle", "best")
    return tmp_path / "named.bundle"


def called(store: Client) -> list[str]:
    """What the runs are called, oldest first."""
    return [run.name for run in store.runs()][::-1]


def test_a_name_that_a_run_has_here_stays_its_own_and_one_that_was_given_here_stays(
    named: Path, source: Client, target: Client
) -> None:
    with lineal.open(target.path):
        training(0.5)
    target.rename("training-1", "best")
    own, run = target.run("best").id, source.run("best").id
    assert target.import_bundle(named).kept == 1
    assert target.run("best").id == own
    assert run in {one.id for one in target.runs()}
    assert not target.import_bundle(named).is_new
    target.rename(own.hex(), "mine")
    assert target.import_bundle(named).is_new
    assert target.run("best").id == run
    source.rename("best", "better")
    target.rename("best", "ours")
    source.export_bundle(named.with_name("again"), "better")
    assert not target.import_bundle(named.with_name("again")).is_new
    assert target.run("ours").id == run


@pytest.mark.parametrize(("owner", "moment"), MOMENTS)
def test_a_name_that_a_run_gets_here_during_an_import_stays_its_own(
    named: Path, target: Client, monkeypatch: pytest.MonkeyPatch, owner: Any, moment: str
) -> None:
    with lineal.open(target.path):
        training(0.5)
    before(monkeypatch, owner, moment, partial(target.rename, "training-1", "best"))
    assert target.import_bundle(named).kept == 1
    assert called(target).count("best") == 1
    assert target.run("best").name == "best"


def test_a_name_that_an_import_brings_meanwhile_is_refused_to_a_run_of_here(
    named: Path, target: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lineal.open(target.path):
        training(0.5)
    before(monkeypatch, renaming, "record", partial(target.import_bundle, named))
    with pytest.raises(Conflict, match="best"):
        target.rename("training-1", "best")
    assert called(target).count("best") == 1


def test_of_two_imports_at_once_that_bring_one_name_for_two_runs_the_first_has_it(
    named: Path, filled: Path, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lineal.open(shutil.copytree(filled, tmp_path / "second")) as second:
        second.rename("training-3", "best")
        second.export_bundle(tmp_path / "second.bundle", "best")
        run = second.run("best").id
    before(monkeypatch, Store, "exclusively", partial(target.import_bundle, tmp_path / "second.bundle"))
    assert target.import_bundle(named).kept == 1
    assert target.run("best").id == run
    assert called(target).count("best") == 1
    assert isinstance(run, RunId)
