"""Stores into what has a dotted name: the statements of a text that may set an attribute of something imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from .reads import dotted_path

MAY_STORE = re.compile(
    r"(?:^|[:;])[ \t]*(?!(?:self|cls)\b)[\w.,\t ]*\.\w+[ \t]*(?::[^=\n]*)?[-+*/%&|^@<>]{0,3}=(?!=)|\bsetattr\b",
    re.MULTILINE,
)
"""What a text must have somewhere for its syntax to be searched."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_THEMSELVES = frozenset({"self", "cls"})


class AttributeStore(NamedTuple):
    """A statement that stores an attribute of something that has a dotted name."""

    target: tuple[str, ...]
    attribute: str | None
    """None where its name is computed."""
    in_function: bool
    """Whether it stands in a function, which may not have been called."""


class LocalImport(NamedTuple):
    """What an import inside a function binds a name to."""

    name: str
    module: str
    attribute: str | None
    """What is taken from the module, None for the module itself."""


def stores_in(tree: ast.Module) -> tuple[tuple[AttributeStore, ...], tuple[LocalImport, ...]]:
    """The stores of a text, and the absolute imports inside its functions, by which their targets may be named."""
    stores: dict[AttributeStore, None] = {}
    imports: dict[LocalImport, None] = {}
    for node, in_function in _nodes(tree):
        store = _store(node, in_function=in_function)
        if store is not None and store.target[0] not in _THEMSELVES:
            stores[store] = None
        elif in_function:
            imports.update(dict.fromkeys(_imports(node)))
    return tuple(stores), tuple(imports) if stores else ()


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Every node, and whether it stands in a function."""
    pending = [(tree, False)]
    while pending:
        node, in_function = pending.pop()
        yield node, in_function
        in_function = in_function or isinstance(node, _FUNCTIONS)
        pending += [(child, in_function) for child in ast.iter_child_nodes(node)]


def _store(node: ast.AST, *, in_function: bool) -> AttributeStore | None:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        target = dotted_path(node.value)
        return None if target is None else AttributeStore(target, node.attr, in_function)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and node.args:
        target = dotted_path(node.args[0])
        name = node.args[1] if len(node.args) > 1 else None
        is_plain = isinstance(name, ast.Constant) and isinstance(name.value, str)
        return None if target is None else AttributeStore(target, name.value if is_plain else None, in_function)  # type: ignore[union-attr]
    return None


def _imports(node: ast.AST) -> Iterator[LocalImport]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield LocalImport(alias.asname or top, alias.name if alias.asname else top, None)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        for alias in node.names:
            yield LocalImport(alias.asname or alias.name, node.module or "", alias.name)
