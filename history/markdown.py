"""Markdown as HTML: headings, paragraphs, lists, quotes, code, tables, rules, emphasis; of links, the text and address.

What is no such thing stays text. Everything is escaped first, so that no markup of the text's own comes through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..materializers.markup import Markup, escaped

_HEADING = re.compile(r"(#{1,6}) +(.*?)(?: +#+)?$")
_ITEM = re.compile(r"( *)([-*+]|\d{1,9}[.)]) +(.*)$")
_RULE = re.compile(r" {0,3}([-*_])( *\1){2,} *$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_DASHES = re.compile(r"\|?( *:?-+:? *\|)+( *:?-+:? *)?\|?$")
_CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\(([^()\s]{0,2000})(?: &quot;[^&]*&quot;)?\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.{1,2000}?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])(.{1,2000}?)(?<=[^\s*_])\1(?![\w*])")


def markdown(text: str) -> Markup:
    """A text as HTML without links, images, classes or scripts."""
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return Markup("".join(_blocks(lines)))


def _blocks(lines: list[str]) -> Iterator[str]:
    place = 0
    while place < len(lines):
        line = lines[place]
        fence, heading = _FENCE.match(line), _HEADING.match(line)
        if not line.strip():
            place += 1
        elif fence:
            place, code = _fenced(lines, place + 1, fence.group(1))
            yield f"<pre>{escaped(code)}</pre>"
        elif heading:
            level = min(len(heading.group(1)) + 1, 6)
            yield f"<h{level}>{_inline(heading.group(2))}</h{level}>"
            place += 1
        elif _RULE.match(line):
            yield "<hr>"
            place += 1
        elif "|" in line and place + 1 < len(lines) and _DASHES.match(lines[place + 1].strip()):
            end = _end(lines, place, lambda one: "|" in one)
            yield _table(lines[place], lines[place + 2 : end])
            place = max(end, place + 2)
        elif line.lstrip().startswith(">"):
            end = _end(lines, place, lambda one: one.lstrip().startswith(">"))
            quoted = " ".join(one.lstrip()[1:].strip() for one in lines[place:end])
            yield f"<blockquote>{_inline(quoted)}</blockquote>"
            place = end
        elif _ITEM.match(line):
            end = _end(lines, place, lambda one: bool(_ITEM.match(one)) or one.startswith("  "))
            yield _list(lines[place:end])
            place = end
        else:
            end = _end(lines, place + 1, _is_plain)
            yield f"<p>{_inline(' '.join(one.strip() for one in lines[place:end]))}</p>"
            place = end


def _end(lines: list[str], place: int, belongs: Callable[[str], object]) -> int:
    while place < len(lines) and lines[place].strip() and belongs(lines[place]):
        place += 1
    return place


def _is_plain(line: str) -> bool:
    begins_another = _HEADING.match(line) or _FENCE.match(line) or _ITEM.match(line) or _RULE.match(line)
    return not begins_another and not line.lstrip().startswith(">")


def _fenced(lines: list[str], place: int, fence: str) -> tuple[int, str]:
    code = []
    while place < len(lines) and not lines[place].strip().startswith(fence):
        code.append(lines[place])
        place += 1
    return place + 1, "\n".join(code)


def _list(lines: list[str]) -> str:
    """Items, those deeper in shown so by their margin; a line that is none goes on with the one before."""
    items: list[list[str]] = []
    for line in lines:
        found = _ITEM.match(line)
        if found:
            depth = min(len(found.group(1)) // 2, 8)
            bullet = "•" if found.group(2) in "-*+" else found.group(2)
            items.append([str(depth), bullet, found.group(3)])
        elif items:
            items[-1][2] += f" {line.strip()}"
    rows = (
        f'<div style="margin-left:{1 + int(depth) * 1.5}em;text-indent:-1em">{escaped(bullet)} {_inline(text)}</div>'
        for depth, bullet, text in items
    )
    return f"<div>{''.join(rows)}</div>"


def _table(head: str, rows: list[str]) -> str:
    def cells(line: str, tag: str) -> str:
        found = line.strip().strip("|").split("|")
        return "".join(f"<{tag}>{_inline(cell.strip())}</{tag}>" for cell in found)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{cells(head, 'th')}</tr>{body}</table>"


def _inline(text: str) -> str:
    """Code as it stands, and emphasis and links in the rest."""
    pieces, place = [], 0
    for code in _CODE.finditer(text):
        pieces += [_marked(text[place : code.start()]), f"<code>{escaped(code.group(2).strip())}</code>"]
        place = code.end()
    return "".join([*pieces, _marked(text[place:])])


def _marked(text: str) -> str:
    text = _LINK.sub(lambda found: f"{found.group(1)} ({found.group(2)})", escaped(text))
    text = _STRONG.sub(r"<strong>\2</strong>", text)
    return _EMPHASIS.sub(r"<em>\2</em>", text)
