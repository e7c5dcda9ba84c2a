"""Values to blobs and back: one materializer a format, chosen by type on the way in and by format on the way out."""

from .base import Materializer, PartReader, PartWriter, Selection, code_in
from .loading import is_plain, load, runs_code
from .previous import Previous
from .registry import REGISTRY, Registry
from .saving import Saved, save

register = REGISTRY.register

__all__ = [
    "REGISTRY",
    "Materializer",
    "PartReader",
    "PartWriter",
    "Previous",
    "Registry",
    "Saved",
    "Selection",
    "code_in",
    "is_plain",
    "load",
    "register",
    "runs_code",
    "save",
]
