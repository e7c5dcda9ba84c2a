"""Scripts by which shells complete the words of the command; names of things they ask for as they complete."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple


class Option(NamedTuple):
    """An option of a verb."""

    flag: str
    help: str


Words = dict[str, tuple[str, list[Option]]]
"""What each verb does, and its options."""


def words(parsers: Mapping[str, argparse.ArgumentParser]) -> Words:
    """What the parsers of all verbs know."""
    return {name: (parser.description or "", list(_options(parser))) for name, parser in parsers.items()}


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        flags = [flag for flag in action.option_strings if flag.startswith("--")]
        if flags and action.help != argparse.SUPPRESS:
            yield Option(flags[0], (action.help or "").replace("%%", "%"))


_BASH = """\
_lineal() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" verb="${{COMP_WORDS[1]}}" options=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{verbs} --help --version" -- "$word"))
        return
    fi
    case "$verb" in
{cases}
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$(lineal completion --names 2>/dev/null)" -- "$word")) ;;
    esac
}}
complete -o default -F _lineal lineal
"""


def bash(known: Words) -> str:
    """For bash."""
    cases = "\n".join(
        f"        {verb}) options={quoted(' '.join(option.flag for option in options))} ;;"
        for verb, (_, options) in known.items()
    )
    return _BASH.format(verbs=" ".join(known), cases=cases)


_ZSH = """\
#compdef lineal
_lineal() {{
    local -a verbs options names
    verbs=(
{verbs}
    )
    if (( CURRENT == 2 )); then
        _describe -t verbs verb verbs
        return
    fi
    case "$words[2]" in
{cases}
    esac
    if [[ "$PREFIX" == -* ]]; then
        _describe -t options option options
        return
    fi
    names=(${{(f)"$(lineal completion --names 2>/dev/null)"}})
    compadd -a names
    _files
}}
compdef _lineal lineal
"""


def zsh(known: Words) -> str:
    """For zsh."""
    verbs = "\n".join(f"        {described(verb, summary)}" for verb, (summary, _) in known.items())
    cases = "\n".join(
        f"        {verb}) options=({' '.join(described(*option) for option in options)}) ;;"
        for verb, (_, options) in known.items()
    )
    return _ZSH.format(verbs=verbs, cases=cases)


def described(word: str, help_: str) -> str:
    """A word and what it means, as zsh's ``_describe`` takes them."""
    meaning = help_.replace(":", r"\:")
    return quoted(f"{word}:{meaning}")


_FISH = """\
complete -c lineal -f -n __fish_use_subcommand -l help -d 'show what there is'
complete -c lineal -f -n __fish_use_subcommand -l version -d 'print the version'
{verbs}
{options}
complete -c lineal -n 'not __fish_use_subcommand' -a '(lineal completion --names 2>/dev/null)'
"""


def fish(known: Words) -> str:
    """For fish."""
    verbs = [
        f"complete -c lineal -f -n __fish_use_subcommand -a {verb} -d {fish_quoted(summary)}"
        for verb, (summary, _) in known.items()
    ]
    options = [
        f"complete -c lineal -n '__fish_seen_subcommand_from {verb}' -l {option.flag[2:]} -d {fish_quoted(option.help)}"
        for verb, (_, found) in known.items()
        for option in found
    ]
    return _FISH.format(verbs="\n".join(verbs), options="\n".join(options))


def quoted(text: str) -> str:
    """A text as one word of bash or zsh, on one line."""
    return "'" + " ".join(text.split()).replace("'", "'\\''") + "'"


def fish_quoted(text: str) -> str:
    """A text as one word of fish, on one line."""
    return "'" + " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[Words], str]] = {"bash": bash, "fish": fish, "zsh": zsh}
