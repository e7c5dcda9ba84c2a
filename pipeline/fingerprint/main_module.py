"""The main module: that of this process, or what stands in for that of another one whose code runs here."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType

MAIN_MODULE: ContextVar[ModuleType | None] = ContextVar("lineal_main", default=None)
"""What stands in here for the main module; None where that is meant itself."""


def module_named(name: str) -> ModuleType | None:
    """The imported module of this name."""
    stand_in = MAIN_MODULE.get() if name == "__main__" else None
    return sys.modules.get(name) if stand_in is None else stand_in
