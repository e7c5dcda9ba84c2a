"""The one public handle on a store: `open` gives a `Client`, and `current` the one in force."""

from __future__ import annotations

from ..cas.progress import Progress, reporting
from ..events.merkle import TreeHead
from ..events.proof import PROOF_MAX_BYTES, ExtensionProof, InclusionProof, read_proof
from .client import Client
from .opening import artifact, current, foreseen_migration, load, open, open_to_read, runs, save
from .upkeep import Usage

__all__ = [
    "PROOF_MAX_BYTES",
    "Client",
    "ExtensionProof",
    "InclusionProof",
    "Progress",
    "TreeHead",
    "Usage",
    "artifact",
    "current",
    "foreseen_migration",
    "load",
    "open",
    "open_to_read",
    "read_proof",
    "reporting",
    "runs",
    "save",
]
