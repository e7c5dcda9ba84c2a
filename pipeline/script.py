"""Scripts: what a file defines that was run as the main program, without running it once more."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

from ..errors import Invalid

MAIN = "__main__"


def load_script(path: Path) -> ModuleType:
    """Execute a script as the main module, less what stands under ``if __name__ == "__main__"``.

    So a step that ran from it can be found, under the name that the log knows it by.

    Raises:
        Invalid: There is no such file, or it is not Python.
    """
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError) as error:
        raise Invalid(f"the script can't be read: {error}", where=path, hint="Give the file that ran.") from error
    tree.body = [node for node in tree.body if not _is_guard(node)]
    module = ModuleType(MAIN)
    module.__file__ = str(path)
    sys.modules[MAIN] = module
    exec(compile(tree, str(path), "exec"), vars(module))
    return module


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test)
    )
