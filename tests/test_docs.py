"""The pages of docs/: their examples run, and say what the pages say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import reference

import lineal
from lineal.events.catalogue import CATALOGUE
from lineal.materializers.registry import _BUILT_IN

DOCS = Path(__file__).parents[1] / "docs"


def run_blocks_of(page: str, folder: Path) -> list[str]:
    """Run the Python blocks of a page one after the other as a script; give the lines that they print."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    script = folder / "script.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run([sys.executable, script.name], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_projection_of_twenty_lines_runs_over_all_history(tmp_path: Path) -> None:
    lines = run_blocks_of("projections.md", tmp_path)
    assert lines == ["1 2 True", "[1, 0] True", "[1, 1] True", "[1, 2] True"]
    (source,) = re.findall(r"^class Savings.*?(?=```)", (DOCS / "projections.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_a_page_links_only_to_pages_that_are_there(page: str) -> None:
    targets = re.findall(r"\]\(([\w.-]+\.md)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert [target for target in targets if not (DOCS / target).exists()] == []


def test_the_recipes_for_tables_run_and_give_what_the_page_says(tmp_path: Path) -> None:
    lines = run_blocks_of("tables.md", tmp_path)
    assert lines[0].startswith("<Tables events, payloads, ")
    assert lines[1:] == [
        "[['study-1', 'completed'], ['study-2', 'completed'], ['study-3', 'completed']]",
        "[1, 2]",
        "[('load', 0.67), ('train', 0.33)]",
        "[('study-1',), ('study-2',), ('study-3',)]",
        "[('data', 1, 10.0)]",
        "[('data', 1, True), ('model', 2, True)]",
        "[('study-1', 0.5, 'model', 1), ('study-2', 0.25, 'model', 2), ('study-3', 0.25, 'model', 2)]",
        "[('data', 1), ('model', 1), ('model', 2)]",
        "[('load', 0.67), ('train', 0.33)]",
        "{'lr': ['0.25', '0.5'], 'n': ['10']}",
        "['running'] 1",
        "[('load', 'data', 1), ('train', 'model', 2)]",
        "[('study', 3)]",
        "True",
    ]


def test_the_pipelines_on_the_page_run_and_give_what_it_says(tmp_path: Path) -> None:
    assert run_blocks_of("pipelines.md", tmp_path) == [
        "['train', 'test'] ('sample',)",
        "['fit[0]', 'fit[1]', 'fit[2]'] 2.3076923076923075",
        "[10, 5, 2, 1] 1",
        "1",
    ]


def test_a_run_goes_as_the_page_on_running_says(tmp_path: Path) -> None:
    assert run_blocks_of("running.md", tmp_path) == [
        "called with failed",
        "step 'endless' raised lineal.errors.StepTimeout: it took longer than 0.5 s",
        "{'fetch': 'completed', 'endless': 'failed', 'count': 'skipped', 'letters': 'completed'}",
        "[(1, 'failed', 0.1), (2, 'completed', None)]",
        "6 {'rate': 0.1, 'seed': 1} ['completed', 'completed', 'cached', 'cached', 'cached', 'cached']",
    ]


def test_bundles_go_from_store_to_store_as_the_page_says(tmp_path: Path) -> None:
    assert run_blocks_of("bundles.md", tmp_path) == [
        "0 True",
        "model@2 {'weight': 1.5} ['training-2', 'training-1']",
        "['model', 'training.load.output']",
        "True False",
        "model@2 ['training-3', 'training-2', 'training-1']",
        "{'load': 'cached', 'train': 'completed'}",
        "True False",
    ]


def test_appends_on_conditions_and_claims_are_as_the_page_says(tmp_path: Path) -> None:
    assert run_blocks_of("concurrency.md", tmp_path) == [
        "[2] [2]",
        "2",
        "['fingerprint.claimed/1', 'step.started/1', 'code.captured/1', 'step.completed/1', 'claim.ended/1']",
    ]


def test_what_a_run_leaves_behind_is_as_the_page_says(tmp_path: Path) -> None:
    lines = run_blocks_of("observing.md", tmp_path)
    assert lines == [
        "done",
        "['INFO fit: fitted 3 epochs', 'done']",
        "[('log', 20, 'fit', 'fitted 3 epochs'), ('stdout', None, None, 'done')]",
        "3 {'optimizer': 'none'} {'is_toy': True}",
        "cached {} {'optimizer': 'none'} 3",
        "{'rate': 0.5, 'epochs': 3, '@seed': 7}",
        "done",
        "True",
        "['build', 'cpu', 'cpu_count', 'editable', 'implementation', 'machine', 'memory_bytes', 'packages', "
        "'platform', 'python', 'variables']",
    ]


def test_comparing_and_changing_the_record_go_as_the_page_says(tmp_path: Path) -> None:
    assert run_blocks_of("comparing.md", tmp_path) == [
        "[('rate', '0.5', '0.25')]",
        "[('fit.model', 'model@1', 'model@2')]",
        "[('fit/loss', 2.0, 4.0, 2.0)]",
        "[('load', 'the same'), ('fit', 'inputs, outputs')]",
        "[('def:flow:scaled', ('fit',))]",
        "+    return x * 30",
        """(Leaf(path="['weight']", old='6.0', new='3.0'),)""",
        "['-two', '+three']",
        "None",
        "model@3 True ['def:flow:scaled']",
        "rows@2 True ['rows']",
        "model@2 → model@3: code: function flow:scaled changed, and 1 more",
        "training-1 training-2 ['parameter rate: 0.5 → 0.25']",
        "('model@1',) True []",
        "('training-1',) ('model@1',) [('rows@1', 'run training-2 gave it, too')]",
        "['training-3', 'training-2'] ['training-3', 'training-2', 'training-1']",
        "['training-3', 'training-2', 'training-1'] model@1",
        "fitting ['classifier@3', 'classifier@2', 'classifier@1']",
    ]


def test_every_table_and_column_is_on_the_page(tmp_path: Path) -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", page, re.MULTILINE))
    with lineal.open(tmp_path / "store") as client:
        of_types = {kind.TYPE.partition("/")[0].replace(".", "_"): kind for kind in CATALOGUE.values()}
        assert rows.keys() | of_types.keys() == client.tables.keys()
        for name, kind in of_types.items():
            assert client.tables[name].schema.names == ["seq", "time", *kind.FIELDS]
        for name, row in rows.items():
            columns = re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row))
            assert columns == client.tables[name].schema.names


def test_the_materializer_on_the_page_is_short_and_works(tmp_path: Path) -> None:
    assert run_blocks_of("materializers.md", tmp_path) == ["[1, 2, 3, 4]", "1.0"]
    page = (DOCS / "materializers.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^@register.*?(?=\n\n\nstore)", page, re.DOTALL | re.MULTILINE)
    assert len([line for line in source.splitlines() if line.strip()]) <= 15


def test_values_show_themselves_as_the_page_says(tmp_path: Path) -> None:
    assert run_blocks_of("visualizations.md", tmp_path) == [
        "3 {'rain_mm': 1} {'rain_mm': 2.0}",
        "['table', 'columns']",
        "weather.html",
        "['matrix@1', 'weather@1']",
        "[] ['histogram', 'in order']",
        "['histogram', 'in order']",
        "['summary', 'table', 'columns']",
    ]


def test_the_page_names_every_built_in_format() -> None:
    page = (DOCS / "materializers.md").read_text(encoding="utf-8")
    missing = {one for one, _ in _BUILT_IN.values() if f"`{one}`" not in page}
    assert missing == {f"pyarrow.{kind}/1" for kind in ("Array", "ChunkedArray", "RecordBatch", "Table")}


def test_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    said = re.findall(r"^# → (.*)$", (DOCS / "tutorial.md").read_text(encoding="utf-8"), re.MULTILINE)

    def lasting(line: str) -> str:
        return re.sub(r"[\d.]+ s$", "", line)

    assert list(map(lasting, run_blocks_of("tutorial.md", tmp_path))) == list(map(lasting, said))


def test_runs_and_versions_are_found_as_the_page_on_history_says(tmp_path: Path) -> None:
    assert run_blocks_of("history.md", tmp_path) == [
        "['training-3', 'training-2']",
        "['training-3', 'training-2']",
        "['training-2']",
        "['training-3']",
        "['training-3', 'training-2']",
        "['training-2', 'training-3']",
        "['model@3', 'model@2']",
    ]


def test_lineage_goes_as_the_page_on_it_says(tmp_path: Path) -> None:
    assert run_blocks_of("lineage.md", tmp_path) == [
        "['model@2', 'rows@1', 'raw@1']",
        "['raw@1', 'rows@1', 'model@1', 'model@2']",
        "['raw@1', 'rows@1']",
        "['raw@1', 'rows@1', 'model@2']",
        "['raw@1', 'rows@1', 'model@1', 'model@2']",
        "['clean', 'fit', 'fit']",
        "[('training-1', 'clean'), ('training-2', 'clean')] 1",
    ]


def test_the_reference_says_what_the_code_says() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run make docs"


def test_the_page_on_standards_gives_what_it_says(tmp_path: Path) -> None:
    assert run_blocks_of("standards.md", tmp_path) == [
        "START summing []",
        "START summing.load []",
        "COMPLETE summing.load ['summing.load.output']",
        "START summing.total []",
        "COMPLETE summing.total ['summing.total.output']",
        "COMPLETE summing []",
        "2 2",
    ]
