"""Scripts and notebooks: what was defined by the main program, without running it once more."""

from __future__ import annotations
import __future__

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeGuard

from ...errors import Invalid, InvalidPipeline

MAIN = "__main__"

_is_loading: ContextVar[bool] = ContextVar("lineal_loading", default=False)
_is_importing: ContextVar[bool] = ContextVar("lineal_importing", default=False)


class PipelineCalled(BaseException):
    """A pipeline was called by a main program that is loaded for its definitions; nobody but the loader catches it."""


def leave_out_of_loading() -> None:
    """Raise `PipelineCalled` where a main program is being loaded: what it once ran is not to be run by that."""
    if _is_loading.get():
        raise PipelineCalled
    if _is_importing.get():
        raise InvalidPipeline(
            "a module calls a pipeline when it is imported, which a process that executes steps has to do",
            hint='Put the call under `if __name__ == "__main__":`, or into a function.',
        )


@contextmanager
def importing() -> Iterator[None]:
    """Refuse calls of pipelines while modules are imported for steps: each could start more such processes."""
    token = _is_importing.set(True)
    try:
        yield
    finally:
        _is_importing.reset(token)


def load_script(path: Path) -> ModuleType:
    """Execute a script as the main module, less what stands under ``if __name__ == "__main__"`` or calls a pipeline.

    So a step that ran from it can be found, under the name that the log knows it by.

    Raises:
        Invalid: There is no such file, or it is not Python.
    """
    return load_main([path], "", {})


def load_main(texts: Sequence[Path], package: str, bound_in: Mapping[str, Path]) -> ModuleType:
    """Execute the texts of a main program as the main module; see `load_script`.

    Args:
        texts: A script, or the cells of a notebook, whose order is not known: each statement is executed once what it
            needs is there.
        package: That of the module that was run as the main program; else empty.
        bound_in: By name, the text that binds it, of several that do.
    """
    statements = [one for text in texts for one in _statements(text, bound_in)]
    module = ModuleType(MAIN)
    module.__file__, module.__package__ = str(texts[0]), package or None
    before = sys.modules.get(MAIN)
    sys.modules[MAIN] = module
    token = _is_loading.set(True)
    try:
        _execute(statements, module, is_ordered=len(texts) == 1)
    except BaseException:
        if before is not None:
            sys.modules[MAIN] = before
        raise
    finally:
        _is_loading.reset(token)
    return module


class _Statement(NamedTuple):
    node: ast.stmt
    path: Path
    flags: int
    """Features that the text imports from the future."""
    imports: ast.If
    """All that the text imports, in a block that is never entered: the compiler calls functions of what it knows to be
    a module in another way, and the code is to be what the whole text gives."""

    def execute(self, module: ModuleType) -> None:
        tree = ast.Module([self.imports, self.node], [])
        code = compile(tree, str(self.path), "exec", self.flags, dont_inherit=True)
        exec(code, vars(module))

    @property
    def bound(self) -> set[str]:
        """The names that it binds."""
        if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return {self.node.name}
        names = (one for one in ast.walk(self.node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
        return {name.id for name in names}


def _statements(path: Path, bound_in: Mapping[str, Path]) -> Iterator[_Statement]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError) as error:
        raise Invalid(f"the script can't be read: {error}", where=path, hint="Give the file that ran.") from error
    flags, imports = 0, ast.If(ast.Constant(False), [*_imports(tree), ast.Pass()], [])
    ast.fix_missing_locations(imports)
    for node in tree.body:
        if _is_of_the_future(node):
            for feature in node.names:
                flags |= getattr(__future__, feature.name).compiler_flag
            continue
        statement = _Statement(node, path, flags, imports)
        is_superseded = any(bound_in.get(name, path) != path for name in statement.bound)
        if not _is_guard(node) and not is_superseded:
            yield statement


def _is_of_the_future(node: ast.AST) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _imports(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom) and not _is_of_the_future(inner):
                    yield inner


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test)
    )


def _execute(statements: list[_Statement], module: ModuleType, *, is_ordered: bool) -> None:
    left_out: set[str] = set()
    while statements:
        postponed = []
        for statement in statements:
            try:
                statement.execute(module)
            except PipelineCalled:
                left_out |= statement.bound
            except NameError as error:
                if error.name in left_out:
                    left_out |= statement.bound
                elif is_ordered:
                    raise
                else:
                    postponed.append(statement)
        if len(postponed) == len(statements):
            postponed[0].execute(module)  # It raises what it lacks.
            return
        statements = postponed
