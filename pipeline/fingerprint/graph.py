"""The graph of live code: one node per function, class or module, with its own entries and what it reaches.

Nodes are shallow, so cycles need no care; each is expanded once in the life of a graph, which is one plan.
Soundness rests on bindings: whatever a name leads to, unless name and target tell it themselves, gets an entry of its
own, so that swapping two names that lead to known code is a change.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FunctionType, MethodType, ModuleType
from typing import Any

from ...cas.digest import digest_of
from ...history.code import Entry
from .boundary import Origin, Origins, Party, module_name_of
from .bytecode import code_digest, reads_of_code
from .classes import PLAIN_METACLASSES, class_definition, class_members, class_structure, is_stale, registered_with
from .definitions import Definition
from .framing import frame_all, frame_bytes, frame_str
from .live import (
    Target,
    attributes_of,
    cells_of,
    class_symbol,
    declared_function,
    defaults_of,
    function_symbol,
    is_namespace,
    is_ours,
    namespace_of,
    resolve,
    wrapped_by,
)
from .main_module import module_named
from .plantings import PLANTINGS
from .reads import IMPORT, NAMESPACE_CALLS, PACKAGE, SUBCLASSES, Read
from .references import References
from .source_index import Decoration
from .sources import SOURCES, file_digest
from .unimported import modules_that_begin
from .values import CODE_TYPES, frame_scalar, is_scalar

_LEAD_ANYWHERE = frozenset(map(id, (eval, exec, globals, __import__, importlib.import_module, sys.modules)))
_NAMED_TYPES = (*CODE_TYPES, MethodType, staticmethod, classmethod, property, cached_property)


@dataclass(slots=True, eq=False)
class Node:
    """One piece of code, with what it says itself."""

    code: object
    """The function, class or module; held, so that its id stays its own."""
    symbol: str
    entries: dict[str, Entry] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    reached: dict[int, Node] = field(default_factory=dict)
    definition: Definition | None = None
    is_expanded: bool = False
    library: str | None = None
    """Of others' code: the top-level module that it belongs to."""


