"""The verb ``completion``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice

from ..errors import LinealError
from .outcome import ExitCode
from .output import Output
from .past import opened
from .shells import SCRIPTS, words

EXAMPLE = "lineal completion bash"
_RUNS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's own options."""
    parser.description = (
        "Print what makes a shell complete verbs, options, and the names of runs, artifacts and pipelines. "
        'For bash: eval "$(lineal completion bash)" in ~/.bashrc; for zsh: the same in ~/.zshrc, after compinit; '
        "for fish: lineal completion fish > ~/.config/fish/completions/lineal.fish"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("shell", nargs="?", choices=sorted(SCRIPTS), help="the shell")
    what.add_argument("--names", action="store_true", help="print the names of the store instead, one a line")


def execute(options: argparse.Namespace, output: Output) -> int:
    """Print a script, or what it asks for."""
    if options.names:
        for name in dict.fromkeys(_names(options)):
            print(name)
        return ExitCode.OK
    print(SCRIPTS[options.shell](words(options.verb_parsers())), end="")
    return ExitCode.OK


def _names(options: argparse.Namespace) -> Iterator[str]:
    """Names that a shell can take as words; none where there is no store, as a completion must not complain."""
    try:
        with opened(options) as client:
            names = [artifact.name for artifact in client.artifacts()]
            names += [pipeline.name for pipeline in client.pipelines()]
            names += [run.name for run in islice(client.runs(), _RUNS)]
    except LinealError:
        return
    yield from (name for name in names if name.isprintable() and not set(name) & set(" \t'\"\\$`;&|<>()*?[]#~!{}"))
