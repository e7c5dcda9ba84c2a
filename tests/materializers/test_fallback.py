from __future__ import annotations

import dataclasses
import pickle
import socket
import subprocess
import sys
import threading
import warnings
from collections import OrderedDict, deque
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import LoadRefused, ManifestCorrupt, UnsavableValue, Unsupported
from lineal.materializers import load, runs_code, save
from lineal.materializers.fallback import VersionMismatchWarning


class Unreadable:
    def __reduce__(self) -> tuple[Any, ...]:
        return _fail, ()


def _fail() -> None:
    raise ZeroDivisionError("not here")


class Stubborn:
    def __reduce__(self) -> tuple[Any, ...]:
        raise ZeroDivisionError("never")


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    def __hash__(self) -> int:
        return self.x


def test_a_fitted_model_predicts_the_same() -> None:
    images, labels = load_digits(return_X_y=True)
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=50, tol=0.1)),
        RandomForestClassifier(10, random_state=0),
    ):
        model.fit(images, labels)
        blobs = MemoryBlobs()
        saved = save({"model": model, "images": images}, blobs)
        loaded: Any = load(saved.manifest, blobs)
        assert type(loaded["model"]) is type(model)
        assert (loaded["model"].predict(loaded["images"]) == model.predict(images)).all()


def test_the_head_names_the_versions_it_was_pickled_under() -> None:
    head = save(StandardScaler(), MemoryBlobs()).manifest.head
    assert isinstance(head, dict)
    assert head["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert list(head["packages"]) == ["sklearn"]


def test_an_object_comes_back_and_is_known_to_run_code() -> None:
    blobs = MemoryBlobs()
    manifest = save(Point(3), blobs).manifest
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(manifest, blobs) == Point(3)
    assert runs_code(manifest, MemoryBlobs())


def test_code_that_exists_only_in_one_process_is_carried_over() -> None:
    blobs = MemoryBlobs()
    factor = 3
    loaded: Any = load(save(lambda x: x * factor, blobs).manifest, blobs)
    assert loaded(5) == 15


def test_large_buffers_are_blobs_and_small_ones_ride_in_the_stream() -> None:
    large, small = np.arange(100_000.0), np.arange(10.0)
    blobs = MemoryBlobs()
    manifest = save(StandardScalerLike(large, small), blobs).manifest
    assert [blob.size_bytes for blob in manifest.named()] == [large.nbytes]
    loaded: Any = load(manifest, blobs)
    loaded.large[0] = -1
    again: Any = load(manifest, blobs)
    assert again.large[0] == 0
    np.testing.assert_array_equal(again.small, small)


class StandardScalerLike:
    def __init__(self, large: Any, small: Any) -> None:
        self.large = large
        self.small = small


@pytest.mark.parametrize("nest", [lambda one: one, lambda one: [{"deep": one}]])
def test_pickle_is_refused_before_anything_runs_where_it_is_not_allowed(nest: Any) -> None:
    blobs = MemoryBlobs()
    manifest = save(nest(Unreadable()), blobs).manifest
    with pytest.raises(LoadRefused, match=r"python\.pickle/1") as caught:
        load(manifest, blobs, allow_pickle=False)
    assert caught.value.hint is not None
    assert caught.value.where == ("value" if isinstance(nest(0), int) else "value[0]['deep']")


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"python": "3.1"}, "Python 3.1"), ({"packages": {"sklearn": "0.0.1"}}, "sklearn 0.0.1")],
)
def test_loading_under_another_version_warns_of_it(changed: dict[str, Any], named: str) -> None:
    blobs = MemoryBlobs()
    manifest = save(StandardScaler(), blobs).manifest
    assert isinstance(manifest.head, dict)
    other = manifest.replaced(head={**manifest.head, **changed})
    with pytest.warns(VersionMismatchWarning, match=named):
        load(other, blobs)


def test_what_cannot_be_rebuilt_says_under_which_versions_it_could() -> None:
    blobs = MemoryBlobs()
    with pytest.raises(Unsupported, match="ZeroDivisionError: not here") as caught:
        load(save(Unreadable(), blobs).manifest, blobs)
    assert caught.value.hint is not None
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in caught.value.hint


