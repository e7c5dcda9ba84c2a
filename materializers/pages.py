"""Pages and pieces of pages in HTML: tables, sections, and whole documents that need nothing but themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .markup import Markup, element, escaped

# A notebook has rules of its own for tables, which must count for less.
_RULES = """
.lineal{font:14px/1.45 system-ui,sans-serif}
.lineal .w{overflow-x:auto}
.lineal .w table{border-collapse:collapse;margin:.4em 0;font-variant-numeric:tabular-nums}
.lineal .w table caption{text-align:left;white-space:nowrap;font-weight:600;padding:.3em 0}
.lineal .w table th,.lineal .w table td{padding:.2em .7em;text-align:left;vertical-align:top;max-width:32em;
overflow-wrap:break-word;border:0;border-bottom:1px solid rgba(128,128,128,.25);background:none;color:inherit}
.lineal .w table thead th{border-bottom-width:2px;white-space:nowrap}
.lineal .w table .n{text-align:right;white-space:nowrap}
.lineal .m{opacity:.7}
.lineal h1{font-size:1.35em;margin:.2em 0 .5em}
.lineal h2{font-size:1.1em;margin:1.2em 0 .3em}
.lineal pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.6em .8em;margin:.4em 0;
background:rgba(128,128,128,.12);border-radius:4px;font:12px/1.4 ui-monospace,monospace;color:inherit}
.lineal code{font:.92em ui-monospace,monospace;background:none;color:inherit}
.lineal img{max-width:100%;height:auto}
"""
_STYLE = element("style", Markup(" ".join(_RULES.split("\n")).strip()))
_PAGE_STYLE = Markup(
    "<style>:root{color-scheme:light dark}body{margin:1.5em auto;padding:0 1.5em;max-width:76em;"
    "color:#1c1e21;background:#fff}"
    "@media (prefers-color-scheme:dark){body{color:#e4e6e9;background:#16181b}}"
    "a{color:#4a8fdc}</style>"
)
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Whatever slipped into a page: it runs nothing and asks no network."""

Cell = Markup | str | float | int | None
"""What stands in a table; numbers are aligned to the right. A `str` is escaped, unless it is `Markup` in a column that
is said to be of markup."""


def fragment(*body: Markup | None) -> Markup:
    """A piece of a page with the style that it needs, as a notebook shows it."""
    return element("div", _STYLE, *body, class_="lineal")


def page(title: str, *body: Markup | None) -> str:
    """A whole document: it reaches for nothing else, and a policy in it forbids scripts and the network."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width"),
        element("title", escaped(title)),
        _PAGE_STYLE,
    )
    return f"<!doctype html>\n{element('html', head, element('body', fragment(*body)), lang='en')}\n"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    markup: Sequence[str] = (),
    caption: str | None = None,
) -> Markup:
    """A table.

    Args:
        header: Titles of the columns.
        rows: Their cells; numbers are shown by `number`, None as nothing.
        markup: Titles of the columns whose cells are markup already.
        caption: What stands above it.
    """
    raw = [title in markup for title in header]
    lines = [[_cell(one, is_raw) for one, is_raw in zip(row, raw, strict=True)] for row in rows]
    are_numbers = [
        all(map(_is_of_number, column)) and any(map(_is_filled, column)) for column in zip(*lines, strict=True)
    ]
    made = element(
        "table",
        None if caption is None else element("caption", escaped(caption)),
        _head(header, are_numbers or [False] * len(header)) if any(title.strip() for title in header) else None,
        element("tbody", *(element("tr", *line) for line in lines)),
    )
    return element("div", made, class_="w")


def number(value: float | int) -> str:
    """A number as a person reads it: six digits at most, thousands apart."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else f"{value:.6e}" if abs(value) < 10**300 else "huge"
    is_long = abs(value) < 10**15 and (value.is_integer() or abs(value) >= 10**6)
    return f"{value:,.0f}" if is_long else f"{value:.6g}"


def figures(*shown: Markup) -> Markup:
    """Drawings beside each other, where there is room."""
    return element("div", *shown, style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start")


def _head(header: Sequence[str], are_numbers: Sequence[bool]) -> Markup:
    titles = (
        element("th", escaped(title), scope="col", class_="n" if is_right else None)
        for title, is_right in zip(header, are_numbers, strict=True)
    )
    return element("thead", element("tr", *titles))


_EMPTY = element("td")


def _is_of_number(cell: Markup) -> bool:
    """Whether a cell is aligned to the right, or may be."""
    return cell == _EMPTY or cell.startswith(('<td class="n">', '<td><div class="n">'))


def _is_filled(cell: Markup) -> bool:
    return cell != _EMPTY


def _cell(value: Cell, is_markup: bool) -> Markup:
    if value is None:
        return _EMPTY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return element("td", escaped(number(value)), class_="n")
    return element("td", Markup(str(value)) if is_markup else escaped(value))
