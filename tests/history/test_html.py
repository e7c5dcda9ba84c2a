"""Runs, steps, pipelines, artifacts and sweeps in notebooks and on pages: complete, bounded, and harmless."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any

import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.errors import StepFailed
from lineal.history.html import duration_text

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\u202e"


@step
def count(n: int) -> Annotated[int, "total"]:
    return n * 10


@step
def score(total: int, rate: float = 0.5, note: str = "") -> Annotated[dict, Artifact("scores")]:
    """Score it.

    In two ways.
    """
    print("scoring", note)
    for at in range(3):
        lineal.log_metric("loss", rate / (at + 1), step=at)
    return {"accuracy": rate, "f1": rate / 2}


@step
def judge(scores: dict, threshold: float = 0.0) -> Annotated[str, "verdict"]:
    if scores["accuracy"] < threshold:
        raise ValueError(HOSTILE)
    return "good"


@step
def announce(verdict: str) -> Annotated[str, "text"]:
    return verdict * 2


@pipeline
def judging(n: int = 1, rate: float = 0.5, threshold: float = 0.0, note: str = ""):
    return announce(judge(score(count(n), rate=rate, note=note), threshold=threshold))


@step
def double(x: int) -> int:
    return x * 2


@pipeline
def doubling(xs: list[int]):
    return double.map(xs)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.attributes if one == name]


def read(text: str) -> Page:
    page = Page(text)
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(one.startswith("data:") for one in page.all("src"))
    assert all(one.startswith("#") for one in page.all("href"))
    return page


def failed_run(client: Client) -> Any:
    with pytest.raises(StepFailed):
        judging(threshold=0.9)
    return next(iter(client.runs()))


def test_a_notebook_shows_a_run_with_its_steps_and_results(client: Client) -> None:
    run = judging(n=3, rate=0.25)
    texts = read(run._repr_html_()).texts
    assert {"count", "score", "judge", "announce", "4 completed", "total@1 = 30"} <= set(texts)
    assert texts[texts.index("rate") + 1] == "0.25"
    assert texts[texts.index("total") + 1] == "30"
    assert texts[texts.index("loss") + 1] == "0.0833333"


def test_a_page_of_a_run_leads_to_each_of_its_steps(client: Client, tmp_path: Path) -> None:
    run = judging()
    written = run.visualize(tmp_path / "run.html")
    page = read(written.read_text(encoding="utf-8"))
    assert len(set(page.all("href"))) == len(run.steps)
    assert {one.removeprefix("#") for one in page.all("href")} <= set(page.all("id"))
    # Of the graph, in which each step is a group.
    assert [one for one in page.all("class") if one.startswith("step ")] == ["step completed"] * 4
    assert "score: loss" in page.texts
    assert any(one.startswith("data:image/svg+xml;base64,") for one in page.all("src"))
    assert "Content-Security-Policy" in page.all("http-equiv")


def test_a_served_step_says_which_one_it_was_served_by(client: Client) -> None:
    judging()
    again = judging(threshold=0.1)
    texts = read(again.steps["score"]._repr_html_()).texts
    assert texts[texts.index("served by") + 1] == "score of judging-1"
    assert "cached" in texts
    assert "3 cached, 1 completed" in read(again._repr_html_()).texts


def test_a_failed_run_shows_what_was_raised_and_what_has_not_begun(client: Client, tmp_path: Path) -> None:
    run = failed_run(client)
    page = read(run.visualize(tmp_path / "run.html").read_text(encoding="utf-8"))
    assert "step failed" in page.all("class")
    assert "announce" in page.texts
    assert any("alert(1)" in one and "ValueError" in one for one in page.texts)
    assert any("Traceback" in one for one in page.texts)


def test_a_page_of_a_step_has_what_it_took_gave_and_printed(client: Client, tmp_path: Path) -> None:
    step_run = judging(note=HOSTILE).steps["score"]
    page = read(step_run.visualize(tmp_path / "step.html").read_text(encoding="utf-8"))
    assert {"total@1", "scores@1", "Score it.", "metrics of scores@1"} <= set(page.texts)
    assert any(one.startswith("scoring </td>") for one in page.texts)
    assert not any("\u202e" in one for one in page.texts)


def test_a_log_that_is_damaged_is_said_to_be_so_on_a_page_that_shows_the_rest(client: Client, tmp_path: Path) -> None:
    @step
    def tell() -> int:
        print("all is well\n" * 2_000)
        return 1

    @pipeline
    def telling() -> None:
        tell()

    run = telling()
    event: Any = run.steps["tell"].recorded.event
    path = client.store.blobs.files.path(event.log)
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)
    page = run.visualize(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "all is well" not in page
    assert re.search(r"printed</summary><pre>\(blob .*\)</pre>", page), page[-400:]


def test_a_pipeline_shows_its_runs_by_what_differs(client: Client) -> None:
    first = judging(n=1, rate=0.5)
    judging(n=1, rate=0.75)
    texts = read(first.pipeline._repr_html_()).texts
    header = texts[texts.index("run") : texts.index("took")]
    assert "rate" in header
    assert "n" not in header
    assert texts.index("judging-2") < texts.index("judging-1")
    assert "judging-1" in read(first.pipeline_version._repr_html_()).texts


def test_a_sweep_is_a_table_to_compare_by(client: Client) -> None:
    sweep = judging.sweep(rate=[0.1, 0.9], n=[1, 2])
    texts = read(sweep._repr_html_()).texts
    assert [one for one in texts if one.startswith("judging-")] == [f"judging-{n}" for n in range(1, 5)]
    header = texts[texts.index("run") : texts.index("took")]
    assert [one for one in header if one in ("rate", "n", "threshold")] == ["rate", "n"]
    assert "total" in header


def test_an_artifact_shows_its_versions_newest_first(client: Client) -> None:
    judging(rate=0.5)
    judging(rate=0.75)
    page = read(client.artifact("scores").artifact._repr_html_())
    assert [one for one in page.texts if one in ("1", "2")] == ["2", "1"]
    assert "score in judging-2" in page.texts
    assert len([one for one in page.all("src") if one.startswith("data:image/svg+xml")]) == 2


def test_many_steps_are_counted_where_they_are_not_shown(client: Client, tmp_path: Path) -> None:
    run = doubling(list(range(250)))
    assert "… and 220 more" in read(run._repr_html_()).texts
    page = read(run.visualize(tmp_path / "run.html").read_text(encoding="utf-8"))
    assert "… and 50 more" in page.texts
    assert any(one.startswith("and 100 more") for one in page.texts)


def test_a_run_in_the_past_shows_what_was_then(client: Client, tmp_path: Path) -> None:
    run = judging()
    client.flush()
    began = client.as_of(run.seq).run(run.id)
    texts = read(began._repr_html_()).texts
    assert "running" in texts
    assert "completed" not in texts
    page = read(began.visualize(tmp_path / "run.html").read_text(encoding="utf-8"))
    assert [one for one in page.all("class") if one.startswith("step")] == ["step"] * 4
    assert page.tags.count("polygon") == 3


def test_what_is_shown_loads_nothing(client: Client, store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judging()
    client.flush()

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr("lineal.history.stored.StoredVersion.load", refuse)
    run = next(iter(client.runs()))
    assert "judge" in run._repr_html_()
    assert "score" in run.steps["score"]._repr_html_()


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(None, ""), (0.00025, "0.25 ms"), (0.0123, "12.3 ms"), (0.9999, "1 s"), (59.4, "59.4 s"), (61, "1 min 1 s")],
)
def test_durations_are_told_as_people_do(duration_s: float | None, text: str) -> None:
    assert duration_text(duration_s) == text
    assert duration_text(3 * 3600 + 120) == "3 h 2 min"
