"""The examples: they run as they stand, in a folder of their own, and tell what they promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(folder: Path, script: str, *arguments: str) -> str:
    """What an example prints."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the example that a test is about."""
    return Path(shutil.copytree(EXAMPLES / request.param, tmp_path / request.param))


@pytest.mark.parametrize("example", ["tabular"], indirect=True)
def test_the_best_of_three_classifiers_is_kept_under_an_alias(example: Path) -> None:
    told = run(example, "tumours.py")
    areas = dict(re.findall(r"^(\w+): (0\.\d+)$", told, re.MULTILINE))
    assert sorted(areas) == ["boosting", "linear", "neighbours"]
    assert min(map(float, areas.values())) > 0.95
    assert "tumour-model@1 made by best" in told
    again = run(example, "tumours.py")
    assert "completed" not in again


@pytest.mark.parametrize("example", ["text"], indirect=True)
def test_a_text_that_changes_is_read_again_alone(example: Path) -> None:
    texts = {"a": "The cat sat on the mat.", "b": "A dog sat on the mat.", "c": "Quantum fields."}
    (example / "texts").mkdir()
    for name, text in texts.items():
        (example / "texts" / f"{name}.txt").write_text(text)
    first = run(example, "library.py", "texts")
    assert "0.57" in first
    (example / "texts" / "c.txt").write_text("Quantum fields of cats.")
    again = run(example, "library.py", "texts")
    assert "'words[0]': 'cached', 'words[1]': 'cached', 'words[2]': 'completed'" in again


@pytest.mark.parametrize("example", ["sweep"], indirect=True)
def test_a_sweep_is_compared_in_a_drawing(example: Path) -> None:
    assert "drawn in comparison.png" in run(example, "depths.py")
    assert (example / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.frameworks
@pytest.mark.parametrize("example", ["frozen"], indirect=True)
def test_a_longer_training_goes_on_from_the_epochs_that_are_there_and_a_frozen_body_is_stored_once(
    example: Path,
) -> None:
    told = run(example, "transfer.py").splitlines()
    assert told[0] == f"{['completed'] * 7}"
    assert told[2] == f"{['cached'] * 7 + ['completed'] * 3}"
    assert float(told[3].split()[1]) > 0.9
    logical_bytes, stored_bytes = (int(number.replace(",", "")) for number in re.findall(r"[\d,]{4,}", told[4]))
    assert stored_bytes < logical_bytes / 4
