"""SIGKILL beside and inside a collection: several writers and a collector on a tiny universe of values.

Whatever is killed whenever, nothing dangles: what an event holds can be read, and what has a row in the catalog has
its bytes. The protocol is what keeps it so: each way of weakening it is seen to fail.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

import lineal
from lineal import Retention
from lineal.cas import Digest
from lineal.errors import BlobMissing, Corrupt
from lineal.events.liveness import DECODED, Liveness
from lineal.history.closure import Closure
from lineal.store import Store, now_us

UNIVERSE = """
    import random, sys
    import numpy as np

    BASE = np.random.default_rng(7).integers(0, 2**60, 200_000)
    SHARED = np.random.default_rng(8).integers(0, 2**60, 5_000)

    def value(number):
        kind = number % 4
        if kind == 0:
            return {"number": number}
        if kind == 1:
            return {"shared": SHARED, "own": np.full(3_000, number)}
        if kind == 2:
            return np.concatenate([BASE, np.full(500, number)])
        return [np.full(200_000, number), SHARED]
"""

WRITER = """
    import itertools
    import lineal
    from lineal.errors import BlobMissing
    from lineal.events.catalogue import ArtifactSaved, Output

    chance = random.Random(int(sys.argv[2]))
    with lineal.open(sys.argv[1]) as client:
        store = client.store
        for turn in itertools.count():
            number, act = chance.randrange(12), chance.random()
            name = f"n{number % 5}"
            if act < 0.55:
                client.save(value(number), name)
                client.flush()
                print("saved", flush=True)
            elif act < 0.8:
                # As a hit of the cache does: what can be loaded is named without being put.
                versions = [one for one in client.artifacts() if one.name == name]
                content = versions[0].latest.content if versions else None
                if content is not None and store.blobs.holds(content):
                    try:
                        store.append([ArtifactSaved(Output(name, name, content, "f", "t", 1, {}))]).wait()
                    except BlobMissing:
                        print("refused", flush=True)
            else:
                versions = [one for one in client.artifacts() if one.name == name]
                if versions:
                    client.release(str(chance.choice(versions[0].versions)))
"""

COLLECTOR = """
    import itertools
    import lineal
    from lineal import Retention
    from lineal.errors import Conflict

    with lineal.open(sys.argv[1]) as client:
        for turn in itertools.count():
            try:
                client.collect(Retention(keep_last=1, keep_latest=False) if turn % 3 else None, grace_s=0)
                print("collected", flush=True)
            except Conflict:
                pass
"""

WEAKENED = {
    "sound": "",
    "no look at what was appended since": """
        from lineal import collection
        collection._Guard.spared = lambda self, changes: ()
    """,
    "what is named is spared but not what is below it": """
        from lineal import collection
        def spared(self, changes):
            appended = self._store.log.appended(changes, self._liveness.upto, collection.DECODED)
            self._liveness.fold(appended)
            self._spared.update(collection.Digest(ref) for one in appended for ref in one.refs)
            return self._spared
        collection._Guard.spared = spared
    """,
    "no look at the rows before a file goes": """
        from lineal.cas import sweep
        sweep.is_needed = lambda *_, **__: False
    """,
    "a file goes in the transaction that takes out its row": """
        from lineal.cas import sweep
        forget = sweep._forget
        def at_once(blobs, changes, batch, spared, swept):
            forgotten, files = forget(blobs, changes, batch, spared, swept)
            changes.flush()
            sweep._remove(blobs, changes, files, swept, sweep.Stage("collecting"))
            return forgotten, []
        sweep._forget = at_once
    """,
    "manifests go after what they name": """
        from lineal.cas import sweep
        in_order = sweep.in_order
        sweep.in_order = lambda *args: reversed(list(in_order(*args)))
        sweep.BATCH = 1
    """,
}


def script(path: Path, *parts: str) -> Path:
    """A program made of these."""
    path.write_text("\n".join(map(textwrap.dedent, parts)))
    return path


class Watch:
    """Looks for what dangles: what is held and can't be read, and what has a row and no bytes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._liveness = Liveness()

    def dangling_now(self) -> list[str]:
        """What dangles at one moment: nobody commits or sweeps meanwhile. Looks at sizes only."""
        with self._store.exclusively():
            return self._dangling(lambda digest: self._store.blobs._placed.find(digest) is not None)

    def dangling(self) -> list[str]:
        """What dangles when all is quiet. Reads every byte."""
        return self._dangling(self._is_sound)

    def _is_sound(self, digest: Digest) -> bool:
        try:
            self._store.blobs.verify(digest)
        except (BlobMissing, Corrupt):
            return False
        return True

    def _dangling(self, is_there: Callable[[Digest], bool]) -> list[str]:
        self._liveness.fold(self._store.log.envelopes(self._liveness.upto, DECODED))
        closure = Closure(self._store.blobs, ())
        found = [f"{digest} has a row and no bytes" for digest in closure.catalog if not is_there(digest)]
        for content in map(Digest, self._liveness.held(now_us())):
            try:
                missing = closure.below(content) - closure.catalog.keys()
            except (BlobMissing, Corrupt) as error:
                found.append(f"{content}: {error.what}")
            else:
                found += [f"{content} needs {digest}, which has no row" for digest in missing]
        return found


