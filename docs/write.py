"""Writes what is said of the events from the catalogue itself, and freezes what is new in it; see `make docs`."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from frozen import RECORDS, freeze, type_name
from samples import sample_of

from lineal.cas import Digest
from lineal.events import facts
from lineal.events.catalogue import CATALOGUE, Event
from lineal.events.ids import Fingerprint, RunId, StoreId
from lineal.events.upcasts import UPCASTS

PAGE = Path(__file__).parent / "events.md"
_BEGIN = "<!-- From here on `make docs` writes. -->\n"
_TITLES = {
    "stores": "Stores",
    "runs": "Runs",
    "steps": "Steps",
    "contents": "Contents",
    "labels": "Labels",
    "causes": "Causes",
    "revisions": "Revisions",
}
_ATOMS = {
    str: "text",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    Any: "any",
    Digest: "digest",
    Fingerprint: "fingerprint",
    RunId: "run id",
    StoreId: "store id",
}


def page(before: str) -> str:
    """The page anew: its beginning is written by hand and stays."""
    return before.split(_BEGIN)[0] + _BEGIN + "\n".join(_generated())


def _generated() -> Iterator[str]:
    assert {kind.__module__.rpartition(".")[2] for kind in CATALOGUE.values()} <= _TITLES.keys(), facts.__name__
    for module, title in _TITLES.items():
        yield f"\n## {title}"
        for kind in CATALOGUE.values():
            if kind.__module__.endswith(f".{module}"):
                yield from _of_event(kind)
    yield "\n## Records\n\nWhat fields are made of; each is a list of its own fields."
    for record in RECORDS:
        yield f"\n### {record.__name__}\n"
        yield _first_paragraph(record)
        yield ""
        yield from _table(record, record._fields, record._field_defaults)
    yield "\n## Older versions\n"
    for type_, upcast in UPCASTS.items():
        yield f"- `{type_}`: {_first_paragraph(upcast)}"
    yield ""


def _of_event(kind: type[Event]) -> Iterator[str]:
    yield f"\n### {kind.TYPE}\n"
    yield f"{_first_paragraph(kind)}\n"
    sample = sample_of(kind)
    yield f"Stream: {_stream(sample)}. Refs: {', '.join(_refs(sample)) or 'none'}.\n"
    required = len(kind.FIELDS) - len(kind.DEFAULTS)
    yield from _table(kind, kind.FIELDS, dict(zip(kind.FIELDS[required:], kind.DEFAULTS, strict=True)))


def _stream(sample: Event) -> str:
    """Which field it is: the samples have no two of one value."""
    found = [path for path, value in _leaves(sample) if value == sample.stream]
    if found:
        return f"`{found[0]}`"
    return "the run, where the subject is one or a step's" if hasattr(sample, "subject") else "none"


def _refs(sample: Event) -> list[str]:
    by_value = {value: path for path, value in _leaves(sample)}
    paths = dict.fromkeys(re.sub(r"\.\d+", "[]", by_value[ref]) for ref in sample.refs)
    return [f"`{path.replace('.literal', '[]')}` of literals" if ".literal" in path else f"`{path}`" for path in paths]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, bytes]]:
    """Every identity in a sample, under its path; inputs that are literals are told from the others."""
    if isinstance(value, bytes):
        yield path, bytes(value)
    elif isinstance(value, Event):
        for name in value.FIELDS:
            yield from _leaves(getattr(value, name), name)
    elif hasattr(value, "_fields"):
        is_literal = getattr(value, "artifact", "") is None
        for name, inner in value._asdict().items():
            yield from _leaves(inner, f"{re.sub('[.][0-9]+$', '.literal', path) if is_literal else path}.{name}")
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}")


def _table(kind: Any, names: Any, defaults: dict[str, Any]) -> Iterator[str]:
    hints, said = get_type_hints(kind), _said_of_fields(kind)
    yield "| field | type | |"
    yield "|---|---|---|"
    for name in names:
        meaning = said.get(name, "")
        yield f"| `{name}` | {_shown(hints[name])} | {meaning} |"


def _shown(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_shown(one) for one in arguments if one is not type(None)) + " or nil"
    if origin is tuple:
        return f"list of {_shown(arguments[0])}"
    if origin is dict:
        return "map from text"
    if hasattr(hint, "_fields"):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _ATOMS[hint] if hint in _ATOMS else type_name(hint)


def _first_paragraph(of: Any) -> str:
    return _prose((inspect.getdoc(of) or "").split("\n\n")[0])


def _said_of_fields(kind: Any) -> dict[str, str]:
    """The strings under the fields, in the source of the class and of those it is made from."""
    said: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("lineal."):
            (declared,) = ast.parse(inspect.getsource(base)).body
            assert isinstance(declared, ast.ClassDef)
            for field, text in pairwise(declared.body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    said[ast.unparse(field.target)] = _prose(ast.literal_eval(text.value))
    return said


def _prose(docstring: str) -> str:
    return " ".join(docstring.replace("``", "`").replace("None", "nil").split())


def main() -> None:
    """Write the page; with ``--check`` only tell, by the exit status, whether it is as it should be."""
    before = PAGE.read_text(encoding="utf-8")
    now = page(before)
    if "--check" in sys.argv[1:]:
        sys.exit(before != now and "docs/events.md is not what the catalogue says: run make docs")
    PAGE.write_text(now, encoding="utf-8")
    freeze()


if __name__ == "__main__":
    main()
