"""Proofs about a log that hold without it: that an artifact is in it under a head, and that one head extends another.

A proof is a JSON object that anybody may have made: reading it believes nothing, and whatever is wrong with it is an
`InvalidProof`. What it proves is relative to its head, which has to be known from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..cas.digest import DIGEST_BYTES, Digest
from ..errors import InvalidProof, InvalidReference, LogCorrupt
from ..immutable import Immutable
from .catalogue import Output
from .codec import EVENT_MAX_BYTES, Recorded, decode
from .log import chained
from .merkle import TreeHead, is_extension, leaf, root_by_path

PROOF_MAX_BYTES = 2 * EVENT_MAX_BYTES + 64 * 1024
"""The event in hex, and room for the rest."""
_PATH_MAX = 64
_SEQ_MAX = 10**18 - 1
_TIME_MAX_US = 253_402_300_800_000_000
"""The end of the year 9999: what dates can say."""
_HINT = "Give a file of `lineal prove`."
_HEX_DIGITS = frozenset("0123456789abcdef")


class Inclusion(NamedTuple):
    """What an inclusion proof proves: that this event was in the log when this was its head."""

    head: TreeHead
    recorded: Recorded
    output: Output
    """What the event says of the artifact: its name, its content id, its type and format."""


class InclusionProof(Immutable):
    """That the event which made an artifact version is in the log under a head."""

    head: TreeHead
    seq: int
    previous: bytes
    """Chain hash of the event before."""
    body: bytes
    """The event as the log has it."""
    path: tuple[bytes, ...]
    artifact: str
    content: Digest

    def record(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "kind": "inclusion-proof",
            "v": 1,
            "head": str(self.head),
            "seq": self.seq,
            "previous_chain": self.previous.hex(),
            "event": self.body.hex(),
            "path": [one.hex() for one in self.path],
            "artifact": self.artifact,
            "content": str(self.content),
        }

    def check(self, head: TreeHead | None = None) -> Inclusion:
        """Give what it proves, under this head or else its own, which is then to be compared with one that is known.

        Raises:
            InvalidProof: It proves nothing, or under another head.
        """
        _require_head(self.head, head)
        chain = chained(self.previous, self.body)
        if root_by_path(leaf(chain), self.seq - 1, self.head.seq, self.path) != self.head.root:
            raise InvalidProof("the event is not in the log under this head", where=self.head)
        recorded = _read_event(self.seq, chain, self.body)
        for output in recorded.event.made:
            if (output.artifact, output.content) == (self.artifact, self.content):
                return Inclusion(self.head, recorded, output)
        raise InvalidProof(f"the event does not make {self.artifact!r} with this content", where=self.content)


class ExtensionProof(Immutable):
    """That the log under a head begins with all that was in it under an older one, unchanged."""

    old: TreeHead
    head: TreeHead
    path: tuple[bytes, ...]

    def record(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "kind": "extension-proof",
            "v": 1,
            "old": str(self.old),
            "head": str(self.head),
            "path": [one.hex() for one in self.path],
        }

    def check(self, head: TreeHead | None = None) -> None:
        """Return if it proves that, and is for this head if one is given.

        Raises:
            InvalidProof: It doesn't.
        """
        _require_head(self.head, head)
        if not is_extension(self.old, self.head, self.path):
            raise InvalidProof(f"the log under this head does not begin with that of event {self.old.seq:,}")


Proof = InclusionProof | ExtensionProof


def read_proof(data: bytes) -> Proof:
    """Read a proof from its JSON form; it is not checked yet.

    Raises:
        InvalidProof: It is none.
    """
    if len(data) > PROOF_MAX_BYTES:
        raise InvalidProof(f"a proof has at most {PROOF_MAX_BYTES:,} bytes", hint=_HINT)
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidProof("the proof is not JSON", hint=_HINT) from error
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if kind not in ("inclusion-proof", "extension-proof") or _number(fields, "v", 1) != 1:
        raise InvalidProof("this is no proof that this Lineal knows", hint=_HINT)
    return _inclusion(fields) if kind == "inclusion-proof" else _extension(fields)


def _inclusion(fields: Mapping[str, Any]) -> InclusionProof:
    return InclusionProof(
        _head(fields, "head"),
        _number(fields, "seq", _SEQ_MAX),
        _hash("previous_chain", fields.get("previous_chain")),
        _bytes("event", fields.get("event")),
        _path(fields),
        _text(fields, "artifact"),
        Digest(_hash("content", fields.get("content"))),
    )


def _extension(fields: Mapping[str, Any]) -> ExtensionProof:
    return ExtensionProof(_head(fields, "old"), _head(fields, "head"), _path(fields))


def _read_event(seq: int, chain: bytes, body: bytes) -> Recorded:
    """An event that anybody may have written, of which all that is said of it elsewhere is looked at here."""
    try:
        recorded = decode(seq, chain, body)
        texts = [text for output in recorded.event.made for text in (output.format, output.type)]
        times_and_texts = [(recorded.time_us, int), (recorded.stream, bytes), *((text, str) for text in texts)]
        has_types = all(isinstance(value, kind) for value, kind in times_and_texts)
        is_readable = has_types and bool(recorded.id and recorded.origin) and 0 <= recorded.time_us < _TIME_MAX_US
    except (LogCorrupt, TypeError, ValueError, LookupError) as error:
        raise InvalidProof("the proof's event can't be read") from error
    if not is_readable:
        raise InvalidProof("the proof's event can't be read")
    return recorded


def _require_head(found: TreeHead, wanted: TreeHead | None) -> None:
    if wanted is not None and found != wanted:
        raise InvalidProof(
            f"the proof is under another head than that of event {wanted.seq:,}",
            where=found,
            hint="Have it made under this head, or have it proven that one head extends the other.",
        )


def _unfit(name: str) -> InvalidProof:
    return InvalidProof(f"the proof's field {name!r} is missing or can't be read", hint=_HINT)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _unfit(name)
    return value


def _number(fields: Mapping[str, Any], name: str, most: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _unfit(name)
    return value


def _head(fields: Mapping[str, Any], name: str) -> TreeHead:
    try:
        return TreeHead.parse(_text(fields, name))
    except InvalidReference as error:
        raise _unfit(name) from error


def _bytes(name: str, value: object) -> bytes:
    if not isinstance(value, str) or not _HEX_DIGITS.issuperset(value) or len(value) % 2:
        raise _unfit(name)
    return bytes.fromhex(value)


def _hash(name: str, value: object) -> bytes:
    found = _bytes(name, value)
    if len(found) != DIGEST_BYTES:
        raise _unfit(name)
    return found


def _path(fields: Mapping[str, Any]) -> tuple[bytes, ...]:
    value = fields.get("path")
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > _PATH_MAX:
        raise _unfit("path")
    return tuple(_hash("path", one) for one in value)