class Program:
    """A running program, whose output goes to files, so that it never waits for a reader."""

    def __init__(self, program: Path, store: Path, seed: int) -> None:
        self.output, self.errors = (program.with_suffix(f".{seed}.{stream}") for stream in ("out", "err"))
        with self.output.open("w") as output, self.errors.open("w") as errors:
            command = [sys.executable, "-P", str(program), str(store), str(seed)]
            self.process = subprocess.Popen(command, stdout=output, stderr=errors)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_until_it_speaks(self) -> None:
        """Return when it has done something, or has ended; a loaded machine takes its time."""
        while not self.output.stat().st_size and self.process.poll() is None:
            time.sleep(0.01)

    def ended(self) -> tuple[str, str]:
        """What it said, and what it complained of."""
        self.process.wait(timeout=30)
        return self.output.read_text(), self.errors.read_text()


def torture(path: Path, scripts: Path, kills: int, seed: int, weakening: str = "sound") -> tuple[list[str], list[str]]:
    """Kill writers and collectors until so many are dead or something dangles; give what does, and what they said."""
    writer = script(scripts / "writer.py", UNIVERSE, WRITER)
    collector = script(scripts / "collector.py", UNIVERSE, WEAKENED[weakening], COLLECTOR)
    chance = random.Random(seed)
    said: list[str] = []
    with lineal.open(path):
        pass
    for round_ in range(0, kills, 4):
        with ExitStack() as stack:
            programs = [
                stack.enter_context(Program(one, path, seed * 1000 + round_ + place))
                for place, one in enumerate([writer, writer, writer, collector])
            ]
            found = watched(path, programs, chance)
            chance.shuffle(programs)
            for program in programs:
                time.sleep(chance.random() * 0.1)
                program.process.send_signal(signal.SIGKILL)
            heard = [program.ended() for program in programs]
        said += [line for output, _ in heard for line in output.splitlines()]
        with lineal.open(path) as client:
            found += Watch(client.store).dangling()
        found += [errors for _, errors in heard if errors and weakening == "sound"]
        if found:
            return found, said
    return [], said


def watched(path: Path, programs: list[Program], chance: random.Random) -> list[str]:
    """What dangles while they run, at any moment that is looked at."""
    for program in programs:
        program.wait_until_it_speaks()
    found: list[str] = []
    with lineal.open(path) as client:
        watch = Watch(client.store)
        until = time.monotonic() + chance.random() * 0.5
        while not found and time.monotonic() < until:
            found = watch.dangling_now()
    return found


KILLED_AT = """
    import os, signal, sys
    import lineal
    from lineal import Retention
    from lineal.cas import BlobFiles, BlobStore, Changes
    from lineal.store import Store

    left = int(sys.argv[2])

    def pass_point():
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(owner, name):
        original = getattr(owner, name)

        def watched(*args, **kwargs):
            pass_point()
            result = original(*args, **kwargs)
            pass_point()
            return result

        setattr(owner, name, watched)

    with lineal.open(sys.argv[1]) as client:
        for owner, name in ((Store, "append"), (BlobStore, "write_row"), (BlobFiles, "remove"), (Changes, "flush")):
            watch(owner, name)
        client.collect(Retention(keep_last=1), grace_s=0)
"""


