"""What changed in a step's code: the symbols that two code manifests differ in, with the diff of their source."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..cas.digest import Digest
from ..errors import LinealError
from .code import CodeManifest, Entry
from .ingredients import Ingredients
from .reasons import Reason, change
from .sources import Sources

_ORDER = ("root", "def", "class", "value", "name", "module", "file", "dist", "python")
"""What says most stands first."""
_TEXT_MAX_CHARACTERS = 200


def code_changes(old: Ingredients, new: Ingredients) -> Iterator[Reason]:
    """Each symbol that differs; that nothing is known of it, where the manifests are gone."""
    if old.code == new.code:
        return
    before, after = old.manifest(), new.manifest()
    if before is None or after is None:
        yield Reason("code", "code: it differs, but in what can't be told: its manifest is gone")
        return
    sources = old.sources(), new.sources()
    is_told = None not in sources
    diff = after.diff(before)
    for symbol in sorted((*diff.added, *diff.removed, *diff.changed), key=_place):
        yield _changed(symbol, before, after, sources)
    if not is_told and any(symbol.startswith(("def:", "class:")) for symbol in diff.changed):
        yield Reason("untold", "the source of the code was not captured, or is gone: there is no diff")


def _place(symbol: str) -> tuple[int, str]:
    kind = symbol.partition(":")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER), symbol


def _changed(
    symbol: str, before: CodeManifest, after: CodeManifest, sources: tuple[Sources | None, Sources | None]
) -> Reason:
    entries = before.entries.get(symbol), after.entries.get(symbol)
    old, new = map(_shown, entries)
    if symbol == "root":
        return Reason("code", f"code: the step itself: {change(old, new)}", symbol, old, new)
    texts = [_source(side, symbol) for side in sources]
    name = symbol.partition(":")[2] or symbol
    if None in entries:
        verb = "added" if entries[0] is None else "removed"
        told = next((text for text in (old, new, *texts) if text is not None and _is_short(text)), None)
        is_value = told is not None and not symbol.startswith(("def:", "class:"))
        old, new = (None, told) if verb == "added" else (told, None)
        return Reason("code", f"code: {_noun(symbol)} {name} {verb}{f': {told}' if is_value else ''}", symbol, old, new)
    if old is None and new is None and None not in texts and texts[0] != texts[1]:
        if all(text is not None and _is_short(text) for text in texts) and not symbol.startswith(("def:", "class:")):
            old, new = texts
        else:
            diff = _diff(texts[0] or "", texts[1] or "", symbol)
            return Reason("code", f"code: {_noun(symbol)} {name} changed", symbol, diff=diff)
    note = "" if old is not None or new is not None else _unseen(symbol, texts)
    return Reason("code", f"code: {_noun(symbol)} {name} {_became(old, new)}{note}", symbol, old, new)


def _became(old: str | None, new: str | None) -> str:
    return "changed" if old is None and new is None else f"changed: {change(old, new)}"


def _unseen(symbol: str, texts: list[str | None]) -> str:
    """What to say where neither entries nor texts tell the change."""
    if texts[0] is None or texts[0] != texts[1]:
        return ""
    what = "a default, a base or a decorator" if symbol.startswith(("def:", "class:")) else "the value"
    return f": its source is the same, {what} is not"


def _shown(entry: Entry | None) -> str | None:
    return None if entry is None or isinstance(entry, Digest) else entry


def _source(sources: Sources | None, symbol: str) -> str | None:
    try:
        return None if sources is None else sources.text(symbol)
    except LinealError:
        return None


def _is_short(text: str) -> bool:
    return "\n" not in text and len(text) <= _TEXT_MAX_CHARACTERS


_NOUNS = {"def": "function", "dist": "distribution", "python": "Python"}


def _noun(symbol: str) -> str:
    kind = symbol.partition(":")[0]
    return "" if symbol == kind else _NOUNS.get(kind, kind)


def _diff(old: str, new: str, symbol: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"before/{symbol}", f"now/{symbol}", lineterm="")
    return "\n".join(lines)