class CodeGraph:
    """The code of one plan. Not for use by several threads at once."""

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}
        self._made_up: dict[int, ModuleType] = {}
        self._being_defined: list[tuple[Node, str]] = []
        self._modules = 0
        self._live: dict[str, dict[str, object]] = {}
        """What was planted when there were so many modules."""
        self._planted: dict[str, Node] = {}
        self.origins = Origins()
        self._references = References(self.origins)

    # Nodes.

    def node(self, code: Any) -> Node:
        """The node of a function, class or module."""
        known = self._nodes.get(id(code))
        if known is not None:
            return known
        if isinstance(code, FunctionType):
            symbol, module = function_symbol(code), module_name_of(code.__globals__)
            origin = self.origins.of(module, code.__code__.co_filename)
        elif isinstance(code, type):
            symbol, origin = class_symbol(code), self.origins.of_class(code)
        else:
            symbol, origin = f"module:{code.__name__}", self.origins.of(code.__name__)
        node = self._nodes[id(code)] = Node(code, symbol)
        if origin.party is not Party.FIRST:
            self._count_by_version(node, origin)
            self._count_registered(node, code, is_followed=False)
        return node

    def expand(self, node: Node) -> Node:
        """Fill in what the node says and reaches."""
        if node.is_expanded:
            return node
        node.is_expanded = True
        if isinstance(node.code, FunctionType):
            self._expand_function(node, node.code)
        elif isinstance(node.code, type):
            self._expand_class(node, node.code)
        else:
            self._expand_module(node, node.code)  # type: ignore[arg-type]
        return node

    def _count_by_version(self, node: Node, origin: Origin) -> None:
        node.is_expanded = True
        module = node.symbol.split(":")[1]
        node.library = module.partition(".")[0]
        if origin.distribution is not None and origin.version is not None:
            node.entries[f"dist:{origin.distribution}"] = origin.version
        elif origin.path is not None:
            digest = file_digest(origin.path)
            node.entries[f"file:{module}"] = digest or "unreadable"

    def planted_into(self, libraries: Iterable[str]) -> list[Node]:
        """One node for each of others' top-level modules that the project has put something into."""
        if self._modules != len(sys.modules):
            self._modules, self._live = len(sys.modules), PLANTINGS.live(self.origins)
            self._planted.clear()
        found = []
        for library in sorted(self._live.keys() & set(libraries)):
            node = self._planted.get(library)
            if node is None:
                node = self._planted[library] = Node(None, f"planted:{library}", is_expanded=True)
                for place, value in self._live[library].items():
                    self.bind(node, place, value)
            found.append(node)
        return found

    # Functions and modules.

    def _define(
        self, node: Node, definition: Definition, namespace: dict[str, Any], live: list[bytes]
    ) -> tuple[Read, ...]:
        """Enter a definition and framed live parts under its symbol; return what it and its decorators read."""
        node.definition = definition
        kept = [decoration for decoration in definition.decorations if not _is_declaration(decoration, namespace)]
        decorations = frame_all(b"l", [frame_bytes(decoration.digest) for decoration in kept])
        parts = [frame_bytes(definition.digest), decorations, frame_all(b"l", live)]
        node.entries[node.symbol] = digest_of(b"".join(parts))
        return (*definition.reads, *(read for decoration in kept for read in decoration.reads))

    def _flag_missing(self, node: Node, *, is_stale: bool) -> None:
        """Say why there is no definition: there is no source, or it is no longer what is live."""
        kind = "stale-source" if is_stale else "nosource"
        node.flags.add(f"{kind}: {node.symbol.partition(':')[2]}")

    def _expand_function(self, node: Node, function: FunctionType) -> None:
        namespace, code = function.__globals__, function.__code__
        definition = SOURCES.definition_of(code, namespace)
        defaults = defaults_of(function)
        if definition is not None:
            literal = [name for name in definition.literal_defaults if is_scalar(defaults.get(name))]
            told = [frame_str(name) + frame_scalar(defaults.pop(name, None)) for name in sorted(literal)]
            reads = self._define(node, definition, namespace, told)
        else:
            node.entries[node.symbol] = code_digest(code)
            self._flag_missing(node, is_stale=os.path.exists(code.co_filename))
            reads = reads_of_code(code)
        cells = cells_of(function) if code.co_freevars else {}
        for read in reads:
            self.follow(node, read, namespace, cells)
        followed = {read.path[0] for read in reads if read.path}
        place = node.symbol.partition(":")[2]
        for name, value in cells.items():
            if name == "__class__" and isinstance(value, type):
                self.reach(node, value)
            elif name not in followed:
                self.bind(node, f"{place}[{name}]", value)
        for name, value in defaults.items():
            self.bind(node, f"{place}({name})", value)
        for name, value in attributes_of(function).items():
            self.bind(node, f"{place}.{name}", value)
        wrapped = wrapped_by(function)
        if wrapped is not None and not any(value is wrapped for value in cells.values()):
            self.bind(node, f"{place}.__wrapped__", wrapped)

    def _expand_class(self, node: Node, kind: type) -> None:
        definition, namespace = class_definition(kind), namespace_of(kind.__module__)
        if definition is not None:
            bases = [frame_str(class_symbol(base)) for base in kind.__bases__]
            for read in self._define(node, definition, namespace, bases):
                self.follow(node, read, namespace, {})
        else:
            node.entries[node.symbol] = class_structure(kind, self.origins)
            self._flag_missing(node, is_stale=is_stale(kind))
        for base in (*kind.__bases__, type(kind)):
            if base not in (object, *PLAIN_METACLASSES):
                self.reach(node, base)
        self._count_registered(node, kind, is_followed=True)
        place = node.symbol.partition(":")[2]
        for name, member in class_members(kind, definition, self.origins):
            self.bind(node, f"{place}.{name}", member)

    def _count_registered(self, node: Node, kind: object, *, is_followed: bool) -> None:
        """Count what is registered as a virtual subclass: all with a class of ours, ours with one of others."""
        for other in registered_with(kind, below=is_followed):
            if is_followed or self.origins.of_class(other).party is Party.FIRST:
                symbol = class_symbol(other)
                node.entries[f"name:{node.symbol.partition(':')[2]}.register({symbol.partition(':')[2]})"] = symbol

    def _expand_module(self, node: Node, module: ModuleType) -> None:
        path = getattr(module, "__file__", None)
        texts = SOURCES.texts(path, vars(module)) if path else []
        if texts:
            node.entries[node.symbol] = texts[0].module_digest
        for name, value in sorted(vars(module).items()):
            if name.startswith("__"):
                continue
            if isinstance(value, ModuleType):
                if self.origins.is_followed(value.__name__):
                    self.reach(node, value)
            elif texts or isinstance(value, CODE_TYPES) or module.__name__ != "__main__":
                # What a notebook's names hold besides, its own records among them, changes with each cell.
                self.bind(node, f"{module.__name__}:{name}", value)
        if type(module) is not ModuleType:
            self.reach(node, type(module))

    # Reads.

    def follow(self, node: Node, read: Read, namespace: dict[str, Any], cells: dict[str, object]) -> None:
        """Enter what a read of this node leads to."""
        here = node.symbol.partition(":")[2]
        if read.computed == PACKAGE:
            self._count_package(node, read, namespace, here)
            return
        if read.computed == SUBCLASSES:
            self._reach_subclasses(node, namespace.get(here.partition(":")[2].partition(".")[0]))
            return
        target = resolve(read, namespace, cells, self.origins)
        if target is None:
            if read.module is not None and read.computed != IMPORT:
                node.flags.add(f"unresolved: {read.module} in {here}")
            if read.computed in NAMESPACE_CALLS:
                self._count_whole(node, module_name_of(namespace), namespace, f"{read.computed} in {here}")
            return
        for owner, name, module in target.aliases:
            node.entries[f"name:{owner}:{name}" if owner else f"name:{here}[{name}]"] = module
        if isinstance(target.value, ModuleType):
            self._reach_module(node, target.value, read, namespace, here)
        elif read.computed in NAMESPACE_CALLS:
            self._count_whole(node, module_name_of(namespace), namespace, f"{read.computed} in {here}")
        elif read.computed != IMPORT:
            self._bind_target(node, target, here)

    def _bind_target(self, node: Node, target: Target, here: str) -> None:
        place = f"{target.owner}:{target.name}" if target.owner else f"{here}[{target.name}]"
        self.bind(node, place, target.value)
        value, attribute = target.value, next(iter(target.rest), None)
        if attribute == SUBCLASSES:
            self._reach_subclasses(node, value)
        elif attribute == "__globals__" and isinstance(value, FunctionType):
            namespace = value.__globals__
            self._count_whole(node, module_name_of(namespace), namespace, f"{attribute} in {here}")

    def _reach_module(self, node: Node, module: ModuleType, read: Read, namespace: dict[str, Any], here: str) -> None:
        if not self.origins.is_followed(module.__name__):
            self.reach(node, module)
            if read.computed in NAMESPACE_CALLS:
                self._count_whole(node, module_name_of(namespace), namespace, f"{read.computed} in {here}")
        elif read.computed is not None and read.computed != IMPORT:
            self._count_whole(node, module.__name__, vars(module), f"{read.computed} in {here}")
        elif read.computed is None:
            self._count_whole(node, module.__name__, vars(module), f"{module.__name__} as a value in {here}")

    def _reach_subclasses(self, node: Node, value: object) -> None:
        """Reach all classes below one, as far as they are imported."""
        classes: list[type] = value.__subclasses__() if isinstance(value, type) and value is not type else []
        for kind in classes:
            self.bind(node, f"{class_symbol(kind).partition(':')[2]}.__bases__", kind)
            self._reach_subclasses(node, kind)

    def _count_package(self, node: Node, read: Read, namespace: dict[str, Any], here: str) -> None:
        """Count every module that an import by a computed name may mean."""
        beside = namespace.get("__file__")
        node.flags.add(f"imprecise: import of {read.module}… in {here}")
        own = namespace.get("__package__") or ""
        if read.level:
            own = ".".join(own.split(".")[: max(1, len(own.split(".")) - read.level + 1)])
            beginning = f"{own}.{read.module}"
        else:
            beginning = read.module or f"{own.partition('.')[0]}."
        for name, path in modules_that_begin("" if beginning == "." else beginning, beside, self.origins).items():
            texts = SOURCES.texts(path, {})
            node.entries[f"module:{name}"] = texts[0].module_digest if texts else "unreadable"

    def _count_whole(self, node: Node, name: str, namespace: dict[str, Any], why: str) -> None:
        node.flags.add(f"imprecise: {why}")
        module = module_named(name)
        if module is None or vars(module) is not namespace:
            module = self._made_up.setdefault(id(namespace), ModuleType(name))
            vars(module).update(namespace)
        self.reach(node, module)

    def reach(self, node: Node, code: object) -> None:
        """Let the node reach another."""
        other = self.node(code)
        if other is not node:
            node.reached[id(other)] = other

    def _count_all_that_may_be_meant(self, node: Node, place: str) -> None:
        """A name for ``eval``, ``import_module`` or their like: anything in the module, or beside it, may be meant."""
        module = place.partition(":")[0]
        namespace = namespace_of(module)
        self._count_whole(node, module, namespace, place)
        self._count_package(node, Read((), "", computed=PACKAGE), namespace, place)

    # Bindings and values.

    def bind(self, node: Node, place: str, value: object) -> None:
        """Enter what a place holds, unless the place and the target's own name say the same.

        Args:
            node: Who reads it.
            place: ``module:name``, or below a function ``[name]`` for a cell, ``(name)`` for a default.
            value: The live object there.
        """
        value = declared_function(value)
        if id(value) in _LEAD_ANYWHERE:
            self._count_all_that_may_be_meant(node, place)
            return
        name = self._references.plain_name(value)
        if name is not None:
            self.reach(node, name[1])
            if name[0].partition(":")[2] != place:
                node.entries[f"name:{place}"] = name[0]
            return
        if isinstance(value, dict) and is_namespace(value):
            self._count_whole(node, module_name_of(value), value, f"the namespace of a module at {place}")
            return
        encoded = self._references.encode(value)
        kind = "name" if isinstance(value, _NAMED_TYPES) or wrapped_by(value) is not None else "value"
        data = encoded.data
        for code in encoded.reached:
            self.reach(node, code)
        if encoded.opaque:
            if (node, place) in self._being_defined:  # two such values are made of each other
                return
            self._being_defined.append((node, place))
            node.flags.add(f"opaque: {place}")
            data += self._defining_expression(node, place)
            self._being_defined.pop()
        node.entries[f"{kind}:{place}"] = digest_of(data)

    def _defining_expression(self, node: Node, place: str) -> bytes:
        """What stands in for a value without structure: the statements that bind its name, and what they read.

        For what a closure holds, that is the function that made the closure.
        """
        module, _, name = place.partition(":")
        namespace = namespace_of(module)
        path = namespace.get("__file__")
        maker = namespace.get(name.partition(".")[0]) if ".<locals>." in name else None
        if isinstance(maker, FunctionType):
            self.reach(node, maker)
        if not name.isidentifier() or not isinstance(path, str):
            return b""
        binding = next((found for text in SOURCES.texts(path, namespace) if (found := text.binding(name))), None)
        if binding is None:
            return b""
        for read in binding.reads:
            if read.path[:1] != (name,) or read.module is not None:
                self.follow(node, replace(read, computed=None) if read.computed == IMPORT else read, namespace, {})
        return frame_bytes(binding.digest)


def _is_declaration(decoration: Decoration, namespace: dict[str, Any]) -> bool:
    """Whether this decorator is Lineal's own: what it says is not the step's code."""
    if decoration.path is None:
        return False
    return decoration.path[0] in namespace and is_ours(namespace[decoration.path[0]])
