"""What was imported from a store that is not trusted executes no code, whatever its events say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from forging import events_of, forged, said, with_blob
from trained import Opaque, halves, kind_of, training

import lineal
from lineal import Client
from lineal.bundles.layout import Held
from lineal.cas import BlobKind, Digest
from lineal.cli import main
from lineal.errors import BundleCorrupt, LinealError, LoadRefused, StepFailed
from lineal.events import catalogue as facts
from lineal.events.ids import RunId
from lineal.history import Trust

RUN = RunId(b"r" * 16)
PROCESS = facts.Process("host", "boot", 1, 1)


def _but(event: Any, **fields: Any) -> Any:
    return type(event)(**dict(zip(event.FIELDS, event, strict=True)) | fields)


def _unsaid(bodies: list[bytes]) -> list[bytes]:
    """The same events, none of which says in its envelope what it names."""
    opened = [msgpack.unpackb(body, strict_map_key=False) for body in bodies]
    return [msgpack.packb([*one[:6], [], one[7]]) for one in opened]


def test_an_event_that_hides_what_it_names_is_refused(source: Client, target: Client, tmp_path: Path) -> None:
    source.save(Opaque(1), "hidden")
    source.export_bundle(tmp_path / "honest.bundle", "hidden")
    with pytest.raises(BundleCorrupt, match="does not say all"):
        target.import_bundle(forged(tmp_path / "honest.bundle", tmp_path / "x", bodies=_unsaid))


def test_a_content_of_which_no_event_tells_the_maker_executes_nothing(
    source: Client, target: Client, tmp_path: Path
) -> None:
    run = source.run("training-1")
    wrapped = source.artifact("wrapped@1").content
    source.export_bundle(tmp_path / "honest.bundle", "model@1")
    manifest = source.store.blobs.read(wrapped)
    held = {Digest(wrapped): manifest} | {
        part.digest: source.store.blobs.read(part.digest) for part in source.artifact("wrapped@1").manifest.named()
    }
    begun = facts.RunStarted(
        RUN,
        "training",
        run.beginning.structure,
        (facts.Input("lr", wrapped, "wrapped", None, None),),
        "called",
        PROCESS,
        run.beginning.environment,
    )

    def table(was: Any) -> Any:
        for digest, data in held.items():
            kind = BlobKind.MANIFEST if digest == wrapped else BlobKind.BYTES
            was = with_blob(was, Held(digest, kind, len(data)))
        return was

    path = forged(
        tmp_path / "honest.bundle",
        tmp_path / "x",
        table=table,
        bodies=lambda bodies: [
            *bodies,
            said(begun, source.store.id),
            said(facts.RunFailed(RUN, None, ""), source.store.id),
        ],
        blobs=lambda blobs: blobs | held,
    )
    target.import_bundle(path)
    assert [one.content for one in target.run("called").beginning.parameters] == [wrapped]
    assert not Trust(target.store).allows([wrapped])
    with lineal.open(target.path):
        training(0.5)
    assert Trust(target.store).allows([wrapped])


@pytest.fixture
def naming_a_shell(source: Client, tmp_path: Path) -> Path:
    """A bundle with a failed run of which the pipeline was, so it says, a function of the standard library."""
    command = source.save(f"touch {tmp_path / 'executed'}", "command")
    was = source.run("training-1").beginning
    source.export_bundle(tmp_path / "honest.bundle", "training-1", "command")
    taken = facts.Input("cmd", command.content, None, "x", None)
    begun = facts.RunStarted(
        RUN,
        "training",
        was.structure,
        (taken,),
        "called",
        PROCESS,
        was.environment,
        function="subprocess.getoutput",
    )

    def bodies(was: list[bytes]) -> list[bytes]:
        origin = source.store.id
        return [*was, said(begun, origin), said(facts.RunFailed(RUN, None, ""), origin)]

    return forged(tmp_path / "honest.bundle", tmp_path / "shell.bundle", bodies=bodies)


def _rerun_current() -> object:
    return lineal.rerun("called", code="current")


def _resumed_by_command() -> object:
    assert main(["resume", "called"]) != 0
    raise LoadRefused("told on the terminal")


@pytest.mark.parametrize("again", [_rerun_current, _resumed_by_command])
def test_an_imported_run_does_not_say_which_function_is_called(
    naming_a_shell: Path,
    target: Client,
    tmp_path: Path,
    again: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.import_bundle(naming_a_shell)
    monkeypatch.setenv("LINEAL_STORE", str(target.path))
    monkeypatch.chdir(tmp_path)
    with lineal.open(target.path), pytest.raises(LinealError):
        again()
    assert not (tmp_path / "executed").exists()


def test_an_imported_step_does_not_say_which_function_is_executed(
    source: Client, target: Client, tmp_path: Path
) -> None:
    command = source.save(f"touch {tmp_path / 'executed'}", "command")
    source.export_bundle(tmp_path / "honest.bundle", "training-1", "command")
    taken = facts.Input("cmd", command.content, None, "x", None)

    def bodies(was: list[bytes]) -> list[bytes]:
        changed = []
        for recorded, body in zip(events_of(was), was, strict=True):
            event: Any = recorded.event
            if isinstance(event, facts.StepCompleted) and event.step == "train":
                event = _but(event, function="subprocess.getoutput", inputs=(taken,))
                body = said(event, source.store.id)
            changed.append(body)
        return changed

    target.import_bundle(forged(tmp_path / "honest.bundle", tmp_path / "x", bodies=bodies))
    with lineal.open(target.path), pytest.raises(LoadRefused, match="not trusted"):
        lineal.reproduce("training-1/train", code="current")
    assert not (tmp_path / "executed").exists()


def test_a_run_is_resumed_from_what_is_trusted_alone(source: Client, target: Client, tmp_path: Path) -> None:
    with lineal.open(source.path):
        os.environ["HALVES_FAIL"] = "1"
        try:
            with pytest.raises(StepFailed):
                halves(4)
        finally:
            del os.environ["HALVES_FAIL"]
    source.export_bundle(tmp_path / "x.bundle", "halves-1")
    target.import_bundle(tmp_path / "x.bundle")
    with lineal.open(target.path):
        made = halves.resume("halves-1")
        assert {step.name: step.status for step in made.steps.values()} == {"half": "completed", "check": "completed"}


def _with_other_sources(source: Client, function: str) -> Callable[[list[bytes]], list[bytes]]:
    """Another text of what a function of the store has captured, said by nobody that is trusted."""

    def bodies(was: list[bytes]) -> list[bytes]:
        found = next(
            one.event
            for one in events_of(was)
            if isinstance(one.event, facts.CodeCaptured) and one.event.function == function
        )
        return [*was, said(_but(found, sources=None, files=()), source.store.id)]

    return bodies


def test_an_import_does_not_say_what_the_code_of_a_run_of_here_was(source: Client, tmp_path: Path) -> None:
    step = source.run("training-1").get_step("train")
    text = step.sources
    assert text is not None
    source.export_bundle(tmp_path / "honest.bundle", "training-1")
    path = tmp_path / "elsewhere"
    with lineal.open(path, visualize=False) as mine:
        with lineal.open(path):
            training(0.5)
        own = mine.run("training-1").get_step("train")
        assert own.code == step.code
        change = _with_other_sources(source, step.function)
        mine.import_bundle(forged(tmp_path / "honest.bundle", tmp_path / "x", bodies=change))
        told = mine.run(own.run.id).get_step("train").sources
        assert told is not None
        assert [file.module for file in told.files] == [file.module for file in text.files]
        with lineal.open(path):
            assert lineal.rerun(own.run.id).status == "completed"


def test_an_imported_value_does_not_say_what_is_imported_and_is_another_once_it_is_trusted(
    source: Client, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "records_of_there.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass R:\n    x: int\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from records_of_there import R

    source.save([R(1)], "records")
    source.export_bundle(tmp_path / "x.bundle", "records")
    target.import_bundle(tmp_path / "x.bundle")
    with lineal.open(target.path):
        monkeypatch.delitem(sys.modules, "records_of_there")
        assert kind_of(target.artifact("records")).get_step("name_of_first").output.load() == "Record"
        assert "records_of_there" not in sys.modules
        target.trust(source.store.id)
        assert kind_of(target.artifact("records")).get_step("name_of_first").output.load() == "R"


def test_an_import_does_not_say_what_a_value_of_here_looks_like(source: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "honest.bundle", "data")
    with lineal.open(tmp_path / "mine") as mine:
        training(0.5)
        data = mine.artifact("data")
        before = [(one.name, one.blob) for one in data.visualizations]
        assert data.content == source.artifact("data").content
        assert before
        other = facts.StoredVisualization("other", "text/html", data.content, 1)
        event = facts.ContentVisualized(data.content, (other,), ())
        path = forged(
            tmp_path / "honest.bundle", tmp_path / "x", bodies=lambda was: [*was, said(event, source.store.id)]
        )
        assert mine.import_bundle(path).events
        assert [(one.name, one.blob) for one in mine.artifact("data").visualizations] == before
