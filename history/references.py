"""How people name things: ``name``, ``name@3``, ``name@latest``, ``name@{digest prefix}``; and what is near a miss."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import InvalidName, InvalidReference

_DIGEST_PREFIX_MIN = 6
_NAME_MAX_BYTES = 200


class ArtifactReference(NamedTuple):
    """A parsed reference to a version of an artifact: at most one of the two is set; neither means the latest."""

    name: str
    number: int | None
    digest_prefix: str | None


def parse_artifact(text: str) -> ArtifactReference:
    """Read ``name``, ``name@latest``, ``name@3`` or ``name@{hex digits}``.

    Raises:
        InvalidReference: It is none of these.
    """
    name, at, which = text.rpartition("@")
    if not at:
        return ArtifactReference(text, None, None)
    if which == "latest" and name:
        return ArtifactReference(name, None, None)
    if which.isascii() and which.isdigit() and name and len(which) < 10:
        return ArtifactReference(name, int(which), None)
    if name and len(which) >= _DIGEST_PREFIX_MIN and is_hex(which):
        return ArtifactReference(name, None, which.lower())
    raise InvalidReference(
        f"{text!r} does not name an artifact version",
        hint="Write name, name@latest, name@3, or name@ and six or more digits of its digest.",
    )


def check_name(name: str, kind: str) -> str:
    """Give back a name that can be shown safely and written in a reference; refuse any other.

    ``@`` is kept for versions of artifacts, ``/`` for the steps of a run.
    """
    forbidden = "/@" if kind in ("step", "run") else "@"
    is_plain = isinstance(name, str) and name.isprintable() and name == name.strip() and name
    if not is_plain or any(sign in name for sign in forbidden):
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
    known = list(known)
    close = difflib.get_close_matches(wanted, known, n=3)
    if close:
        return "Did you mean " + " or ".join(close) + "?"
    if known:
        return "There is " + ", ".join(known[:5]) + (" and more." if len(known) > 5 else ".")
    return "There is none yet; run a pipeline first."
