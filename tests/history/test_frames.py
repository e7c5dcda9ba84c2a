"""Frames are about as tall as what is seen in them at first, and what is said of columns is a table."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lineal.history.frames import height_px
from lineal.history.showing import facts_of, tables_of
from lineal.materializers.pages import fragment, page, table

ROW = "<tr><td>a</td><td>b</td></tr>"
SUMMARY = "<summary>more</summary>"


def table_of(rows: int, text: str = "a") -> str:
    return page("t", table(["x", "y"], [[text, "b"]] * rows))


def test_a_frame_grows_with_its_rows_up_to_a_bound() -> None:
    heights = [height_px(table_of(rows)) for rows in (1, 5, 10, 1000)]
    assert heights == sorted(set(heights))
    assert heights[2] - heights[1] == 5 * 29
    assert heights[-1] == 640


def test_long_cells_make_a_frame_taller_and_style_and_drawings_as_text_do_not() -> None:
    assert height_px(table_of(5, "word " * 40)) > height_px(table_of(5)) + 5 * 40
    assert height_px(str(fragment(table([""], [["a"]])))) < height_px("<table>" + ROW * 3 + "</table>")
    assert height_px(f"<style>{ROW * 50}</style>{ROW}") == height_px(ROW)


def test_what_is_folded_up_takes_no_room_but_its_summary() -> None:
    folded, unfolded = (f"<details{how}>{SUMMARY}{ROW * 9}</details>" for how in ("", " open"))
    assert height_px(ROW + folded) < height_px(ROW * 3)
    assert height_px(ROW + unfolded) > height_px(ROW * 9)
    inner = f"<details>{SUMMARY}<details>{SUMMARY}{ROW}</details></details>{ROW}"
    assert height_px(inner) == height_px(f"<details>{SUMMARY}</details>{ROW}")


@pytest.mark.parametrize(
    "text", ["", "no markup", "<td>", "</tr></table>", "<details><summary>", "<" * 1000, "<svg><tr>"]
)
def test_any_text_has_a_height(text: str) -> None:
    assert 60 <= height_px(text) <= 640


def version(**metadata: Any) -> Any:
    when = datetime(2030, 1, 1, tzinfo=UTC)
    return SimpleNamespace(type="t", format="t/1", size_bytes=1, created=when, metadata=metadata)


def test_what_is_known_of_columns_is_one_table_and_what_of_other_parts_another() -> None:
    one = version(
        rows=30_000,
        shape=[2, 3],
        empty={},
        none=[],
        dtypes={"a": "int64", "<b>": "str"},
        mean={"a": 0.5},
        splits={"train": 3, "test": 1},
    )
    assert dict(facts_of(one)) | {} == {
        "type": "t",
        "format": "t/1",
        "size": "1 B",
        "created": "2030-01-01 00:00:00 UTC",
        "rows": "30,000",
        "shape": "2, 3",
    }
    columns, splits = map(str, tables_of(one))
    assert '<tr><td>a</td><td>int64</td><td class="n">0.5</td></tr>' in columns
    assert "<tr><td>&lt;b&gt;</td><td>str</td><td></td></tr>" in columns
    assert "splits" in splits
    assert "splits" not in columns


def test_of_many_columns_the_first_are_shown_and_the_rest_counted() -> None:
    (shown,) = tables_of(version(mean={f"c{number}": number for number in range(100)}))
    assert "c19<" in shown
    assert "c20<" not in shown
    assert "… and 80 more" in shown


def test_titles_stand_above_their_numbers() -> None:
    shown = table(["name", "count", "none"], [["a", 1, None], ["b", None, None]])
    assert '<th scope="col" class="n">count</th>' in shown
    assert '<th scope="col">name</th>' in shown
    assert '<th scope="col">none</th>' in shown
