"""What a definition reads from outside of itself: names, attribute chains, imports and computed access.

Scopes are worked out on the syntax alone, as the language reference has them (section 4.2, "Naming and binding"),
so that the answer does not depend on the Python version. A doubtful name counts as read.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .canonical import FunctionNode, is_artifact_declaration, last_name

IMPORT = "import"
PACKAGE = "package"
SUBCLASSES = "__subclasses__"
NAMESPACE_CALLS = frozenset({"globals", "eval", "exec", "import_module", "__import__", "sys.modules"})
"""Computed access after which anything in the reader's own module may be meant."""
_NAMESPACES = frozenset({"globals", "eval", "exec"})
_GLOBALS_OF = frozenset({"__globals__", "f_globals"})
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_STATEMENTS_OF_THEIR_OWN = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, order=True)
class Read:
    """A name that is looked up outside, with the attributes that are taken from it."""

    path: tuple[str, ...]
    """The name and its attributes; below an imported module, the attributes only, perhaps none."""
    module: str | None = None
    """The module that an import inside the definition names, else None."""
    level: int = 0
    """Leading dots of that import."""
    computed: str | None = None
    """The construct that takes a computed attribute of it, such as ``getattr``; `IMPORT` if it is only imported;
    `PACKAGE` if it is any module whose name begins with ``module``."""


@dataclass(slots=True)
class _Scope:
    is_class: bool = False
    is_comprehension: bool = False
    bound: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)
    imports: dict[str, list[Read]] = field(default_factory=lambda: defaultdict(list))
    reads: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)


def reads_of_function(node: FunctionNode | ast.Lambda) -> tuple[Read, ...]:
    """What the body and the annotations read; defaults are live values and not read here."""
    visitor = _Visitor()
    if not isinstance(node, ast.Lambda):
        visitor.annotations(node)
    visitor.function_body(node)
    return visitor.result()


def reads_of_class(node: ast.ClassDef) -> tuple[Read, ...]:
    """What the class statement reads, its methods and inner classes apart."""
    visitor = _Visitor()
    visitor.class_body(node, [item for item in node.body if not isinstance(item, _STATEMENTS_OF_THEIR_OWN)])
    return visitor.result()


def reads_of_nodes(nodes: Iterable[ast.AST]) -> tuple[Read, ...]:
    """What expressions or statements at module level read."""
    visitor = _Visitor()
    for node in nodes:
        visitor.visit(node)
    return visitor.result()


