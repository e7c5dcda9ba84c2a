"""Values to blobs and back: one materializer a format, chosen by type on the way in and by format on the way out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Materializer, PartReader, PartWriter, Selection, code_in, name_of_code
    from .forms import ClassChangedWarning, Record
    from .loading import is_plain, is_plain_alone, load, runs_code, runs_ours_alone
    from .previous import Previous
    from .registry import REGISTRY, Registry, register
    from .saving import Saved, save
    from .visualization import Visualization
    from .visualizing import Visualized, is_drawn_when_asked, is_kept_drawn, may_show, shower_of, visualize

_HOMES = {
    "REGISTRY": "registry",
    "ClassChangedWarning": "forms",
    "Materializer": "base",
    "PartReader": "base",
    "PartWriter": "base",
    "Previous": "previous",
    "Record": "forms",
    "Registry": "registry",
    "Saved": "saving",
    "Selection": "base",
    "Visualization": "visualization",
    "Visualized": "visualizing",
    "code_in": "base",
    "is_drawn_when_asked": "visualizing",
    "is_kept_drawn": "visualizing",
    "is_plain": "loading",
    "is_plain_alone": "loading",
    "load": "loading",
    "may_show": "visualizing",
    "name_of_code": "base",
    "register": "registry",
    "runs_code": "loading",
    "runs_ours_alone": "loading",
    "save": "saving",
    "shower_of": "visualizing",
    "visualize": "visualizing",
}

__all__ = [
    "REGISTRY",
    "ClassChangedWarning",
    "Materializer",
    "PartReader",
    "PartWriter",
    "Previous",
    "Record",
    "Registry",
    "Saved",
    "Selection",
    "Visualization",
    "Visualized",
    "code_in",
    "is_drawn_when_asked",
    "is_kept_drawn",
    "is_plain",
    "is_plain_alone",
    "load",
    "may_show",
    "name_of_code",
    "register",
    "runs_code",
    "runs_ours_alone",
    "save",
    "shower_of",
    "visualize",
]


def __getattr__(name: str) -> Any:
    """Import on use: who only reads parameters needs neither saving nor drawing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
