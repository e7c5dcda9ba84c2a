"""Markup, drawings and pages: whatever text comes in, only text comes out."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import example, given
from hypothesis import strategies as st

from lineal.materializers.markup import element, escaped, shortened
from lineal.materializers.pages import number, page, table
from lineal.materializers.svg import box, drawing, label

HOSTILE = "</td></svg><script>alert(1)</script><img src=x onerror='alert(\"1\")'>\x00\ud800\u202e"


class Seen(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.data: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.data.append(data)


@given(st.text())
@example(HOSTILE)
def test_a_drawing_is_well_formed_whatever_it_says(text: str) -> None:
    root = ElementTree.fromstring(
        drawing(100, 50, text, label(1, 2, text, room=30), box(0, 0, 5, 5, "red", tip=text, data_x=text))
    )
    assert [one.tag.rpartition("}")[2] for one in root] == ["title", "style", "text", "rect"]


@given(st.text())
@example(HOSTILE)
def test_a_page_holds_hostile_text_as_text(text: str) -> None:
    seen = Seen(page(text, table([text], [[text]], caption=text)))
    assert "script" not in seen.tags
    assert "img" not in seen.tags
    assert not any(name.startswith("on") for name in seen.attributes)
    assert seen.tags.count("td") == 1


def test_a_page_forbids_scripts_and_the_network() -> None:
    text = page("title")
    assert "default-src &#x27;none&#x27;" in text
    assert "script-src" not in text


def test_only_what_is_said_to_be_markup_stands_in_a_table_as_it_is() -> None:
    bold = element("b", escaped("x"))
    assert "<td><b>x</b></td><td>&lt;b&gt;x&lt;/b&gt;</td>" in table(["raw", "text"], [[bold, bold]], markup=["raw"])


def test_what_turns_the_direction_of_text_is_spelled_out() -> None:
    assert escaped("a\u202eb") == "a\\u202eb"


def test_a_long_text_is_cut_and_stays_whole_under_the_pointer() -> None:
    text = "feature " * 20
    root = ElementTree.fromstring(label(0, 0, text, room=70))
    assert "".join(root.itertext()) == f"{text.strip()}{shortened(text, 10)}"


def test_numbers_are_read_by_people() -> None:
    assert [number(one) for one in (1234567, 0.1 + 0.2, float("nan"), 2.5e9, 10**400, True)] == [
        "1,234,567",
        "0.3",
        "nan",
        "2,500,000,000",
        "huge",
        "True",
    ]
