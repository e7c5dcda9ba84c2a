"""What the verbs print to a pipe: whole texts, with what differs from run to run replaced by stand-ins."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lineal

Command = Callable[..., Any]

STAND_INS = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "YYYY-MM-DDThh:mm:ssZ"),
    (r"\b\d\.\d{3} s", "0.000 s"),
    (r"\b\d\d B\b", "NN B"),
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8}\b", "xxxxxxxx"),
]


def settled(text: str) -> list[str]:
    """The lines, with stand-ins of the same width in columns."""
    for pattern, stand_in in STAND_INS:
        text = re.sub(pattern, stand_in, text)
    return text.splitlines()


def lines(text: str) -> list[str]:
    """An expectation, written with a margin."""
    return [line.removeprefix("        ") for line in text.strip("\n").splitlines()[:-1]]


def test_runs_are_listed_newest_first(command: Command) -> None:
    ended = command("runs", "--status", "completed")
    assert (ended.code, ended.err) == (0, "")
    assert settled(ended.out) == lines("""
        RUN         STATUS     PIPELINE  STARTED               DURATION  STEPS
        training-3  completed  training  YYYY-MM-DDThh:mm:ssZ  0.000 s   2 executed, 1 cached
        training-2  completed  training  YYYY-MM-DDThh:mm:ssZ  0.000 s   3 cached
        training-1  completed  training  YYYY-MM-DDThh:mm:ssZ  0.000 s   3 executed
        """)


def test_runs_are_filtered_and_limited(command: Command) -> None:
    assert len(command("runs", "--limit", "2").out.splitlines()) == 3
    assert len(command("runs", "--pipeline", "training").out.splitlines()) == 5
    assert "failed" in command("runs", "--status", "failed").out
    assert command("runs", "--status", "running") == (0, "", "")
    assert command("runs", "--limit", "0") == (0, "", "")


def test_a_run_is_shown_in_full(command: Command) -> None:
    shown = settled(command("show", "training-3").out)
    (environment,) = [line for line in shown if line.startswith("environment")]
    assert re.fullmatch(r"environment  CPython 3\.\S+ on \S+, \d+ packages", environment)
    # Of a checkout, what it is at the time.
    assert [line for line in shown if line != environment and not line.startswith("git ")] == lines("""
        run          training-3
        id           <id>
        status       completed
        pipeline     training, version 1
        started      YYYY-MM-DDThh:mm:ssZ
        duration     0.000 s

        parameters:
        lr    0.5
        note  ''

        steps:
        STEP   STATUS     DURATION  OUTPUTS          REUSED FROM
        load   cached     0.000 s   rows@1, count@1  training-1/load
        train  completed  0.000 s   digits-model@2   -
        check  completed  0.000 s   ok@1             -
        """)


def test_a_step_is_shown_in_full(command: Command) -> None:
    shown = settled(command("show", "training-1/load").out)
    shown = [re.sub(r"function .*\.load$", "function     load", line) for line in shown]
    shown = [line for line in shown if not line.startswith(("cpu ", "memory "))]  # Of what took a millisecond or more.
    assert shown == lines("""
        step         load
        run          training-1, <id>
        status       completed
        function     load
        duration     0.000 s
        fingerprint  <digest>

        documentation:
        Make rows.

        parameters:
        size  4

        outputs:
        OUTPUT  VERSION  CONTENT   TYPE  FORMAT          SIZE  CREATED
        rows    rows@1   xxxxxxxx  list  python.plain/1  NN B  YYYY-MM-DDThh:mm:ssZ
        count   count@1  xxxxxxxx  int   python.plain/1  NN B  YYYY-MM-DDThh:mm:ssZ

        printed:
        loading 4 rows
        """)


def test_a_reused_step_says_what_it_reuses_and_which_inputs_it_took(command: Command) -> None:
    shown = settled(command("show", "training-2/train").out)
    assert "status       cached" in shown
    assert "reused from  training-1/train" in shown
    assert "rows       rows@1   xxxxxxxx  list  python.plain/1  NN B  YYYY-MM-DDThh:mm:ssZ" in shown
    assert "lr  0.1" in shown


def test_a_failed_step_shows_its_traceback_and_what_it_printed(command: Command) -> None:
    failed = json.loads(command("runs", "--status", "failed", "--json").out)
    shown = command("show", f"{failed['id'][:8]}/check").out
    assert "status       failed" in shown
    assert "\nfailure:\ntype     ValueError\nmessage  bad note " in shown
    traceback, printed = shown.split("\ntraceback:\n")[1].split("\nprinted:\n")
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert 'raise ValueError(f"bad note {note}")' in traceback
    assert "runner.py" not in traceback
    assert printed.startswith("about to fail: ")


def test_what_is_kept_of_what_a_value_shows_is_named_and_nothing_is_drawn(command: Command, tmp_path: Path) -> None:
    with lineal.open(tmp_path / "seen") as store:
        names = store.save(np.arange(100_000), "large").visualizations.names
    at = ("--store", str(tmp_path / "seen"), "--json")
    assert json.loads(command("show", "large", *at).out)["visualizations"] == names != []
    assert json.loads(command("show", "digits-model", "--json").out)["visualizations"] == []
    with lineal.open(read_only=True) as store:
        assert store.artifact("digits-model@latest").visualizations.names == ["metrics", "tree"]


def test_an_artifact_version_is_shown_in_full(command: Command) -> None:
    shown = settled(command("show", "digits-model@2").out)
    consumers = shown.index("consumers:")
    assert shown[: consumers + 1] == lines("""
        artifact  digits-model@2
        content   <digest>
        type      dict
        format    python.plain/1
        size      NN B
        created   YYYY-MM-DDThh:mm:ssZ
        producer  training-3/train

        metadata:
        length  1
        keys    ['weight']

        consumers:
        """)
    assert re.fullmatch(r"training-3/check\s+completed  \S+\.check", shown[consumers + 2])
    assert shown[shown.index("versions:") :] == lines("""
        versions:
        VERSION         CONTENT   TYPE  FORMAT          SIZE  CREATED
        digits-model@2  xxxxxxxx  dict  python.plain/1  NN B  YYYY-MM-DDThh:mm:ssZ
        digits-model@1  xxxxxxxx  dict  python.plain/1  NN B  YYYY-MM-DDThh:mm:ssZ
        """)


def test_of_many_versions_those_next_to_the_one_shown_are_listed(command: Command, tmp_path: Path) -> None:
    with lineal.open(tmp_path / "store") as store:
        for number in range(40):
            store.save(number, "count")
    shown = command("show", "count@20", "--store", str(tmp_path / "store")).out
    listed = [line.split()[0] for line in shown.splitlines() if line.startswith("count@")]
    assert len(listed) == 10
    assert {"count@19", "count@20", "count@21"} <= set(listed)
    assert shown.splitlines()[-1] == "30 more versions: `lineal artifacts count` lists them."
    oldest = command("show", "count@1", "--store", str(tmp_path / "store")).out
    assert [line.split()[0] for line in oldest.splitlines() if line.startswith("count@")][-1] == "count@1"


def test_an_artifact_saved_by_hand_says_so(command: Command) -> None:
    assert "producer  saved by hand" in command("show", "raw").out


def test_a_pipeline_is_shown_in_full(command: Command) -> None:
    shown = settled(command("show", "training").out)
    assert shown[:6] == lines("""
        pipeline  training

        versions:
        VERSION  STRUCTURE  RUNS  STEPS
        1        xxxxxxxx   4     load, train, check

        """)
    assert any(
        re.fullmatch(r"train  \S+\.train  rows = load.rows, count = load.count  digits-model", one) for one in shown
    )
    assert shown[shown.index("latest runs:") + 1].startswith("RUN ")


def test_artifacts_are_listed_by_name(command: Command) -> None:
    listed = settled(command("artifacts").out)
    assert [line.split()[:2] for line in listed] == [
        ["ARTIFACT", "VERSIONS"],
        ["count", "1"],
        ["digits-model", "2"],
        ["ok", "1"],
        ["raw", "1"],
        ["rows", "1"],
    ]
    assert "digits-model  2         xxxxxxxx  dict   NN B       YYYY-MM-DDThh:mm:ssZ" in listed


def test_the_versions_of_an_artifact_are_listed_newest_first(command: Command) -> None:
    listed = command("artifacts", "digits-model").out.splitlines()
    assert [line.split()[0] for line in listed] == ["VERSION", "digits-model@2", "digits-model@1"]


@pytest.mark.parametrize("reference", ["digits-model@1", "training-1/train", "training-2/train"])
def test_lineage_is_drawn_as_a_tree(command: Command, reference: str) -> None:
    drawn = settled(command("lineage", reference).out)
    assert drawn == lines("""
        digits-model@1  dict  xxxxxxxx  by train in training-1, 0.000 s
        ├─ rows: rows@1  list  xxxxxxxx  by load in training-1, 0.000 s
        │  └─ size = 4
        ├─ count: count@1  int  xxxxxxxx  by load in training-1, 0.000 s
        │  └─ size = 4
        └─ lr = 0.1
        """)


def test_the_log_is_listed_oldest_first(command: Command) -> None:
    listed = settled(command("log").out)
    listed = [re.sub(r"of \S+\.(load|train|check|training)$", r"of \1", line) for line in listed]
    assert listed[:15] == lines("""
        SEQ  TIME                  TYPE                  WHAT
        1    YYYY-MM-DDThh:mm:ssZ  store.created         <id>
        2    YYYY-MM-DDThh:mm:ssZ  run.started           training-1 of training
        3    YYYY-MM-DDThh:mm:ssZ  environment.captured  xxxxxxxx
        4    YYYY-MM-DDThh:mm:ssZ  code.captured         xxxxxxxx of training
        5    YYYY-MM-DDThh:mm:ssZ  step.started          training-1/load
        6    YYYY-MM-DDThh:mm:ssZ  code.captured         xxxxxxxx of load
        7    YYYY-MM-DDThh:mm:ssZ  step.completed        training-1/load gave rows, count
        8    YYYY-MM-DDThh:mm:ssZ  step.started          training-1/train
        9    YYYY-MM-DDThh:mm:ssZ  code.captured         xxxxxxxx of train
        10   YYYY-MM-DDThh:mm:ssZ  step.completed        training-1/train gave digits-model
        11   YYYY-MM-DDThh:mm:ssZ  step.started          training-1/check
        12   YYYY-MM-DDThh:mm:ssZ  code.captured         xxxxxxxx of check
        13   YYYY-MM-DDThh:mm:ssZ  step.completed        training-1/check gave ok
        14   YYYY-MM-DDThh:mm:ssZ  run.completed         training-1
        """)
    assert listed[16].endswith("step.reused           training-2/load gave rows, count as in training-1/load")
    assert listed[-2].endswith("artifact.saved        raw")
    assert listed[-1].endswith("pin.added             champion on digits-model@1")


def seqs(text: str) -> list[int]:
    return [int(line.split()[0]) for line in text.splitlines()[1:]]


def test_the_log_is_cut_at_its_end_or_after_an_event(command: Command) -> None:
    everything = seqs(command("log").out)
    assert everything == list(range(1, len(everything) + 1))
    assert seqs(command("log", "--limit", "3").out) == everything[-3:]
    assert seqs(command("log", "--since", "3", "--limit", "2").out) == [4, 5]
    assert seqs(command("log", "--since", "0", "--limit", "2").out) == [1, 2]
    assert seqs(command("log", "--run", "training-2").out) == [15, 16, 17, 18, 19]
    assert seqs(command("log", "--run", "training-2", "--limit", "2").out) == [18, 19]
    assert seqs(command("log", "--run", "training-2", "--since", "16").out) == [17, 18, 19]
    assert command("log", "--since", str(everything[-1])) == (0, "", "")
    assert command("log", "--since", "10000").code == 1


def test_as_of_shows_the_past(command: Command) -> None:
    assert [line.split()[0] for line in command("runs", "--as-of", "13").out.splitlines()] == ["RUN", "training-1"]
    assert " running " in command("runs", "--as-of", "12").out
    assert "completed" not in command("runs", "--as-of", "12").out
    assert len(command("artifacts", "digits-model", "--as-of", "13").out.splitlines()) == 2
    assert "artifact  digits-model@1\n" in command("show", "digits-model", "--as-of", "13").out
    assert "consumers" not in command("show", "digits-model", "--as-of", "9").out
    assert seqs(command("log", "--as-of", "13", "--limit", "2").out) == [12, 13]
    assert command("lineage", "digits-model", "--as-of", "8").code == 3


def test_info_describes_the_store(command: Command, trained: Any) -> None:
    pairs = dict(re.split(r"\s{2,}", line) for line in command("info").out.splitlines())
    assert pairs["store"] == str(trained)
    assert re.fullmatch(r"event \d+, chain [0-9a-f]{64}", pairs["head"])
    assert (pairs["runs"], pairs["pipelines"], pairs["artifacts"], pairs["versions"]) == ("4", "1", "5", "6")
    assert re.fullmatch(r"25\d\.\d KiB", pairs["logical size"])
    assert re.fullmatch(r"\d{3}\.\d KiB", pairs["stored size"])
    assert re.fullmatch(r"\d+\.\d KiB", pairs["size on disk"])
