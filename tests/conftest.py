"""Stores to test with."""

from __future__ import annotations

import compileall
import gc
import importlib
import os
import py_compile
import shutil
import signal
import sys
import tarfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import numpy as np
import pytest
from memory import IN_MEMORY, has_room

import lineal
from lineal import pipeline, step
from lineal.store import Store, open_store

# A shell starts what runs in its background with Ctrl-C ignored, and so would be all processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Bytecode is taken for that of a text with the same size and second: tests edit texts faster than that.
# Those that share the work inherit it, and would not keep the tests themselves compiled.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = False

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("lineal", deadline=None)
# For make torture; what says how many examples it takes says it as a share of the profile's.
hypothesis.settings.register_profile("deep", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("lineal")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare once, before processes that share the work begin, what makes all of them faster."""
    if hasattr(config, "workerinput"):
        return
    root = Path(lineal.__file__).parent
    # Each new process would compile what it imports. Bytecode that knows its text's digest is never another text's.
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(root, maxlevels=0, quiet=2, invalidation_mode=checked)
    for room in root.glob("*/__init__.py"):
        compileall.compile_dir(room.parent, quiet=2, invalidation_mode=checked)
    if IN_MEMORY is not None and has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", IN_MEMORY)


def pytest_collection_finish() -> None:
    """Let tests themselves be kept compiled, but nothing that they write; and leave alone what all of them share.

    A collection of garbage in a forked child would write to, and so copy, all that was ever imported.
    The threads that numpy starts in each new process spin for a while, and have next to nothing to do in any.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.dont_write_bytecode = True
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _main_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the main program: what loads another one's definitions puts it there, where new processes look for it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store"


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    """An open store, new."""
    opened = open_store(store_path)
    yield opened
    opened.close()


@pytest.fixture
def client(store_path: Path) -> Iterator[lineal.Client]:
    """A handle on a new store, which is also the one in force."""
    with lineal.open(store_path) as opened:
        yield opened


@pytest.fixture
def golden(tmp_path: Path) -> Callable[[int], Path]:
    """A copy of the golden store of a format, as its time left it; ``golden/make.py`` says what is in it."""

    def unpacked(version: int) -> Path:
        path = tmp_path / f"golden-{version}"
        with tarfile.open(Path(__file__).parent / "golden" / f"format-{version}.tar.xz") as packed:
            # The first versions of Python 3.11 have no filters; the later ones want one named.
            packed.extractall(path, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        return path

    return unpacked


@pytest.fixture(autouse=True)
def _no_stray_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a store that is found, rather than opened by path, inside the test's own directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEAL_STORE", raising=False)


@step
def numbers(size: int) -> np.ndarray:
    """A step that prints, and gives a large value."""
    print("making", size, "x" * 20_000)
    return np.random.default_rng(size).integers(0, 1 << 60, size)


@step
def longer(numbers: np.ndarray) -> np.ndarray:
    """A step whose output succeeds nothing."""
    return np.concatenate([numbers, numbers[:10]])


@pipeline
def furnishing(size: int = 160_000) -> None:
    """Two steps."""
    longer(numbers(size))


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with blobs in every kind of place and with runs of every kind. Not to be written to: copy it.

    ``small@1`` is in the catalog, ``packed@1`` shares a pack, ``alone@1`` is a medium file of its own, ``large@1`` is a
    large one, and ``large@2`` is cut: most of it lies in the file of ``large@1``.
    """
    path = tmp_path_factory.mktemp("furnished") / "store"
    rng = np.random.default_rng(7)
    with lineal.open(path) as store:
        furnishing()
        furnishing()
        store.save({"a": [1, 2, 3]}, "small")
        store.save([rng.integers(0, 1 << 60, 5_000 + number) for number in range(4)], "packed")
        store.save(rng.bytes(50_000), "alone")
        large = rng.integers(0, 1 << 60, 300_000)
        store.save(large, "large")
        store.flush()
        store.save(np.concatenate([large[:150_000], large[:3], large[150_000:]]), "large")
        for number in range(50):
            store.save({"number": number, "text": "x" * number * 20}, f"many-{number % 5}")
    return path


@pytest.fixture
def furnished_copy(furnished: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(furnished, tmp_path / "furnished"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], ModuleType]]:
    """Writes files of a project by their paths, and imports its module ``flow`` anew, with all others of them."""
    folder = tmp_path / "project"
    mine: set[str] = set()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in mine]:
            del sys.modules[name]

    def written(texts: dict[str, str]) -> ModuleType:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        mine.update(name.partition("/")[0].removesuffix(".py") for name in texts)
        forget()
        importlib.invalidate_caches()
        return importlib.import_module("flow")

    yield written
    forget()