def dotted_path(node: ast.AST) -> tuple[str, ...] | None:
    """``a.b.c`` as its components, None for anything that is not a dotted name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else None


class _Visitor(ast.NodeVisitor):
    def __init__(self) -> None:
        self._scopes = [_Scope()]
        self._found: set[Read] = set()

    def result(self) -> tuple[Read, ...]:
        outermost = self._scopes[0]
        for path, computed in outermost.reads:
            self._emit(outermost, path, computed)
        return tuple(sorted(self._found, key=_order))

    # Scopes.

    def _read(self, path: tuple[str, ...], computed: str | None = None) -> None:
        if path[:2] == ("sys", "modules"):
            computed = "sys.modules"
        elif path[0] in _NAMESPACES and len(path) == 1:
            computed = path[0]
        elif "__dict__" in path:
            path, computed = path[: path.index("__dict__")] or path, "vars"
        self._scopes[-1].reads.append((path, computed))
        for attribute in path[1:]:
            self._attribute(attribute)

    def _attribute(self, name: str) -> None:
        """An attribute that leads from anything to code that no name on the way tells."""
        if name in _GLOBALS_OF:
            self._found.add(Read(("globals",), computed="globals"))
        elif name == SUBCLASSES:
            self._found.add(Read((SUBCLASSES,), computed=SUBCLASSES))

    def _bind(self, name: str) -> None:
        self._scopes[-1].bound.add(name)

    def _emit(self, scope: _Scope, path: tuple[str, ...], computed: str | None) -> None:
        if path[0] not in scope.imports:
            self._found.add(Read(path, computed=computed))
        for source in scope.imports.get(path[0], ()):
            self._found.add(Read(source.path + path[1:], source.module, source.level, computed))

    def _leave(self) -> None:
        scope = self._scopes.pop()
        outer = self._scopes[-1]
        if outer.is_class and not scope.is_class:
            outer = next(candidate for candidate in reversed(self._scopes) if not candidate.is_class)
        for path, computed in scope.reads:
            name = path[0]
            if name in scope.globals:
                self._scopes[0].reads.append((path, computed))
            elif name in scope.nonlocals:
                outer.reads.append((path, computed))
            elif name in scope.imports:
                self._emit(scope, path, computed)
            elif scope.is_class or name not in scope.bound:  # ``rate = rate`` in a class reads the global first
                outer.reads.append((path, computed))

    # Names.

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read((node.id,))
        else:
            self._bind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        path = dotted_path(node)
        if path is None:
            self._attribute(node.attr)
            self.visit(node.value)
        else:
            self._read(path)

    def visit_Call(self, node: ast.Call) -> None:
        name = last_name(node.func)
        is_builtin = isinstance(node.func, ast.Name) or dotted_path(node.func) == ("builtins", name)
        arguments: Sequence[ast.expr] = node.args
        if name in ("import_module", "__import__"):
            self._import_call(node, name)
        elif is_builtin and name in _NAMESPACES:
            self._read((name,), computed=name)
        elif is_builtin and name in ("getattr", "vars", "setattr"):
            arguments = self._attribute_call(name, node.args)
        else:
            self.visit(node.func)
        for argument in [*arguments, *node.keywords]:
            self.visit(argument)

    def _import_call(self, node: ast.Call, name: str) -> None:
        """A module imported by a text: that module, or any that the text's constant beginning leaves possible."""
        named = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "name")]
        beginning, is_whole = _beginning(named[0]) if named else ("", False)
        dots = len(beginning) - len(beginning.lstrip("."))
        is_own = not dots or len(node.args) < 2 or last_name(node.args[1]) in ("__package__", "__name__")
        if is_whole and len(beginning) > dots and is_own:
            # As a value: which attributes are taken of what comes back, no name tells.
            self._found.add(Read((), beginning[dots:], dots))
        else:
            self._read((name,), computed=name)
            self._found.add(Read((), beginning[dots:], dots, PACKAGE))

    def _attribute_call(self, name: str, arguments: list[ast.expr]) -> list[ast.expr]:
        """Read what ``getattr(path, …)`` takes; return the arguments that are still to visit."""
        path = dotted_path(arguments[0]) if arguments else None
        if path is None:
            return arguments
        attribute = arguments[1] if len(arguments) > 1 else None
        if name == "getattr" and isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
            self._read((*path, attribute.value))
        else:
            self._read(path, computed=name)
        return arguments[1:]

    # Bindings.

    def visit_Global(self, node: ast.Global) -> None:
        self._scopes[-1].globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._scopes[-1].nonlocals.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._found.add(Read((), alias.name, computed=IMPORT))
            top = alias.name.partition(".")[0]
            source = Read((), alias.name) if alias.asname else Read((), top)
            self._import(alias.asname or top, source)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            source = Read((alias.name,), module, node.level)
            self._found.add(replace(source, computed=IMPORT))
            self._import(alias.asname or alias.name, source)

    def _import(self, name: str, source: Read) -> None:
        self._scopes[-1].imports[name].append(source)
        if name in self._scopes[-1].globals:  # whoever reads the global later finds this
            self._found.add(source)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._bind(node.rest)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read((node.target.id,))
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        target = next(scope for scope in reversed(self._scopes) if not scope.is_comprehension)
        target.bound.add(node.target.id)
        self.visit(node.value)

    # Definitions inside.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._bind(node.name)
        self._inner_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._bind(node.name)
        self._inner_function(node)

    def _inner_function(self, node: FunctionNode) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._defaults(node.args)
        self.annotations(node)
        self.function_body(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self.function_body(node)

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.visit(default)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self.class_body(node, node.body)

    def class_body(self, node: ast.ClassDef, statements: Sequence[ast.stmt]) -> None:
        for part in [*node.bases, *node.keywords]:
            self.visit(part)
        self._scopes.append(_Scope(is_class=True, bound=_type_parameters(node)))
        for statement in statements:
            self.visit(statement)
        self._leave()

    def function_body(self, node: FunctionNode | ast.Lambda) -> None:
        scope = _Scope(bound=_type_parameters(node))
        scope.bound.update(argument.arg for argument in _arguments(node.args))
        self._scopes.append(scope)
        for statement in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(statement)
        self._leave()

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, _COMPREHENSIONS):
            self._comprehension(node)
        else:
            super().generic_visit(node)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.visit(node.generators[0].iter)
        self._scopes.append(_Scope(is_comprehension=True))
        for position, generator in enumerate(node.generators):
            self.visit(generator.target)
            if position:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        for part in (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,):
            self.visit(part)
        self._leave()

    # Annotations.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if self._scopes[-1].is_class or len(self._scopes) == 1:
            self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)

    def annotations(self, node: FunctionNode) -> None:
        for argument in _arguments(node.args):
            self._annotation(argument.annotation)
        self._annotation(node.returns)

    def _annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = _parsed(node.value)
        if isinstance(node, ast.Subscript):
            self.visit(node.value)
            self._subscript(last_name(node.value), node.slice)
        elif isinstance(node, ast.BinOp):
            self._annotation(node.left)
            self._annotation(node.right)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for item in node.elts:
                self._annotation(item)
        else:
            self.visit(node)

    def _subscript(self, generic: str | None, inner: ast.expr) -> None:
        if generic == "Literal":
            return
        if generic == "Annotated" and isinstance(inner, ast.Tuple):
            self._annotation(inner.elts[0])
            for metadata in inner.elts[1:]:
                if not is_artifact_declaration(metadata):
                    self.visit(metadata)
        else:
            self._annotation(inner)


def _beginning(node: ast.expr) -> tuple[str, bool]:
    """The constant text that an expression's value begins with, and whether that is all of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, True
    if isinstance(node, ast.JoinedStr) and node.values:
        return _beginning(node.values[0])[0], False
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        beginning = _beginning(node.left)[0]
        return beginning.partition("%")[0] if isinstance(node.op, ast.Mod) else beginning, False
    return "", False


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    single = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *single]


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", [])}


def _parsed(text: str) -> ast.expr:
    """A forward reference as syntax; text that is none reads nothing."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return ast.Constant(value=None)


def _order(read: Read) -> tuple[tuple[str, ...], str, int, str]:
    return read.path, read.module or "", read.level, read.computed or ""
