"""Tensors, where PyTorch is: it is gigabytes, and so no part of what is locked."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.cas.blob import walk
from lineal.errors import BlobCorrupt, Invalid, ManifestCorrupt
from lineal.materializers import load, runs_code, save

pytestmark = pytest.mark.frameworks
torch: Any = None


@pytest.fixture(autouse=True, scope="module")
def installed_torch() -> None:
    global torch
    torch = importlib.import_module("torch")


RoundTrip = Callable[[Any], tuple[Any, Manifest]]
DTYPES = ["float32", "float64", "float16", "bfloat16", "int8", "uint8", "int64", "bool", "complex64", "float8_e4m3fn"]


def made(dtype: str) -> Any:
    return (torch.arange(24).reshape(2, 3, 4) % 3).to(getattr(torch, dtype))


def are_same(one: Any, other: Any) -> bool:
    is_same_kind = (type(one), one.dtype, one.shape) == (type(other), other.dtype, other.shape)
    bytes_of = [value.detach().contiguous().reshape(-1).view(torch.uint8).tolist() for value in (one, other)]
    return is_same_kind and bytes_of[0] == bytes_of[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_comes_back_without_running_code(round_trip: RoundTrip, dtype: str) -> None:
    tensor = made(dtype)
    for value in (tensor, tensor[1], tensor[:, ::2].transpose(0, 2), tensor[0, 0, 0], tensor[:0]):
        loaded, manifest = round_trip(value)
        assert are_same(loaded, value)
        assert not runs_code(manifest, MemoryBlobs())
        assert manifest.type == "torch.Tensor"


def test_what_a_tensor_is_beside_its_numbers_comes_back(round_trip: RoundTrip) -> None:
    for value in (
        torch.nn.Parameter(torch.ones(3)),
        torch.nn.Parameter(torch.ones(3), requires_grad=False),
        torch.ones(3, requires_grad=True),
        torch.ones(3, dtype=torch.complex64).conj(),
        torch.ones(3, dtype=torch.bfloat16, requires_grad=True) * 2,
    ):
        loaded, _ = round_trip(value)
        assert are_same(loaded, value.resolve_conj())
        assert loaded.requires_grad == value.requires_grad


def test_a_sparse_tensor_is_pickled() -> None:
    blobs = MemoryBlobs()
    tensor = torch.eye(3).to_sparse()
    manifest = save(tensor, blobs).manifest
    loaded: Any = load(manifest, blobs)
    assert runs_code(manifest, blobs)
    assert (loaded.to_dense() == torch.eye(3)).all()


def model() -> Any:
    torch.manual_seed(0)
    layers = [torch.nn.Linear(100, 100) for _ in range(5)]
    return torch.nn.Sequential(*layers, torch.nn.LayerNorm(100))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda module: dict(module.state_dict()),
        lambda module: module.state_dict(),
        lambda module: {"epoch": 3, "state": OrderedDict(module.state_dict())},
        lambda module: module,
        lambda module: [{"best": module}],
    ],
    ids=["dict", "state dict", "checkpoint", "module", "nested module"],
)
def test_a_changed_tensor_is_the_only_new_blob(wrap: Any) -> None:
    module = model()
    blobs = MemoryBlobs()
    before = set(walk(blobs, save(wrap(module), blobs).manifest))
    sizes = sorted(part.size_bytes for part in before)
    assert sizes == [40_000] * 5
    with torch.no_grad():
        module[2].weight += 1
    after = set(walk(blobs, save(wrap(module), blobs).manifest))
    assert len(after - before) == 1


def test_a_module_computes_the_same_and_its_tensors_can_be_changed() -> None:
    module, blobs = model(), MemoryBlobs()
    manifest = save(module, blobs).manifest
    loaded: Any = load(manifest, blobs)
    inputs = torch.randn(7, 100)
    assert torch.equal(loaded(inputs), module(inputs))
    torch.optim.SGD(loaded.parameters(), 0.1).zero_grad()
    loaded(inputs).sum().backward()
    with torch.no_grad():
        loaded[0].weight.zero_()
    again: Any = load(manifest, blobs)
    assert torch.equal(again(inputs), module(inputs))


def test_a_tensor_that_is_met_twice_stays_one() -> None:
    module = model()
    module[1].weight = module[0].weight
    blobs = MemoryBlobs()
    loaded: Any = load(save(module, blobs).manifest, blobs)
    assert loaded[1].weight is loaded[0].weight


def test_a_view_does_not_drag_the_whole_along() -> None:
    blobs = MemoryBlobs()
    assert save({"few": torch.zeros(1_000_000)[:10]}, blobs).manifest.size_bytes < 1000


def test_some_rows_of_a_tensor_are_loaded() -> None:
    blobs = MemoryBlobs()
    tensor = torch.arange(30.0).reshape(10, 3)
    manifest = save(tensor, blobs).manifest
    for rows in (slice(2, 5), slice(-2, None), slice(5, 2), slice(8, 99)):
        assert torch.equal(load(manifest, blobs, rows=rows), tensor[rows])
    with pytest.raises(Invalid):
        load(save(torch.tensor(1.0), blobs).manifest, blobs, rows=slice(1))


def test_a_buffer_of_another_size_is_damage() -> None:
    manifest = save(torch.arange(30.0), MemoryBlobs()).manifest
    with pytest.raises(BlobCorrupt):
        load(Manifest(manifest.format, manifest.type, manifest.head, (("data", b"1234"),)), MemoryBlobs())


PROGRAM = """if True:
    import torch
    from lineal.cas import MemoryBlobs
    from lineal.materializers import save
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(50, 50), torch.nn.BatchNorm1d(50))
    for value in (module, module.state_dict(), [torch.ones(3)]):
        print(save(value, MemoryBlobs()).manifest.digest.hex())
