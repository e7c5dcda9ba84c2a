"""Conditions such as ``params.lr > 0.1 and metrics.accuracy >= 0.9``: read by Python's own parser, of which little is
taken, and nothing is run.

A value that is not there is unknown. What is compared with it is unknown, too, as is what is compared with a value of
another kind; ``not``, ``and`` and ``or`` treat it as SQL does (Kleene's three-valued logic), and only what is true is
met. ``params.lr is None`` asks whether a value is not there.
"""

from __future__ import annotations

import ast
import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from ..errors import InvalidCondition
from ..immutable import Immutable
from .references import near

T = TypeVar("T")
V = TypeVar("V")
Value = Callable[[T], Any]

_CHARACTERS_MAX = 4000
_DEPTH_MAX = 60
_COMPARES: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_COMPUTES: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_METHODS = {"startswith": str.startswith, "endswith": str.endswith}


class Fields(Immutable, Generic[T]):
    """What can be asked of a thing."""

    single: Mapping[str, Callable[[T], Any]]
    """By name, as ``status``."""
    keyed: Mapping[str, Callable[[T, str], Any]]
    """By name and key, as ``params.lr`` or ``params["lr"]``; None for a key that is not there."""
    choices: Mapping[str, Collection[str]] = MappingProxyType({})
    """The values that some of the single ones can have, if they are few."""

    @property
    def names(self) -> list[str]:
        """All names."""
        return [*self.single, *self.keyed]


def condition(text: str, fields: Fields[T]) -> Callable[[T], bool]:
    """Read a condition; what is given back tells whether a thing meets it.

    Raises:
        InvalidCondition: It can't be read, or asks for what there is not; a caret shows where.
    """
    value = _read(text, fields)
    return lambda thing: value(thing) is True


def ordered(things: Iterable[T], by: str, fields: Fields[T], view_of: Callable[[T], V]) -> Iterator[V]:
    """Sort by a value, as ``metrics.accuracy``, the least first, or with a minus before it the greatest; give views.

    What has no such value comes last, and so what has one of a kind that can't be compared with most.

    Raises:
        InvalidCondition: It can't be read, or asks for what there is not.
    """
    is_descending = by.lstrip().startswith("-")
    value = _read(by.lstrip().removeprefix("-"), fields)
    kinds: dict[str, list[tuple[Any, V]]] = defaultdict(list)
    missing: list[V] = []
    for thing in things:
        found = value(thing)
        if found is None or found != found or isinstance(found, list | tuple | dict):
            missing.append(view_of(thing))
        else:
            kind = "number" if isinstance(found, bool | int | float) else type(found).__name__
            kinds[kind].append((found, view_of(thing)))
    for pairs in sorted(kinds.values(), key=len, reverse=True):
        yield from (view for _, view in sorted(pairs, key=lambda pair: pair[0], reverse=is_descending))
    yield from missing


def _read(text: str, fields: Fields[T]) -> Value[T]:
    if len(text) > _CHARACTERS_MAX:
        raise InvalidCondition(f"the condition is longer than {_CHARACTERS_MAX:,} characters", hint="Shorten it.")
    line = text.replace("\n", " ").strip()
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        place = error.offset - 1 if error.offset else len(line)  # None where more is missing after its end.
        raise _refused(line, place, "it can't be read here", _hint_for(line, place)) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidCondition("the condition can't be read", hint="Use printable characters, less nested.") from error
    return _Reading(line, fields).value(tree, 0)


def _hint_for(line: str, place: int) -> str:
    beside = line[max(0, place - 1) : place + 2]
    if "=" in beside and "==" not in beside:
        return "Write == to compare."
    if "&&" in line or "||" in line:
        return "Write and, or, not."
    return 'Write as in: params.lr > 0.1 and status == "completed".'


def _refused(line: str, place: int, what: str, hint: str | None) -> InvalidCondition:
    return InvalidCondition(f"the condition can't be met: {what}\n  {line}\n  {' ' * place}^", hint=hint, place=place)


