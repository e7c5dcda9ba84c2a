"""Values to blobs and back: one materializer a format, chosen by type on the way in and by format on the way out."""

from .base import Materializer, PartReader, PartWriter, Selection, code_in, name_of_code
from .forms import ClassChangedWarning, Record
from .loading import is_plain, is_plain_alone, load, runs_code, runs_ours_alone
from .previous import Previous
from .registry import REGISTRY, Registry, register
from .saving import Saved, save
from .visualization import Visualization
from .visualizing import Visualized, is_drawn_when_asked, is_kept_drawn, may_show, shower_of, visualize

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
