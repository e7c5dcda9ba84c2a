"""A bundle of format 1, written of the golden store of format 2: read for as long as there are bundles.

It was made by ``Client.export_bundle`` without naming anything, and packed by `lzma`.
"""

from __future__ import annotations

import importlib.util
import lzma
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import lineal
from lineal.errors import ArtifactEvicted

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def known() -> ModuleType:
    spec = importlib.util.spec_from_file_location("known_of_golden", HERE / "test_golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "golden.bundle"
    path.write_bytes(lzma.decompress((HERE / "bundle-1.xz").read_bytes()))
    return path


def test_the_golden_bundle_has_every_value_in_place_and_imported(
    bundle: Path, known: ModuleType, tmp_path: Path
) -> None:
    with lineal.open(tmp_path / "store") as store:
        store.import_bundle(bundle)
    for path in (bundle, tmp_path / "store"):
        with lineal.open(path) as client:
            assert client.verify().is_sound
            versions = {str(one) for artifact in client.artifacts() for one in artifact.versions}
            assert versions == {*known.VALUES, *known.ONLY_IN[2]}
            for reference, value in known.VALUES.items():
                assert known.is_equal(client.load(reference), value), reference
            runs = list(client.runs())[::-1]
            assert [(run.status, sum(step.is_cached for step in run.steps.values())) for run in runs] == known.RUNS
            with pytest.raises(ArtifactEvicted):
                client.load("gone@1")


def test_the_golden_store_still_gives_the_golden_bundle(
    golden: Callable[[int], Path], bundle: Path, tmp_path: Path
) -> None:
    with lineal.open(golden(2)) as client:
        client.export_bundle(tmp_path / "again.bundle")
    assert (tmp_path / "again.bundle").read_bytes() == bundle.read_bytes()
