"""The house style that linters don't know: sizes, names, docstrings, loose ends, vain tests, errors that travel."""

from __future__ import annotations

import ast
import functools
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineal
from lineal import errors

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tests", "benchmarks", "examples", "docs"}
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
SAYS_NOTHING = {"util", "helper", "misc", "common", "manager", "handler", "processor", "service"}
# Spelled so that this file does not find itself.
LOOSE_ENDS = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b")
CHECKS = {"raises", "warns", "run_state_machine_as_test"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_files() -> dict[str, str]:
    """Every Python file of the checkout, by its path from the root."""
    tops = [top for top in ROOT.iterdir() if (top / "__init__.py").exists() or top.name in OUTSIDE]
    paths = [*ROOT.glob("*.py"), *(path for top in tops for path in top.rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


FILES = read_files()


def is_in_package(path: str) -> bool:
    return path.split("/")[0] not in OUTSIDE


@functools.cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def violations(path: str, text: str) -> list[str]:
    """What the file breaks of the rules that hold for one file alone."""
    tree = parsed(text)
    nodes = list(ast.walk(tree))
    found: list[str] = [*sizes(text, nodes), *names(path, nodes), *loose_ends(text, nodes)]
    if is_in_package(path):
        found += missing_docstrings(tree)
    if Path(path).name.startswith("test_"):
        found += unfailing_tests(nodes)
    return [f"{path}: {violation}" for violation in found]


def sizes(text: str, nodes: list[ast.AST]) -> Iterator[str]:
    if (lines := text.count("\n")) > MAX_FILE_LINES:
        yield f"has {lines} lines"
    for node in nodes:
        if isinstance(node, Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES:
            yield f"{node.name} has {lines} lines"


def names(path: str, nodes: list[ast.AST]) -> Iterator[str]:
    for name in [*Path(path).with_suffix("").parts, *(name for node in nodes for name in given_names(node))]:
        # ``visit_ExceptHandler`` is named for what the standard library calls that node.
        words = [] if hasattr(ast, name.removeprefix("visit_")) else re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
        if SAYS_NOTHING & {word.lower().removesuffix("s") for word in words}:
            yield f"the name {name} says nothing about what it names"


def given_names(node: ast.AST) -> Iterator[str]:
    """The names that this node gives to something."""
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name
        case ast.arg():
            yield node.arg
        case ast.Name(ctx=ast.Store()):
            yield node.id
        case ast.Attribute(ctx=ast.Store()):
            yield node.attr
        case ast.alias() if node.asname:
            yield node.asname
        case ast.ExceptHandler() if node.name:
            yield node.name


def loose_ends(text: str, nodes: list[ast.AST]) -> Iterator[str]:
    for match in LOOSE_ENDS.finditer(text):
        yield f"leaves a loose end: {match.group()}"
    for node in nodes:
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node):
            yield f"line {node.lineno} raises NotImplementedError"
        if isinstance(node, ast.ExceptHandler) and is_blind(node.type) and all(map(does_nothing, node.body)):
            yield f"line {node.lineno} swallows every exception"
        if isinstance(node, ast.Call) and called_name(node) == "suppress" and any(map(is_blind, node.args)):
            yield f"line {node.lineno} swallows every exception"


def called_name(call: ast.Call) -> str:
    """The last word of what is called, if it has a name."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def is_blind(kind: ast.expr | None) -> bool:
    return kind is None or bool(re.search(r"\b(Base)?Exception\b", ast.unparse(kind)))


def does_nothing(statement: ast.stmt) -> bool:
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_constant or isinstance(statement, (ast.Pass, ast.Continue))


def missing_docstrings(tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield "has no docstring"
    for node in public_definitions(tree):
        if not ast.get_docstring(node):
            yield f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            promised = set().union(*map(promised_by, ["", *base_names(node)]))
            for method in public_definitions(node):
                if not ast.get_docstring(method) and method.name not in promised:
                    yield f"{node.name}.{method.name} has no docstring"


def public_definitions(scope: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    for node in scope.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            marks = {ast.unparse(mark).split(".")[-1] for mark in node.decorator_list}
            if not marks & {"overload", "setter"}:
                yield node


def base_names(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]


@functools.cache
def promised_by(name: str) -> frozenset[str]:
    """The methods that a class of this name or its bases document, so that one which overrides them need not.

    Under the empty name: those of protocols, which are implemented without being named.
    """
    promised: set[str] = set()
    for node in every_class():
        if node.name == name or (not name and "Protocol" in base_names(node)):
            promised.update(method.name for method in public_definitions(node) if ast.get_docstring(method))
            promised.update(*(promised_by(base) for base in base_names(node) if base not in {"", name}))
    return frozenset(promised)


@functools.cache
def every_class() -> list[ast.ClassDef]:
    """Of the package."""
    trees = [parsed(text) for path, text in FILES.items() if is_in_package(path)]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def unfailing_tests(nodes: list[ast.AST]) -> Iterator[str]:
    functions = {node.name: node for node in nodes if isinstance(node, Function)}
    for name, node in functions.items():
        if name.startswith("test_") and not can_fail(node, functions, seen=set()):
            yield f"{name} asserts nothing"


def can_fail(function: ast.AST, functions: dict[str, Function], seen: set[str]) -> bool:
    """Whether an assertion is reached in it, or in a function of the same file that it calls."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            called = called_name(node)
            if called in CHECKS:
                return True
            if called in functions and called not in seen:
                seen.add(called)
                if can_fail(functions[called], functions, seen):
                    return True
    return False


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_file_keeps_the_house_rules(path: str) -> None:
    assert violations(path, FILES[path]) == []


BREACHES = [
    ("cas/digest.py", "\n" * 500, "has 501 lines"),
    ("cas/digest.py", "def f():" + "\n    x = 1" * 60, "f has 61 lines"),
    ("cas/utils.py", "", "the name utils says nothing"),
    ("cas/digest.py", "class BlobManager: ...", "the name BlobManager says nothing"),
    ("cas/digest.py", "on_event_handler = 1", "the name on_event_handler says nothing"),
    ("cas/digest.py", "def f(helpers): ...", "the name helpers says nothing"),
    ("cas/digest.py", "# TO" + "DO: later", "leaves a loose end"),
    ("cas/digest.py", "def f():\n    raise NotImplementedError", "raises NotImplementedError"),
    ("cas/digest.py", "try:\n    f()\nexcept Exception:\n    pass", "swallows every exception"),
    ("cas/digest.py", "try:\n    f()\nexcept:\n    ...", "swallows every exception"),
    ("cas/digest.py", "with suppress(OSError, Exception):\n    f()", "swallows every exception"),
    ("cas/digest.py", "class C:\n    '''A class.'''\n    def method(self): ...", "C.method has no docstring"),
    ("cas/digest.py", "def function(): ...", "function has no docstring"),
    ("tests/test_x.py", "def test_a():\n    assert True", "test_a asserts nothing"),
    ("tests/test_x.py", "def test_a():\n    f()\ndef f():\n    test_a()", "test_a asserts nothing"),
]


@pytest.mark.parametrize(("path", "text", "expected"), BREACHES)
def test_a_breach_of_the_house_rules_is_found(path: str, text: str, expected: str) -> None:
    found = violations(path, f"'''Doc.'''\n{text}")
    assert any(expected in violation for violation in found), found


def test_a_module_without_a_docstring_is_found() -> None:
    assert violations("cas/digest.py", "") == ["cas/digest.py: has no docstring"]


def test_an_assertion_in_a_called_function_counts() -> None:
    assert violations("tests/test_x.py", "def test_a():\n    f()\ndef f():\n    assert test_a") == []


def every_error(kind: type[errors.LinealError] = errors.LinealError) -> Iterator[type[errors.LinealError]]:
    yield kind
    for leaf in kind.__subclasses__():
        yield from every_error(leaf)


@pytest.mark.parametrize("kind", sorted(every_error(), key=lambda kind: kind.__qualname__))
def test_an_error_survives_pickling_with_its_fields_and_cause(kind: type[errors.LinealError]) -> None:
    error = kind("it is gone", where="a/b", hint="Look elsewhere.", size_bytes=3)
    error.__cause__ = OSError(28, "no space")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert vars(copy) == vars(error)
    assert copy.details == {"size_bytes": 3}
    assert str(copy) == str(error)
    assert (type(copy.__cause__), copy.__cause__.args) == (OSError, (28, "no space"))


@pytest.mark.parametrize("kind", sorted(every_error(), key=lambda kind: kind.__qualname__))
def test_an_error_says_what_where_and_what_to_do(kind: type[errors.LinealError]) -> None:
    text = str(kind("it is gone", where="a/b", hint="Look elsewhere."))
    assert text == "it is gone [a/b]\nHint: Look elsewhere."


def test_every_error_is_defined_in_the_one_tree() -> None:
    assert {kind.__module__ for kind in every_error()} == {"lineal.errors"}


def test_the_public_face_is_what_all_names() -> None:
    resolved = {name: getattr(lineal, name) for name in lineal.__all__}
    public = {
        name
        for name, value in vars(lineal).items()
        if not name.startswith("_") and getattr(value, "__module__", "").split(".")[0] == "lineal"
    }
    assert sorted(resolved) == sorted(set(lineal.__all__))
    assert public <= set(lineal.__all__) <= set(dir(lineal))


def test_every_public_name_has_a_docstring() -> None:
    silent = [name for name in lineal.__all__ if name != "__version__" and not getattr(lineal, name).__doc__]
    assert silent == []


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        lineal.no_such_name  # noqa: B018
