"""The README: its example runs, and says what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from lineal.cli.parser import parse

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_python_blocks_run_one_after_the_other_as_a_script(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    script = tmp_path / "study.py"
    script.write_text("\n".join([*blocks, "print(samples.shape)"]))
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    *lines, trial, status, plan, last = done.stdout.splitlines()
    assert trial == "['split', 'fit[0]', 'fit[1]', 'best'] 49.900000000000006 0.8"
    assert status == "cached"
    assert plan.startswith("training: 1 to run, 3 may run, 0 served; expected to take ")
    lines.append(last)
    assert lines[0] == "['cached', 'cached']"
    assert lines[1].startswith("{'mean': 0.0") or lines[1].startswith("{'mean': -0.0")
    assert lines[2].startswith("summary@1  dict  ")
    assert lines[-21].strip() in {"├─ n = 100000", "└─ seed = 0"}
    assert lines[-20] == "['study-1']"
    assert int(lines[-19]) < 1000
    assert lines[-18] == "b'pixels'"
    assert lines[-17] == "()"
    assert lines[-16] == "True"
    assert lines[-15].startswith("market@1 [<ArtifactVersion market@1 dict ")
    assert lines[-14] == "{'by': {'name': 'me'}, 'reviewed': True} [1.0, 0.5, 0.3333333333333333]"
    assert lines[-13] == "approved@1"
    hit, environment, columns, measure, summarize, _, summary, miss, cause, same, reasons = lines[-12:-1]
    assert hit.startswith("study-2/measure: hit, reuses study-1/measure, which executed 2")
    assert environment.strip() == same.strip() == "the environment is the same"
    assert columns.split() == ["step", "verdict", "expected", "why"]
    assert (measure.split()[1], summarize.split()[1]) == ("miss", "unknown")
    assert summary.startswith("study: 1 to run, 1 may run, 0 served; expected to take ")
    assert miss.startswith("study-3/measure: miss, compared with study-2/measure of 2")
    assert (cause.strip(), reasons) == ("parameter n: 100000 → 500", "[('parameter', 'n', '100000', '500')]")
    assert lines[-1] == "(100000,)"


def test_the_readmes_lines_on_running_again_are_understood() -> None:
    lines = re.findall(r"^lineal (.*?)(?: +#.*)?$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        assert parse(shlex.split(line)).options is not None


def test_the_page_on_time_travel_says_what_its_example_prints(tmp_path: Path) -> None:
    page = (README.parent / "docs" / "time-travel.md").read_text(encoding="utf-8")
    script = tmp_path / "page.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)))
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    printed = [line for line in done.stdout.splitlines() if line not in ("measuring 3 samples", "measuring 4 samples")]
    promised = re.findall(r"^# → (.*)$", page, re.MULTILINE)
    assert printed == [line for line in promised if line != "measuring 3 samples"]
    assert done.stdout.count("measuring 3 samples") == 2


def test_the_shell_lines_on_time_travel_are_understood() -> None:
    page = (README.parent / "docs" / "time-travel.md").read_text(encoding="utf-8")
    lines = re.findall(r"^lineal (.*?)(?: +#.*)?$", page, re.MULTILINE)
    assert len(lines) == 7
    for line in lines:
        assert parse(shlex.split(line)).options is not None


def test_the_page_on_running_again_says_what_its_example_prints_and_its_lines_are_understood(tmp_path: Path) -> None:
    page = (README.parent / "docs" / "again.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "study.py").write_text(code)
    done = subprocess.run([sys.executable, "study.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"^ *# → (.*)$", page, re.MULTILINE)
    lines = re.findall(r"^lineal (.*)$", page, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        assert parse(shlex.split(line)).options is not None


def test_the_readmes_targets_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"make (\w+)", README.read_text(encoding="utf-8"))
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
