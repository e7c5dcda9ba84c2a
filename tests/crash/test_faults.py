"""Faults: whichever call fails, nothing acknowledged is lost, the error is ours, and the store goes on."""

from __future__ import annotations

import functools
import os
import pickle
import random
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from faults import DATABASE_FAULTS, Faults, can_fail
from memory import IN_MEMORY

import lineal
from lineal import Client, pipeline, step
from lineal.cas import BlobFiles
from lineal.cas import files as files_module
from lineal.cas.durable import sync_directory
from lineal.cas.files import Scratch
from lineal.errors import LinealError, StoreBroken, StoreFull
from lineal.in_force import entered

SOME_OF = 100
"""Of so many calls that can fail, another one is made to."""
LARGE_BYTES = 1_300_000


@step
def doubled(n: int) -> np.ndarray:
    print("printed " * 4000)
    return np.arange(n) * 2


@pipeline
def doubling(n: int = 40_000) -> None:
    doubled(n)


def numbers(seed: int, size_bytes: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1 << 60, size_bytes // 8)


def save(client: Client, name: str, value: object) -> None:
    client.save(value, name)
    client.flush()


def put_stream(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        batch.put_stream(numbers(21, 500_000).tobytes() for _ in range(4))
        client.store.append([], batch.publish()).wait()


def put_file(client: Client) -> None:
    with client.store.blobs.batch() as batch:
        batch.put_file(client.path.parent / "file")
        client.store.append([], batch.publish()).wait()


def load_all(client: Client) -> None:
    assert np.array_equal(client.load("large@1"), numbers(1, LARGE_BYTES))
    assert np.array_equal(client.load("large@2"), np.append(numbers(1, LARGE_BYTES), 7))
    assert np.array_equal(client.load("medium@1")[1], numbers(3, 40_000))
    assert client.load("small@1") == {"a": 1}


WORKLOADS: dict[str, Callable[[Client], object]] = {
    "inline": lambda client: save(client, "x", [1, 2]),
    "packed": lambda client: save(client, "x", [numbers(11, 30_000), numbers(12, 30_000)]),
    "alone": lambda client: save(client, "x", numbers(13, 30_000)),
    "large": lambda client: save(client, "x", numbers(14, LARGE_BYTES)),
    "successor": lambda client: save(client, "large", np.append(numbers(1, LARGE_BYTES), [8, 9])),
    "again": lambda client: save(client, "x", numbers(1, LARGE_BYTES)),
    "stream": put_stream,
    "file": put_file,
    "run": lambda client: doubling(),
    "load": load_all,
    "verify": lambda client: client.verify(),
    "quick verify": lambda client: client.verify(quick=True),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with something acknowledged in every kind of place. Not to be written to: copy it."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "file").write_bytes(numbers(22, 1_500_000).tobytes())
    with lineal.open(folder / "store") as client:
        save(client, "large", numbers(1, LARGE_BYTES))
        save(client, "large", np.append(numbers(1, LARGE_BYTES), 7))
        save(client, "medium", [numbers(2, 40_000), numbers(3, 40_000)])
        save(client, "small", {"a": 1})
    # What a workload imports on its way, it imports here, and not in each of the children that are forked.
    used = Path(shutil.copytree(folder, tmp_path_factory.mktemp("used"), dirs_exist_ok=True))
    with lineal.open(used / "store") as client:
        for work in WORKLOADS.values():
            work(client)
    return folder


class Outcome(NamedTuple):
    """What came of a workload with a fault in it."""

    failed: list[str]
    broken: list[str]
    """Promises that were not kept."""
    calls: Counter[str]
    """How often each call was made while it worked, by name."""


def tried(template: Path, workload: str, kind: str, nth: int, *, is_sticky: bool) -> Outcome:
    """Do a workload with a fault on a copy of the store, in its own process: a signal counts, and so does a hang."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        copy = Path(shutil.copytree(template, Path(folder) / "copy"))
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                outcome: Any = _in_child(copy, WORKLOADS[workload], kind, nth, is_sticky)
            except BaseException:  # noqa: BLE001 — the parent reports it
                outcome = [], [traceback.format_exc()], Counter()
            os.write(sending, pickle.dumps(tuple(outcome)))
            os._exit(0)
        os.close(sending)
        with os.fdopen(receiving, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        return (
            Outcome(*pickle.loads(data))
            if data
            else Outcome([], [f"the process ended with status {status}"], Counter())
        )


def _in_child(folder: Path, work: Callable[[Client], object], kind: str, nth: int, is_sticky: bool) -> Outcome:
    path = folder / "store"
    faults = Faults(path, kind, nth, is_sticky=is_sticky)
    broken: list[str] = []
    client, error = None, None
    with faults:
        try:
            client = lineal.open(path)
            with entered(client._opened):
                work(client)
        except LinealError as failure:
            error = failure
        except OSError as failure:
            broken.append(f"an error that is not ours: {failure!r}: {traceback.format_exc()[-600:]}")
    broken += _wrong_with(error, kind)
    if error is not None and client is not None:
        broken += _recovered(client, error, work)
    if client is not None:
        try:
            client.close()
        except LinealError as failure:
            if error is None:
                broken.append(f"closing failed although the work had not: {failure}")
    broken += [f"after a failed fsync: {one}" for one in faults.retried]
    is_unlinkable = any(one.startswith("unlink ") for one in faults.failed)
    broken += _wrong_afterwards(path, work, () if is_unlinkable else ("tmp",))
    told = [f"{one} [{faults.failed[:1]} then {error!r}]" for one in broken]
    return Outcome(faults.failed, told, faults.calls)


def _wrong_with(error: LinealError | None, kind: str) -> list[str]:
    if kind == "short" and error is not None:
        return [f"a short count is no error: {error}"]
    if isinstance(error, StoreFull) and not 0 < error.details["needed_bytes"] < 4 * LARGE_BYTES:
        return [f"needed_bytes is {error.details['needed_bytes']}"]
    return [] if error is None or error.hint else [f"no hint: {error!r}"]


def _recovered(client: Client, error: LinealError, work: Callable[[Client], object]) -> list[str]:
    """Where the error does not say that the store is broken, the same handle goes on."""
    if isinstance(error, StoreBroken):
        return []
    try:
        with entered(client._opened):
            work(client)
    except LinealError as failure:
        return [f"the same again failed with {failure!r}"]
    return []


def _wrong_afterwards(path: Path, work: Callable[[Client], object], empty: Sequence[str]) -> list[str]:
    """Opened again, the store does the work, has all that was acknowledged, and nothing lies about."""
    with lineal.open(path) as client:
        work(client)
        client.flush()
        load_all(client)
        damages = client.verify().damages
    left = [name for folder in empty for name in os.listdir(path / folder)]
    return [*map(str, damages), *(f"left in tmp: {name}" for name in left)]


KINDS = ("EIO", "ENOSPC", "short", *DATABASE_FAULTS)


def trials(template: Path, workload: str, kind: str, *, stride: int) -> Iterator[Outcome]:
    """Let each nth call fail, with strides between, until none is left: it alone, and then with all that follow."""
    nth = 1
    while (outcome := tried(template, workload, kind, nth, is_sticky=False)).failed:
        yield outcome
        nth += stride
    yield outcome
    # Up to the first that fails, the calls are the same ones.
    for sticky in range(1, nth, stride):
        yield tried(template, workload, kind, sticky, is_sticky=True)


@functools.cache
def without_faults(template: Path, workload: str) -> Outcome:
    """What comes of a workload in which nothing fails."""
    return tried(template, workload, "EIO", 0, is_sticky=False)


def calls_that_can_fail(template: Path, workload: str, kind: str) -> int:
    """How many calls of a workload can fail in this way."""
    calls = without_faults(template, workload).calls
    return sum(count for name, count in calls.items() if can_fail(kind, name))


def some_trials(template: Path, workload: str, kind: str) -> Iterator[Outcome]:
    """Let some calls fail, chosen among all that the workload makes: one alone, and one with all that follow."""
    yield without_faults(template, workload)
    calls = calls_that_can_fail(template, workload, kind)
    chance = random.Random(f"{workload} {kind}")
    for _ in range(min(calls, 1 + calls // SOME_OF)):
        yield tried(template, workload, kind, chance.randint(1, calls), is_sticky=False)
        yield tried(template, workload, kind, chance.randint(1, calls), is_sticky=True)


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_fails_costs_nothing_acknowledged_and_the_store_goes_on(
    template: Path, workload: str, kind: str
) -> None:
    assert [promise for outcome in some_trials(template, workload, kind) for promise in outcome.broken] == []


@pytest.mark.torture
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("kind", KINDS)
def test_whichever_call_fails_nothing_acknowledged_is_lost_and_the_store_goes_on(
    template: Path, workload: str, kind: str
) -> None:
    outcomes = trials(template, workload, kind, stride=1)
    assert [promise for outcome in outcomes for promise in outcome.broken] == []


@pytest.mark.parametrize(("kind", "least"), [("EIO", 20), ("ENOSPC", 8), ("short", 1), ("disk", 10)])
def test_the_faults_of_each_kind_reach_the_calls_of_a_save(template: Path, kind: str, least: int) -> None:
    calls = calls_that_can_fail(template, "packed", kind)
    assert calls >= least
    assert all(tried(template, "packed", kind, nth, is_sticky=False).failed for nth in (1, calls // 2 + 1))


def with_retries(files: BlobFiles, scratches: Sequence[Scratch], *_: object) -> None:
    """Publish, but try an fsync that fails once more: the kernel may say then that all is well."""
    for scratch in scratches:
        try:
            os.fsync(scratch.fd)
        except OSError:
            os.fsync(scratch.fd)
    for scratch in scratches:
        assert scratch.volume is not None
        os.replace(scratch.path, files.volume_path(scratch.volume))
        sync_directory(files.volume_path(scratch.volume).parent)


def with_rename_at_all_costs(files: BlobFiles, scratches: Sequence[Scratch], *_: object) -> None:
    """Publish, but pass over an fsync that fails."""
    for scratch in scratches:
        with suppress(OSError):
            os.fsync(scratch.fd)
        assert scratch.volume is not None
        os.replace(scratch.path, files.volume_path(scratch.volume))
        sync_directory(files.volume_path(scratch.volume).parent)


@pytest.mark.parametrize("weakened", [with_retries, with_rename_at_all_costs])
def test_an_fsync_that_is_retried_or_passed_over_is_caught_by_this_very_check(
    template: Path, monkeypatch: pytest.MonkeyPatch, weakened: Callable[..., None]
) -> None:
    monkeypatch.setattr(BlobFiles, "_make_durable", weakened)
    assert any(
        "after a failed fsync" in promise
        for outcome in trials(template, "large", "EIO", stride=1)
        for promise in outcome.broken
    )


def test_a_write_that_takes_a_short_count_for_all_is_caught_by_this_very_check(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "write_all", lambda fd, data, **_: os.write(fd, data))
    assert any(outcome.broken for outcome in trials(template, "large", "short", stride=1))
