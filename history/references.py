"""How people name things: ``name``, ``name@3``, ``name@latest``, ``name@{digest prefix}``, ``name@label``; and misses.

What follows the ``@`` is read in that order. An alias can be neither of the first three, so it never changes meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..errors import InvalidName, InvalidReference

LATEST = "latest"
"""After an ``@``: the newest version."""

_DIGEST_PREFIX_MIN = 6
_NAME_MAX_BYTES = 200


class ArtifactReference(NamedTuple):
    """A parsed reference to a version of an artifact: at most one of the others is set; none means the latest."""

    name: str
    number: int | None = None
    digest_prefix: str | None = None
    label: str | None = None
    """An alias, or a tag."""


def parse_artifact(text: str) -> ArtifactReference:
    """Read ``name``, ``name@latest``, ``name@3``, ``name@{hex digits}`` or ``name@label``.

    Raises:
        InvalidReference: It is none of these.
    """
    name, at, which = text.rpartition("@")
    if not at:
        return ArtifactReference(text)
    if not name or not which:
        raise InvalidReference(
            f"{text!r} does not name an artifact version",
            hint="Write name, name@latest, name@3, name@label, or name@ and six or more digits of its digest.",
        )
    if which == LATEST:
        return ArtifactReference(name)
    if _is_number(which):
        return ArtifactReference(name, number=int(which))
    if _is_digest_prefix(which):
        return ArtifactReference(name, digest_prefix=which.lower())
    return ArtifactReference(name, label=which)


def check_alias(alias: str) -> str:
    """Give back a name that can be an alias; refuse one that would mean something else in a reference."""
    check_name(alias, "alias")
    if alias.casefold() == LATEST or _reads_as_number(alias) or _is_digest_prefix(alias):
        raise InvalidName(
            f"{alias!r} can't be an alias: it means something else after an @",
            hint="Choose a word that is neither a number, nor latest, nor six or more hex digits.",
        )
    return alias


def _is_number(which: str) -> bool:
    return which.isascii() and which.isdigit() and len(which) < 10


def _reads_as_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _is_digest_prefix(which: str) -> bool:
    return len(which) >= _DIGEST_PREFIX_MIN and is_hex(which)


def check_name(name: str, kind: str) -> str:
    """Give back a name that can be shown safely and written in a reference; refuse any other.

    ``@`` is kept for versions of artifacts, ``/`` for the steps of a run.
    """
    forbidden = "/@" if kind in ("step", "run") else "@"
    is_plain = isinstance(name, str) and name.isprintable() and name == name.strip() and name
    if not is_plain or not set(forbidden).isdisjoint(name):
        raise InvalidName(
            f"{name!r} can't name {'an' if kind[0] in 'aeiou' else 'a'} {kind}",
            hint=f"Use printable characters, but not {' or '.join(forbidden)}.",
        )
    if len(name.encode("utf-8", "surrogatepass")) > _NAME_MAX_BYTES:
        raise InvalidName(f"the name {name[:40]!r}… is longer than {_NAME_MAX_BYTES} bytes", hint="Shorten it.")
    return name


def is_hex(text: str) -> bool:
    """Whether a text has nothing but hex digits."""
    return bool(text) and all(digit in "0123456789abcdefABCDEF" for digit in text)


def near(wanted: str, known: Iterable[str]) -> str:
    """A hint that names what is near to a miss, or what there is."""
    import difflib

    known = list(known)
    close = difflib.get_close_matches(wanted, known, n=3)
    if close:
        return "Did you mean " + " or ".join(close) + "?"
    if known:
        return "There is " + ", ".join(known[:5]) + (" and more." if len(known) > 5 else ".")
    return "There is none yet; run a pipeline first."
