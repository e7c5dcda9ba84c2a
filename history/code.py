"""The code manifest: every symbol that a step's code consists of, with its own shallow digest.

Being flat, its set difference to another manifest *is* the explanation of a changed fingerprint.
Layout: msgpack of ``["lineal.code/1", [[symbol, value], …], [flag, …]]``, both lists sorted and without repeats;
a value is a digest's 32 bytes or readable text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgpack

from ..cas.digest import Digest, digest_of
from ..errors import InvalidDigest, ManifestCorrupt
from ..immutable import Immutable

DOMAIN = "lineal.code/1"

Entry = Digest | str


class CodeDiff(Immutable):
    """Which symbols differ between two manifests, each sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Gap(NamedTuple):
    """A place where a fingerprint is less exact than the code: it sees less there, or more, than what is used."""

    kind: str
    """``opaque``, ``unresolved``, ``imprecise``, ``nosource`` or ``stale-source``."""
    what: str
    """The symbol, or what it does and where."""

    @property
    def text(self) -> str:
        """It in one line."""
        return f"{self.what}: {_GAPS.get(self.kind, self.kind)}"

    def to_dict(self) -> dict[str, str]:
        """It in plain values."""
        return {**self._asdict(), "text": self.text}


_GAPS = {
    "opaque": "its value can't be compared, so only the code that defines it counts",
    "unresolved": "not found, so it does not count",
    "imprecise": "what is used can't be told, so all of it counts",
    "nosource": "its source is not there, so its bytecode counts",
    "stale-source": "its source has changed since it was loaded, so its bytecode counts",
}


class CodeManifest(Immutable):
    """What a step's code consists of."""

    entries: Mapping[str, Entry]
    """By symbol, sorted. The part before the first colon says what it is: ``root`` the step itself, ``def`` a function,
    ``class`` a class statement, ``name`` what a name or attribute is bound to, ``value`` data, ``module`` a whole
    module, ``dist`` a distribution's version, ``file`` a file's bytes, ``python`` the minor version."""
    flags: tuple[str, ...]
    """Where the manifest is less exact than it could be, sorted: ``imprecise``, ``opaque``, ``nosource``,
    ``stale-source`` or ``unresolved``, a colon, and the symbol."""
    digest: Digest
    """Of ``encoded``: the name of the blob that holds it."""
    encoded: bytes
    """The canonical bytes."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The flags, each with what it means."""
        return tuple([Gap(*flag.split(": ", 1)) for flag in self.flags if ": " in flag])

    @classmethod
    def of(cls, entries: Mapping[str, Entry], flags: Iterable[str] = ()) -> CodeManifest:
        """Encode entries and flags."""
        ordered = dict(sorted(entries.items()))
        unique = sorted(set(flags))
        encoded: bytes = msgpack.packb([DOMAIN, list(ordered.items()), unique], unicode_errors="surrogatepass")
        return cls(ordered, tuple(unique), digest_of(encoded), encoded)

    @classmethod
    def decode(cls, data: bytes) -> CodeManifest:
        """Read the canonical bytes back.

        Raises:
            ManifestCorrupt: The bytes are no code manifest.
        """
        try:
            domain, pairs, flags = msgpack.unpackb(data, unicode_errors="surrogatepass")
            if domain != DOMAIN:
                raise ManifestCorrupt("the bytes are not a code manifest", found=domain)
            manifest = cls.of({_text(symbol): _entry(value) for symbol, value in pairs}, map(_text, flags))
        except (ValueError, TypeError, InvalidDigest, msgpack.UnpackException, RecursionError) as error:
            raise ManifestCorrupt(f"the bytes of a code manifest can't be read: {error}") from error
        if manifest.encoded != data:
            raise ManifestCorrupt("the bytes of a code manifest are not canonical")
        return manifest

    def diff(self, other: CodeManifest) -> CodeDiff:
        """What changed from ``other``, the earlier one, to this one."""
        mine, theirs = self.entries, other.entries
        return CodeDiff(
            added=tuple(sorted(mine.keys() - theirs.keys())),
            removed=tuple(sorted(theirs.keys() - mine.keys())),
            changed=tuple(sorted(symbol for symbol in mine.keys() & theirs.keys() if mine[symbol] != theirs[symbol])),
        )


def _entry(value: Any) -> Entry:
    return value if isinstance(value, str) else Digest(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
