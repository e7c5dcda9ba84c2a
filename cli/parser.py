"""The command line: a static table of verbs, of which only the chosen one's module is imported."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from .escape import visible
from .outcome import MEANINGS, ExitCode
from .output import is_terminal, output_for

if TYPE_CHECKING:
    from .paging import Pager

VERBS = {
    "init": ("make a store", ".init"),
    "runs": ("list runs, newest first", ".runs"),
    "show": ("show a run, step, artifact or pipeline in full", ".show"),
    "steps": ("list the steps of runs, in the order in which they began", ".steps"),
    "visualize": ("show an artifact version's tables, charts and pictures in the browser", ".visualize"),
    "artifacts": ("list artifacts, or the versions of one", ".artifacts"),
    "get": ("write an artifact version as a file that other programs read", ".get"),
    "put": ("save a file or a directory as a version of an artifact", ".put"),
    "export": ("write runs and artifacts with their lineage as a bundle, or in a standard form", ".export"),
    "import": ("take what a bundle brings into the store", ".import"),
    "imports": ("list the stores that something was imported from", ".imports"),
    "trust": ("trust what was imported from a store", ".trust"),
    "distrust": ("trust what was imported from a store no more", ".distrust"),
    "why": ("tell why steps were served from the cache, or executed", ".why"),
    "diff": ("tell what differs between two runs, steps or artifact versions", ".diff"),
    "blame": ("tell what explains that an artifact version is not as the one before", ".blame"),
    "bisect": ("tell for which run a metric turned, and what changed there", ".bisect"),
    "plan": ("tell which steps a pipeline would run, why, and for how long", ".plan"),
    "lineage": ("draw what an artifact was made from", ".lineage"),
    "log": ("list events, oldest first", ".log"),
    "logs": ("show what steps printed and logged", ".logs"),
    "replay": ("show how a run went, event by event, in its own time", ".replay"),
    "info": ("describe the store: identity, counts, sizes", ".info"),
    "du": ("tell what artifacts take, and what would be free without each", ".du"),
    "doctor": ("look for what is wrong with a store, or with the machine under it", ".doctor"),
    "head": ("print the head of the log, to be kept elsewhere", ".head"),
    "prove": ("prove, under a head, that an artifact is in the log", ".prove"),
    "check-proof": ("check a proof, without a store", ".check_proof"),
    "verify": ("read every stored byte and name what is damaged", ".verify"),
    "gc": ("release what a policy lets go, and free what nothing holds", ".gc"),
    "why-kept": ("tell what keeps a blob", ".why_kept"),
    "pin": ("keep an artifact version whatever gc would release", ".pin"),
    "unpin": ("take a pin away", ".unpin"),
    "pins": ("list pins, by label", ".pins"),
    "tag": ("put tags on an artifact version, a run, or anything else", ".tag"),
    "untag": ("take tags off something", ".untag"),
    "alias": ("point an alias of an artifact to a version", ".alias"),
    "unalias": ("take an alias of an artifact away", ".unalias"),
    "name": ("make a version a version of another artifact, too", ".name"),
    "rename": ("call a run, an artifact or a pipeline otherwise", ".rename"),
    "rm": ("delete runs or artifact versions; say first what that frees and what depends on it", ".rm"),
    "undo": ("undo what people changed: labels, pins, names, releases, deletions", ".undo"),
    "annotate": ("note something of an artifact version, a run, or anything else", ".annotate"),
    "recompute": ("run the step that makes an evicted artifact version again", ".recompute"),
    "cancel": ("stop a run that goes on in another process", ".cancel"),
    "resume": ("do what a run that did not complete has left to do", ".resume"),
    "rerun": ("run the pipeline of a historical run again, as it was then", ".rerun"),
    "reproduce": ("execute the steps of a run again, and compare what they give", ".reproduce"),
    "repair": ("mend what is damaged, and say how to make the rest again", ".repair"),
    "repack": ("give a version's large buffers files of their own, to be mapped", ".repack"),
    "migrate": ("bring a store of an older format to today's, and drop the old log when told", ".migrate"),
    "rebuild": ("replay the log into new indexes", ".rebuild"),
    "completion": ("print what makes a shell complete the words of this command", ".completion"),
}
"""Each verb's help and module. The module has ``EXAMPLE``, ``add_arguments`` and ``execute``."""
_STORELESS = frozenset({"check-proof"})
"""Verbs that look at no store: the option that names one is taken, as by every verb, but not offered."""
_COLUMNS = 80
"""How wide help is where nothing tells."""