class _Reading(Generic[T]):
    """Turns the parts of one condition into functions of a thing."""

    def __init__(self, line: str, fields: Fields[T]) -> None:
        self._line = line
        self._fields = fields

    def _refuse(self, node: ast.AST, what: str, hint: str | None = None) -> InvalidCondition:
        # The parser counts bytes.
        before = self._line.encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore")
        return _refused(self._line, len(before), what, hint)

    def value(self, node: ast.expr, depth: int) -> Value[T]:
        """What a part of the condition is, of a thing."""
        if depth > _DEPTH_MAX:
            raise self._refuse(node, f"it is nested more than {_DEPTH_MAX} deep", "Write it flatter.")
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as constant):
                return lambda _: constant
            case ast.Name(id=name):
                return self._single(node, name)
            case ast.Attribute() | ast.Subscript():
                return self._keyed(node, depth)
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                values = [self.value(one, depth + 1) for one in parts]
                return lambda thing: [value(thing) for value in values]
            case ast.BoolOp(op=op, values=parts):
                return self._joined(isinstance(op, ast.And), [self.value(one, depth + 1) for one in parts])
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(node, op, self.value(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTES:
                return _both(_COMPUTES[type(op)], self.value(left, depth + 1), self.value(right, depth + 1))
            case ast.Compare():
                return self._compared(node, depth)
            case ast.Call():
                return self._called(node, depth)
        raise self._refuse(node, "this can't be asked", "Compare values, and join that by and, or, not.")

    def _single(self, node: ast.AST, name: str) -> Value[T]:
        if name in self._fields.single:
            return self._fields.single[name]
        if name in self._fields.keyed:
            raise self._refuse(node, f"{name} of what?", f"Write as in: {name}.key or {name}['key'].")
        raise self._refuse(node, f"there is no {name}", near(name, self._fields.names))

    def _keyed(self, node: ast.Attribute | ast.Subscript, depth: int) -> Value[T]:
        inner = node.value
        if (
            isinstance(node, ast.Subscript)
            and not isinstance(inner, ast.Name)
            and (place := _place(node.slice)) is not None
        ):
            return _item(self.value(inner, depth + 1), place)
        if isinstance(node, ast.Attribute):
            key = node.attr
        elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            key = node.slice.value
        else:
            raise self._refuse(node.slice, "a key is a text", "Write as in: params['lr'].")
        if isinstance(inner, ast.Name):
            if inner.id not in self._fields.keyed:
                hint = near(inner.id, self._fields.keyed)
                raise self._refuse(inner, f"there is no {inner.id} to have keys", hint)
            of = self._fields.keyed[inner.id]
            return lambda thing: of(thing, key)
        within = self.value(inner, depth + 1)

        def part(thing: T) -> Any:
            whole = within(thing)
            return whole.get(key) if isinstance(whole, Mapping) else None

        return part

    @staticmethod
    def _joined(is_and: bool, values: list[Value[T]]) -> Value[T]:
        decides = not is_and

        def joined(thing: T) -> bool | None:
            is_known = True
            for value in values:
                found = _truth(value(thing))
                if found is decides:
                    return decides
                is_known = is_known and found is not None
            return is_and if is_known else None

        return joined

    def _unary(self, node: ast.AST, op: ast.unaryop, value: Value[T]) -> Value[T]:
        if isinstance(op, ast.Not):
            return lambda thing: None if (found := _truth(value(thing))) is None else not found
        if isinstance(op, ast.USub):
            return _both(operator.mul, value, lambda _: -1)
        raise self._refuse(node, "this can't be computed", "Use not, and a minus.")

    def _compared(self, node: ast.Compare, depth: int) -> Value[T]:
        parts = [node.left, *node.comparators]
        values = [self.value(one, depth + 1) for one in parts]
        pairs: list[Value[T]] = []
        for place, op in enumerate(node.ops):
            one, other = parts[place], parts[place + 1]
            if isinstance(op, ast.Is | ast.IsNot):
                if not (isinstance(other, ast.Constant) and other.value is None):
                    raise self._refuse(other, "only None can be asked for so", "Write == to compare.")
                pairs.append(_is_there(values[place], isinstance(op, ast.IsNot)))
                continue
            self._check_choice(one, other)
            self._check_choice(other, one)
            pairs.append(_both(_COMPARES[type(op)], values[place], values[place + 1]))
        return pairs[0] if len(pairs) == 1 else self._joined(True, pairs)

    def _check_choice(self, asked: ast.expr, given: ast.expr) -> None:
        """Refuse a value that what is asked for never has."""
        choices = self._fields.choices.get(asked.id) if isinstance(asked, ast.Name) else None
        if choices is None:
            return
        for part in given.elts if isinstance(given, ast.List | ast.Tuple | ast.Set) else [given]:
            if isinstance(part, ast.Constant) and part.value not in choices:
                raise self._refuse(part, f"{ast.unparse(asked)} is never so", near(str(part.value), choices))

    def _called(self, node: ast.Call, depth: int) -> Value[T]:
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in _METHODS or node.keywords:
            raise self._refuse(node, "this can't be called", "Only .startswith('…') and .endswith('…') can.")
        if len(node.args) != 1:
            raise self._refuse(node, f"{function.attr} takes one text", f"Write as in: name.{function.attr}('best').")
        method = _METHODS[function.attr]
        return _both(method, self.value(function.value, depth + 1), self.value(node.args[0], depth + 1))


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _is_there(value: Value[T], is_wanted: bool) -> Value[T]:
    return lambda thing: (value(thing) is not None) is is_wanted


def _place(node: ast.expr) -> int | None:
    """The place in a list that is asked for, from its end where it is negative; None if none is."""
    match node:
        case ast.Constant(value=int() as place) if not isinstance(place, bool):
            return place
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as place)) if not isinstance(place, bool):
            return -place
    return None


def _item(value: Value[T], place: int) -> Value[T]:
    def item(thing: T) -> Any:
        found = value(thing)
        return found[place] if isinstance(found, list | tuple) and -len(found) <= place < len(found) else None

    return item


def _both(compute: Callable[[Any, Any], Any], one: Value[T], other: Value[T]) -> Value[T]:
    """What is computed of two values; unknown where one is, or they don't go together."""

    def both(thing: T) -> Any:
        left = one(thing)
        if left is None or (right := other(thing)) is None:
            return None
        if isinstance(left, datetime) or isinstance(right, datetime):
            left, right = _moment(left), _moment(right)
        try:
            return compute(left, right)
        except (TypeError, ValueError, ArithmeticError):
            return None

    return both


def _moment(value: Any) -> Any:
    """A time; a text that is one in ISO 8601, in UTC where it doesn't say."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
