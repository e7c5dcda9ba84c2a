"""Verbs that run the user's code: where it is imported from."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from ..pipeline.script import load_script


@contextmanager
def steps_on_stderr() -> Iterator[None]:
    """Send what steps print to stderr, in whatever process they execute: stdout is for what came of them."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


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
