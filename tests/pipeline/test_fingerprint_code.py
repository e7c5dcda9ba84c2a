"""What changes a code manifest and what doesn't: edit by edit, and by all that surrounds the code."""

from __future__ import annotations

import builtins
import dis
import importlib
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from lineal.errors import InvalidPipeline, ManifestCorrupt
from lineal.pipeline.fingerprint import CodeManifest, CodeWalker, code_manifest
from lineal.pipeline.fingerprint.sources import SOURCES

HERE = Path(__file__).parent
EDITS = tomllib.loads((HERE / "fingerprint_edits.toml").read_text(encoding="utf-8"))["edit"]
Load = Callable[..., ModuleType]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Load]:
    """Import a module from a directory, with all that it imports from there, afresh."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(directory: Path, name: str = "flow") -> ModuleType:
        forget(tmp_path)
        monkeypatch.syspath_prepend(str(directory))
        return importlib.import_module(name)

    yield load
    forget(tmp_path)


def forget(directory: Path) -> None:
    """Forget the modules imported from below a directory."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(directory)):
            del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, to be edited."""
    return Path(shutil.copytree(HERE / "fingerprint_project", tmp_path / "project"))


def write(directory: Path, **modules: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (directory / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return directory


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def unedited() -> CodeManifest:
    """The manifest of the project's step, made in a process of its own."""
    return manifest_in_process(HERE / "fingerprint_project", seed="0")


