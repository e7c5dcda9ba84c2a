"""Containers that hold a bit of everything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import UnsavableValue
from lineal.materializers import load, runs_code, save

RoundTrip = Callable[[Any], tuple[Any, Any]]


class Model:
    """An object that nothing is known about."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("lock",)


def formats(manifest: Manifest) -> list[str]:
    children = [part for _, part in manifest.parts if isinstance(part, Manifest)]
    return [manifest.format, *(one for child in children for one in formats(child))]


def test_what_has_a_format_of_its_own_is_a_child_and_the_rest_is_pickled_once() -> None:
    array = np.arange(10_000.0)
    value = {"x": array, "frame": pd.DataFrame({"a": [1, 2]}), "m": [Model(a=1), (Model(b=2),)], "n": np.float32(1)}
    blobs = MemoryBlobs()
    manifest = save(value, blobs).manifest
    assert formats(manifest).count("python.pickle/1") == 1
    assert formats(manifest)[:3] == ["python.plain/1", "numpy.ndarray/1", "pandas.DataFrame/1"]
    loaded: Any = load(manifest, blobs)
    assert list(loaded) == list(value)
    np.testing.assert_array_equal(loaded["x"], array)
    pd.testing.assert_frame_equal(loaded["frame"], pd.DataFrame({"a": [1, 2]}))
    assert (loaded["m"][0].a, loaded["m"][1][0].b) == (1, 2)
    assert type(loaded["n"]) is np.float32


def test_a_container_of_arrays_and_frames_runs_no_code(round_trip: RoundTrip) -> None:
    value = [{"w": np.ones((3, 3)), "b": (np.zeros(3),)}, pd.Series([1, 2]), {np.int64(1): None}]
    assert not runs_code(round_trip(value)[1], MemoryBlobs())


def test_an_opaque_object_met_twice_is_one_object_again() -> None:
    model = Model()
    blobs = MemoryBlobs()
    loaded: Any = load(save([model, {"again": model}], blobs).manifest, blobs)
    assert loaded[0] is loaded[1]["again"]


def test_equal_arrays_have_equal_bytes_whether_they_are_one_object_or_two_and_come_back_apart() -> None:
    weights, blobs = np.zeros(3), MemoryBlobs()
    once = save({"in": weights, "out": (weights,), "words": {"a", "b"}}, blobs).manifest
    assert once.digest == save({"in": weights, "out": (weights.copy(),), "words": {"b", "a"}}, blobs).manifest.digest
    loaded: Any = load(once, blobs)
    loaded["in"][0] = 1
    assert loaded["out"][0].tolist() == [0, 0, 0]


def test_what_two_opaque_objects_share_stays_shared() -> None:
    shared: list[Any] = []
    blobs = MemoryBlobs()
    loaded: Any = load(save([Model(log=shared), {"b": Model(log=shared)}], blobs).manifest, blobs)
    assert loaded[0].log is loaded[1]["b"].log


def test_an_array_inside_an_opaque_object_is_a_blob_of_its_own_and_the_same_as_outside() -> None:
    array = np.arange(100_000.0)
    outside = {blob.digest for blob in save(array, MemoryBlobs()).manifest.named()}
    inside = {blob.digest for blob in save({"m": Model(w=array)}, MemoryBlobs()).manifest.named()}
    assert outside <= inside


def test_an_array_of_itself_comes_back() -> None:
    array = np.empty(1, object)
    array[0] = array
    blobs = MemoryBlobs()
    loaded: Any = load(save([array], blobs).manifest, blobs)
    assert loaded[0][0] is loaded[0]


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        outer = np.empty(1, object)
        outer[0] = value
        value = outer
    return value


@pytest.mark.parametrize("depth", [10, 100])
def test_arrays_of_arrays_come_back_however_deep(depth: int) -> None:
    blobs = MemoryBlobs()
    saved = save(nested("core", depth), blobs)
    loaded: Any = load(Manifest.decode(saved.manifest.encoded), blobs)
    for _ in range(depth):
        loaded = loaded[0]
    assert loaded == "core"


def closure() -> Callable[[], Any]:
    lock = threading.Lock()
    return lambda: lock


def slotted() -> Slotted:
    value = Slotted()
    value.lock = threading.Lock()
    return value


@pytest.mark.parametrize(
    ("value", "where", "kind"),
    [
        (threading.Lock(), "value", "_thread.lock"),
        ([1, vars(int)], "value[1]", "mappingproxy"),
        ({"s": (one for one in [1, threading.Lock()])}, "value['s'][1]", "_thread.lock"),
        ({"model": Model(weights=[1, 2, 3, threading.Lock()])}, "value['model'].weights[3]", "_thread.lock"),
        ({"a": Model(), "b": {"c": (Model(), threading.Lock())}}, "value['b']['c'][1]", "_thread.lock"),
        ([np.array([None, threading.Lock()])], "value[0][1]", "_thread.lock"),
        (pd.DataFrame({"o": [1, threading.Lock()]}), "value['o'][1]", "_thread.lock"),
        ({"f": closure()}, "value['f'].closure(lock)", "_thread.lock"),
        ({"s": slotted()}, "value['s'].lock", "_thread.lock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_saved_is_named_by_its_path_and_type(value: Any, where: str, kind: str) -> None:
    with pytest.raises(UnsavableValue) as caught:
        save(value, MemoryBlobs())
    assert caught.value.where == where
    assert kind in caught.value.what
    assert caught.value.hint is not None
    assert kind in caught.value.hint
