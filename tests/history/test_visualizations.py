"""Visualizations: kept beside each content once, shown as of any moment, gone with the content, and harmless."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.errors import BlobMissing, NotFound
from lineal.events.catalogue import ContentVisualized
from lineal.history import ArtifactVersionView
from lineal.materializers import Materializer, PartReader, PartWriter, Visualization, register, registry
from lineal.materializers.pages import POLICY

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m"


class Signal:
    def __init__(self, size: int, note: str = "note") -> None:
        self.size = size
        self.note = note


DRAWN = ["a"]
"""What the signals draw, for tests that change it."""


@register
class SignalMaterializer(Materializer[Signal]):
    format = "test.visualized-signal/1"
    types = (Signal,)

    def save(self, value: Signal, parts: PartWriter) -> Any:
        parts.buffer("samples", bytes(value.size))
        return value.note

    def load(self, head: Any, parts: PartReader) -> Signal:
        return Signal(parts.size_bytes("samples"), head)

    def metadata(self, value: Signal) -> dict[str, Any]:
        return {"size": value.size, "note": value.note}

    def visualize(self, value: Signal) -> Iterator[Visualization]:
        for name in DRAWN:
            yield Visualization(
                name, "text/html", f"<p>{name} of {value.size}: {value.note}</p>" + " " * 10 * value.size
            )
        if value.size == 13:
            raise ValueError("bad luck")


@step
def make(size: int) -> Annotated[Signal, Artifact("signal")]:
    return Signal(size)


@pipeline
def making(size: int) -> None:
    make(size)


@pytest.fixture(autouse=True)
def _drawn() -> Iterator[None]:
    yield
    DRAWN[:] = ["a"]


def visualized(client: Client) -> list[ContentVisualized]:
    client.flush()
    return [one.event for one in client.events() if isinstance(one.event, ContentVisualized)]


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_what_a_step_gives_is_visualized_in_the_commit_that_completes_it(client: Client, executor: Any) -> None:
    version = making.with_options(executor=executor)(3000).steps["make"].output
    (one,) = version.visualizations
    assert (one.name, one.media_type, one.read().strip()) == ("a", "text/html", b"<p>a of 3000: note</p>")
    completed = next(one.seq for one in client.events() if one.type == "step.completed/1")
    assert client.as_of(completed).artifact("signal").visualizations.names == []
    assert client.as_of(completed + 1).artifact("signal").visualizations.names == ["a"]


def test_what_is_plain_and_small_is_drawn_when_it_is_looked_at_and_costs_no_event_and_no_byte(client: Client) -> None:
    metrics = {"loss": 0.25, "accuracy": 0.75}
    version = client.save(metrics, "metrics")
    assert visualized(client) == []
    assert client.usage().blobs == 1
    assert version.visualizations.names == ["metrics", "tree"]
    assert b"accuracy" in version.visualizations["metrics"].read()
    assert "accuracy" in version._repr_mimebundle_()["text/html"]
    again = client.visualize("metrics")
    assert [one.content for one in visualized(client)] == [version.content]
    assert again.visualizations["metrics"].read() == version.visualizations["metrics"].read()


def test_what_is_plain_and_small_shows_nothing_once_it_is_collected(client: Client) -> None:
    client.save({"loss": 0.25}, "metrics")
    client.release("metrics")
    client.collect(grace_s=0)
    assert client.artifact("metrics").visualizations.names == []


SMALL = {
    "array": np.arange(100.0),
    "frame": pd.DataFrame({"x": [1.5, None, 3.0], "c": pd.Categorical(["a", "b", "a"])}),
    "table": pa.table({"x": [1, 2, 3]}),
    "parts": {"weights": np.eye(4), "rows": [pd.Series([1.0, 2.0])]},
}


@pytest.mark.parametrize("name", SMALL)
def test_small_arrays_and_tables_are_drawn_when_they_are_looked_at(client: Client, name: str) -> None:
    version = client.save(SMALL[name], name)
    assert visualized(client) == []
    assert len(version.visualizations) > 0
    assert version.visualizations.problems == ()


def test_what_is_small_but_would_run_code_to_be_drawn_is_kept_drawn(client: Client) -> None:
    frame = pd.DataFrame({"x": pd.Series([object, 1], dtype=object)})
    client.save(frame, "frame")
    assert len(visualized(client)) == 1


def test_a_view_of_a_version_draws_it_once(client: Client) -> None:
    version = client.save(np.arange(100.0), "array")
    assert version.visualizations[0] is version.visualizations[0]


def test_what_can_not_be_drawn_here_says_why(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    version = client.save(np.arange(100.0), "array")
    with monkeypatch.context() as changed:
        changed.setattr(registry, "_loaded", {})
        changed.setitem(sys.modules, "lineal.materializers.numpy", None)
        shown = version.visualizations
    assert (shown.names, len(shown.problems)) == ([], 1)
    assert "can't be loaded without" in shown.problems[0]


def test_pictures_that_are_gone_are_drawn_anew_where_their_value_came_back_without_them(client: Client) -> None:
    version = client.save(np.arange(100_000.0), "array")
    kept = {view.name: view.read() for view in version.visualizations}
    client.release("array")
    client.collect(grace_s=0)
    assert client.artifact("array").visualizations.names == list(kept)
    with lineal.open(client.path, visualize=False) as quiet:
        quiet.save(np.arange(100_000.0), "array")
        assert {view.name: view.read() for view in quiet.artifact("array").visualizations} == kept
    assert len(visualized(client)) == 1


def test_each_content_is_visualized_once_whatever_gives_it_again(client: Client) -> None:
    making(5)
    making.with_options(cache=False)(5)
    client.save(Signal(5), "other")
    assert len(visualized(client)) == 1
    assert client.artifact("other").visualizations.names == ["a"]


def test_the_innermost_of_step_pipeline_and_store_that_says_so_decides(client: Client) -> None:
    quiet = make.with_options(visualize=False)
    loud = make.with_options(visualize=True)

    @pipeline
    def both() -> None:
        quiet(1)
        loud(2)
        make(3)

    def sizes() -> set[int]:
        found = {one.content for one in visualized(client)}
        return {view.metadata["size"] for view in client.artifact("signal").artifact.versions if view.content in found}

    both()
    assert sizes() == {2, 3}
    both.with_options(visualize=False, cache=False)()
    assert sizes() == {2, 3}
    with lineal.open(client.path, visualize=False) as unasked:
        making(7)
        unasked.save(Signal(8), "signal")
        assert sizes() == {2, 3}
        making.with_options(visualize=True)(9)
        assert sizes() == {2, 3, 9}


def test_a_failure_to_draw_is_recorded_and_shown_and_the_step_completes(client: Client) -> None:
    run = making(13)
    assert run.status == "completed"
    shown = run.steps["make"].output.visualizations
    assert (shown.names, shown.problems) == (["a"], ("ValueError: bad luck",))
    assert "ValueError: bad luck" in shown._repr_html_()


def test_what_is_drawn_anew_counts_from_then_on_and_the_past_shows_what_there_was(client: Client) -> None:
    client.save(Signal(5), "signal")
    before = client.head.seq
    DRAWN[:] = ["b", "c"]
    version = client.visualize("signal")
    assert version.visualizations.names == ["b", "c"]
    assert client.as_of(before).artifact("signal").visualizations["a"].read().strip() == b"<p>a of 5: note</p>"
    client.collect(grace_s=0)
    assert client.as_of(before).artifact("signal").visualizations["a"].read().strip() == b"<p>a of 5: note</p>"


def test_visualizations_are_collected_with_the_last_content_that_shows_them_and_not_before(client: Client) -> None:
    version = client.save(Signal(5, "x" * 20_000), "signal")
    (view,) = version.visualizations
    assert not client.verify().damages
    client.collect(grace_s=0)
    assert client.why_kept(str(view.blob)).is_kept
    assert len(view.read()) > 20_000
    client.release("signal")
    client.collect(grace_s=0)
    with pytest.raises(BlobMissing):
        view.read()
    assert "gone" in version.visualizations._repr_html_()
    assert not client.verify().damages
    client.save(Signal(5, "x" * 20_000), "signal")
    assert len(version.visualizations[0].read()) > 20_000


def test_a_damaged_visualization_is_found_and_said_to_be_one(client: Client) -> None:
    (view,) = client.save(Signal(10_000), "signal").visualizations
    client.flush()
    path = client.store.blobs.files.path(view.blob)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    (damage,) = client.verify().damages
    assert damage.digest == view.blob
    assert [use.what for use in damage.uses] == [
        f"visualization of content {str(client.artifact('signal').content)[:12]}"
    ]


def test_a_visualization_that_is_not_there_is_said_so_with_what_there_is(client: Client) -> None:
    with pytest.raises(NotFound, match="no visualization is called 'b'"):
        client.save(Signal(5), "signal").visualizations["b"]


class Elements(HTMLParser):
    """Every element and attribute of a page, in its frames, too."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.frames: list[Elements] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "iframe":
            assert ("sandbox", "") in attrs
            self.frames.append(Elements(dict(attrs)["srcdoc"] or ""))


