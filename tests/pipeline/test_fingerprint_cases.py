"""Small projects, each with one way in which code reaches code: what an edit there does to the manifest."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.pipeline.fingerprint import CodeManifest, code_manifest

CASES = tomllib.loads((Path(__file__).parent / "fingerprint_cases.toml").read_text(encoding="utf-8"))["case"]


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = dict(sys.modules)
    yield
    forget(before)


def forget(before: dict[str, Any]) -> None:
    """Forget the modules that were imported since."""
    for name in [name for name in sys.modules if name not in before and not is_of_a_library(name)]:
        del sys.modules[name]


def is_of_a_library(name: str) -> bool:
    """Whether others' module may not be imported twice."""
    return "site-packages" in (getattr(sys.modules[name], "__file__", None) or "")


def manifest(case: dict[str, Any], directory: Path, *, is_edited: bool) -> CodeManifest:
    """The manifest of the case's step, from files below a directory of their own."""
    for name, text in case["files"].items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_edited and case.get("where", name) == name:
            text = text.replace(case["old"], case["new"])
        path.write_text(text, encoding="utf-8")
    before = dict(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        found = code_manifest(importlib.import_module(case.get("module", "s")).f)
        forget(before)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_an_edit_changes_the_manifest_exactly_if_it_may_change_a_result(case: dict[str, Any], tmp_path: Path) -> None:
    before = manifest(case, tmp_path / "before", is_edited=False)
    after = manifest(case, tmp_path / "after", is_edited=True)
    back = manifest(case, tmp_path / "back", is_edited=False)
    assert (after.digest != before.digest) is case["is_cause"], after.diff(before)
    assert back.digest == before.digest, back.diff(before)
