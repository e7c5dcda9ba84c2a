"""The definitions of one source text: what each means, what it reads, and which compiled code is its own."""

from __future__ import annotations

import ast
import importlib.util
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import CodeType

from ...cas.digest import Digest, digest_of
from .bytecode import code_digest, stable_qualname
from .canonical import (
    DefinitionNode,
    canonical_class,
    canonical_function,
    canonical_module,
    canonical_nodes,
)
from .framing import frame_str
from .reads import Read, dotted_path, reads_of_class, reads_of_function, reads_of_nodes
from .source_index import SOURCE_INDEX, Decoration, Place, Said, Stores
from .stores import MAY_STORE, stores_in

_UNNAMED: dict[str, type[ast.Lambda | ast.GeneratorExp]] = {"<lambda>": ast.Lambda, "<genexpr>": ast.GeneratorExp}
_SCALARS = (bool, int, float, complex, str, bytes)
_TEXTS = frame_str("annotations are texts")
_ARGUMENTLESS = (ast.ClassDef, ast.GeneratorExp)
_SEPARATE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NESTED_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True, slots=True)
class Definition:
    """What the source says of one function, lambda or class."""

    digest: Digest
    """Of its canonical syntax; the decorators, and a class's methods and inner classes, apart."""
    decorations: tuple[Decoration, ...]
    reads: tuple[Read, ...]
    literal_defaults: frozenset[str]
    """Parameters whose default is a literal, so that the syntax already tells its value."""
    bound: frozenset[str]
    """For a class: the names that its body binds."""
    source: SourceText
    """The text that says it."""
    first_line: int
    """Where it begins there, decorators included, from 1."""
    last_line: int


@dataclass(frozen=True, slots=True)
class Binding:
    """The module-level statements that bind one name."""

    digest: Digest
    reads: tuple[Read, ...]


