"""The store against a plain model in memory: save, reopen, be killed, be refused, look back."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from depth import examples
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory import IN_MEMORY

import lineal
import lineal.cas
import lineal.materializers
from lineal.errors import BlobMissing
from lineal.events.catalogue import ArtifactSaved, Output

names = st.sampled_from(["a", "b", "ü"])
values = st.one_of(
    st.integers(0, 3),
    st.text(max_size=3),
    st.lists(st.integers(0, 2), max_size=3),
    st.sampled_from([b"x" * 20_000, b"y" * 20_000, b"z" * 1_200_000]),
)


class StoreMachine(RuleBasedStateMachine):
    """The model: for each event of the log, which versions each name had after it."""

    @initialize()
    def create(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
        self.client = lineal.open(self.folder / "store", visualize=False)
        self.versions: dict[str, list[Any]] = {}
        self.past: dict[int, dict[str, list[Any]]] = {1: {}}
        self.seq = 1

    def teardown(self) -> None:
        self.client.close()
        shutil.rmtree(self.folder)

    def _saved(self, name: str, value: Any) -> None:
        versions = self.versions.setdefault(name, [])
        if not any(type(known) is type(value) and known == value for known in versions):
            versions.append(value)
        self.seq += 1
        self.past[self.seq] = {known: list(values) for known, values in self.versions.items()}

    @rule(name=names, value=values)
    def save(self, name: str, value: Any) -> None:
        version = self.client.save(value, name)
        self._saved(name, value)
        assert version.load() == value

    @rule(name=names, value=values)
    def save_and_be_killed_after_the_flush(self, name: str, value: Any) -> None:
        child = os.fork()
        if child == 0:
            self.client.save(value, name)
            self.client.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        self._saved(name, value)

    @rule(value=values)
    def be_killed_before_the_commit(self, value: Any) -> None:
        child = os.fork()
        if child == 0:
            with self.client.store.blobs.batch() as batch:
                lineal.materializers.save(value, batch)
                batch.publish()
                os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)

    @rule(name=names)
    def be_refused_a_fact_without_bytes(self, name: str) -> None:
        missing = lineal.cas.digest_of(os.urandom(8))
        event = ArtifactSaved(Output(name, name, missing, "x/1", "t", 1, {}))
        try:
            self.client.store.append([event]).wait()
        except BlobMissing:
            return
        raise AssertionError("a fact without its bytes was taken")

    @rule()
    def reopen(self) -> None:
        self.client.close()
        self.client = lineal.open(self.folder / "store", visualize=False)

    @rule()
    def rebuild(self) -> None:
        self.client.rebuild()

    @precondition(lambda self: self.seq > 1)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        seq = data.draw(st.integers(1, self.seq))
        self._compare(self.client.as_of(seq), self.past[seq])

    @invariant()
    def the_present_is_the_model(self) -> None:
        assert self.client.head.seq == self.seq
        self._compare(self.client, self.versions)

    def _compare(self, history: Any, expected: dict[str, list[Any]]) -> None:
        assert [artifact.name for artifact in history.artifacts()] == sorted(expected)
        for name, values_ in expected.items():
            loaded = [history.load(f"{name}@{number}") for number in range(1, len(values_) + 1)]
            assert loaded == values_
            assert history.artifact(name).version == len(values_)


StoreMachine.TestCase.settings = settings(max_examples=examples(12), stateful_step_count=20, deadline=None)
test_the_store_behaves_as_a_list_of_saves = StoreMachine.TestCase
