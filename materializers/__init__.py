"""Values to blobs and back: one materializer a format, chosen by type on the way in and by format on the way out."""

from .base import Materializer, PartReader, PartWriter
from .loading import is_plain, load, runs_code
from .registry import REGISTRY, Registry
from .saving import Saved, save

register = REGISTRY.register

__all__ = [
    "REGISTRY",
    "Materializer",
    "PartReader",
    "PartWriter",
    "Registry",
    "Saved",
    "is_plain",
    "load",
    "register",
    "runs_code",
    "save",
]
