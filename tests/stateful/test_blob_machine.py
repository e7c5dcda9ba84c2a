"""The blob store against a dict: put, succeed, commit, give up, be killed, be damaged and repaired."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from depth import examples
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import IN_MEMORY

from lineal.cas import Batch, Digest, digest_of
from lineal.cas.process import ProcessStamp
from lineal.repair import repair
from lineal.store import open_store
from lineal.verification import verify

SIZES_BYTES = {"empty": 0, "small": 300, "medium": 20_000, "large": 1_200_000}
SLACK_BYTES = 150_000
"""What a successor may take beyond its new bytes: a cut is made where the content says so, not where the edit is."""

sizes = st.sampled_from(sorted(SIZES_BYTES))
seeds = st.integers(0, 3)


def data_of(size: str, seed: int) -> bytes:
    """One of a few blobs, so that the same come again."""
    return random.Random(f"{size}{seed}").randbytes(SIZES_BYTES[size] + seed)


def edited(data: bytes, seed: int) -> bytes:
    """Bytes with others inserted, replaced and taken out."""
    dice = random.Random(seed)
    first, second, third = sorted(dice.randrange(len(data)) for _ in range(3))
    return data[:first] + dice.randbytes(100) + data[first:second] + data[second + 50 : third] + data[third:]


class BlobMachine(RuleBasedStateMachine):
    """The model: the bytes of every committed blob, those of the batch under way, and what all of it may take."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.store = open_store(self.folder / "store")
        self.committed: dict[Digest, bytes] = {}
        self.budget_bytes = 0
        self._begin()

    def _begin(self) -> None:
        self.batch: Batch = self.store.blobs.batch()
        self.batch.__enter__()
        self.put: dict[Digest, bytes] = {}

    def teardown(self) -> None:
        self.batch.__exit__(None, None, None)
        self.store.close()
        shutil.rmtree(self.folder)

    def _expect(self, data: bytes, new_bytes: int) -> None:
        digest = digest_of(data)
        if digest not in self.committed and digest not in self.put:
            self.budget_bytes += min(new_bytes, len(data)) + 64
        self.put[digest] = data

    @rule(size=sizes, seed=seeds)
    def put_bytes(self, size: str, seed: int) -> None:
        data = data_of(size, seed)
        assert self.batch.put(data) == digest_of(data)
        self._expect(data, len(data))

    @rule(size=sizes, seed=seeds)
    def put_a_stream(self, size: str, seed: int) -> None:
        data = data_of(size, seed)
        part = self.batch.put_stream(data[place : place + 70_000] for place in range(0, len(data), 70_000))
        assert (part.digest, part.size_bytes) == (digest_of(data), len(data))
        self._expect(data, len(data))

    @precondition(lambda self: any(len(data) > 1_100_000 for data in self.committed.values()))
    @rule(choice=st.data(), seed=seeds, is_streamed=st.booleans())
    def put_a_successor(self, choice: st.DataObject, seed: int, is_streamed: bool) -> None:
        large = sorted(digest for digest, data in self.committed.items() if len(data) > 1_100_000)
        old = choice.draw(st.sampled_from(large))
        data = edited(self.committed[old], seed)
        if is_streamed:
            self.batch.put_stream([data], after=old)
        else:
            self.batch.put(data, after=old)
        self._expect(data, SLACK_BYTES)

    @rule()
    def commit(self) -> None:
        with self.batch:
            self.store.append([], self.batch.publish()).wait()
        self.committed |= self.put
        self._begin()

    @rule(is_published=st.booleans())
    def give_up(self, is_published: bool) -> None:
        try:
            with self.batch:
                if is_published:
                    self.batch.publish()
                raise InterruptedError
        except InterruptedError:
            self._begin()
        own = ProcessStamp.current().token
        assert [name for name in os.listdir(self.store.path / "tmp") if name.startswith(own)] == []

    @rule(size=sizes, seed=seeds, is_committed=st.booleans())
    def be_killed(self, size: str, seed: int, is_committed: bool) -> None:
        data = data_of(size, seed)
        child = os.fork()
        if child == 0:
            with self.store.blobs.batch() as batch:
                batch.put(data)
                blobs = batch.publish()
                if is_committed:
                    self.store.append([], blobs).wait()
                os.kill(os.getpid(), signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        self.budget_bytes += len(data) + 64
        if is_committed:
            self.committed[digest_of(data)] = data

    @rule()
    def reopen(self) -> None:
        self.give_up(is_published=False)
        self.batch.__exit__(None, None, None)
        self.store.close()
        self.store = open_store(self.folder / "store")
        self._begin()
        assert os.listdir(self.store.path / "tmp") == []

    @rule(is_quick=st.booleans())
    def be_verified(self, is_quick: bool) -> None:
        assert verify(self.store, is_quick=is_quick).damages == ()

    @precondition(lambda self: self._files())
    @rule(choice=st.data(), how=st.sampled_from(["flip", "truncate", "remove"]))
    def be_damaged_and_repaired(self, choice: st.DataObject, how: str) -> None:
        """What is lost is said to be, all else reads as ever, and putting it again heals it."""
        self.give_up(is_published=False)
        path = choice.draw(st.sampled_from(self._files()))
        size_bytes = path.stat().st_size
        place = choice.draw(st.integers(0, size_bytes - 1))
        path.chmod(0o644)
        if how == "flip":
            with path.open("r+b") as file:
                file.seek(place)
                byte = file.read(1)[0]
                file.seek(place)
                file.write(bytes([byte ^ 4]))
        elif how == "truncate":
            os.truncate(path, place)
        else:
            path.unlink()
        repaired = repair(self.store)
        lost = {damage.digest for damage in repaired.lost}
        assert lost <= self.committed.keys()
        moved = {mended.digest for mended in repaired.mended} & self.committed.keys()
        again = [data for digest, data in self.committed.items() if digest in lost]
        self.budget_bytes += sum(len(data) + 64 for data in again)
        self.budget_bytes += sum(len(self.committed[digest]) + 64 for digest in moved)
        for digest, data in self.committed.items():
            if digest not in lost:
                assert self.store.blobs.read(digest) == data
        with self.store.blobs.batch() as batch:
            for data in again:
                batch.put(data)
            self.store.append([], batch.publish()).wait()
        assert verify(self.store).damages == ()

    def _files(self) -> list[Path]:
        folders = [self.store.path / "packs", *sorted((self.store.path / "blobs").iterdir())]
        return sorted(path for folder in folders for path in folder.iterdir() if path.stat().st_size)

    @invariant()
    def what_was_committed_reads_back(self) -> None:
        for digest, data in self.committed.items():
            assert self.store.blobs.view(digest, len(data)) == data

    @invariant()
    def no_more_is_stored_than_what_is_new(self) -> None:
        assert sum(path.stat().st_size for path in self._files()) <= self.budget_bytes


BlobMachine.TestCase.settings = settings(
    max_examples=examples(10), stateful_step_count=20, deadline=None, phases=[Phase.generate]
)
test_the_blob_store_behaves_as_a_dict = BlobMachine.TestCase
