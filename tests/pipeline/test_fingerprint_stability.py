"""Digests of code are the same wherever and however the code is run: by interpreter, program, notebook and layout."""

from __future__ import annotations

import linecache
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from lineal.pipeline.fingerprint import CodeManifest, code_manifest

HERE = Path(__file__).parent
PROJECT = HERE / "fingerprint_project"
NAMES = ("python3.11", "python3.12", "python3.13", "python3.14")
NEEDED = "import blake3, cloudpickle, lmdb, msgpack, numpy"


def test_every_interpreter_that_is_there_gives_the_golden_digests(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that runs this must; of others, those that have the dependencies. Which are absent is said by name."""
    assert _checked(sys.executable) == 0
    own = "python{}.{}".format(*sys.version_info)
    absent = []
    for name in NAMES:
        path = shutil.which(name)
        if name == own:
            continue
        if path is None or subprocess.run([path, "-c", NEEDED], capture_output=True, check=False).returncode:
            absent.append(name)
        else:
            assert _checked(path) == 0
    with capsys.disabled():
        print(f"\nDigests were not compared with those of {', '.join(absent) or 'no interpreter'}.")


def _checked(python: str) -> int:
    script = str(HERE / "fingerprint_golden.py")
    result = subprocess.run([python, script], capture_output=True, text=True, check=False)
    assert result.stdout.startswith("Python "), result.stderr
    return result.returncode


PROGRAM = """
import sys
from lineal.pipeline.fingerprint import code_manifest

RATE = 3

class Part:
    def get(self):
        return RATE

def helper(x):
    return Part().get() + x

def f(x):
    return helper(x)

if __name__ == "__main__":
    sys.stdout.buffer.write(code_manifest(f).encoded)
"""


def test_a_program_counts_the_same_as_a_script_again_by_another_name_and_with_python_m(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    found = set()
    for command in (["one.py"], ["one.py"], ["two.py"], ["-m", "one"], ["-m", "pack"], ["-c", PROGRAM]):
        result = subprocess.run([sys.executable, *command], capture_output=True, check=True, cwd=tmp_path)
        found.add(result.stdout)
        if command[0] == "-c":
            found.remove(result.stdout)
            without = CodeManifest.decode(result.stdout)
            # From 3.13 on the interpreter keeps the text that -c was given.
            unknown = ["Part"] if sys.version_info >= (3, 13) else ["f", "helper", "Part", "Part.get"]
            assert set(without.flags) == {f"nosource: __main__:{name}" for name in unknown}
    assert len(found) == 1
    assert CodeManifest.decode(found.pop()).flags == ()


class Notebook:
    """Runs cells as ipykernel does: each compiled under a file name of its own, its text in `linecache`.

    The name holds a hash of the text and the process's number; `ipykernel.compiler.get_file_name` makes it so.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, process: int) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self._monkeypatch = monkeypatch
        self._process = process

    def run(self, source: str) -> None:
        source = textwrap.dedent(source)
        filename = f"/tmp/ipykernel_{self._process}/{hash(source) % 10**10}.py"
        entry = (len(source), None, source.splitlines(keepends=True), filename)
        self._monkeypatch.setitem(linecache.cache, filename, entry)
        exec(compile(source, filename, "exec", dont_inherit=True), self.names)


@pytest.fixture
def main_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a notebook's names those of ``__main__``."""

    def make(process: int = 1) -> Notebook:
        notebook = Notebook(monkeypatch, process)
        module = type(sys)("__main__")
        module.__dict__.update(notebook.names)
        notebook.names = module.__dict__
        monkeypatch.setitem(sys.modules, "__main__", module)
        return notebook

    return make


CELLS = (
    "RATE = 3\nclass Part:\n    limit = 4\n    def get(self):\n        return RATE * self.limit\n",
    "def helper(x):\n    return Part().get() + x\n",
    "from functools import partial\nadd = partial(lambda a, b: a + b, 1)\ndef f(x):\n    return helper(x) + add(2)\n",
)


def manifest_of(notebook: Notebook, *cells: str) -> CodeManifest:
    for cell in cells:
        notebook.run(cell)
    return code_manifest(notebook.names["f"])


def test_cells_count_by_what_they_say_and_not_by_their_number_process_or_split(main_module: Any) -> None:
    first = manifest_of(main_module(1), *CELLS)
    assert first.flags == ()
    assert manifest_of(main_module(2), *CELLS) == first
    assert manifest_of(main_module(1), "# A title.\n" + CELLS[1], CELLS[0], CELLS[2], CELLS[1]) == first
    assert manifest_of(main_module(1), "\n".join(CELLS)) == first


@pytest.mark.parametrize(
    ("cell", "changed"),
    [
        (CELLS[1].replace("+ x", "- x"), ("def:__main__:helper",)),
        (CELLS[0].replace("RATE *", "RATE +"), ("def:__main__:Part.get",)),
        (CELLS[0].replace("limit = 4", "limit = 5"), ("class:__main__:Part", "value:__main__:Part.limit")),
        ("RATE = 4", ("value:__main__:RATE",)),
        ("helper = Part", None),
    ],
)
def test_a_cell_that_defines_a_name_anew_changes_what_reads_it(
    cell: str, changed: tuple[str, ...] | None, main_module: Any
) -> None:
    notebook = main_module()
    before = manifest_of(notebook, *CELLS)
    after = manifest_of(notebook, cell)
    assert after.digest != before.digest
    assert changed is None or after.diff(before).changed == changed
    assert manifest_of(notebook, *CELLS) == before


def test_a_function_taken_from_a_cell_that_was_run_anew_keeps_its_own_code(main_module: Any) -> None:
    notebook = main_module()
    before = manifest_of(notebook, *CELLS, "kept = helper\ndef f(x):\n    return kept(x)\n")
    after = manifest_of(notebook, CELLS[1].replace("+ x", "- x"))
    assert "def:__main__:helper" in after.entries
    assert after.entries["def:__main__:helper"] == before.entries["def:__main__:helper"]
    assert after.digest != manifest_of(notebook, "kept = helper").digest


LAYOUTS = [
    "line-length = 40",
    "line-length = 200\n[format]\nquote-style = 'single'\nskip-magic-trailing-comma = true",
    "line-length = 88\nindent-width = 2\n[format]\nindent-style = 'tab'\ndocstring-code-format = true",
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_formatting_a_project_and_sorting_its_imports_changes_no_digest(layout: str, tmp_path: Path) -> None:
    found = []
    for place in ("plain", "formatted"):
        directory = Path(shutil.copytree(PROJECT, tmp_path / place))
        if place == "formatted":
            (directory / "ruff.toml").write_text(layout, encoding="utf-8")
            before = {path: path.read_text(encoding="utf-8") for path in directory.rglob("*.py")}
            for command in (["check", "--select", "I", "--fix"], ["format"]):
                subprocess.run([sys.executable, "-P", "-m", "ruff", *command, "-q", str(directory)], check=True)
            assert any(path.read_text(encoding="utf-8") != text for path, text in before.items())
        found.append(_manifest_in(directory))
    assert not found[1].diff(found[0])
    assert found[1].digest == found[0].digest


def _manifest_in(directory: Path) -> CodeManifest:
    program = (
        f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {str(directory)!r})\n"
        "import flow\nfrom lineal.pipeline.fingerprint import code_manifest\n"
        "sys.stdout.buffer.write(code_manifest(flow.train).encoded)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return CodeManifest.decode(result.stdout)


def test_stale_bytecode_never_lends_its_result_to_the_text_beside_it(tmp_path: Path) -> None:
    """Python takes bytecode for that of any text of the same second and size; what it executes is what must count."""
    module = tmp_path / "quick.py"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport quick\n"
        "from lineal.pipeline.fingerprint import code_manifest\n"
        "print(quick.f(1), code_manifest(quick.f).digest)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run() -> list[bytes]:
        command = [sys.executable, "-c", program, str(tmp_path)]
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout.split()

    found = []
    # The second text is older than two seconds when it is looked at, and so believed without proof.
    for text, moment, aged_s in (("x + 1", 1_600_000_000.1, 0), ("x + 2", 1_600_000_000.9, 2.1)):
        module.write_text(f"def f(x):\n    return {text}\n", encoding="utf-8")
        os.utime(module, (moment, moment))
        time.sleep(aged_s)
        found.append(run())
    assert found[0][0] == found[1][0]  # the second text is not what is executed
    shutil.rmtree(tmp_path / "__pycache__")
    found.append(run())
    assert found[2][0] != found[1][0]
    assert found[2][1] != found[1][1]
