"""SIGKILL beside and inside a collection: several writers and a collector on a tiny universe of values.

Whatever is killed whenever, nothing dangles: what an event holds can be read, and what has a row in the catalog has
its bytes. The protocol is what keeps it so: each way of weakening it is seen to fail.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import lineal
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
            files = forget(blobs, changes, batch, spared, swept)
            changes.flush()
            sweep._remove(blobs, changes, files, swept, sweep.Stage("collecting"))
            return []
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


def dangling(store: Store) -> list[str]:
    """What an event or a pin holds that can't be read, and what has a row but no bytes."""
    liveness = Liveness()
    liveness.fold(store.log.envelopes(0, DECODED))
    found = []
    closure = Closure(store.blobs, ())
    for content in map(Digest, liveness.held(now_us())):
        try:
            missing = closure.below(content) - closure.catalog.keys()
        except (BlobMissing, Corrupt) as error:
            found.append(f"{content}: {error.what}")
        else:
            found += [f"{content} needs {digest}, which has no row" for digest in missing]
    for digest in closure.catalog:
        try:
            store.blobs.verify(digest)
        except (BlobMissing, Corrupt) as error:
            found.append(f"row of {digest}: {error.what}")
    return found


def torture(path: Path, scripts: Path, kills: int, seed: int, weakening: str = "sound") -> tuple[list[str], list[str]]:
    """Kill writers and collectors until so many are dead or something dangles; give what does, and what they said."""
    writer = script(scripts / "writer.py", UNIVERSE, WRITER)
    collector = script(scripts / "collector.py", UNIVERSE, WEAKENED[weakening], COLLECTOR)
    chance = random.Random(seed)
    said: list[str] = []
    with lineal.open(path):
        pass
    for round_ in range(0, kills, 4):
        programs = [writer, writer, writer, collector]
        running = [
            subprocess.Popen(
                [sys.executable, "-P", str(program), str(path), str(seed * 1000 + round_ + place)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for place, program in enumerate(programs)
        ]
        time.sleep(1.0 + chance.random() * 0.8)
        chance.shuffle(running)
        for process in running:
            time.sleep(chance.random() * 0.1)
            process.send_signal(signal.SIGKILL)
        heard = [process.communicate(timeout=30) for process in running]
        said += [line for output, _ in heard for line in output.splitlines()]
        with lineal.open(path) as client:
            found = dangling(client.store) + [errors for _, errors in heard if errors and weakening == "sound"]
            if found:
                return found, said
    return [], said


def check_end(path: Path) -> None:
    """When all is over a collection leaves just what is held, and no scratch is left."""
    with lineal.open(path) as client:
        client.collect(grace_s=0)
        assert dangling(client.store) == []
        assert client.collect(grace_s=0).blobs == 0
        assert client.verify() == []
        liveness = Liveness()
        liveness.fold(client.store.log.envelopes(0, DECODED))
        closure = Closure(client.store.blobs, map(Digest, liveness.held(now_us())))
        assert all(digest in closure for digest in closure.catalog)
    assert list((path / "tmp").iterdir()) == []


def test_writers_and_a_collector_that_are_killed_leave_nothing_dangling(store_path: Path, tmp_path: Path) -> None:
    found, said = torture(store_path, tmp_path, kills=20, seed=1)
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
    ],
)
def test_a_weaker_protocol_is_seen_to_lose_data(store_path: Path, tmp_path: Path, weakening: str) -> None:
    found, _ = torture(store_path, tmp_path, kills=400, seed=3, weakening=weakening)
    assert found != []