def of_hostile(client: Client) -> ArtifactVersionView:
    return client.save(Signal(13, HOSTILE), "signal")


def test_a_page_lets_no_name_text_or_markup_run_or_fetch_anything(client: Client, tmp_path: Path) -> None:
    version = of_hostile(client)
    DRAWN[:] = ["</h2>" + "<script>x"]
    client.visualize("signal")
    path = version.visualize(tmp_path / "page.html")
    assert path == tmp_path / "page.html"
    text = path.read_text()
    found = Elements(text)
    assert "script" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not [link for name, link in found.attributes if name in ("src", "href") and not link.startswith("data:")]
    assert "\u202e" not in text.partition("<iframe")[0]
    (frame,) = found.frames
    assert frame.attributes[1:3] == [("http-equiv", "Content-Security-Policy"), ("content", POLICY)]
    assert ("content", POLICY) in found.attributes
    assert "default-src 'none'" in POLICY
    assert "script" not in POLICY


def test_a_page_outside_a_notebook_is_opened_where_it_was_written(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = client.save(Signal(5), "signal").visualize()
    assert path is not None
    assert opened == [path.as_uri()]
    assert "a of 5" in path.read_text()


def test_a_version_has_a_rich_form_for_notebooks_and_a_plain_one(client: Client) -> None:
    version = client.save(Signal(5), "signal")
    found = version._repr_mimebundle_()
    assert found["text/plain"] == repr(version)
    assert "a of 5" in found["text/html"]
    assert "signal@1" in found["text/html"]
