"""Captured sources: what of the project's files is kept with the code that the store meets for the first time."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lineal import Client, pipeline, step
from lineal.errors import Corrupt
from lineal.events import catalogue as facts
from lineal.history.sources import SourceFile, SourceIndex
from lineal.pipeline.deciding import captures, sources

FLOW = """
    from lineal import pipeline, step
    from parts import scaling
    from parts.settings import RATE

    LIMIT = (
        10,
        20,
    )

    @step
    def scale(x: int) -> int:
        return scaling.times(x) * RATE + LIMIT[0]

    @pipeline
    def job(x: int = 1):
        scale(x)
"""
SCALING = """
    import parts.deep.constants as constants
    from .unused import nothing

    class Base:
        def factor(self):
            return constants.FACTOR

    class Scale(Base):
        pass

    def times(x):
        return x * Scale().factor()
"""
PROJECT = {
    "flow.py": FLOW,
    "parts/__init__.py": "NAME = 'parts'\n",
    "parts/scaling.py": SCALING,
    "parts/settings.py": "RATE = 2\n",
    "parts/unused.py": "nothing = None\n",
    "parts/deep/constants.py": "FACTOR = 3\n",
    "parts/apart.py": "never = 'imported'\n",
}

Write = Callable[..., ModuleType]


@pytest.fixture
def write(project: Callable[..., ModuleType]) -> Write:
    """Writes the files of the project, some of them edited, and imports its flow anew."""

    def written(**texts: str) -> ModuleType:
        return project(PROJECT | {name.replace("__", "/") + ".py": text for name, text in texts.items()})

    return written


def captured(client: Client) -> list[facts.CodeCaptured]:
    """What was captured of the step; the pipeline's code is, too."""
    client.flush()
    found = [one.event for one in client.events() if isinstance(one.event, facts.CodeCaptured)]
    return [event for event in found if event.function == "flow.scale"]


def test_every_file_that_the_code_reaches_or_imports_is_kept_and_no_other(client: Client, write: Write) -> None:
    found = write().job().steps["scale"].sources
    assert found is not None
    assert [(file.module, file.path, file.is_package) for file in found.files] == [
        ("flow", "flow.py", False),
        ("parts", "parts/__init__.py", True),
        ("parts.deep.constants", "parts/deep/constants.py", False),
        ("parts.scaling", "parts/scaling.py", False),
        ("parts.settings", "parts/settings.py", False),
        ("parts.unused", "parts/unused.py", False),
    ]
    for file in found.files:
        assert file.path is not None
        assert found.read(file) == textwrap.dedent(PROJECT[file.path]).encode()


def test_the_text_of_each_symbol_is_told(client: Client, write: Write) -> None:
    found = write().job().steps["scale"].sources
    assert found.text("def:flow:scale").startswith("@step\ndef scale(x: int) -> int:\n    return")
    assert found.text("def:parts.scaling:Base.factor") == "def factor(self):\n    return constants.FACTOR"
    assert found.text("class:parts.scaling:Scale") == "class Scale(Base):\n    pass"
    assert found.text("value:parts.deep.constants:FACTOR") == "FACTOR = 3"
    assert found.text("value:flow:LIMIT") == "LIMIT = (\n    10,\n    20,\n)"
    assert found.text("def:parts.scaling:other") is None


def test_a_file_that_stays_the_same_is_stored_once(client: Client, write: Write) -> None:
    before = write().job().steps["scale"].sources
    after = write(parts__settings="RATE = 5\n").job().steps["scale"].sources
    assert len(captured(client)) == 2
    changed = {file.module for file in set(before.files) ^ set(after.files)}
    assert changed == {"parts.settings"}
    assert before.text("value:flow:RATE") == after.text("value:flow:RATE") == "from parts.settings import RATE"


def test_code_that_is_known_is_not_captured_again(
    client: Client, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write().job()
    client.flush()
    captures._recorded.clear()
    monkeypatch.setattr(captures, "capture_sources", None)
    assert write().job(2).steps["scale"].status == "completed"


def test_what_the_event_names_survives_a_collection(client: Client, write: Write) -> None:
    run = write().job()
    (event,) = captured(client)
    assert len(event.files) == 6
    assert {event.code, event.sources, *event.files} == set(event.refs)
    client.collect(grace_s=0)
    found = run.steps["scale"].sources
    assert all(found.read(file) for file in found.files)
    assert client.verify().is_sound


def test_the_code_that_is_live_is_kept_and_not_the_file_of_today(client: Client, write: Write, tmp_path: Path) -> None:
    flow = write()
    flow.job()
    (tmp_path / "project" / "parts" / "scaling.py").write_text("def times(x):\n    return 0\n")
    found = flow.job(2).steps["scale"].sources
    assert "factor" in found.text("def:parts.scaling:times")


def test_a_large_file_is_left_out_and_says_so(client: Client, write: Write) -> None:
    filler = "#" * sources.FILE_MAX_BYTES
    flow = write(parts__settings=f"RATE = 2\n{filler}\n", parts__scaling=textwrap.dedent(SCALING) + filler)
    found = flow.job().steps["scale"].sources
    left_out = {file.module: file.left_out for file in found.files if file.digest is None}
    assert left_out.keys() == {"parts.settings", "parts.scaling"}
    assert all("more than 1,048,576" in str(why) for why in left_out.values())
    assert found.text("def:parts.scaling:times") is None
    assert found.text("def:flow:scale") is not None


def test_many_files_are_bounded_and_the_first_reached_go_first(
    client: Client, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "FILES_MAX", 3)
    found = write().job().steps["scale"].sources
    kept = {file.module for file in found.files if file.digest is not None}
    assert kept == {"flow", "parts.scaling", "parts.deep.constants"}
    assert len(found.files) == 6


def test_a_file_that_is_gone_fails_no_run(client: Client, write: Write, tmp_path: Path) -> None:
    flow = write()
    for file in ("settings", "unused"):
        (tmp_path / "project" / "parts" / f"{file}.py").unlink()
    run = flow.job()
    assert run.status == "completed"
    left_out = {file.module: file.left_out for file in run.steps["scale"].sources.files if file.digest is None}
    assert left_out == {"parts.settings": "it can't be read", "parts.unused": "it can't be read"}


def test_a_cell_of_a_notebook_is_kept_as_its_text(client: Client) -> None:
    cell = "@step\ndef typed(x: int) -> int:\n    return x + 1\n\n@pipeline\ndef job():\n    typed(1)\n"
    filename = "<cell 7>"
    linecache.cache[filename] = len(cell), None, cell.splitlines(keepends=True), filename
    namespace: dict[str, Any] = {"step": step, "pipeline": pipeline, "__name__": "__main__"}
    exec(compile(cell, filename, "exec", dont_inherit=True), namespace)
    found = namespace["job"]().steps["typed"].sources
    (file,) = found.files
    assert (file.module, file.path, found.read(file)) == ("__main__", None, cell.encode())
    assert found.text("def:__main__:typed") == "@step\ndef typed(x: int) -> int:\n    return x + 1"


def test_an_index_survives_its_encoding_and_other_bytes_are_refused() -> None:
    files = [SourceFile("b", "b.py", False, None, "why"), SourceFile("a", None, True, None)]
    index = SourceIndex.of(files, [("def:b:f", files[0], 1, 2)])
    assert SourceIndex.decode(index.encoded) == index
    assert [index.files[place.file].module for place in index.places] == ["b"]
    for data in (b"", b"\xc1", index.encoded[:-1], b"\x93\xa1x\x90\x90"):
        with pytest.raises(Corrupt):
            SourceIndex.decode(data)
