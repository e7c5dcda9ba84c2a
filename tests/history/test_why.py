"""Why a step was served from the cache or had to execute: every cause, told from what the store holds."""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lineal
from lineal import Client, pipeline, step
from lineal.errors import StepFailed
from lineal.events import catalogue as facts
from lineal.events.ids import Fingerprint, RunId
from lineal.history import Reason, Why

PROJECT = {
    "flow.py": """
        import first
        from lineal import pipeline, step

        @step
        def load(rows: int, shift: int) -> list:
            return [{"row": row, "shift": shift} for row in range(rows)]

        @step
        def fit(data: list, config: dict, others: list) -> float:
            return first.weight(len(data)) * config["rate"]

        @pipeline
        def training(rows: int = 2, shift: int = 0, rate: float = 0.1):
            data = load(rows, shift)
            fit(data, {"rate": rate, "deep": {"layers": [1, 2]}}, [data, {"again": load(rows, 0)}])
    """,
    "first.py": "import second\n\ndef weight(x):\n    return second.scaled(x)\n",
    "second.py": "from third import factor\n\ndef scaled(x):\n    return x * factor()\n",
    "third.py": """
        LIMIT = 3

        def factor():
            '''Document.'''
            found = LIMIT
            return found
    """,
}

Project = Callable[[dict[str, str]], ModuleType]


def why(run: Any, name: str = "fit") -> Why:
    """Why a step was a hit or miss, which must have a text and a form in JSON."""
    told: Why = run.steps[name].why()
    assert str(told).startswith(f"{run.name}/{name}: {told.verdict}")
    assert json.loads(json.dumps(told.to_dict()))["verdict"] == told.verdict
    return told


def only(told: Why) -> Reason:
    (reason,) = told.reasons
    return reason


def edited(name: str, old: str, new: str) -> dict[str, str]:
    assert old in PROJECT[name]
    return PROJECT | {name: PROJECT[name].replace(old, new)}


def test_in_a_console_it_shows_what_printing_it_does(client: Client, project: Project) -> None:
    flow = project(PROJECT)
    run = flow.training()
    told = why(run)
    assert repr(told) == str(told) == "\n".join(told.lines())
    foreseen = flow.training.plan(rows=3)
    assert repr(foreseen) == str(foreseen)
    assert foreseen.summary in repr(foreseen)
    diff = client.diff(run, flow.training(rows=3))
    assert repr(diff) == str(diff)
    assert diff.title in repr(diff)


def test_the_first_run_of_a_function_is_told(client: Client, project: Project) -> None:
    told = why(project(PROJECT).training())
    assert (told.verdict, told.compared_with, only(told).kind) == ("miss", None, "first-run")
    assert "first run of flow.fit" in str(told)


def test_a_hit_tells_what_it_reuses(client: Client, project: Project) -> None:
    flow = project(PROJECT)
    flow.training()
    flow.training()
    told = why(flow.training())
    assert (told.verdict, str(told.reuses), told.reasons) == ("hit", "training-1/fit", ())
    assert "reuses training-1/fit, which executed" in str(told)
    assert "the environment is the same" in str(told)


