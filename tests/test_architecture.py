"""The rooms and who may import whom, held against every import of the package: at import, on use and for typing."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "lineal"


class Module(NamedTuple):
    text: str
    is_package: bool = False


Sources = dict[str, Module]
"""By absolute module name."""


class Room(NamedTuple):
    may_import: str
    """Rooms, or single modules of rooms, of this package; what declares values is everybody's."""
    never: str
    """Other top-level modules that it must not import, not even on use."""


ROOMS = {
    "errors": Room("", never="blake3 cloudpickle lmdb msgpack numpy pandas pyarrow rich"),
    "immutable": Room("", never="blake3 cloudpickle lmdb msgpack numpy pandas pyarrow rich"),
    "replacements": Room("", never="blake3 cloudpickle lmdb msgpack numpy pandas pyarrow rich"),
    "stopping": Room("replacements", never="blake3 cloudpickle lmdb msgpack numpy pandas pyarrow rich"),
    "during": Room("", never="blake3 cloudpickle lmdb msgpack numpy pandas pyarrow rich"),
    "cas": Room("errors", never="cloudpickle pandas pickle pyarrow rich"),
    "events": Room("errors cas.digest", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "materializers": Room("errors cas stopping", never="argparse lmdb rich"),
    "directory": Room("errors cas events", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "metrics": Room("errors cas events", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "migration": Room("errors cas events directory", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "interrupted": Room("cas.process events", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "appends": Room("errors cas events", never="cloudpickle numpy pandas pickle pyarrow rich"),
    "store": Room(
        "errors cas events appends directory metrics migration interrupted",
        never="cloudpickle numpy pandas pickle pyarrow rich",
    ),
    "in_force": Room(
        "errors cas.blob cas.digest events.catalogue events.elsewhere events.ids directory store",
        never="cloudpickle numpy pandas pickle pyarrow rich",
    ),
    "tables": Room("errors cas.digest events store", never="argparse cloudpickle lmdb pandas pickle rich"),
    "history": Room("errors cas events store materializers tables", never="argparse cloudpickle pickle rich"),
    "collection": Room(
        "errors cas events store in_force history", never="argparse cloudpickle numpy pandas pickle pyarrow rich"
    ),
    "labels": Room("errors cas events metrics store in_force history", never="argparse cloudpickle pickle rich"),
    "changing": Room("errors cas events store in_force history", never="argparse cloudpickle pickle rich"),
    "verification": Room("errors cas events store history", never="argparse cloudpickle pickle rich"),
    "repair": Room("errors cas events store history verification", never="argparse cloudpickle pickle rich"),
    "bundles": Room("errors cas events directory store history", never="argparse cloudpickle numpy pickle rich"),
    "pipeline": Room(
        "errors cas events metrics replacements stopping during store in_force materializers history labels",
        never="argparse curses http rich",
    ),
    "client": Room(
        "errors cas events directory migration store in_force materializers history collection labels "
        "bundles changing verification repair pipeline",
        never="argparse html http rich",
    ),
    "post_execution": Room("errors history client", never="argparse html http rich"),
    "cli": Room("errors client history verification repair pipeline", never="blake3 cloudpickle lmdb msgpack pickle"),
    "__main__": Room("cli", never="argparse rich"),
    "dashboard": Room("errors history", never="blake3 cloudpickle lmdb msgpack pickle"),
    PACKAGE: Room("errors materializers history pipeline client cli.live", never="argparse html http rich"),
}

# Heavy: imported on use, except at the top of modules that are imported on use themselves.
ON_USE = {"cloudpickle", "numpy", "pandas", "pyarrow"}
THEMSELVES_ON_USE = {"materializers", "tables"}

ANY = f"{PACKAGE}.*"
# Computed imports beyond the importer's own room: the public names on use, what the code of a step imports, and the
# classes of records where they may be.
COMPUTES = {PACKAGE: ANY, "materializers": "", "pipeline": ""}
IMPORT_CALLS = ("import_module", "__import__")
LATER_STANDARD_LIBRARY = {"annotationlib"}


class Import(NamedTuple):
    importer: str
    target: str
    """Absolute: ``lineal.cas.digest`` or ``numpy.linalg``; ``lineal.cas.*`` or empty where the rest is computed."""
    line: int
    is_relative: bool
    is_immediate: bool
    """Whether importing the importer imports the target."""

    @property
    def place(self) -> str:
        return f"{self.importer}:{self.line}"

    @property
    def target_room(self) -> str | None:
        return room_of(self.target) if self.target.split(".")[0] == PACKAGE else None


def read_sources() -> Sources:
    """All modules of the package; tests, benchmarks and examples have no ``__init__.py`` and so are none."""
    tops = [ROOT, *(init.parent for init in ROOT.glob("*/__init__.py"))]
    paths = [path for top in tops for path in (top.glob("*.py") if top == ROOT else top.rglob("*.py"))]
    return {module_name(path): Module(path.read_text(encoding="utf-8"), path.stem == "__init__") for path in paths}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGE, *(part for part in parts if part != "__init__")))


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else PACKAGE


def imports_of(module: str, sources: Sources) -> Iterator[Import]:
    for node, is_immediate in import_nodes(sources[module].text):
        for target, is_relative in targets_of(node, module, sources):
            yield Import(module, target, node.lineno, is_relative, is_immediate)


@functools.cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


@functools.cache
def import_nodes(text: str) -> list[tuple[ast.Import | ast.ImportFrom | ast.Call, bool]]:
    """What imports something, and whether it does at once: not inside functions nor under ``if TYPE_CHECKING``."""
    found = []
    calls = any(name in text for name in IMPORT_CALLS)
    waiting: list[tuple[ast.AST, bool]] = [(parsed(text), True)]
    while waiting:
        node, is_immediate = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom) or (isinstance(node, ast.Call) and is_import_call(node)):
            found.append((node, is_immediate))
        is_immediate = is_immediate and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        deferred = node.body if isinstance(node, ast.If) and is_for_typing(node) else []
        # What is no statement imports by a call or not at all, and most of a tree is no statement.
        children = [child for child in ast.iter_child_nodes(node) if calls or not isinstance(child, ast.expr)]
        waiting += [(child, is_immediate and child not in deferred) for child in children]
    return found


def is_import_call(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name in IMPORT_CALLS
    return False


def is_for_typing(condition: ast.If) -> bool:
    return ast.unparse(condition.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def targets_of(node: ast.AST, module: str, sources: Sources) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, False) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = resolve(node.level, node.module or "", module, sources)
        for alias in node.names:
            child = f"{base}.{alias.name}"
            yield child if child in sources else base, node.level > 0
    elif isinstance(node, ast.Call):
        for name in written_names(node, sources[module].text):
            bare = name.lstrip(".")
            yield resolve(len(name) - len(bare), bare, module, sources), name.startswith(".") or not name


def written_names(call: ast.Call, text: str) -> list[str]:
    """The name that is imported by a call, or as much as is written out: ``.sub.*`` of ``f".sub.{name}"``.

    Where it comes from elsewhere: every text in the module that could be a relative name; else the empty name.
    """
    match call.args[:1]:
        case [ast.Constant(value=str(name))]:
            return [name]
        case [ast.JoinedStr(values=[ast.Constant(value=str(start)), *_])]:
            return [f"{start}*"]
    texts = [node.value for node in ast.walk(parsed(text)) if isinstance(node, ast.Constant)]
    return [name for name in texts if isinstance(name, str) and re.fullmatch(r"\.+[a-z]\w*", name)] or [""]


def resolve(level: int, name: str, module: str, sources: Sources) -> str:
    if level == 0:
        return name
    parts = module.split(".")
    package = parts[: len(parts) - level + sources[module].is_package]
    return ".".join([*package, *([name] if name else [])])


def violations(sources: Sources) -> list[str]:
    found = [imported for module in sources for imported in imports_of(module, sources)]
    return [
        *unknown_rooms(sources),
        *(broken for one in found for broken in broken_rules(one)),
        *cycles(found, sources),
    ]


def unknown_rooms(sources: Sources) -> Iterator[str]:
    for module in sources:
        if room_of(module) not in ROOMS:
            yield f"{module} is in no room of the table"


def broken_rules(one: Import) -> Iterator[str]:
    importer = room_of(one.importer)
    room = ROOMS.get(importer, Room("", never=""))
    top = one.target.split(".")[0]
    if top == PACKAGE and not one.is_relative:
        yield f"{one.place}: {one.target} is imported absolutely"
    if one.target_room not in {None, importer, "*"} and not allows(room, one.target):
        yield f"{one.place}: {importer} may not import {one.target}"
    if one.target in {"", ANY} and COMPUTES.get(importer) != one.target:
        yield f"{one.place}: {importer} imports a computed name"
    if top in room.never.split():
        yield f"{one.place}: {importer} must never know {top}"
    if top in ON_USE and one.is_immediate and importer not in THEMSELVES_ON_USE:
        yield f"{one.place}: {top} is not imported on use"


def allows(room: Room, target: str) -> bool:
    names = [f"{PACKAGE}.{name}" for name in ("immutable", *room.may_import.split())]
    return any(target == name or target.startswith(f"{name}.") for name in names)


def part_of(module: str) -> str:
    """What a room is made of: a module of its own or a room in it, as which no more than that room itself is known."""
    return ".".join(module.split(".")[:3])


def cycles(found: list[Import], sources: Sources) -> Iterator[str]:
    graph: dict[str, set[str]] = {}
    for one in found:
        if one.target in sources:
            for importer, target in {(one.importer, one.target), (part_of(one.importer), part_of(one.target))}:
                if importer != target:
                    graph.setdefault(importer, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        yield f"import cycle: {' <- '.join(error.args[1])}"


@pytest.fixture(scope="module")
def sources() -> Sources:
    return read_sources()


def test_every_import_is_in_the_table(sources: Sources) -> None:
    assert {"lineal", "lineal.errors", "lineal.cas.digest", "lineal.events.log"} <= sources.keys()
    assert violations(sources) == []


def test_every_library_that_is_imported_is_a_dependency(sources: Sources) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    libraries = {Requirement(one).name for one in project["dependencies"]}
    known = {"", PACKAGE, *sys.stdlib_module_names, *LATER_STANDARD_LIBRARY, *libraries}
    imports = [one for module in sources for one in imports_of(module, sources)]
    unknown = [one for one in imports if one.target.split(".")[0] not in known]
    # A materializer is met only where a value of its library is, so the library is there.
    assert [f"{one.place}: {one.target}" for one in unknown if room_of(one.importer) != "materializers"] == []


BREACHES = [
    ("lineal.errors", "from .cas.digest import Digest", "errors may not import lineal.cas.digest"),
    ("lineal.cas.digest", "from ..events import log", "cas may not import lineal.events.log"),
    ("lineal.cas.digest", "import pickle", "cas must never know pickle"),
    ("lineal.events.log", "from ..cas import Digest", "events may not import lineal.cas"),
    (
        "lineal.events.log",
        "def late():\n    from ..cas.store import BlobStore",
        "events may not import lineal.cas.store",
    ),
    ("lineal.events.log", "if TYPE_CHECKING:\n    from ..store import Store", "events may not import lineal.store"),
    ("lineal.events.log", "def late():\n    import numpy.linalg", "events must never know numpy"),
    ("lineal.materializers.new", "from ..events.log import Log", "materializers may not import lineal.events.log"),
    ("lineal.store", "from .materializers import save", "store may not import lineal.materializers"),
    ("lineal.store", "from .pipeline import step", "store may not import lineal.pipeline"),
    ("lineal.history.new", "from ..pipeline import step", "history may not import lineal.pipeline"),
    ("lineal.history.new", "from .. import pipeline", "history may not import lineal.pipeline"),
    ("lineal.history.new", "from .. import open", "history may not import lineal"),
    ("lineal.history.new", "import_module('..pipeline', __package__)", "history may not import lineal.pipeline"),
    ("lineal.history.new", "from lineal.errors import NotFound", "lineal.errors is imported absolutely"),
    (
        "lineal.history.new",
        "try:\n    import pyarrow\nexcept ImportError:\n    raise",
        "pyarrow is not imported on use",
    ),
    ("lineal.pipeline.new", "from ..client import open", "pipeline may not import lineal.client"),
    ("lineal.pipeline.new", "import http.client", "pipeline must never know http"),
    ("lineal.client.client", "from ..cli import main", "client may not import lineal.cli"),
    ("lineal.client", "def late():\n    import argparse", "client must never know argparse"),
    ("lineal.post_execution", "from .pipeline import step", "post_execution may not import lineal.pipeline"),
    ("lineal.cli.new", "from ..cas.digest import Digest", "cli may not import lineal.cas.digest"),
    ("lineal.cli.new", "from ..store import Store", "cli may not import lineal.store"),
    ("lineal.cli.new", "import lmdb", "cli must never know lmdb"),
    ("lineal.dashboard.new", "from ..client import open", "dashboard may not import lineal.client"),
    ("lineal.cas.digest", "class Here:\n    import numpy", "numpy is not imported on use"),
    ("lineal.cas.digest", "def late():\n    importlib.import_module(name)", "cas imports a computed name"),
    ("lineal.history.new", "import_module(f'..{room}', __package__)", "history imports a computed name"),
    ("lineal.cli.new", "TABLE = {'x': '..store'}\nimport_module(TABLE[name])", "cli may not import lineal.store"),
    ("lineal.cas.digest", "def late():\n    from .store import BlobStore", "import cycle"),
    ("lineal.extras", "", "lineal.extras is in no room of the table"),
]


@pytest.mark.parametrize(("module", "line", "expected"), BREACHES)
def test_a_breach_of_the_table_is_found(sources: Sources, module: str, line: str, expected: str) -> None:
    found = violations(with_line(sources, module, line))
    assert any(expected in violation for violation in found), found


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("lineal.events.log", "from ..cas.digest import Digest\nfrom .ids import RunId"),
        ("lineal.store", "from .cas.store import BlobStore"),
        ("lineal.history.new", "def late():\n    import pyarrow"),
        ("lineal.materializers.numpy", "import numpy as np"),
        ("lineal.cli.new", "import_module(f'.{command}', __package__)"),
    ],
)
def test_what_the_table_allows_is_no_breach(sources: Sources, module: str, line: str) -> None:
    assert violations(with_line(sources, module, line)) == violations(sources)


def with_line(sources: Sources, module: str, line: str) -> Sources:
    before = sources.get(module, Module(""))
    return {**sources, module: before._replace(text=f"{before.text}\n{line}\n")}
