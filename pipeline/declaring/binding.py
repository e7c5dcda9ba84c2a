"""Binding: arguments of a call by the parameters that they are for."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InvalidPipeline

_PLAIN_TYPES = (type(None), bool, int, float, str, bytes)
_NAMED_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Binder:
    """Binds calls to one signature: where every parameter has a name to be given by, without asking the signature."""

    def __init__(self, signature: inspect.Signature) -> None:
        self._signature = signature
        parameters = signature.parameters.values()
        self._names = tuple(signature.parameters)
        self._defaults = {one.name: one.default for one in parameters if type(one.default) in _PLAIN_TYPES}
        self._required = frozenset(one.name for one in parameters if one.default is one.empty)
        self._is_plain = all(one.kind in _NAMED_KINDS for one in parameters)
        self._positional = sum(one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Bind arguments to parameters, simple defaults included, in the order of the signature.

        Only defaults that are plain scalars are bound: any other stays the function's own, so that one that is compared
        by identity still works; a change to it counts as a change of code.

        Raises:
            InvalidPipeline: One is missing, unknown, or given twice.
        """
        if len(args) == len(self._names) == self._positional and not kwargs:
            return dict(zip(self._names, args, strict=True))
        if self._is_plain and len(args) <= self._positional:
            bound = dict(zip(self._names, args, strict=False))
            if kwargs.keys().isdisjoint(bound):
                bound |= kwargs
                if self._required <= bound.keys() and bound.keys() <= self._signature.parameters.keys():
                    return self._in_order(bound)
        return self._in_order(self._asked(args, kwargs, where))

    def _in_order(self, bound: dict[str, Any]) -> dict[str, Any]:
        if len(bound) == len(self._names) == 1:
            return bound
        found = {**self._defaults, **bound}
        return {name: found[name] for name in self._names if name in found}

    def _asked(self, args: Sequence[Any], kwargs: Mapping[str, Any], where: str) -> dict[str, Any]:
        """What the signature says."""
        try:
            return dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            unknown = [name for name in kwargs if name not in self._signature.parameters]
            close = difflib.get_close_matches(unknown[0], self._signature.parameters, n=1) if unknown else []
            hint = f"Did you mean {close[0]!r}?" if close else f"Its signature is {self._signature}."
            raise InvalidPipeline(str(error), where=where, hint=hint) from None
