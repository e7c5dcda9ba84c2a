"""The fingerprint of a step: one digest of everything that determines its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...cas.digest import DIGEST_BYTES, Digest, digest_of
from ...events.ids import Fingerprint
from .framing import frame_all, frame_bytes, frame_str

_DOMAIN = frame_str("lineal.step/1")
_GATHERED_DOMAIN = frame_str("lineal.gathered/1")


CODE_BYTES = 2
"""So many bytes of its code a fingerprint begins with. What one code has left in the cache lies together there, and a
commit has fewer pages to write; what tells fingerprints apart is the rest."""


def fingerprint(*, code: Digest, inputs: Mapping[str, Digest], outputs: Sequence[str] = ()) -> Digest:
    """Digest the causes of a step's result.

    Args:
        code: The digest of its code manifest.
        inputs: Content ids of what it is given, or what `gathered` gives, by parameter name; order-free.
        outputs: Names of its outputs, in their order.
    """
    causes = digest_of(
        _DOMAIN
        + frame_bytes(code)
        + frame_all(b"d", [frame_str(name) + frame_bytes(inputs[name]) for name in sorted(inputs)])
        + frame_all(b"l", [frame_str(output) for output in outputs])
    )
    return Digest(code[:CODE_BYTES] + causes[CODE_BYTES:])


class FingerprintForm:
    """Fingerprints of one step for different inputs: `fingerprint` with all but the inputs framed once."""

    def __init__(self, *, code: Digest, names: Sequence[str], outputs: Sequence[str]) -> None:
        """Frame what a step's fingerprints have in common; ``names`` are those of its inputs."""
        self.names = sorted(names)
        self._begin = code[:CODE_BYTES]
        self._before = _DOMAIN + frame_bytes(code) + b"d%d:" % len(self.names)
        self._between = [frame_str(name) + b"b%d:" % DIGEST_BYTES for name in self.names]
        self._after = frame_all(b"l", [frame_str(output) for output in outputs])

    def of(self, inputs: Mapping[str, Digest]) -> Fingerprint:
        """The fingerprint for these inputs, which have exactly the names given."""
        parts = [self._before]
        for name, between in zip(self.names, self._between, strict=True):
            parts += (between, inputs[name])
        parts.append(self._after)
        causes = digest_of(b"".join(parts))
        return bytes.__new__(Fingerprint, self._begin + causes[CODE_BYTES:])  # Which has the right length.


def gathered(kind: str, keys: Sequence[Digest], items: Sequence[Digest]) -> Digest:
    """Digest a container whose items are known by their content only.

    Args:
        kind: What it is: ``list``, ``tuple``, ``dict``.
        keys: Digests of a dict's keys, in its order.
        items: Content ids of the items, or what this function gave for one, in order.
    """
    return digest_of(
        _GATHERED_DOMAIN
        + frame_str(kind)
        + frame_all(b"k", [frame_bytes(key) for key in keys])
        + frame_all(b"l", [frame_bytes(item) for item in items])
    )
