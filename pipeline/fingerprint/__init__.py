"""Fingerprints: digests of what determines a step's result, its code and its values."""

from __future__ import annotations

from ...history.code import CodeDiff, CodeManifest, Entry
from .key import FingerprintForm, fingerprint
from .values import value_digest
from .walk import CodeWalker, carried_by, code_manifest

__all__ = [
    "CodeDiff",
    "CodeManifest",
    "CodeWalker",
    "Entry",
    "FingerprintForm",
    "carried_by",
    "code_manifest",
    "fingerprint",
    "value_digest",
]