def executed(program: Path, *arguments: str) -> int:
    """Execute a program in a child, which has imported already what it needs; give the code with which it ended."""
    child = os.fork()
    if child == 0:
        try:
            sys.argv = [str(program), *arguments]
            exec(compile(program.read_text(), program, "exec"), {"__name__": "__main__"})
            os._exit(0)
        except BaseException:  # noqa: BLE001 — the code tells the parent
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at_each_point(tmp_path: Path, weakening: str) -> list[str]:
    """Kill a collection at its first point, its second, and so on to its end; give what dangled after any of them."""
    program = script(tmp_path / "killed.py", WEAKENED[weakening], KILLED_AT)
    first = tmp_path / "first"
    with lineal.open(first) as client:
        client.save(np.full(200_000, 1), "x")
        client.save([np.full(3_000, 2), np.full(4_000, 3)], "x")
        client.save("kept", "x")
        with client.store.blobs.batch() as batch:
            batch.put(bytes(range(256)) * 10_000)
            batch.publish()
    found = []
    for point in range(1000):
        path = Path(shutil.copytree(first, tmp_path / f"killed-{point}"))
        ended = executed(program, str(path), str(point))
        with lineal.open(path) as client:
            found += [f"killed at point {point}: {one}" for one in Watch(client.store).dangling()]
            client.collect(Retention(keep_last=1), grace_s=0)
            assert client.load("x") == "kept"
            assert list(client.store.blobs.files.volumes()) == []
        if ended == 0:
            assert point > 20
            return found
        assert ended == -signal.SIGKILL
    raise AssertionError("the collection never ended")


def test_a_collection_that_is_killed_at_any_point_leaves_orphans_alone_and_the_next_one_takes_them(
    tmp_path: Path,
) -> None:
    assert killed_at_each_point(tmp_path, "sound") == []


@pytest.mark.torture
def test_a_file_that_goes_with_its_row_is_seen_to_leave_a_row_without_bytes(tmp_path: Path) -> None:
    found = killed_at_each_point(tmp_path, "a file goes in the transaction that takes out its row")
    assert any("has a row and no bytes" in one for one in found)


def check_end(path: Path) -> None:
    """When all is over a collection leaves just what is held, and no scratch is left."""
    with lineal.open(path) as client:
        client.collect(grace_s=0)
        assert Watch(client.store).dangling() == []
        assert client.collect(grace_s=0).blobs == 0
        assert client.verify().is_sound
        liveness = Liveness()
        liveness.fold(client.store.log.envelopes(0, DECODED))
        closure = Closure(client.store.blobs, map(Digest, liveness.held(now_us())))
        assert all(digest in closure for digest in closure.catalog)
    assert list((path / "tmp").iterdir()) == []


def test_writers_and_a_collector_that_are_killed_leave_nothing_dangling(store_path: Path, tmp_path: Path) -> None:
    found, said = torture(store_path, tmp_path, kills=12, seed=1)
    assert found == []
    assert said.count("saved") > 20
    assert said.count("collected") > 1
    check_end(store_path)


@pytest.mark.torture
def test_a_thousand_kills_beside_a_collector_leave_nothing_dangling(store_path: Path, tmp_path: Path) -> None:
    found, said = torture(store_path, tmp_path, kills=1000, seed=2)
    assert found == []
    assert said.count("saved") > 1000
    assert said.count("collected") > 50
    check_end(store_path)


@pytest.mark.torture
@pytest.mark.parametrize(
    "weakening",
    [
        "no look at what was appended since",
        "what is named is spared but not what is below it",
        "no look at the rows before a file goes",
        "manifests go after what they name",
    ],
)
def test_a_weaker_protocol_is_seen_to_lose_data(store_path: Path, tmp_path: Path, weakening: str) -> None:
    found, _ = torture(store_path, tmp_path, kills=400, seed=3, weakening=weakening)
    assert found != []
