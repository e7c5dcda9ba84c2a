"""Runs, step runs and artifact versions compared; what explains a version; and the run at which a metric turned."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

import lineal
from lineal import Client, Directory, File, pipeline, step
from lineal.errors import ArtifactNotFound, Invalid, InvalidReference, NotFound
from lineal.history import RunDiff, RunView, VersionDiff
from lineal.history.comparing import blame as blaming
from lineal.history.comparing import contents, versions
from lineal.history.comparing.told import Told

FLOW = {
    "flow.py": """
        from typing import Annotated
        from lineal import Artifact, log_metric, pipeline, step
        from scaling import scaled

        @step
        def load(rows: int) -> Annotated[list, "rows"]:
            return list(range(rows))

        @step
        def clean(rows: list) -> Annotated[list, "clean"]:
            return [row for row in rows if row]

        @step
        def fit(clean: list, rate: float) -> Annotated[dict, Artifact("model")]:
            log_metric("loss", 1 / rate)
            return {"weight": scaled(sum(clean)) * rate}

        @pipeline
        def training(rows: int = 3, rate: float = 0.5):
            fit(clean(load(rows)), rate)
    """,
    "scaling.py": "def scaled(x):\n    return x * 2\n",
}
Project = Callable[[dict[str, str]], ModuleType]


def edited(file: str, old: str, new: str) -> dict[str, str]:
    assert old in FLOW[file]
    return FLOW | {file: FLOW[file].replace(old, new)}


def checked(told: Told) -> Any:
    """A result, which must tell itself in each way, and safely."""
    assert str(told).startswith(told.title)
    json.dumps(told.to_dict(), allow_nan=False)
    html = told.to_html()
    assert "<script" not in html
    assert html.count("<body>") == 1
    assert told._repr_html_() in html
    return told


def compared(client: Client, old: str, new: str | None = None, **options: Any) -> Any:
    return checked(client.diff(old, new, **options))


@pytest.fixture
def three(client: Client, project: Project) -> Client:
    """A store with a run, one of another parameter, and one of other code and more rows."""
    project(FLOW).training()
    project(FLOW).training(rate=0.25)
    project(edited("scaling.py", "x * 2", "x * 3")).training(rows=4, rate=0.25)
    return client


def test_two_runs_differ_in_the_parameter_that_was_changed_and_in_what_came_of_it(three: Client) -> None:
    found = compared(three, "training-1", "training-2")
    assert [(one.kind, one.what, one.old, one.new) for one in found.parameters] == [
        ("parameter", "rate", "0.5", "0.25")
    ]
    assert (found.code, found.structure, found.environment, found.is_same) == ((), (), (), False)
    assert found.outputs == (("fit.model", "model@1", "model@2"),)
    assert [(one.name, one.summary) for one in found.steps] == [
        ("load", "the same"),
        ("clean", "the same"),
        ("fit", "inputs, outputs"),
    ]
    assert [(one.name, one.old, one.new, one.delta) for one in found.metrics] == [("fit/loss", 2.0, 4.0, 2.0)]
    assert [(one.old_status, one.new_status) for one in found.steps] == [
        ("completed", "cached"),
        ("completed", "cached"),
        ("completed", "completed"),
    ]
    assert found.steps[2].old_duration_s > 0


def test_a_symbol_that_changed_is_told_once_with_its_source_and_the_steps_that_reach_it(three: Client) -> None:
    (change,) = compared(three, "training-2", "training-3").code
    assert (change.reason.what, change.steps) == ("def:scaling:scaled", ("fit",))
    assert change.reason.diff.splitlines()[-2:] == ["-    return x * 2", "+    return x * 3"]


def test_a_run_alone_is_compared_with_the_one_before_and_a_pipeline_stands_for_its_newest(three: Client) -> None:
    assert compared(three, "training-2").title == "training-1 → training-2"
    assert compared(three, "training").title == "training-2 → training-3"
    with pytest.raises(NotFound, match="the first run of its pipeline"):
        three.diff("training-1")


def test_a_run_is_the_same_as_itself_and_as_one_served_from_the_cache(client: Client, project: Project) -> None:
    flow = project(FLOW)
    flow.training()
    flow.training()
    assert compared(client, "training-1", "training-1").is_same
    found = compared(client, "training-1", "training-2")
    assert found.is_same
    assert found.title == "training-1 → training-2: the same"


def test_a_step_that_came_and_edges_that_changed_are_differences_of_structure(client: Client, project: Project) -> None:
    project(FLOW).training()
    project(edited("flow.py", "fit(clean(load(rows)), rate)", "fit(load(rows), rate)")).training()
    found = compared(client, "training")
    assert [one for one in found.structure if one.what == "fit takes clean"] == [
        ("fit takes clean", "clean.clean", "load.rows")
    ]
    assert [one.what for one in found.structure if one.new is None] == ["step clean", "clean takes rows"]
    assert {one.name: one.presence for one in found.steps} == {"load": "", "fit": "", "clean": "removed"}


def test_the_environment_and_the_pipelines_own_code_are_compared(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    project(FLOW).training()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    project(edited("flow.py", "fit(clean(load(rows)), rate)", "fit(clean(load(rows + 0)), rate)")).training()
    found = compared(client, "training")
    assert ("variables.TZ", None, "Asia/Tokyo") in found.environment
    assert [(one.reason.what, one.steps) for one in found.code] == [("def:flow:training", ())]


def test_two_steps_are_compared_and_a_step_alone_with_the_one_before(three: Client) -> None:
    found = compared(three, "training-3/fit")
    assert (found.old, found.new) == ("training-2/fit", "training-3/fit")
    assert [one.what for one in found.code] == ["def:scaling:scaled"]
    assert [(one.what, one.old, one.new) for one in found.inputs] == [("clean", "clean@1", "clean@2")]
    assert [leaf.path for leaf in found.inputs[0].leaves] == ["len"]
    other = compared(three, "training-1/load", "training-1/clean")
    assert (other.function.old, other.function.new) == ("flow.load", "flow.clean")


def test_things_of_two_kinds_are_not_compared(three: Client) -> None:
    with pytest.raises(InvalidReference, match="not of one kind"):
        three.diff("training-1", "model@1")


def test_a_diff_of_the_past_is_what_it_was_then(three: Client) -> None:
    then = three.as_of("training-2")
    assert checked(then.diff("training")).title == "training-1 → training-2"
    assert then.diff("training-1", "training-2").to_dict() == three.diff("training-1", "training-2").to_dict()


def saved(client: Client, old: Any, new: Any, **options: Any) -> VersionDiff:
    """Two values, saved under a name and compared."""
    client.save(old, "value")
    client.save(new, "value")
    client.flush()
    found = checked(client.diff("value@1", "value@2", **options))
    assert isinstance(found, VersionDiff)
    return found


def only(found: VersionDiff) -> contents.Comparison:
    assert found.contents is not None
    (comparison,) = found.contents.comparisons
    return comparison


FRAMES = [
    pytest.param(pd.DataFrame, id="pandas"),
    pytest.param(pl.DataFrame, id="polars"),
    pytest.param(pa.table, id="pyarrow"),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_of_tables_the_columns_that_differ_are_told_without_loading_and_their_statistics_with(
    client: Client, frame: Callable[[dict[str, Any]], Any]
) -> None:
    old = {"same": [1, 2, 3], "changed": [1.0, 2.0, 3.0], "gone": ["a", "b", "c"]}
    new = {"same": [1, 2, 3], "changed": [1.0, 2.0, 5.0], "came": [True, False, None]}
    found = saved(client, frame(old), frame(new), load=False)
    places = " ".join(leaf.path for leaf in found.leaves)
    assert found.contents is None
    assert ("changed" in places, "same" in places) == (True, False)
    assert {(one.what, one.old is None, one.new is None) for one in found.schema} == {
        ("gone", False, True),
        ("came", True, False),
    }
    columns = {one.name: one for one in only(client.diff("value")).columns}
    assert columns.keys() == {"changed", "came", "gone"}
    changed = columns["changed"]
    assert changed.differing_rows == 1
    assert (changed.old["mean"], changed.new["mean"], changed.new["max"]) == ("2", "2.66667", "5")
    assert (columns["gone"].new, columns["came"].old) == (None, None)
    assert columns["came"].new["nulls"] == "1"


ODD = {
    "null": pa.nulls(2),
    "list": pa.array([[1], [2]]),
    "struct": pa.array([{"a": 1}, None]),
    "map": pa.array([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int64())),
    "decimal": pa.array([Decimal("1.5"), None]),
    "nanoseconds": pa.array([1, 2], pa.timestamp("ns")),
    "duration": pa.array([1, 2], pa.duration("ns")),
    "binary": pa.array([b"a", b"b"]),
    "category": pa.array(["a", None]).dictionary_encode(),
    "nan": pa.array([float("nan"), 1.0]),
}


@pytest.mark.parametrize("kind", ODD)
def test_columns_of_every_type_are_compared_with_longer_shorter_and_missing_ones(client: Client, kind: str) -> None:
    whole = pa.table({"odd": ODD[kind], "n": [1, 2]})
    (came,) = only(saved(client, whole.select(["n"]), whole)).columns
    values = "string" if kind == "category" else str(ODD[kind].type)
    assert (came.name, came.old, came.new["type"]) == ("odd", None, values)
    client.save(whole.slice(0, 1), "value")
    client.save(whole.slice(0, 0), "value")
    client.flush()
    assert only(client.diff("value@2", "value@3")).rows == ("rows", "2", "1")
    assert only(client.diff("value@3", "value@4")).rows == ("rows", "1", "0")


def test_a_column_of_another_type_is_told_without_loading(client: Client) -> None:
    found = saved(client, pd.DataFrame({"a": [1], "b": [1]}), pd.DataFrame({"a": [1.5], "b": [1]}), load=False)
    assert found.schema == (("a", "int64", "float64"),)


def test_rows_that_were_added_are_counted(client: Client) -> None:
    found = only(saved(client, pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 2, 3]})))
    assert found.rows == ("rows", "2", "3")
    assert found.columns[0].differing_rows is None


def test_of_tensors_in_a_dict_those_that_differ_are_told_and_by_how_much(client: Client) -> None:
    old = {"w": np.zeros((2, 3)), "b": np.ones(3)}
    new = {"w": np.array([[0, 0, 0.5], [0, 0, 0]]), "b": np.ones(3)}
    found = saved(client, old, new)
    assert [leaf.path for leaf in found.leaves] == ["['w']"]
    told = {one.what: (one.old, one.new) for one in only(found).numbers}
    assert only(found).path == "['w']"
    assert told["differing elements"] == ("-", "1 of 6, by 0.5 at most")
    assert told["max"] == ("0", "0.5")
    assert "shape" not in told


def test_arrays_of_other_shapes_and_with_nans_are_compared_by_statistics(client: Client) -> None:
    found = only(saved(client, np.array([1.0, np.nan]), np.array([1.0, np.nan, 3.0])))
    told = {one.what: (one.old, one.new) for one in found.numbers}
    assert told == {
        "shape": ("(2,)", "(3,)"),
        "max": ("1", "3"),
        "mean": ("1", "2"),
        "standard deviation": ("0", "1"),
    }


def test_texts_are_compared_by_lines(client: Client) -> None:
    found = only(saved(client, "one\ntwo\n", "one\nthree\n"))
    assert found.diff.splitlines()[-2:] == ["-two", "+three"]


def test_of_directories_the_files_that_differ_are_told_with_the_lines_of_texts(client: Client, tmp_path: Path) -> None:
    for folder, text in (("before", "1\n"), ("now", "2\n")):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "changed.txt").write_text(text)
        (tmp_path / folder / "same.txt").write_text("same")
    (tmp_path / "now" / "came.txt").write_text("new")
    found = saved(client, Directory(tmp_path / "before"), Directory(tmp_path / "now"))
    assert "/came.txt" in {leaf.path for leaf in found.leaves}
    assert "/same.txt" not in {leaf.path for leaf in found.leaves}
    assert (only(found).path, only(found).diff.splitlines()[-2:]) == ("/deep/changed.txt", ["-1", "+2"])


def test_images_stand_side_by_side_on_a_page(client: Client, tmp_path: Path) -> None:
    old, new = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    found = saved(client, old, new)
    assert [one.title for one in only(found).pictures] == ["before: 4 × 4, RGB", "now: 4 × 4, RGB"]
    assert len(re.findall(r'<img src="data:image/png;base64,[A-Za-z0-9+/=]+"', found.to_html())) == 2
    assert "[image before: 4 × 4, RGB]" in str(found)
    for number, image in enumerate((old, new)):
        image.save(tmp_path / f"{number}.png")
        client.save(File(tmp_path / f"{number}.png"), "file")
    client.flush()
    assert len(only(client.diff("file")).pictures) == 2


class Unpickled:
    """Says that it was loaded."""

    loaded = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return _unpickled, (self.number,)


def _unpickled(number: int) -> Unpickled:
    Unpickled.loaded += 1
    return Unpickled(number)


def test_reading_never_runs_code_of_values_unless_that_is_allowed(client: Client) -> None:
    found = saved(client, Unpickled(1), Unpickled(2))
    assert (Unpickled.loaded, found.contents, found.leaves != ()) == (0, None, True)
    assert found.note.startswith("not loaded: loading a")
    allowed = client.diff("value", allow_pickle=True)
    assert (Unpickled.loaded, allowed.note) == (2, "")
    with lineal.open(client.path, allow_pickle=False) as careful:
        assert careful.diff("value", allow_pickle=True).contents is None


def test_what_is_too_large_is_told_by_digests_alone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "LOAD_MAX_BYTES", 100)
    found = saved(client, np.zeros(1000), np.ones(1000))
    assert (found.contents, len(found.leaves)) == (None, 1)
    assert found.note == "not loaded: more than 100 bytes"


def test_of_versions_whose_bytes_are_gone_what_the_log_knows_is_told(client: Client) -> None:
    client.save(np.zeros(1000), "value")
    client.save(np.ones(1000), "value")
    client.release("value@1")
    client.collect(grace_s=0)
    found = compared(client, "value")
    assert (found.leaves, found.contents, found.is_same) == ((), None, False)
    assert found.note.startswith("not told: ")
    assert found.old.size_bytes > 8000


def test_one_content_under_two_names_is_the_same(client: Client) -> None:
    client.save([1], "one")
    client.save([1], "two")
    assert compared(client, "one@1", "two@1").is_same


def test_text_of_others_is_escaped_on_pages(client: Client) -> None:
    hostile = "</pre><script>alert(1)</script>"
    found = saved(client, {hostile: hostile}, {hostile: hostile * 2, "\x1b[2J": 1})
    assert "&lt;script&gt;" in found.to_html()
    assert "\x1b" not in found.to_html()


def test_a_comparison_is_never_changed(three: Client) -> None:
    found = three.diff("training")
    with pytest.raises(AttributeError):
        found.code = ()  # type: ignore[misc]
    assert isinstance(found, RunDiff)


def test_blame_names_what_changed_in_the_step_that_made_it(three: Client) -> None:
    found = checked(three.blame("model@2"))
    (cause,) = found.causes
    assert (found.old, found.new, cause.step, cause.instead_of) == (
        "model@1",
        "model@2",
        "training-2/fit",
        "training-1/fit",
    )
    assert [(one.kind, one.what) for one in cause.reasons] == [("parameter", "rate")]
    assert (found.roots, found.is_complete) == ((cause,), True)


def test_blame_follows_inputs_upstream_to_where_something_changed_by_itself(three: Client) -> None:
    found = checked(three.blame("model@3"))
    assert [(one.new, one.is_root, [reason.what for reason in one.reasons]) for one in found.causes] == [
        ("model@3", True, ["def:scaling:scaled"]),
        ("clean@2", False, []),
        ("rows@2", True, ["rows"]),
    ]
    assert [one.new for one in found.roots] == ["model@3", "rows@2"]
    assert "    rows@1 → rows@2  by training-3/load  ← changed here" in str(found)
    assert found.title.startswith("model@2 → model@3: ")
    assert found.title.endswith(", and 1 more")
    assert "+    return x * 3" in str(found)


def test_blame_compares_with_a_named_version(three: Client) -> None:
    found = checked(three.blame("model@3", "model@1"))
    reasons = [reason.what for reason in found.causes[0].reasons]
    assert reasons == ["def:scaling:scaled", "rate"]
    with pytest.raises(ArtifactNotFound, match="first version"):
        three.blame("model@1")
    with pytest.raises(InvalidReference, match="one content"):
        three.blame("model@1", "model@1")


def test_blame_says_of_a_step_that_does_not_give_the_same_twice_that_it_does_not(client: Client) -> None:
    given = iter([1, 2])

    @step
    def draw() -> int:
        return next(given)

    @pipeline
    def drawing() -> None:
        draw()

    drawing()
    drawing.with_options(cache=False)()
    (cause,) = checked(client.blame("drawing.draw.output")).causes
    assert cause.reasons == ()
    assert cause.note.startswith("nothing that determines it differs")


def test_blame_of_what_was_saved_by_hand_says_so(client: Client) -> None:
    client.save(1, "value")
    client.save(2, "value")
    (cause,) = checked(client.blame("value")).causes
    assert (cause.step, cause.note, cause.is_root) == (None, "both were saved by hand", True)


def test_blame_stops_at_its_bound_and_says_so(three: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blaming, "ARTIFACTS_MAX", 2)
    found = checked(three.blame("model@3"))
    assert (len(found.causes), found.is_complete) == (2, False)
    assert "cut at 2 artifacts" in str(found)


@pytest.fixture
def measured(client: Client) -> list[RunView]:
    """Seven runs; the metric turns bad, is missing once, turns back, and turns bad again."""

    @step
    def score(value: float) -> float:
        if value >= 0:
            lineal.log_metric("accuracy", value)
        return value

    @pipeline
    def scoring(value: float) -> None:
        score(value)

    return [scoring(value) for value in (0.9, 0.95, -1.0, 0.5, 0.4, 0.99, 0.3)]


def test_bisect_finds_the_first_run_for_which_the_predicate_holds_and_what_changed_there(
    client: Client, measured: list[RunView]
) -> None:
    found = checked(client.bisect("accuracy", "< 0.8"))
    assert (found.first.before.run, found.first.at.run) == ("scoring-2", "scoring-4")
    assert [one.run for one in found.first.between] == ["scoring-3"]
    assert [(turn.at.run, turn.at.holds) for turn in found.turns] == [
        ("scoring-4", True),
        ("scoring-6", False),
        ("scoring-7", True),
    ]
    assert [(one.what, one.old, one.new) for one in found.diff.parameters] == [("value", "0.95", "0.5")]
    assert found.runs == len(measured)


def test_bisect_looks_only_between_the_runs_that_are_named(client: Client, measured: list[RunView]) -> None:
    found = client.bisect("score/accuracy", lambda value: value < 0.8, since="scoring-5", until=measured[6])
    assert (found.first.before.run, found.first.at.run) == ("scoring-6", "scoring-7")
    assert client.bisect("accuracy", "< 0.8", until="scoring-2").first is None
    assert client.as_of("scoring-4").bisect("accuracy", "< 0.8", pipeline="scoring").runs == 4


def test_bisect_refuses_what_it_cannot_read_and_a_metric_that_no_run_has(
    client: Client, measured: list[RunView]
) -> None:
    with pytest.raises(NotFound, match="Did you mean accuracy"):
        client.bisect("acuracy", "< 0.8")
    for comparison in ("0.8", "< x", "about 3", "a < 3"):
        with pytest.raises(Invalid, match="no comparison"):
            client.bisect("accuracy", comparison)
