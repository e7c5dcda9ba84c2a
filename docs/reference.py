"""Writes the reference from what the code says of itself; see `make docs`."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import lineal
from lineal import errors, post_execution
from lineal.history import views
from lineal.materializers import visualization
from lineal.pipeline.executing.context import StepContext

PAGE = Path(__file__).parent / "reference.md"
_HEAD = """# Reference

What the code says of itself; `make docs` writes this page. The [tutorial](tutorial.md) is where to begin.
"""
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes):$", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\S[^:\n]*): ?", re.MULTILINE)


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    functions = {f"lineal.{name}": getattr(lineal, name) for name in lineal.__all__}
    classes = {name: functions.pop(name) for name in list(functions) if inspect.isclass(functions[name])}
    parts += ["\n## Functions\n", *_members(functions)]
    parts += ["\n## Classes\n", *(line for name, kind in classes.items() for line in _class(name, kind))]
    for title, module in (("Of a run and what it made", views), ("Visualizations", visualization)):
        parts += [f"\n## {title}\n", *(line for name, kind in _own(module) for line in _class(name, kind))]
    parts += ["\n## Inside a step\n", *_class("lineal.context()", StepContext)]
    walk = {f"lineal.post_execution.{name}": getattr(post_execution, name) for name in post_execution.__all__}
    parts += [
        "\n## The classic walk\n",
        *_members({name: one for name, one in walk.items() if inspect.isfunction(one)}),
    ]
    parts += ["\n## Errors\n", *_tree(errors.LinealError, "")]
    return re.sub(r"\n\s*\n(\s*\n)+", "\n\n", "\n".join(parts)) + "\n"


def _own(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The public classes that a module defines, in its order."""
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_"):
            yield name, value


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{_prose(kind)}\n"
    yield from _members(dict(_public(kind)))


def _public(kind: type) -> Iterator[tuple[str, Any]]:
    seen = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("lineal"):
            continue
        for name, value in vars(base).items():
            value = getattr(value, "__func__", value)
            is_told = inspect.isfunction(value) or isinstance(value, property | functools.cached_property)
            if is_told and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, value


def _members(members: dict[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        if isinstance(value, property):
            yield f"- **`{name}`**: {_indented(_prose(value.fget))}"
        elif isinstance(value, functools.cached_property):
            yield f"- **`{name}`**: {_indented(_prose(value.func))}"
        else:
            yield f"- **`{name}{_signature(value)}`**: {_indented(_prose(value))}"
    yield ""


def _signature(function: Any) -> str:
    """Names and defaults; the types are in the code."""
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in inspect.signature(function).parameters.values()
        if one.name != "self"
    ]
    told = str(inspect.Signature(parameters))
    return re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>", "…", told)


def _prose(of: Any) -> str:
    """What is said of it: its sections as paragraphs, their entries as one sentence each."""
    said, *sections = _SECTION.split(inspect.getdoc(of) or "")
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        entries = re.sub(r"\n {5,}", " ", text.strip("\n"))
        said += f"\n\n*{title}:*\n" + _ENTRY.sub(r"- `\1`: ", entries)
    return re.sub(r"(?<=\S)\n(?=\n*\S)(?![\n-])", " ", said.replace("``", "`").strip())


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ").replace("\n  \n", "\n\n")


def _tree(kind: type, indent: str) -> Iterator[str]:
    yield f"{indent}- `{kind.__name__}`: {_indented(_prose(kind)).splitlines()[0]}"
    for child in sorted(kind.__subclasses__(), key=lambda one: one.__name__):
        if child.__module__ == errors.__name__:
            yield from _tree(child, indent + "  ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