"""


def test_every_process_makes_the_same_content_of_equal_models() -> None:
    found = []
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-P", "-c", PROGRAM]
        found.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert found[0] == found[1]
    assert len(set(found[0].split())) == 3


def test_tensors_of_a_state_dict_that_share_memory_share_it_again(round_trip: RoundTrip) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    base = torch.arange(20.0)
    for value in (
        model.state_dict(),
        {"a": base[2:8].view(2, 3), "b": [base, base[::2]], "same": base, "c": torch.ones(2)},
    ):
        loaded, manifest = round_trip(value)
        assert type(loaded) is type(value)
        assert not runs_code(manifest, MemoryBlobs())
        assert [name for name, _ in manifest.parts if name.startswith("shared")] == ["shared.0"]
    assert loaded["b"][0] is loaded["same"]
    loaded["same"][2] = 99
    assert (loaded["a"][0, 0], loaded["b"][1][1]) == (99, 99)
    assert torch.equal(loaded["c"], torch.ones(2))
    restored, _ = round_trip(model.state_dict())
    assert restored["0.weight"].data_ptr() == restored["1.weight"].data_ptr()
    assert restored._metadata == model.state_dict()._metadata


def test_a_look_beyond_the_shared_memory_is_damage() -> None:
    base = torch.arange(20.0)
    manifest = save([base, base[1:]], MemoryBlobs()).manifest
    for wrong in (b"offset\x7f", b"offset\xff"):
        damaged = Manifest.decode(manifest.encoded.replace(b"offset\x01", wrong))
        with pytest.raises(ManifestCorrupt):
            load(damaged, MemoryBlobs())


def test_a_module_keeps_each_tensor_apart_and_says_that_it_runs_code() -> None:
    model = torch.nn.Linear(100, 100)
    blobs = MemoryBlobs()
    saved = save(model, blobs)
    assert runs_code(saved.manifest, blobs)
    assert [one.size_bytes for one in saved.manifest.named()] == [40_000]
    loaded: Any = load(saved.manifest, blobs)
    assert torch.equal(loaded.weight, model.weight)
