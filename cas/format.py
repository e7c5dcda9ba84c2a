"""The FORMAT file: which version and features a directory has, so that nobody reads what he doesn't understand.

Whoever doesn't know a required feature must not open the directory; an optional one may be passed over, and stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import FormatTooNew, NotAStore
from ..immutable import Immutable
from .durable import write_durably

FORMAT_FILE = "FORMAT"
_FEATURE_MAX_CHARS = 64
_NAMED = frozenset({"magic", "version", "required", "optional"})


class Known(NamedTuple):
    """What a kind of directory calls itself, and what is known of it here."""

    magic: str
    noun: str
    version: int
    """The newest."""
    features: frozenset[str] = frozenset()
    """Those that may be required."""


class FormatFile(Immutable):
    """What a FORMAT file says."""

    version: int
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    others: Mapping[str, Any] = MappingProxyType({})
    """All the other fields, those of newer versions too."""

    def encoded(self, known: Known) -> bytes:
        """The file's text."""
        named = {"magic": known.magic, "version": self.version}
        features = {"required": list(self.required), "optional": list(self.optional)}
        return (json.dumps({**named, **features, **self.others}, indent=2) + "\n").encode("ascii")


def read_format_file(directory: Path, known: Known) -> FormatFile:
    """What the FORMAT file of a directory says.

    Raises:
        NotAStore: It is damaged, or of another kind of directory.
        FormatTooNew: Its version is newer, or it requires features that are not known; ``features`` names these.
    """
    place = directory / FORMAT_FILE
    try:
        fields = json.loads(place.read_bytes())
        magic, version = fields["magic"], int(fields["version"])
        required, optional = _features(fields, "required"), _features(fields, "optional")
        if version < 1:
            raise ValueError(version)
    except (ValueError, KeyError, TypeError) as error:
        raise NotAStore("its FORMAT file can't be read", where=place, hint="Restore it from a copy.") from error
    if magic != known.magic:
        raise NotAStore(
            f"its FORMAT file is not one of a {known.noun}",
            where=place,
            hint="Open a store with lineal.open, and a content store with lineal.cas.ContentStore.",
        )
    unknown = tuple(name for name in required if name not in known.features)
    if version > known.version or unknown:
        needs = f", which requires {', '.join(unknown)}" if unknown else ""
        raise FormatTooNew(
            f"the {known.noun} has format {version}{needs}; this Lineal knows format {known.version}",
            where=directory,
            hint="Install a newer Lineal.",
            version=version,
            features=unknown,
        )
    return FormatFile(version, required, optional, {name: fields[name] for name in fields.keys() - _NAMED})


def write_format_file(directory: Path, known: Known, file: FormatFile) -> None:
    """Write the FORMAT file of a directory so that a crash leaves the old one or the new one."""
    write_durably(directory / FORMAT_FILE, file.encoded(known))


def _features(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    """A list of short names; the first content stores have none."""
    found = fields.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and len(one) <= _FEATURE_MAX_CHARS for one in found):
        raise ValueError(name)
    return tuple(found)
