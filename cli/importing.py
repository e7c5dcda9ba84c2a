"""Verbs that run the user's code: where it is imported from."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..pipeline.script import load_script


def add_script(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the script."""
    parser.add_argument("--script", metavar="FILE", type=Path, help="the script that it ran from, if it was one")


def make_importable(options: argparse.Namespace) -> None:
    """Let what is in the working directory, and what the script defines, be imported."""
    sys.path.insert(0, os.getcwd())
    if options.script is not None:
        script = options.script.resolve()
        sys.path.insert(0, str(script.parent))
        load_script(script)