def manifest_in_process(directory: Path, *, seed: str, before: str = "", cwd: Path | None = None) -> CodeManifest:
    program = f"""
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, {str(directory)!r})
{before}
import flow
from lineal.pipeline.fingerprint import code_manifest
sys.stdout.buffer.write(code_manifest(flow.train).encoded)
"""
    environment = {"PYTHONHASHSEED": seed, "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment, cwd=cwd)
    return CodeManifest.decode(result.stdout)


@pytest.mark.parametrize("edit", EDITS, ids=[edit["name"] for edit in EDITS])
def test_the_manifest_changes_with_the_meaning_of_the_code_and_with_nothing_else(
    edit: dict[str, Any], project: Path, load: Load, unedited: CodeManifest
) -> None:
    replace(project / edit["file"], edit["old"], edit["new"])
    difference = code_manifest(load(project).train).diff(unedited)
    named = {*difference.added, *difference.removed, *difference.changed}
    assert set(edit["changes"]) <= named, named
    assert bool(named) is bool(edit["changes"]), named


@pytest.mark.parametrize("seed", ["1", "2", "random"])
def test_the_manifest_is_the_same_under_another_hash_seed_directory_and_import_order(
    seed: str, project: Path, tmp_path: Path, unedited: CodeManifest
) -> None:
    before = "import tools.registry, tools.models, tools.late, tools.computed"
    found = manifest_in_process(project, seed=seed, before=before, cwd=tmp_path)
    assert not found.diff(unedited)
    assert found.digest == unedited.digest


def test_the_manifest_holds_no_path_and_says_where_it_is_inexact(unedited: CodeManifest) -> None:
    assert b"fingerprint_project" not in unedited.encoded
    assert b".py" not in unedited.encoded
    assert unedited.flags == (
        "imprecise: getattr in flow:by_name",
        "nosource: tools.models:Point",
        "opaque: flow:EVENTS",
    )
    assert unedited.entries["python"] == "{}.{}".format(*sys.version_info)


def test_a_shared_walk_gives_each_step_what_a_walk_of_its_own_gives(project: Path, load: Load) -> None:
    flow = load(project)
    steps = [value for value in vars(flow).values() if callable(value) and not isinstance(value, ModuleType)]
    alone = {id(step): code_manifest(step).digest for step in steps}
    for order in (steps, steps[::-1], steps[1::2] + steps[::2]):
        walker = CodeWalker()
        assert {id(step): walker.manifest(step).digest for step in order} == alone


def test_two_functions_that_reach_the_same_code_have_different_manifests(project: Path, load: Load) -> None:
    flow = load(project)
    assert code_manifest(flow.ping).entries.keys() == code_manifest(flow.pong).entries.keys()
    assert code_manifest(flow.ping).digest != code_manifest(flow.pong).digest


def test_a_function_with_new_code_has_a_new_manifest_even_in_the_same_walk(project: Path, load: Load) -> None:
    flow, walker = load(project), CodeWalker()
    before = walker.manifest(flow.inner)
    assert walker.manifest(flow.inner) is before
    flow.inner.__code__ = flow.unused.__code__
    assert walker.manifest(flow.inner).digest != before.digest


def test_a_patched_function_counts_as_what_it_is_now(
    project: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = load(project)
    before = code_manifest(flow.outer)
    monkeypatch.setattr(flow, "inner", flow.unused)
    difference = code_manifest(flow.outer).diff(before)
    assert difference.added == ("def:flow:unused", "name:flow:inner")
    assert difference.removed == ("def:flow:inner",)


def test_a_file_edited_after_its_import_counts_as_what_was_imported(project: Path, load: Load) -> None:
    flow = load(project)
    before = code_manifest(flow.outer)
    replace(project / "flow.py", "return x * 2\n\n\ndef unused", "return x / 2\n\n\ndef unused")
    fresh = CodeWalker()
    assert fresh.manifest(flow.outer).digest == before.digest
    importlib.reload(flow)
    assert code_manifest(flow.outer).diff(before).changed == ("def:flow:inner",)


def test_a_file_edited_before_anybody_read_it_never_lends_its_new_text_to_old_code(project: Path, load: Load) -> None:
    flow = load(project)
    replace(project / "flow.py", "return x * 2\n\n\ndef unused", "return x / 2\n\n\ndef unused")
    old = code_manifest(flow.outer)
    assert old.flags == ("stale-source: flow:inner",)
    new = code_manifest(load(project).outer)
    assert new.flags == ()
    assert new.diff(old).changed == ("def:flow:inner",)


def test_a_file_that_only_moved_its_lines_after_the_import_still_tells_its_code(project: Path, load: Load) -> None:
    flow = load(project)
    replace(project / "flow.py", "RATE = 3", "# The rate.\n\n\nRATE = 3")
    moved = code_manifest(flow.outer)
    assert moved.flags == ()
    assert moved.digest == code_manifest(load(project).outer).digest


def test_code_without_source_is_known_by_its_bytecode_and_says_so() -> None:
    def made(source: str) -> CodeManifest:
        namespace: dict[str, Any] = {"__name__": "made"}
        exec(source, namespace)
        return code_manifest(namespace["f"])

    first = made("K = 1\ndef g(x): return x + K\ndef f(x): return g(x)")
    assert first.flags == ("nosource: made:f", "nosource: made:g")
    assert made("\n\nK = 1\ndef g(x): return x + K\n\ndef f(x): return g(x)").digest == first.digest
    assert made("K = 1\ndef g(x): return x - K\ndef f(x): return g(x)").diff(first).changed == ("def:made:g",)
    assert made("K = 2\ndef g(x): return x + K\ndef f(x): return g(x)").diff(first).changed == ("value:made:K",)
    assert made("K = True\ndef g(x): return x + K\ndef f(x): return g(x)").diff(first).changed == ("value:made:K",)


def test_a_distribution_counts_by_name_and_version_and_only_if_reached(project: Path, load: Load) -> None:
    flow = load(project)
    entries = code_manifest(flow.train).entries
    assert entries["dist:numpy"] == importlib.import_module("numpy").__version__
    assert not [symbol for symbol in entries if symbol.startswith(("def:numpy", "class:numpy", "dist:lineal"))]
    assert "dist:numpy" not in code_manifest(flow.outer).entries


def test_a_module_of_another_name_than_its_distribution_is_found(tmp_path: Path, load: Load) -> None:
    write(tmp_path, learner="import dateutil.tz\ndef f():\n    return dateutil.tz.UTC\n")
    assert "dist:python-dateutil" in code_manifest(load(tmp_path, "learner").f).entries


def test_a_compiled_module_of_the_project_counts_by_its_file(tmp_path: Path, load: Load) -> None:
    found = importlib.util.find_spec("_bisect")
    if found is None or found.origin is None or not found.origin.endswith(".so"):
        origin = next(Path(sysconfig.get_path("platlib")).glob("lmdb/*.so"))
        name = "cpython"
    else:
        origin, name = Path(found.origin), "_bisect"
    write(tmp_path / "fast", __init__="")
    shutil.copy(origin, tmp_path / "fast" / f"{name}.so")
    write(tmp_path, caller=f"from fast import {name}\ndef f(x):\n    return {name}.anything(x)\n")
    before = code_manifest(load(tmp_path, "caller").f)
    assert f"file:fast.{name}" in before.entries


def test_what_is_ignored_counts_for_nothing_and_neither_does_what_only_it_reaches(project: Path, load: Load) -> None:
    flow = load(project)
    entries = code_manifest(flow.train, ignore=["tools.numbers", "flow:outer", "numpy"]).entries
    gone = ("tools.numbers", "flow:outer", "flow:inner", "numpy")
    assert not [symbol for symbol in entries if symbol.partition(":")[2].startswith(gone)]
    assert "def:flow:ping" in entries


def test_declared_files_count_by_their_bytes(project: Path, load: Load) -> None:
    flow = load(project)
    (project / "queries").mkdir()
    (project / "queries" / "a.sql").write_text("select 1")
    (project / "text.sql").write_text("select 2")

    def manifest() -> CodeManifest:
        return code_manifest(flow.outer, depends_on=["queries", "text.sql", "tools.late:compute", "sklearn"])

    before = manifest()
    assert {"file:queries/a.sql", "file:text.sql", "def:tools.late:compute", "dist:scikit-learn"} <= set(before.entries)
    (project / "queries" / "a.sql").write_text("select 3")
    assert manifest().diff(before).changed == ("file:queries/a.sql",)
    (project / "queries" / "a.sql").rename(project / "queries" / "b.sql")
    assert manifest().diff(before).added == ("file:queries/b.sql",)


def test_a_declared_pattern_counts_what_it_matches_then(project: Path, load: Load) -> None:
    flow = load(project)
    (project / "sql" / "deep").mkdir(parents=True)
    (project / "sql" / "a.sql").write_text("select 1")
    (project / "sql" / "a.txt").write_text("remarks")

    def manifest(pattern: str) -> CodeManifest:
        return code_manifest(flow.outer, depends_on=[pattern])

    flat, deep = manifest("sql/*.sql"), manifest("sql/**/*.sql")
    assert [symbol for symbol in flat.entries if symbol.startswith("file:")] == ["file:sql/a.sql"]
    (project / "sql" / "a.txt").write_text("other remarks")
    (project / "sql" / "deep" / "b.sql").write_text("select 2")
    assert manifest("sql/*.sql") == flat
    assert manifest("sql/**/*.sql").diff(deep).added == ("file:sql/deep/b.sql",)
    (project / "sql" / "a.sql").unlink()
    with pytest.raises(InvalidPipeline, match=r"sql/\*\.sql"):
        manifest("sql/*.sql")


def test_declared_objects_count_as_if_the_step_read_them(project: Path, load: Load) -> None:
    flow = load(project)
    one, two = (code_manifest(flow.outer, depends_on=[flow.unused, value]) for value in ({"a": 1}, {"a": 1.0}))
    assert "def:flow:unused" in one.entries
    assert two.diff(one).changed == ("value:depends_on[1]",)


def test_a_dependency_that_names_nothing_is_refused(project: Path, load: Load) -> None:
    with pytest.raises(InvalidPipeline, match=r"no-such\.sql"):
        code_manifest(load(project).outer, depends_on=["no-such.sql"])


def test_a_class_defined_in_a_function_counts_with_what_it_closes_over(tmp_path: Path, load: Load) -> None:
    text = """
    def make(n):
        class Local:
            def get(self):
                return n
        return Local
    First, Second = make({}), make({})
    def f():
        return First().get() - Second().get()
    """
    digests = []
    for place, (first, second) in enumerate([(1, 2), (2, 1), (1, 1)]):
        write(tmp_path / str(place), local=text.format(first, second))
        digests.append(code_manifest(load(tmp_path / str(place), "local").f).digest)
    assert len(set(digests)) == 3


def test_a_relative_import_inside_a_function_is_followed(tmp_path: Path, load: Load) -> None:
    step = "def f(x):\n    from . import near\n    from .near import g as h\n    return near.g(x) + h(x)\n"
    write(tmp_path / "pack", __init__="", step=step, near="def g(x):\n    return x\n\ndef idle(x):\n    return x\n")
    manifest = code_manifest(load(tmp_path, "pack.step").f)
    assert "def:pack.near:g" in manifest.entries
    assert "def:pack.near:idle" not in manifest.entries
    assert manifest.flags == ()


def test_a_module_that_is_passed_around_counts_as_a_whole(tmp_path: Path, load: Load) -> None:
    write(tmp_path, near="def g(x):\n    return x\n", step="import near\ndef f(run):\n    return run(near)\n")
    manifest = code_manifest(load(tmp_path, "step").f)
    assert {"module:near", "def:near:g"} <= set(manifest.entries)
    assert manifest.flags == ("imprecise: near as a value in step:f",)


def test_a_script_counts_the_same_wherever_it_lies(tmp_path: Path) -> None:
    text = """
    import sys
    from lineal.pipeline.fingerprint import code_manifest
    K = 3
    class Part:
        def get(self):
            return K
    def f(x):
        return Part().get() + x
    sys.stdout.buffer.write(code_manifest(f).encoded)
    """
    found = []
    for name in ("one", "two"):
        script = write(tmp_path / name, script=text) / "script.py"
        result = subprocess.run([sys.executable, str(script)], capture_output=True, check=True)
        found.append(CodeManifest.decode(result.stdout))
    assert {"def:__main__:f", "def:__main__:Part.get", "value:__main__:K"} <= set(found[0].entries)
    assert found[0] == found[1]


def test_a_manifest_survives_its_encoding(unedited: CodeManifest) -> None:
    assert CodeManifest.decode(unedited.encoded) == unedited
    assert list(unedited.entries) == sorted(unedited.entries)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x93\x01\x02\x03", b"\x80", b"\x93\xadlineal.code/1\x91\x91\x01\x90"])
def test_bytes_that_are_no_manifest_are_refused(data: bytes, unedited: CodeManifest) -> None:
    with pytest.raises(ManifestCorrupt):
        CodeManifest.decode(data)
    with pytest.raises(ManifestCorrupt):
        CodeManifest.decode(unedited.encoded[:-1])


def test_a_random_generator_counts_by_what_made_it_and_not_by_its_state(tmp_path: Path, load: Load) -> None:
    text = """
    import random
    from random import randint
    import numpy as np
    from numpy.random import rand
    RNG = np.random.default_rng({seed})
    OTHER = random.Random({seed})
    def f():
        return RNG.normal() + OTHER.random() + randint(0, 1) + rand()
    """
    flow = load(write(tmp_path / "one", drawn=text.format(seed=1)), "drawn")
    before = code_manifest(flow.f)
    flow.f()
    assert code_manifest(flow.f) == before
    assert before.flags == ("opaque: drawn:OTHER", "opaque: drawn:RNG")
    seeded = code_manifest(load(write(tmp_path / "two", drawn=text.format(seed=2)), "drawn").f)
    assert seeded.diff(before).changed == ("value:drawn:OTHER", "value:drawn:RNG")


def test_what_a_closure_holds_without_structure_counts_by_the_function_that_made_it(tmp_path: Path, load: Load) -> None:
    text = """
    def make():
        source = iter_of({})
        def draw():
            return next(source)
        return draw
    def iter_of(n):
        return (x for x in range(n))
    draw = make()
    """
    one, two = (code_manifest(load(write(tmp_path / str(n), closed=text.format(n)), "closed").draw) for n in (3, 4))
    assert one.flags == ("opaque: closed:make.<locals>.draw[source]", "opaque: root")
    assert two.diff(one).changed == ("def:closed:make",)


def test_a_default_that_was_replaced_counts_as_it_is(project: Path, load: Load) -> None:
    flow = load(project)
    before = code_manifest(flow.with_default)
    flow.with_default.__defaults__ = (3,)
    assert code_manifest(flow.with_default).diff(before).changed == ("def:flow:with_default",)
    flow.with_default.__defaults__ = ([3],)
    assert "value:flow:with_default(power)" in code_manifest(flow.with_default).entries


def test_a_module_that_can_not_be_imported_is_flagged_and_breaks_nothing(tmp_path: Path, load: Load) -> None:
    write(tmp_path, broken="raise OSError", lazy="def f():\n    import broken\n    return broken.x\n")
    assert code_manifest(load(tmp_path, "lazy").f).flags == ("unresolved: broken in lazy:f",)


def test_a_file_that_is_half_edited_breaks_nothing(project: Path, load: Load) -> None:
    flow = load(project)
    before = code_manifest(flow.outer)
    (project / "flow.py").write_text("def outer(:\n")
    assert code_manifest(flow.outer) == before
    (project / "flow.py").unlink()
    assert code_manifest(flow.outer) == before


LIBRARY = ("argparse", "dataclasses", "functools", "inspect", "pickle", "tarfile", "typing", "asyncio.base_events")


@pytest.mark.parametrize("name", LIBRARY)
def test_every_global_that_compiled_code_loads_is_read_by_its_source(name: str) -> None:
    module = importlib.import_module(name)
    checked = 0
    for function in functions_of(module):
        definition = SOURCES.definition_of(function.__code__, vars(module))
        assert definition is not None, function
        read = {read.path[0] for read in definition.reads if read.path}
        assert loaded_globals(function.__code__) - vars(builtins).keys() <= read, function
        checked += 1
    assert checked > 20


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Functions and methods that the module defines, as they are written."""
    for scope in (module, *(value for value in vars(module).values() if isinstance(value, type))):
        for value in vars(scope).values():
            if isinstance(value, FunctionType) and value.__code__.co_filename == module.__file__:
                yield value


def loaded_globals(code: CodeType) -> set[str]:
    inner = [loaded_globals(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    own = {str(found.argval) for found in dis.get_instructions(code) if found.opname == "LOAD_GLOBAL"}
    return own.union(*inner)


def test_lambdas_on_one_line_are_told_apart(tmp_path: Path, load: Load) -> None:
    text = "PAIR = (lambda x: x + {}, lambda x: x * {})\nONE = PAIR[{}]\ndef f(x):\n    return ONE(x)\n"
    digests = [
        code_manifest(load(write(tmp_path / str(place), lines=text.format(*numbers)), "lines").f).digest
        for place, numbers in enumerate([(1, 2, 0), (1, 3, 0), (2, 2, 0), (1, 2, 1), (1, 3, 1)])
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
