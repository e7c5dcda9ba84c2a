"""What must stay as it is: the fields of every type of event, and the bytes of its samples."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

from samples import EVENT, ORIGIN, TIME_US, sample_of

from lineal.events.catalogue import (
    CATALOGUE,
    Again,
    Difference,
    Element,
    Failure,
    Input,
    MetricColumn,
    MetricPoint,
    Numbered,
    Output,
    Process,
    Resources,
    Subject,
)
from lineal.events.codec import encode
from lineal.events.ids import StepRunId

GOLDEN = Path(__file__).parents[1] / "tests" / "events" / "golden"
BYTES, SCHEMAS = GOLDEN / "events.jsonl", GOLDEN / "schemas.json"
RECORDS = (
    Again,
    Difference,
    Element,
    Failure,
    Input,
    MetricColumn,
    MetricPoint,
    Numbered,
    Output,
    Process,
    Resources,
    StepRunId,
    Subject,
)
"""What fields are made of."""
_RULE = "fields may only be added at the end and with defaults; for anything else make a new version and an upcast"

Schema = list[list[Any]]
"""A row a field: its name, its type, and whether it has a default."""


def schemas() -> dict[str, Schema]:
    """The fields of every type of event and of every record, in order, as they are now."""
    found = {
        kind.TYPE: _fields(kind, set(kind.FIELDS[len(kind.FIELDS) - len(kind.DEFAULTS) :]))
        for kind in CATALOGUE.values()
    }
    return found | {one.__name__: _fields(one, set(one._field_defaults)) for one in RECORDS}


def _fields(kind: Any, with_default: set[str]) -> Schema:
    names = kind._fields if hasattr(kind, "_fields") else kind.FIELDS
    hints = get_type_hints(kind)
    return [[name, type_name(hints[name]), name in with_default] for name in names]


def type_name(hint: Any) -> str:
    """A type as it is written in the source."""
    return hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else _unqualified(str(hint))


def _unqualified(text: str) -> str:
    for prefix in ("lineal.cas.digest.", "lineal.events.ids.", "lineal.events.facts.records.", "typing."):
        text = text.replace(prefix, "")
    return text


def breaches(frozen: dict[str, Schema], now: dict[str, Schema], upcast: set[str]) -> list[str]:
    """What has changed that must not."""
    found = []
    for name, before in frozen.items():
        after = now.get(name)
        if after is None:
            if name not in upcast:
                found.append(f"{name} is gone: keep its type, or give it an upcast")
        elif after[: len(before)] != before:
            found.append(f"{name} had the fields {before}, and has {after}: {_RULE}")
        elif any(not has_default for _, _, has_default in after[len(before) :]):
            found.append(f"{name} has a new field without a default: {_RULE}")
    return found


def golden() -> list[tuple[str, int, bytes]]:
    """Type, number of fields and bytes of every sample that was ever frozen."""
    lines = BYTES.read_text(encoding="ascii").splitlines() if BYTES.exists() else []
    return [(one["type"], one["fields"], bytes.fromhex(one["bytes"])) for one in map(json.loads, lines)]


def frozen_schemas() -> dict[str, Schema]:
    """The schemas that are frozen."""
    found: dict[str, Schema] = json.loads(SCHEMAS.read_text(encoding="ascii")) if SCHEMAS.exists() else {}
    return found


def unfrozen() -> list[tuple[str, int, bytes]]:
    """What `golden` lacks: samples of new types, and of types that have grown, or whose records have."""
    known = {(type_, width) for type_, width, _ in golden()}
    before = frozen_schemas()
    grown = {name for name, schema in schemas().items() if len(schema) > len(before.get(name, schema))}
    found = []
    for type_, kind in CATALOGUE.items():
        width = len(kind.FIELDS)
        records = {name for hint in get_type_hints(kind).values() for name in re.findall(r"\w+", type_name(hint))}
        if (type_, width) not in known or records & grown:
            body = encode(sample_of(kind), event_id=EVENT, time_us=TIME_US, origin=ORIGIN)
            found.append((type_, width, body))
    return found


def freeze() -> None:
    """Add what is new. What is frozen is never changed; the tests say what broke it."""
    with BYTES.open("a", encoding="ascii") as stream:
        for type_, width, body in unfrozen():
            stream.write(json.dumps({"type": type_, "fields": width, "bytes": body.hex()}) + "\n")
    frozen, now = frozen_schemas(), schemas()
    if not breaches(frozen, now, upcast=set(frozen)):
        lines = [f"{json.dumps(name)}: {json.dumps(schema)}" for name, schema in (frozen | now).items()]
        SCHEMAS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")
