"""The bytes of every format, which load for ever and are what is written today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import golden_values as golden
import numpy as np
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.materializers import load, save
from lineal.materializers.registry import _BUILT_IN

Made = Callable[[], Any]
NEVER_WRITTEN = {"pyarrow.Array/1", "pyarrow.ChunkedArray/1", "pyarrow.RecordBatch/1", "pyarrow.Table/1"}
"""Formats that are read only; test_pyarrow has their bytes."""
ELSEWHERE = {
    *("lineal.directory/1", "lineal.file/1"),  # bytes of those are in the golden stores
}


def kept(made: Made) -> Manifest:
    return Manifest.decode((golden.HERE / golden.name_of(made)).read_bytes())


@pytest.mark.parametrize("made", golden.REPRODUCED, ids=golden.name_of)
def test_what_is_written_today_is_what_was_written_then(made: Made) -> None:
    assert golden.encoded(made()) == kept(made).encoded


@pytest.mark.parametrize("made", golden.REPRODUCED, ids=golden.name_of)
def test_what_was_written_then_loads_as_the_same_value(made: Made) -> None:
    loaded = load(kept(made), MemoryBlobs())
    assert save(loaded, MemoryBlobs()).manifest.encoded == kept(made).encoded


@pytest.mark.parametrize("made", golden.LOADED, ids=golden.name_of)
@pytest.mark.filterwarnings("ignore::lineal.materializers.fallback.VersionMismatchWarning")
def test_what_was_pickled_then_loads(made: Made) -> None:
    assert load(kept(made), MemoryBlobs()) == made()


@pytest.mark.frameworks
@pytest.mark.parametrize("made", golden.NOT_LOCKED, ids=golden.name_of)
def test_values_of_libraries_that_are_not_locked_are_written_as_they_were(made: Made) -> None:
    assert golden.encoded(made()) == kept(made).encoded
    assert save(load(kept(made), MemoryBlobs()), MemoryBlobs()).manifest.encoded == kept(made).encoded


@pytest.mark.frameworks
@pytest.mark.parametrize("made", golden.FOREIGN, ids=golden.name_of)
def test_models_charts_and_datasets_that_were_written_then_load_without_code(made: Made) -> None:
    found: Any = load(kept(made), MemoryBlobs(), allow_pickle=False)
    match made.__name__:
        case "xgboost_models":
            np.testing.assert_array_equal(found["booster"].inplace_predict(found["x"]), found["scores"])
            np.testing.assert_array_equal(found["model"].predict(found["x"]), found["predicted"])
        case "lightgbm_models":
            np.testing.assert_allclose(found["booster"].predict(found["x"]), found["scores"])
            np.testing.assert_array_equal(found["model"].predict(found["x"]), found["predicted"])
        case "plotly_figure":
            assert [trace.type for trace in found["figure"].data] == found["kinds"]
            np.testing.assert_array_equal(found["figure"].data[0].y, found["y"])
        case "altair_chart":
            ((_, data),) = found["chart"].to_dict()["datasets"].items()
            assert data == found["data"]
        case _:
            assert found["dataset"].to_list() == found["splits"]["train"].to_list() == found["rows"]
            assert found["dataset"].features["label"].names == ["a", "b"]


@pytest.mark.filterwarnings("ignore::lineal.materializers.fallback.VersionMismatchWarning")
@pytest.mark.filterwarnings("ignore:This figure was saved with matplotlib")
def test_a_figure_that_was_kept_then_loads_and_has_its_pictures_beside_it() -> None:
    (made,) = golden.PICTURED
    parts = dict(kept(made).parts)
    assert bytes(parts["png"][:8]) == b"\x89PNG\r\n\x1a\n"  # type: ignore[index]
    assert b"<svg" in parts["svg"]  # type: ignore[operator]
    figure: Any = load(kept(made), MemoryBlobs())
    assert [*figure.artists[0].get_ydata()] == [0.25, 0.5, 1.0]


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore::lineal.materializers.fallback.VersionMismatchWarning")
def test_an_estimator_in_the_format_of_then_predicts_what_it_predicted() -> None:
    (made,) = golden.EARLIER
    assert kept(made).format == "lightgbm.estimator/1"
    models: Any = load(kept(golden.lightgbm_models), MemoryBlobs(), allow_pickle=False)
    found: Any = load(kept(made), MemoryBlobs())
    np.testing.assert_array_equal(found.predict(models["x"]), models["predicted"])


def formats_of(manifest: Manifest) -> Iterator[str]:
    yield manifest.format
    for _, part in manifest.parts:
        if isinstance(part, Manifest):
            yield from formats_of(part)


def test_every_format_that_is_written_has_bytes_that_are_kept() -> None:
    lists = (golden.REPRODUCED, golden.LOADED, golden.NOT_LOCKED, golden.FOREIGN, golden.EARLIER, golden.PICTURED)
    values = [made for some in lists for made in some]
    found = {format_id for made in values for format_id in formats_of(kept(made))}
    assert {one for one, _ in _BUILT_IN.values()} - found == NEVER_WRITTEN | ELSEWHERE
