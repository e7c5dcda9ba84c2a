"""Canonical bytes of syntax: what a definition means, not how it is written.

Positions, comments, docstrings, quoting, formatting, the annotations of local variables and fields that only some
Python versions have vanish; everything else, constants with their types included, stays. The bytes are the same on
every supported Python.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache

from .framing import (
    frame_all,
    frame_constant,
    frame_str,
)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
DefinitionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.GeneratorExp | ast.ClassDef

_DROPPED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores", "lineno", "col_offset"})
_BODIES = frozenset({"body", "orelse", "finalbody"})
_field_names: dict[type[ast.AST], tuple[tuple[str, bytes], ...]] = {}


def canonical_function(node: FunctionNode | ast.Lambda) -> bytes:
    """The function without its decorators."""
    return _Canonical(in_function=True).node(node, without=("decorator_list",))


def canonical_class(node: ast.ClassDef) -> bytes:
    """The class's own statement: bases, keywords, assignments; its decorators, methods and inner classes apart."""
    writer = _Canonical(in_function=False)
    own = [statement for statement in node.body if not isinstance(statement, _SEPARATE)]
    header = [writer.list(node.bases), writer.list(node.keywords), writer.list(getattr(node, "type_params", []))]
    return frame_all(b"C", [*header, writer.statements(own)])


def canonical_module(node: ast.Module) -> bytes:
    """A whole module."""
    return _Canonical(in_function=False).statements(node.body)


def canonical_nodes(nodes: Sequence[ast.AST]) -> bytes:
    """Some expressions or statements, in their order."""
    return _Canonical(in_function=False).list(nodes)


_SEPARATE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ABSENT = b"-"  # no node: the key of ``**d`` in ``{**d}`` is not the key None


class _Canonical:
    def __init__(self, *, in_function: bool) -> None:
        self._in_function = in_function

    def node(self, node: ast.AST, without: tuple[str, ...] = ()) -> bytes:
        kind = type(node)
        if kind is ast.Name:
            return _name(node.id)  # type: ignore[attr-defined]
        if kind is ast.Constant:
            return frame_constant(node.value)  # type: ignore[attr-defined]
        fields = _fields(kind)
        if not fields:
            return _bare(kind.__name__)
        if kind is ast.JoinedStr:
            return self._joined(node)  # type: ignore[arg-type]
        if kind is ast.AnnAssign and self._in_function:
            return self._assignment(node)  # type: ignore[arg-type]
        if kind is ast.Subscript and _is_annotated(node):  # type: ignore[arg-type]
            return self._annotated(node)  # type: ignore[arg-type]
        outer = self._in_function
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._in_function = kind is not ast.ClassDef
        items = [frame_str(kind.__name__)]
        for name, framed_name in fields:
            value = getattr(node, name, None)
            if value is None or name in without:
                continue
            if isinstance(value, ast.AST):
                items += (framed_name, self.node(value))
            elif value != []:
                items += (framed_name, self._field(name, value))
        self._in_function = outer
        return frame_all(b"n", items)

    def list(self, values: Sequence[object]) -> bytes:
        return frame_all(b"l", [self._value(value) for value in values])

    def statements(self, body: Sequence[ast.stmt]) -> bytes:
        """A block without docstrings, other bare strings and declarations that bind nothing."""
        kept = [statement for statement in body if not self._says_nothing(statement)]
        return self.list(kept or [ast.Pass()])

    def _says_nothing(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Expr):
            return isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
        return self._in_function and isinstance(statement, ast.AnnAssign) and statement.value is None

    def _field(self, name: str, value: object) -> bytes:
        if name in _BODIES and isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            return self.statements(value)
        return self._value(value)

    def _value(self, value: object) -> bytes:
        if isinstance(value, ast.AST):
            return self.node(value)
        if isinstance(value, list):
            return self.list(value)
        return _ABSENT if value is None else frame_constant(value)

    def _assignment(self, node: ast.AnnAssign) -> bytes:
        value = ast.Constant(value=None) if node.value is None else node.value
        return self.node(ast.Assign(targets=[node.target], value=value))

    def _joined(self, node: ast.JoinedStr) -> bytes:
        """An f-string with neighbouring literals merged: parsers of different versions cut them differently."""
        parts: list[ast.expr] = []
        for part in node.values:
            last = parts[-1] if parts else None
            if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
                parts[-1] = ast.Constant(value=last.value + part.value)  # type: ignore[operator]
            elif not (isinstance(part, ast.Constant) and part.value == ""):
                parts.append(part)
        return frame_all(b"j", [self.node(part) for part in parts])

    def _annotated(self, node: ast.Subscript) -> bytes:
        """``Annotated[T, Artifact(…)]`` without the declaration of the artifact: names and tags cause nothing."""
        items = [item for item in node.slice.elts if not is_artifact_declaration(item)]  # type: ignore[attr-defined]
        return frame_all(b"a", [self.node(item) for item in items])


def is_artifact_declaration(node: ast.expr) -> bool:
    """Whether this is a call ``Artifact(…)``."""
    return isinstance(node, ast.Call) and last_name(node.func) == "Artifact"


def last_name(node: ast.AST) -> str | None:
    """The last component of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _is_annotated(node: ast.Subscript) -> bool:
    return last_name(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple)


@lru_cache(4096)
def _name(name: str) -> bytes:
    """A name that is read or bound: half of all nodes are."""
    return frame_all(b"n", [frame_str("Name"), frame_str("id"), frame_constant(name)])


@lru_cache
def _bare(kind: str) -> bytes:
    """A node that says nothing but its kind, such as an operator."""
    return frame_all(b"n", [frame_str(kind)])


def _fields(kind: type[ast.AST]) -> tuple[tuple[str, bytes], ...]:
    names = _field_names.get(kind)
    if names is None:
        names = tuple((name, frame_str(name)) for name in sorted(kind._fields) if name not in _DROPPED_FIELDS)
        _field_names[kind] = names
    return names