class Command(NamedTuple):
    """A command line, understood."""

    name: str
    verb: Any
    """The verb's module."""
    options: argparse.Namespace

    def execute(self) -> int:
        """Do it, writing to stdout, through a pager where that is wanted; give the exit code."""
        with self._pager() as pager:
            code: int = self.verb.execute(self.options, output_for(is_json=self.options.json, pager=pager))
        return code

    def _pager(self) -> AbstractContextManager[Pager | None]:
        """None but on a terminal that the pager can be left from, and none for what goes on."""
        if not self.options.pager or vars(self.options).get("follow") or not is_terminal() or not sys.stdin.isatty():
            return nullcontext()
        from .paging import PAGED, Pager

        return Pager() if self.name in PAGED else nullcontext()


class _Help(argparse.RawDescriptionHelpFormatter):
    """As its base, which imports `shutil` for the width even where nothing is shown: it brings every compression."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """As `shutil.get_terminal_size`."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


class _Parser(argparse.ArgumentParser):
    """Complains without raw control characters; what it echoes may come from a script's input."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))

    def refuse(self, what: str, word: str, known: Iterable[str]) -> NoReturn:
        """Complain of a word that is none of those that are known, and say which is near to it."""
        from difflib import get_close_matches

        close = get_close_matches(word, list(known), n=1)
        hint = f"Did you mean {close[0]}?" if close else f"See `{self.prog} --help`."
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {visible(what)}\nHint: {hint}\n")


class _Version(argparse.Action):
    """Prints the version, looked up only then: that costs more than all the rest of the parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"lineal {version('lineal')}")
        parser.exit()


def parse(argv: Sequence[str]) -> Command:
    """Understand a command line; leaves by `SystemExit` after ``--help``, ``--version`` and usage errors."""
    name = argv[0] if argv and argv[0] in VERBS else None
    if name is None:
        parser = _parser()
        if argv and not argv[0].startswith("-"):
            parser.refuse(f"there is no verb {argv[0]!r}", argv[0], VERBS)
        parser.parse_args(argv)
        raise SystemExit(ExitCode.USAGE)
    summary, module = VERBS[name]
    verb: Any = import_module(module, __package__)
    parser = _Parser(
        prog=f"lineal {name}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    _complete(parser, name, verb)
    return Command(name, verb, _understood(parser, argv[1:]))


def _understood(parser: _Parser, words: Sequence[str]) -> argparse.Namespace:
    """Options may stand between arguments, but for verbs of which an argument excludes an option: argparse can't."""
    has_choice = any(
        not one.option_strings for group in parser._mutually_exclusive_groups for one in group._group_actions
    )
    parse_known = parser.parse_known_args if has_choice else parser.parse_known_intermixed_args
    options, unknown = parse_known(_joined(words))
    if unknown:
        known = [name for action in parser._actions for name in action.option_strings]
        parser.refuse(f"unrecognized arguments: {' '.join(unknown)}", unknown[0].partition("=")[0], known)
    return options


def _joined(words: Sequence[str]) -> list[str]:
    """The words with ``--order -metrics.loss`` in one: argparse takes what begins with a minus for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--order" and word.startswith("-") and not word.startswith("--"):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser() -> _Parser:
    codes = "\n".join(f"  {code:<5} {meaning}" for code, meaning in MEANINGS.items())
    parser = _Parser(
        prog="lineal",
        description="Look into a lineage store: what ran, what it made, and from what.",
        epilog=f"exit codes:\n{codes}\n\nExample: lineal runs --limit 5",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, (summary, _) in VERBS.items():
        verbs.add_parser(name, help=summary)
    return parser


def _verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """A parser of each verb alone, to be asked what it takes. Cost: imports every verb."""
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name, (summary, module) in VERBS.items():
        parser = parsers[name] = _Parser(prog=f"lineal {name}", allow_abbrev=False)
        _complete(parser, name, import_module(module, __package__))
        parser.description = summary
    return parsers


def _complete(parser: argparse.ArgumentParser, name: str, verb: Any) -> None:
    verb.add_arguments(parser)
    parser.epilog = f"Example: {verb.EXAMPLE}"
    parser.set_defaults(verb_parsers=_verb_parsers)
    _add_general_options(parser, has_store=name not in _STORELESS)


def _add_general_options(parser: argparse.ArgumentParser, *, has_store: bool) -> None:
    which = "the store; by default LINEAL_STORE, else the nearest .lineal upwards"
    parser.add_argument("--store", metavar="PATH", help=which if has_store else argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="JSON: one document for one thing, a line each for a list")
    parser.add_argument("--no-pager", dest="pager", action="store_false", help="show all at once on a terminal, too")
    parser.add_argument("--debug", action="store_true", help="show a traceback on errors")