class SourceText:
    """One version of one source file, or of a text that was compiled without a file.

    Attributes:
        source: The bytes.
        digest: Of the bytes.
        filename: As the code that it made names it; there need not be such a file.
        is_settled: Nobody can have changed the text since the process began, so code from it needs no proof.
    """

    def __init__(self, source: bytes, filename: str, *, is_settled: bool) -> None:
        self.source = source
        self.digest = digest_of(source)
        self.filename = filename
        self.is_settled = is_settled
        self._definitions: dict[DefinitionNode, Definition] = {}
        self._unnamed: dict[type, list[DefinitionNode]] = {}
        self._known = SOURCE_INDEX.of(self.digest)

    def of_code(self, code: CodeType) -> Definition | None:
        """The function whose code this is, None if this text did not make it."""
        place = self._place_of(code)
        if place is None:
            node = self._node_of(code)
            return None if node is None else self._definition(node)
        said = self._known.functions.get(place)
        if said is None:
            (node,) = self._standing_at(place[0], code)
            said = self._known.functions[place] = _kept(self._definition(node))
            SOURCE_INDEX.learned()
        return _definition_of(said, self)

    def _place_of(self, code: CodeType) -> Place | None:
        """Where the one function stands that surely made this code; None where that has to be proved."""
        if not self.is_settled:
            return None
        place, known = (stable_qualname(code.co_qualname), code.co_firstlineno), self._known.parameters
        if place not in known:
            nodes = self._standing_at(place[0], code)
            if len(nodes) != 1:
                return None
            known[place] = _parameters(nodes[0])
            SOURCE_INDEX.learned()
        return place if _are_parameters(known[place], code) else None

    def of_class(self, qualname: str, codes: list[CodeType], live: Mapping[str, object]) -> Definition | None:
        """The class statement of this name that made the live class, None if this text has none.

        Args:
            qualname: The class's qualified name.
            codes: The code of the methods that stand in its body.
            live: Its own attributes; for names that it only annotates, any object.
        """
        stand = [place for code in codes if (place := self._place_of(code)) is not None]
        if not self.is_settled or len(stand) != len(codes):
            return self._class_statement(qualname, codes, live)
        known, key = self._known.classes, (qualname, tuple(stand))
        if key not in known:
            found = self._class_statement(qualname, codes, live)
            known[key] = None if found is None else _kept(found)
            SOURCE_INDEX.learned()
        said = known[key]
        return None if said is None else _definition_of(said, self)

    def _class_statement(self, qualname: str, codes: list[CodeType], live: Mapping[str, object]) -> Definition | None:
        nodes = [node for node in self._outline.get(qualname, ()) if isinstance(node, ast.ClassDef)]
        places = [place for place in map(self._node_of, codes) if place is not None]
        if codes:
            nodes = [node for node in nodes if any(_encloses(node, place) for place in places)]
        if not self.is_settled:
            nodes = [node for node in nodes if len(places) == len(codes) and _could_have_made(node, live)]
        if len(nodes) > 1:  # nothing tells which of them is live, so that each counts
            return _joined([self._definition(node) for node in nodes])
        return self._definition(nodes[0]) if nodes else None

    def has_class(self, qualname: str) -> bool:
        """Whether a class statement of this name is in the text."""
        known = self._known.has_class
        if qualname not in known:
            known[qualname] = any(isinstance(node, ast.ClassDef) for node in self._outline.get(qualname, ()))
            SOURCE_INDEX.learned()
        return known[qualname]

    def binding(self, name: str) -> Binding | None:
        """How the module binds this name, None if no statement of it does."""
        known = self._known.bindings
        if name not in known:
            nodes = self._binding_nodes.get(name)
            known[name] = (digest_of(canonical_nodes(nodes)), reads_of_nodes(nodes)) if nodes else None
            SOURCE_INDEX.learned()
        found = known[name]
        return None if found is None else Binding(*found)

    def binding_lines(self, name: str) -> list[tuple[int, int]]:
        """First and last lines of the statements by which the module binds this name."""
        nodes = [node for node in self._binding_nodes.get(name, ()) if isinstance(node, ast.stmt)]
        return [(node.lineno, node.end_lineno or node.lineno) for node in nodes]

    @property
    def module_digest(self) -> Digest:
        """Of the whole module's canonical syntax; of the bytes, if they are no Python."""
        if self._known.module is None:
            self._known.module = digest_of(canonical_module(self.tree)) if self.tree else self.digest
            SOURCE_INDEX.learned()
        return self._known.module

    @property
    def stores(self) -> Stores:
        """As `stores_in` gives them."""
        if self._known.stores is None:
            tree = self.tree if MAY_STORE.search(self._text) else None
            self._known.stores = ((), ()) if tree is None else stores_in(tree)
            SOURCE_INDEX.learned()
        return self._known.stores

    @cached_property
    def _text(self) -> str:
        try:
            return importlib.util.decode_source(self.source)
        except (SyntaxError, UnicodeDecodeError):
            return ""

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax, None where the text is not Python: a file may be half edited."""
        try:
            return ast.parse(self._text)
        except (SyntaxError, ValueError, RecursionError):
            return None

    @cached_property
    def _annotates_by_texts(self) -> bool:
        """Whether ``from __future__ import annotations`` leaves annotations unevaluated."""
        return any(
            isinstance(node, ast.ImportFrom)
            and node.module == "__future__"
            and any(alias.name == "annotations" for alias in node.names)
            for node in (self.tree.body if self.tree is not None else ())
        )

    @cached_property
    def _outline(self) -> dict[str, list[DefinitionNode]]:
        outline: dict[str, list[DefinitionNode]] = defaultdict(list)
        if self.tree is not None:
            for qualname, node in _definitions_in(self.tree.body, ""):
                outline[qualname].append(node)
        return dict(outline)

    def _of_kind(self, kind: type[ast.Lambda | ast.GeneratorExp]) -> list[DefinitionNode]:
        if kind not in self._unnamed:
            nodes = ast.walk(self.tree or ast.Module([], []))
            self._unnamed[kind] = [node for node in nodes if isinstance(node, kind)]
        return self._unnamed[kind]

    @cached_property
    def _compiled(self) -> dict[str, list[CodeType]]:
        found: dict[str, list[CodeType]] = defaultdict(list)
        if self.tree is not None:
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            try:
                module = compile(self._text, "<source>", "exec", flags=flags, dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                return {}
            for code in _nested_code(module):
                found[stable_qualname(code.co_qualname)].append(code)
        return dict(found)

    @cached_property
    def _binding_nodes(self) -> dict[str, list[ast.AST]]:
        found: dict[str, list[ast.AST]] = defaultdict(list)
        for statement in _statements_outside_functions(self.tree.body if self.tree else []):
            for name in _stored_names(statement):
                found[name].append(statement)
        return dict(found)

    def _standing_at(self, qualname: str, code: CodeType) -> list[DefinitionNode]:
        unnamed = _UNNAMED.get(code.co_name)
        nodes = self._outline.get(qualname, []) if unnamed is None else self._of_kind(unnamed)
        line = code.co_firstlineno
        return [node for node in nodes if not isinstance(node, ast.ClassDef) and _first_line(node) == line]

    def _node_of(self, code: CodeType) -> DefinitionNode | None:
        qualname = stable_qualname(code.co_qualname)
        if self._place_of(code) is not None:
            return self._standing_at(qualname, code)[0]
        wanted = code_digest(code)
        same = [other for other in self._compiled.get(qualname, ()) if code_digest(other) == wanted]
        if not same:
            return None
        place = list(code.co_positions())
        closest = min(same, key=lambda other: (list(other.co_positions()) != place, _distance(other, code)))
        nodes = self._standing_at(qualname, closest)
        return nodes[0] if len(nodes) == 1 else _returning(nodes, closest)

    def _definition(self, node: DefinitionNode) -> Definition:
        definition = self._definitions.get(node)
        if definition is None:
            definition = self._definitions[node] = self._describe(node)
        return definition

    def _describe(self, node: DefinitionNode) -> Definition:
        canonical, reads = _said(node)
        return Definition(
            digest=digest_of(canonical + _TEXTS if self._annotates_by_texts and _is_annotated(node) else canonical),
            decorations=tuple(_decoration(decorator) for decorator in _decorators(node)),
            reads=reads,
            literal_defaults=frozenset() if isinstance(node, _ARGUMENTLESS) else _literal_defaults(node.args),
            bound=_bound_names(node) if isinstance(node, ast.ClassDef) else frozenset(),
            source=self,
            first_line=_first_line(node),
            last_line=node.end_lineno or node.lineno,
        )


def _said(node: DefinitionNode) -> tuple[bytes, tuple[Read, ...]]:
    """The canonical syntax of a definition, and what it reads."""
    if isinstance(node, ast.ClassDef):
        return canonical_class(node), reads_of_class(node)
    if isinstance(node, ast.GeneratorExp):
        return canonical_nodes([node]), reads_of_nodes([node])
    return canonical_function(node), reads_of_function(node)


def _decorators(node: DefinitionNode) -> list[ast.expr]:
    return [] if isinstance(node, (ast.Lambda, ast.GeneratorExp)) else node.decorator_list


def _joined(definitions: list[Definition]) -> Definition:
    """Several class statements as if they were one."""
    return replace(
        definitions[-1],
        digest=digest_of(b"".join(one.digest for one in definitions)),
        decorations=tuple(decoration for one in definitions for decoration in one.decorations),
        reads=tuple(dict.fromkeys(read for one in definitions for read in one.reads)),
        bound=frozenset().union(*(one.bound for one in definitions)),
    )


def _decoration(node: ast.expr) -> Decoration:
    applied = node.func if isinstance(node, ast.Call) else node
    return Decoration(dotted_path(applied), digest_of(canonical_nodes([node])), reads_of_nodes([node]))


def _definitions_in(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, DefinitionNode]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
            yield from _definitions_in(node.body, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            yield from _definitions_in(node.body, f"{prefix}{node.name}.")
        else:
            for block in _NESTED_BLOCKS:
                yield from _definitions_in(getattr(node, block, ()), prefix)  # type: ignore[arg-type]


def _statements_outside_functions(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for block in _NESTED_BLOCKS:
                yield from _statements_outside_functions(getattr(node, block, []))


def _stored_names(statement: ast.stmt) -> set[str]:
    """The names that the statement binds, by assignment or by storing into an item or attribute of them."""
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For)):
        targets = [statement.target]
    elif isinstance(statement, ast.With):
        targets = [item.optional_vars for item in statement.items if item.optional_vars]
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    else:
        return set()
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def _bound_names(node: ast.ClassDef) -> frozenset[str]:
    names: set[str] = set()
    for statement in node.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name))
    return frozenset(_mangled(name, node) for name in names)


def _mangled(name: str, node: ast.ClassDef) -> str:
    """The name as the class has it: ``__x`` is private to it (language reference, section 6.2.1)."""
    is_private = name.startswith("__") and not name.endswith("__")
    return f"_{node.name.lstrip('_')}{name}" if is_private and node.name.strip("_") else name


def _literal_defaults(arguments: ast.arguments) -> frozenset[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    return frozenset(name.arg for name, value in pairs if isinstance(value, ast.Constant))


def _nested_code(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested_code(constant)


def _first_line(node: DefinitionNode) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in _decorators(node))])


def _distance(code: CodeType, other: CodeType) -> int:
    return abs(code.co_firstlineno - other.co_firstlineno)


def _parameters(node: DefinitionNode) -> tuple[str, ...] | None:
    if isinstance(node, _ARGUMENTLESS):
        return None
    arguments = node.args
    return tuple([item.arg for item in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]])


def _are_parameters(names: tuple[str, ...] | None, code: CodeType) -> bool:
    count = code.co_argcount + code.co_kwonlyargcount
    return names is None or (
        len(names) == count and all(known.endswith(name) for name, known in zip(names, code.co_varnames, strict=False))
    )


def _kept(definition: Definition) -> Said:
    return Said(
        definition.digest,
        definition.decorations,
        definition.reads,
        definition.literal_defaults,
        definition.bound,
        definition.first_line,
        definition.last_line,
    )


def _definition_of(said: Said, source: SourceText) -> Definition:
    return Definition(
        said.digest,
        said.decorations,
        said.reads,
        said.literal_defaults,
        said.bound,
        source,
        said.first_line,
        said.last_line,
    )


def _encloses(node: ast.ClassDef, place: DefinitionNode) -> bool:
    return node.lineno < place.lineno <= (node.end_lineno or 0)


def _is_annotated(node: DefinitionNode) -> bool:
    """Whether it leaves annotations that a program can look at: of parameters, results and attributes of classes."""
    if isinstance(node, ast.ClassDef):
        inner = [statement for statement in node.body if not isinstance(statement, _SEPARATE)]
        return any(isinstance(item, ast.AnnAssign) for statement in inner for item in ast.walk(statement))
    return any(
        (isinstance(item, ast.arg) and item.annotation is not None)
        or (isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.returns is not None)
        or (isinstance(item, ast.ClassDef) and _is_annotated(item))
        for item in ast.walk(node)
    )


def _could_have_made(node: ast.ClassDef, live: Mapping[str, object]) -> bool:
    """Whether the body binds nothing that the live class lacks, and no literal that differs from a live scalar."""
    if not _bound_names(node) <= live.keys():
        return False
    for statement in node.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target: ast.expr = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        else:
            continue
        if isinstance(target, ast.Name) and isinstance(statement.value, ast.Constant):
            value, said = live[_mangled(target.id, node)], statement.value.value
            if isinstance(value, _SCALARS) and (type(value), value) != (type(said), said):
                return False
    return True


def _returning(nodes: list[DefinitionNode], code: CodeType) -> DefinitionNode | None:
    """The lambda or generator, of several on one line, whose body holds most of the code's positions."""
    places = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]

    def fit(node: DefinitionNode) -> tuple[int, int]:
        body = node if isinstance(node, ast.GeneratorExp) else node.body
        if not isinstance(body, ast.expr):
            return 0, 0
        start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
        return sum(start <= place < end for place in places), -(end[1] - start[1])

    return max(nodes, key=fit, default=None)