def test_a_hit_tells_what_differs_in_the_environment(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    flow = project(PROJECT)
    flow.training()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    told = why(flow.training())
    assert told.environment == (("variables.TZ", None, "Asia/Tokyo"),)
    assert "environment: variables.TZ nothing → Asia/Tokyo" in str(told)


def test_an_edit_three_modules_away_is_named_and_shown(client: Client, project: Project) -> None:
    project(PROJECT).training()
    told = why(project(edited("third.py", "return found", "return found + 1")).training())
    reason = only(told)
    assert (reason.kind, reason.what, str(told.compared_with)) == ("code", "def:third:factor", "training-1/fit")
    assert "-    return found\n+    return found + 1" in reason.diff
    assert "function third:factor changed" in str(told)
    assert "+    return found + 1" in str(told)


def test_symbols_that_come_and_go_are_told(client: Client, project: Project) -> None:
    project(PROJECT).training()
    text = "def factor():\n    return other()\n\ndef other():\n    return 3\n"
    told = why(project(PROJECT | {"third.py": text}).training())
    assert {(reason.what, reason.text.rpartition(" ")[2]) for reason in told.reasons} == {
        ("def:third:factor", "changed"),
        ("def:third:other", "added"),
        ("value:third:LIMIT", "3"),
    }
    assert "code: value third:LIMIT removed: LIMIT = 3" in str(told)


def test_a_value_is_told_before_and_after(client: Client, project: Project) -> None:
    project(PROJECT).training()
    reason = only(why(project(edited("third.py", "LIMIT = 3", "LIMIT = 4")).training()))
    assert (reason.what, reason.old, reason.new) == ("value:third:LIMIT", "LIMIT = 3", "LIMIT = 4")


def test_a_live_value_that_no_source_tells_is_said_to_differ(client: Client, project: Project) -> None:
    flow = project(PROJECT)
    flow.training()
    sys.modules["third"].LIMIT = 5  # type: ignore[attr-defined]
    reason = only(why(flow.training()))
    assert reason.what == "value:third:LIMIT"
    assert "its source is the same, the value is not" in reason.text


def test_a_distribution_is_told_by_its_versions(
    client: Client, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    (site / "thirdparty-1.0.dist-info").mkdir(parents=True)
    (site / "thirdparty.py").write_text("def use():\n    return 1\n")
    monkeypatch.syspath_prepend(site)
    texts = edited("third.py", "found = LIMIT", "found = thirdparty.use()")
    texts["third.py"] = "import thirdparty\n" + texts["third.py"].replace("\n        ", "\n")
    project(texts).training()
    (site / "thirdparty-1.0.dist-info").rename(site / "thirdparty-2.0.dist-info")
    reason = only(why(project(texts).training()))
    monkeypatch.delitem(sys.modules, "thirdparty")
    assert (reason.what, reason.old, reason.new) == ("dist:thirdparty", "1.0", "2.0")


def test_a_parameter_is_told_with_the_leaf_that_differs(client: Client, project: Project) -> None:
    flow = project(PROJECT)
    flow.training()
    reason = only(why(flow.training(rate=0.5)))
    assert (reason.kind, reason.what) == ("parameter", "config")
    assert reason.leaves == (("['rate']", "0.1", "0.5"),)
    simple = only(why(flow.training(rows=3), "load"))
    assert (simple.kind, simple.what, simple.old, simple.new, simple.leaves) == ("parameter", "rows", "2", "3", ())


def test_an_input_is_told_by_version_source_and_leaf_also_inside_what_is_gathered(
    client: Client, project: Project
) -> None:
    flow = project(PROJECT)
    flow.training()
    told = why(flow.training(shift=7))
    assert [(reason.kind, reason.what, reason.old, reason.new) for reason in told.reasons] == [
        ("input", "data", "training.load.output@1", "training.load.output@2"),
        ("input", "others[0]", "training.load.output@1", "training.load.output@2"),
    ]
    assert told.reasons[0].leaves == (("[0]['shift']", "0", "7"), ("[1]['shift']", "0", "7"))
    assert "of step load" in told.reasons[0].text
    longer = why(flow.training(shift=7, rows=3))
    assert [reason.what for reason in longer.reasons] == ["data", "others[0]", "others[1]['again']"]
    assert longer.reasons[0].leaves == (("len", "2", "3"),)


def test_columns_and_tensors_are_told_apart_without_loading_them(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")

    @step
    def take(frame: Any, weights: dict) -> int:
        return 1

    @pipeline
    def taking(price: int, layer: int, rows: int = 4):
        frame = pd.DataFrame({"name": ["a"] * rows, "price": [price] * rows})
        take(frame, {"one": np.zeros(30_000), "two": [np.full(30_000, layer), object]})

    taking(1, 1)
    run = taking(2, 2)
    for module in (pickle, np, pd):
        monkeypatch.setattr(module, "loads" if module is pickle else "array", None)
    told = why(run, "take")
    assert [(reason.what, reason.leaves) for reason in told.reasons] == [
        ("frame", ((".column.1", None, None),)),
        ("weights", (("['two'][0]", None, None),)),
    ]


def test_a_column_of_an_artifact_is_told_by_its_name(client: Client) -> None:
    pd = pytest.importorskip("pandas")

    @step
    def make(price: int, rows: int) -> Any:
        return pd.DataFrame({"name": ["a"] * rows, "price": [price] * rows})

    @step
    def take(frame: Any) -> int:
        return 1

    @pipeline
    def taking(price: int, rows: int = 4):
        take(make(price, rows))

    taking(1)
    assert only(why(taking(2), "take")).leaves == (("['price']", None, None),)
    assert (".rows", "4", "5") in only(why(taking(2, 5), "take")).leaves


def test_a_changed_declaration_of_outputs_is_told(client: Client, project: Project) -> None:
    project(PROJECT).training()
    text = PROJECT["flow.py"].replace("-> float:", '-> Annotated[float, "weight"]:').replace("import first", "")
    text = "import first\nfrom typing import Annotated\n" + text.replace("\n        ", "\n")
    told = why(project(PROJECT | {"flow.py": text}).training())
    assert ("outputs", "output", "weight") in [(reason.kind, reason.old, reason.new) for reason in told.reasons]


@step
def slow(x: int) -> int:
    return x + 1


@step
def after(x: int) -> int:
    if x > 10:
        raise ValueError("too large")
    return x


@step
def last(x: int) -> int:
    return x


@pipeline
def job(x: int = 1):
    last(after(slow(x)))


@step
def ticking() -> int:
    return time.time_ns()


@pipeline
def clock():
    ticking()


def test_an_evicted_result_is_told_and_when_it_was_collected(client: Client) -> None:
    job()
    client.release("job.slow.output@1")
    client.collect(grace_s=0)
    collected = client.head.seq
    run = job()
    reason = only(why(run, "slow"))
    assert (reason.kind, reason.what, reason.old) == ("evicted", "output", "job-1/slow")
    assert f"collected at event {collected}" in reason.text
    assert client.as_of(client.head.seq).run(run.name).steps["slow"].why().reasons == (reason,)
    assert why(job(), "slow").verdict == "hit"
    assert client.as_of(client.head.seq).run(run.name).steps["slow"].why().reasons == (reason,)


@step
def loading(x: int) -> int:
    return x * int(lineal.load("factor"))


@pipeline
def by_reference():
    loading(2)


def test_a_reference_that_means_something_else_is_told_before_and_after_the_run(client: Client) -> None:
    client.save(3, "factor")
    by_reference()
    client.save(4, "factor")
    foreseen = only(by_reference.plan()["loading"])
    run = by_reference()
    assert foreseen == only(why(run, "loading"))
    assert (foreseen.kind, foreseen.what, foreseen.old, foreseen.new) == ("reference", "factor", "factor@1", "factor@2")
    client.save(5, "factor")
    assert only(why(run, "loading")) == foreseen


def test_a_result_that_is_gone_and_whose_reference_moved_is_told_both(client: Client) -> None:
    client.save(3, "factor")
    by_reference()
    client.save(4, "factor")
    client.release("by_reference.loading.output@1")
    client.collect(grace_s=0)
    assert [reason.kind for reason in why(by_reference(), "loading").reasons] == ["reference", "evicted"]


def test_an_expired_result_is_told(client: Client) -> None:
    job()
    reason = only(why(job.with_options(expires_after=0)(), "slow"))
    assert (reason.kind, reason.what) == ("expired", "job-1/slow")


@pytest.mark.parametrize("mode", ["off", "refresh"])
def test_a_policy_that_takes_no_results_is_told_with_what_else_differs(client: Client, mode: Any) -> None:
    job()
    forced = job.with_options(cache=mode)
    assert only(why(forced(), "slow")).kind == mode
    assert [reason.kind for reason in why(forced(2), "slow").reasons] == [mode, "parameter"]


def test_a_result_that_was_not_offered_is_told(client: Client) -> None:
    job.with_options(cache="off")()
    reason = only(why(job(), "slow"))
    assert (reason.kind, reason.what) == ("not-offered", "job-1/slow")


def test_a_step_that_failed_before_and_one_that_was_skipped_are_told(client: Client) -> None:
    for _ in range(2):
        with pytest.raises(StepFailed):
            job(10)
    run = client.run("job-2")
    reason = only(why(run, "after"))
    assert (reason.kind, reason.what) == ("unfinished", "job-1/after")
    skipped = why(run, "last")
    assert (skipped.verdict, only(skipped).kind) == ("skipped", "skipped")
    assert "after" in str(skipped)


def test_a_divergence_is_told(client: Client) -> None:
    clock()
    run = clock.with_options(cache="refresh")()
    forced, diverged = why(run, "ticking").reasons
    assert (forced.kind, diverged.kind, diverged.what) == ("refresh", "divergence", "output")
    assert "not what clock-1/ticking gave" in diverged.text
    assert diverged.new == str(run.steps["ticking"].output.content)


def test_a_hit_by_an_equivalence_tells_who_vouched_for_it(client: Client) -> None:
    with lineal.open(client.path.with_name("other")):
        wanted = job(5).steps["slow"].fingerprint
    assert wanted is not None
    client.declare_equivalent(wanted, job(4).steps["slow"], "4 is as good as 5")
    told = why(job(5), "slow")
    assert (told.verdict, only(told).what) == ("hit", "4 is as good as 5")


def test_the_same_function_elsewhere_is_compared_with_where_the_pipeline_never_ran_it(client: Client) -> None:
    @pipeline
    def another(x: int):
        slow(x)

    job(1)
    told = why(another(3), "slow")
    assert str(told.compared_with) == "job-1/slow"
    assert (only(told).old, only(told).new) == ("1", "3")
    told = why(another(4), "slow")
    assert str(told.compared_with) == "another-1/slow"


def test_several_causes_at_once_are_all_told(client: Client, project: Project) -> None:
    project(PROJECT).training()
    told = why(project(edited("third.py", "return found", "return found + 1")).training(rate=0.5, shift=1))
    assert [reason.kind for reason in told.reasons] == ["code", "input", "parameter", "input"]


@pytest.mark.parametrize("version", [1, 2])
def test_what_an_old_store_does_not_hold_is_said_and_nothing_is_raised(
    version: int, golden: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(golden(version).rglob("FORMAT")).parent
    with lineal.open(path) as client:
        monkeypatch.setattr(pickle, "loads", None)
        told = [one.why() for run in client.runs() for one in run.steps.values()]
        assert {one.verdict for one in told} >= {"hit", "miss"}
        assert all(str(one) and json.dumps(one.to_dict()) for one in told)


def test_code_whose_manifest_can_not_be_read_is_said_to_differ_and_no_more(client: Client) -> None:
    job()
    client.flush()
    events = [one.event for one in client.events()]
    started = next(one for one in events if isinstance(one, facts.RunStarted))
    begun = next(one for one in events if isinstance(one, facts.StepStarted))
    run = RunId.new()
    with client.store.blobs.batch() as batch:
        code = batch.put(b"no manifest")
        blobs = batch.publish()
    other = Fingerprint(bytes(32))
    again = facts.StepStarted(run, begun.step, begun.function, other, begun.inputs, code)
    renewed = facts.RunStarted(run, *[getattr(started, name) for name in started.FIELDS[1:]])
    client.store.append([renewed, again], blobs).wait()
    assert "what can't be told" in only(why(client.run(str(run)), "slow")).text


@step(version="1", ignore_inputs=["verbose"])
def quiet(x: int, verbose: list[int]) -> int:
    return x


@pipeline
def quietly(x: int, verbose: list[int]) -> None:
    quiet(x, verbose)


def test_what_does_not_count_is_told_of_hits_and_is_no_cause_of_a_miss(client: Client) -> None:
    quietly(1, [1, 2])
    told = why(quietly(1, [1, 3]), "quiet")
    reason = only(told)
    assert (told.verdict, reason.kind, reason.what) == ("hit", "ignored", "verbose")
    assert [leaf.path for leaf in reason.leaves] == ["[1]"]
    assert why(quietly(1, [1, 2]), "quiet").reasons == ()
    missed = why(quietly(2, [4]), "quiet")
    assert [(one.kind, one.what) for one in missed.reasons] == [("parameter", "x")]
    (found,) = client.diff("quietly-1", "quietly-2").steps
    assert [(one.kind, one.what) for one in found.inputs] == [("ignored", "verbose")]


def test_that_an_input_counts_no_longer_is_a_cause(client: Client) -> None:
    quietly(1, [1])
    counting = step(version="1", name="quiet")(quiet.function)
    run = pipeline(lambda x, verbose: counting(x, verbose), name="quietly")(1, [1])
    reason = only(why(run, "quiet"))
    assert (reason.kind, reason.what) == ("parameter", "verbose")
    assert (reason.old, reason.new) == ("it is ignored", "it counts")


def test_where_a_fingerprint_is_less_exact_than_its_code_is_told_of_hits_and_misses_and_before(
    client: Client, project: Project
) -> None:
    flow = {
        "flow.py": """
            import threading
            from lineal import pipeline, step

            LOCK = threading.Lock()

            @step
            def guarded(x: int) -> int:
                with LOCK:
                    return x

            @step
            def clear(x: int) -> int:
                return x

            @pipeline
            def guarding(x: int = 1):
                clear(guarded(x))
        """
    }
    guarding = project(flow).guarding
    assert [gap.what for gap in guarding.plan()["guarded"].gaps] == ["flow:LOCK"]
    assert "opaque: flow:LOCK" in str(guarding.plan())
    for verdict in ("miss", "hit"):
        run = guarding()
        told = why(run, "guarded")
        assert (told.verdict, [gap.what for gap in told.gaps]) == (verdict, ["flow:LOCK"])
        assert (told.gaps, why(run, "clear").gaps) == (run.steps["guarded"].gaps, ())
        assert "opaque: flow:LOCK" in str(told)
    assert [gap.kind for gap in guarding.plan()["guarded"].gaps] == ["opaque"]
