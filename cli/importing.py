"""Verbs that run the user's code: where it is imported from."""

from __future__ import annotations

import argparse
import ast
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import CodeMissing
from ..pipeline.pipeline import Pipeline
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


def add_parameters(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that gives parameters of a pipeline."""
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=_parameter,
        action="append",
        default=[],
        help=f"{what}: JSON or a Python literal, else text; may be given again",
    )


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(text)
    for read in (json.loads, ast.literal_eval):
        try:
            return name, read(value)
        except (ValueError, SyntaxError):
            continue
    return name, value


def imported(target: str) -> Pipeline[..., Any]:
    """The pipeline that ``module:name`` or ``file.py:name`` names, its module imported from the working directory.

    Raises:
        CodeMissing: There is no such module, or no such pipeline in it.
        Invalid: There is no such file, or it is not Python.
    """
    place, _, name = target.rpartition(":")
    sys.path.insert(0, os.getcwd())
    if place.endswith(".py"):
        script = Path(place).resolve()
        sys.path.insert(0, str(script.parent))
        found: Any = load_script(script)
    else:
        try:
            found = import_module(place or name)
        except ModuleNotFoundError as error:
            if error.name != place.partition(".")[0] and error.name != place:
                raise
            raise CodeMissing(
                f"there is no module {place!r}", hint="Write module:pipeline or file.py:pipeline, and do it there."
            ) from error
    found = getattr(found, name, None)
    if not isinstance(found, Pipeline):
        raise CodeMissing(f"{place} has no pipeline {name!r}", hint="Name a function that is decorated with @pipeline.")
    return found


def make_importable(options: argparse.Namespace) -> None:
    """Let what is in the working directory, and what the script defines, be imported."""
    sys.path.insert(0, os.getcwd())
    if options.script is not None:
        script = options.script.resolve()
        sys.path.insert(0, str(script.parent))
        load_script(script)
