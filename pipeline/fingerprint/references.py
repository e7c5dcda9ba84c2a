"""Live values as bytes, with the code inside them by name, and by what it holds where the name is not enough.

Two lambdas, two closures of one factory and two definitions of one name share their symbol; were they told by it
alone, swapping them would be no change.
"""

from __future__ import annotations

import sys
import typing
from contextvars import ContextVar
from dataclasses import dataclass
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any

from .boundary import Origins, Party, module_name_of
from .bytecode import code_digest
from .classes import class_definition, class_members
from .drift import hides_state
from .framing import frame, frame_all, frame_bytes, frame_str
from .live import (
    attributes_of,
    cells_of,
    class_symbol,
    declared_function,
    defaults_of,
    function_symbol,
    is_ours,
    lives_at,
    module_attribute,
    namespace_of,
    typing_form,
    wrapped_by,
)
from .sources import SOURCES
from .values import ValueEncoder, name_of

_SUSPENDED = (GeneratorType, CoroutineType, AsyncGeneratorType)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A live value as bytes."""

    value: object
    """Held, so that its id stays its own."""
    data: bytes
    reached: tuple[object, ...]
    """The functions, classes and modules inside."""
    opaque: tuple[str, ...]
    """Names of the types inside that have no structure."""


class References:
    """Encodes the live values of one plan, each once."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._encoded: dict[int, Encoded] = {}
        self._reached: dict[int, object] = {}

    def encode(self, value: object) -> Encoded:
        """A live value, whatever it is."""
        known = self._encoded.get(id(value))
        if known is not None:
            return known
        self._reached = {}
        encoder = ValueEncoder(self._refer, is_lenient=True)
        try:
            data = encoder.encode(value)
        except RecursionError:
            data, encoder.opaque = frame(b"?", frame_str(name_of(type(value)))), [name_of(type(value))]
        encoded = Encoded(value, data, tuple(self._reached.values()), tuple(encoder.opaque))
        self._encoded[id(value)] = encoded
        return encoded

    def plain_name(self, code: Any) -> tuple[str, object] | None:
        """The symbol of code that its name alone identifies in this process, and what it reaches; else None."""
        form = typing_form(code)
        if form is not None:
            return f"form:typing:{form}", typing
        if isinstance(code, FunctionType):
            if self._is_followed(code):
                symbol = function_symbol(code)
                return (symbol, code) if lives_at(code.__globals__, symbol.rpartition(":")[2], code) else None
            has_inner = code.__closure__ or wrapped_by(code) is not None
            return None if has_inner else (f"def:{name_of(code)}", code)
        if isinstance(code, type):
            symbol, qualname = class_symbol(code), class_symbol(code).rpartition(":")[2]
            is_known = self._origins.of_class(code).party is not Party.FIRST
            return (symbol, code) if is_known or lives_at(namespace_of(code.__module__), qualname, code) else None
        place = module_attribute(code) if callable(code) else None
        module = place.partition(":")[0] if place else ""
        return None if not place or self._origins.is_followed(module) else (f"def:{place}", sys.modules[module])

    def _is_followed(self, function: FunctionType) -> bool:
        return self._origins.is_followed(module_name_of(function.__globals__), function.__code__.co_filename)

    def _refer(self, value: Any, encoder: ValueEncoder) -> bytes | None:
        value = declared_function(value)
        name = self.plain_name(value)
        if name is not None:
            self._reach(name[1])
            return frame(b"K", frame_str(name[0]))
        if isinstance(value, ModuleType):
            self._reach(value)
            return frame(b"K", frame_str(f"module:{value.__name__}"))
        if isinstance(value, (FunctionType, type)):
            self._reach(value)
            return self._class(value, encoder) if isinstance(value, type) else self._function(value, encoder)
        if isinstance(value, _SUSPENDED):
            encoder.opaque.append(name_of(type(value)))
            return self._suspended(value, encoder)
        if isinstance(value, BuiltinFunctionType):
            return frame_all(b"J", [frame_str(name_of(value)), encoder.encode(value.__self__)])
        wrapped = None if isinstance(value, MethodType) or is_ours(value) else wrapped_by(value)
        if wrapped is not None:
            return frame_all(b"W", [encoder.class_name(type(value)), encoder.encode(wrapped)])
        if isinstance(value, ContextVar):
            return encoder.encode_all(b"V", (value.name, _held_by(value)))
        kind = type(value)
        if hides_state(kind) and self._origins.is_followed(kind.__module__):
            return encoder.encode_attributes(value)
        return None

    def _reach(self, code: object) -> None:
        self._reached[id(code)] = code

    def _class(self, kind: type, encoder: ValueEncoder) -> bytes:
        definition = class_definition(kind)
        own = frame_bytes(definition.digest if definition else b"")
        members = dict(class_members(kind, definition, self._origins))
        return frame_all(b"L", [frame_str(class_symbol(kind)), own, encoder.encode([kind.__bases__, members])])

    def _suspended(self, value: Any, encoder: ValueEncoder) -> bytes:
        """A generator or coroutine by the function that made it: how far it is, and with what, drifts."""
        prefix = next(prefix for prefix in ("gi", "cr", "ag") if hasattr(value, f"{prefix}_code"))
        code, frame_ = getattr(value, f"{prefix}_code"), getattr(value, f"{prefix}_frame")
        namespace = frame_.f_globals if frame_ is not None else _namespace_in(code.co_filename)
        cells = tuple(CellType() for _ in code.co_freevars)
        function = FunctionType(code, namespace, closure=cells)
        self._reach(function)
        return frame_all(b"?", [frame_str(name_of(type(value))), self._function(function, encoder)])

    def _function(self, function: FunctionType, encoder: ValueEncoder) -> bytes:
        wrapped = wrapped_by(function)
        if not self._is_followed(function):
            held: object = [cells_of(function), defaults_of(function)]
            if hasattr(function, "dispatch") and hasattr(function, "registry"):
                held = dict(function.registry)
            return frame_all(b"L", [frame_str(name_of(function)), encoder.encode(held), encoder.encode(wrapped)])
        definition = SOURCES.definition_of(function.__code__, function.__globals__)
        own = definition.digest if definition else code_digest(function.__code__)
        held = [cells_of(function), defaults_of(function), attributes_of(function), wrapped]
        return frame_all(b"L", [frame_str(function_symbol(function)), frame_bytes(own), encoder.encode(held)])


def _namespace_in(filename: str) -> dict[str, Any]:
    """The live names of the module of a file, once no frame holds them any more."""
    modules = [*sys.modules.values()]
    return next((vars(one) for one in modules if getattr(one, "__file__", None) == filename), {"__name__": "__main__"})


def _held_by(variable: ContextVar[Any]) -> list[object]:
    """What a context variable holds here, its default included; empty if nothing."""
    try:
        return [variable.get()]
    except LookupError:
        return []
