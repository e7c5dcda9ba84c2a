"""Bundles: runs or artifact versions with all that explains them in one file, to be opened or imported elsewhere."""

from .importing import Arrived, import_bundle
from .in_place import open_bundle
from .reading import is_bundle, source_of
from .writing import Written, export_bundle

__all__ = ["Arrived", "Written", "export_bundle", "import_bundle", "is_bundle", "open_bundle", "source_of"]