def test_an_unsavable_value_survives_the_way_between_processes() -> None:
    with pytest.raises(UnsavableValue) as caught:
        save([Stubborn()], MemoryBlobs())
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.where, copy.what, copy.hint) == (caught.value.where, caught.value.what, caught.value.hint)
    assert copy.where == "value[0]"
    assert "never" in copy.what


def test_a_value_nested_beyond_reason_is_refused() -> None:
    value: list[Any] = []
    for _ in range(50_000):
        value = [value]
    with pytest.raises(UnsavableValue, match="too deep"):
        save(value, MemoryBlobs())


def test_a_cut_stream_is_a_damaged_manifest() -> None:
    manifest = save(Point(3), MemoryBlobs()).manifest
    (_, stream), *_ = manifest.parts
    assert isinstance(stream, bytes)
    for length in range(0, len(stream), 7):
        cut = manifest.replaced(parts=(("stream", stream[:length]),))
        with pytest.raises((ManifestCorrupt, Unsupported)):
            load(cut, MemoryBlobs())
    for head in (None, {}, {"packages": 3}):
        with pytest.raises(ManifestCorrupt):
            load(manifest.replaced(head=head), MemoryBlobs())
    with pytest.raises(ManifestCorrupt, match="buffer"):
        load(Manifest(manifest.format, manifest.type, manifest.head, (("other", stream),)), MemoryBlobs())


def test_a_value_pickled_in_main_loads_in_another_process(tmp_path: Any) -> None:
    code = """if True:
        import sys
        from lineal.cas import Manifest, MemoryBlobs
        from lineal.materializers import load, save
        class Own:
            def __init__(self, x): self.x = x
            def double(self): return 2 * self.x
        open(sys.argv[1], "wb").write(save(Own(4), MemoryBlobs()).manifest.encoded)
    """
    path = tmp_path / "manifest"
    subprocess.run([sys.executable, "-P", "-c", code, str(path)], check=True)
    loaded: Any = load(Manifest.decode(path.read_bytes()), MemoryBlobs())
    assert loaded.double() == 8


def test_a_refusal_names_the_part_that_is_refused() -> None:
    blobs = MemoryBlobs()
    series = pd.Series([1, Point(3)], dtype=object)
    for value, where in (
        ({"a": 1, "model": [np.arange(3), Point(1)]}, "value['model'][1]"),
        ({"frames": [pd.DataFrame({"x": series})]}, "value['frames'][0].column.0.elements[1]"),
        (deque([OrderedDict(a=Point(1))]), "value[0]['a']"),
    ):
        with pytest.raises(LoadRefused) as caught:
            load(save(value, blobs).manifest, blobs, allow_pickle=False)
        assert caught.value.where == where


def test_the_head_names_the_version_of_every_package_inside() -> None:
    head = save(Point(make_pipeline(StandardScaler(), Point(np.random.default_rng(0)))), MemoryBlobs()).manifest.head
    assert isinstance(head, dict)
    assert head["packages"] == {"numpy": np.__version__, "sklearn": sklearn.__version__}


@pytest.mark.parametrize(
    ("made", "where", "type_"),
    [
        (lambda: {"a": [closed_socket()]}, "value['a'][0]", "socket.socket"),
        (lambda: [Point(threading.Lock())], "value[0].x", "_thread.lock"),
        (lambda: deque([{"g": Point(iter_of(3))}]), "value[0]['g'].x", "generator"),
        (lambda: Held(3, {"lock": threading.Lock()}), "value.inner['lock']", "_thread.lock"),
    ],
    ids=["socket", "lock", "generator", "in a record"],
)
def test_what_cannot_be_saved_says_where_it_is_and_what_to_do(made: Any, where: str, type_: str) -> None:
    with pytest.raises(UnsavableValue) as caught:
        save(made(), MemoryBlobs())
    assert (caught.value.where, caught.value.details["type"]) == (where, type_)
    assert caught.value.hint is not None


def closed_socket() -> socket.socket:
    with socket.socket() as made:
        return made


def iter_of(count: int) -> Any:
    yield from range(count)


@dataclasses.dataclass
class Held:
    x: int
    inner: Any
