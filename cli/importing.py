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
from ..history.references import near
from ..pipeline.pipeline import Pipeline
from ..pipeline.surroundings.script import load_script


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
        CodeMissing: There is no such module, or one that it imports, or no such pipeline in it.
        Invalid: There is no such file, or it is not Python.
    """
    place, _, name = target.rpartition(":")
    if not place and name.endswith(".py"):
        raise CodeMissing(f"{target!r} names a script and no pipeline", hint=f"Write {target}:PIPELINE.")
    sys.path.insert(0, os.getcwd())
    script = Path(place).resolve() if place.endswith(".py") else None
    if script is not None:
        sys.path.insert(0, str(script.parent))
    try:
        module = load_script(script) if script else import_module(place or name)
    except ModuleNotFoundError as error:
        if script is None and error.name in {place or name, place.partition(".")[0]}:
            raise CodeMissing(
                f"there is no module {place or name!r}",
                hint="Write module:pipeline or file.py:pipeline, and do it there.",
            ) from error
        raise CodeMissing(
            f"{place or name} imports {error.name!r}, which is not there",
            hint="Install it beside lineal, or do it in the folder that the module is in.",
        ) from error
    found = getattr(module, name, None)
    if not isinstance(found, Pipeline):
        pipelines = [name for name, value in vars(module).items() if isinstance(value, Pipeline)]
        hint = near(name, pipelines) if pipelines else "Name a function that is decorated with @pipeline."
        raise CodeMissing(f"{place or name} has no pipeline {name!r}", hint=hint)
    return found


def make_importable(options: argparse.Namespace) -> None:
    """Let what is in the working directory, and what the script defines, be imported."""
    sys.path.insert(0, os.getcwd())
    if options.script is not None:
        script = options.script.resolve()
        sys.path.insert(0, str(script.parent))
        load_script(script)
