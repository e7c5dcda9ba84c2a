"""Changing the record by events: deleting, renaming, and undoing what people did. Nothing is overwritten."""

from .deleting import Deletion, delete
from .dependents import Dependent, Kept
from .renaming import Renamed, rename
from .undoing import Undone, undo

__all__ = ["Deletion", "Dependent", "Kept", "Renamed", "Undone", "delete", "rename", "undo"]
