from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any, ClassVar

import numpy as np
import pytest

from lineal.cas import Manifest, MemoryBlobs
from lineal.cas.manifest import Plain
from lineal.errors import Invalid, ManifestCorrupt, MaterializerMissing
from lineal.materializers import Materializer, PartReader, PartWriter, Registry, code_in, load, runs_code, save
from lineal.materializers.registry import _BUILT_IN


class Signal:
    def __init__(self, samples: Any, rate_hz: int) -> None:
        self.samples = samples
        self.rate_hz = rate_hz


class Stereo(Signal):
    pass


class SignalMaterializer(Materializer[Signal]):
    format: ClassVar[str] = "test.signal/1"
    types: ClassVar[tuple[str | type, ...]] = (Signal,)

    def save(self, value: Signal, parts: PartWriter) -> Plain:
        parts.value("samples", value.samples, step=".samples")
        return {"rate_hz": value.rate_hz}

    def load(self, head: Any, parts: PartReader) -> Signal:
        return Signal(parts.value("samples"), head["rate_hz"])

    def metadata(self, value: Signal) -> dict[str, Plain]:
        return {"rate_hz": value.rate_hz}


class NamedMaterializer(SignalMaterializer):
    format: ClassVar[str] = "test.named/1"
    types: ClassVar[tuple[str | type, ...]] = (f"{__name__}.Stereo",)


class OwnArrays(Materializer[Any]):
    format: ClassVar[str] = "test.own-arrays/1"
    types: ClassVar[tuple[str | type, ...]] = ("numpy.ndarray",)

    def save(self, value: Any, parts: PartWriter) -> Plain:
        return [int(one) for one in value]

    def load(self, head: Any, parts: PartReader) -> Any:
        return np.array(head)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.register(SignalMaterializer)
    return registry


def test_a_registered_type_is_saved_in_its_own_format_alone_and_inside_containers(registry: Registry) -> None:
    blobs = MemoryBlobs()
    for value in (Signal(np.arange(3), 8000), {"deep": [Signal(np.arange(3), 8000)]}):
        saved = save(value, blobs, registry)
        assert not runs_code(saved.manifest, blobs, registry)
        loaded: Any = load(saved.manifest, blobs, registry=registry)
        signal = loaded if isinstance(loaded, Signal) else loaded["deep"][0]
        assert signal.rate_hz == 8000
        np.testing.assert_array_equal(signal.samples, np.arange(3))
    metadata = save(Signal(None, 5), blobs, registry).metadata
    assert metadata["rate_hz"] == 5
    # Who uses the value runs the code of both.
    assert code_in(metadata) == [f"{__name__}:Signal", f"{__name__}:SignalMaterializer"]


def test_the_most_specific_type_wins_whatever_was_registered_first(registry: Registry) -> None:
    assert registry.for_type(Stereo).format == "test.signal/1"
    registry.register(NamedMaterializer)
    assert registry.for_type(Stereo).format == "test.named/1"
    assert registry.for_type(Signal).format == "test.signal/1"
    assert registry.for_value(Stereo(None, 1)).format == "test.named/1"


def test_a_registered_materializer_comes_before_a_built_in_one(registry: Registry) -> None:
    assert registry.for_type(np.ndarray).format == "numpy.ndarray/1"
    registry.register(OwnArrays)
    assert registry.for_type(np.ndarray).format == "test.own-arrays/1"
    assert registry.for_type(np.matrix).format == "test.own-arrays/1"
    # One that is for this very class is the more specific.
    assert registry.for_type(np.ma.MaskedArray).format == "numpy.masked/1"
    assert Registry().for_type(np.ndarray).format == "numpy.ndarray/1"


def test_a_built_in_materializer_leaves_subclasses_alone(registry: Registry) -> None:
    for kind in (np.matrix, type("Immutable", (dict,), {}), type("Own", (int,), {})):
        assert registry.for_type(kind).format == "python.pickle/1"


def test_register_is_a_decorator_that_may_run_again() -> None:
    registry = Registry()
    for _ in range(2):
        assert registry.register(SignalMaterializer) is SignalMaterializer
    assert registry.for_format("test.signal/1").format == "test.signal/1"


@pytest.mark.parametrize("format_id", ["numpy.ndarray/1", "test.signal/1", "signal", "signal/0", "a b/1", ""])
def test_a_format_id_that_is_none_or_taken_is_refused(registry: Registry, format_id: str) -> None:
    kind = type("Other", (OwnArrays,), {"format": format_id})
    with pytest.raises(Invalid):
        registry.register(kind)


def test_a_type_that_another_is_registered_for_is_refused(registry: Registry) -> None:
    for types in ((Signal,), (f"{__name__}.Signal",)):
        with pytest.raises(Invalid, match=r"saved by .*SignalMaterializer already"):
            registry.register(type("Other", (OwnArrays,), {"format": "test.other/1", "types": types}))
    assert registry.for_type(Signal).format == "test.signal/1"


def test_a_registered_materializer_comes_before_records(registry: Registry) -> None:
    @dataclasses.dataclass
    class Sampled(Signal):
        samples: Any
        rate_hz: int

    assert registry.for_type(Sampled).format == "test.signal/1"
    blobs = MemoryBlobs()
    loaded: Any = load(save([Sampled([1], 2)], blobs, registry).manifest, blobs, registry=registry)
    assert type(loaded[0]) is Signal


def test_a_materializer_of_no_types_is_refused() -> None:
    with pytest.raises(Invalid, match="types"):
        Registry().register(type("Other", (OwnArrays,), {"types": ()}))


def test_an_unknown_format_says_what_is_missing(registry: Registry) -> None:
    manifest = save([Signal(None, 1)], MemoryBlobs(), registry).manifest
    assert runs_code(manifest, MemoryBlobs())
    with pytest.raises(MaterializerMissing, match=r"test\.signal/1") as caught:
        load(manifest, MemoryBlobs())
    assert caught.value.hint == "Import the module that registers its materializer."
    newer = Manifest("numpy.ndarray/9", "numpy.ndarray", None)
    with pytest.raises(MaterializerMissing) as caught:
        load(newer, MemoryBlobs())
    assert caught.value.hint is not None
    assert "numpy.ndarray/1" in caught.value.hint


def test_what_a_materializer_cannot_make_sense_of_is_a_damaged_manifest(registry: Registry) -> None:
    with pytest.raises(ManifestCorrupt, match="KeyError") as caught:
        load(
            save(Signal(1, 1), MemoryBlobs(), registry).manifest.replaced(head={}),
            MemoryBlobs(),
            registry=registry,
        )
    assert caught.value.where == "test.signal/1"
    twice = Manifest("test.signal/1", "x", {"rate_hz": 1}, (("samples", b""), ("samples", b"")))
    with pytest.raises(ManifestCorrupt, match="one name"):
        load(twice, MemoryBlobs(), registry=registry)


class Twice(SignalMaterializer):
    format: ClassVar[str] = "test.twice/1"

    def save(self, value: Signal, parts: PartWriter) -> Plain:
        parts.buffer("samples", b"")
        return super().save(value, parts)


def test_two_parts_of_one_name_are_refused() -> None:
    registry = Registry()
    registry.register(Twice)
    with pytest.raises(Invalid, match="one name"):
        save(Signal(None, 1), MemoryBlobs(), registry)


NOT_LOCKED = ("altair", "datasets", "lightgbm", "plotly", "torch", "xgboost")


@pytest.mark.parametrize(
    "format_id",
    sorted(one for one, _ in _BUILT_IN.values() if not one.startswith(NOT_LOCKED)),
)
def test_a_built_in_format_is_loaded_by_the_class_that_writes_it(format_id: str) -> None:
    assert Registry().for_format(format_id).format == format_id
    assert Registry().runs_code(format_id) == Registry().for_format(format_id).runs_code


def test_a_value_of_a_library_that_is_not_installed_says_what_to_install() -> None:
    code = """if True:
        import sys
        sys.modules["pandas"] = None
        from lineal.errors import MaterializerMissing
        from lineal.materializers import Registry
        try:
            Registry().for_format("pandas.DataFrame/1")
        except MaterializerMissing as error:
            print(error.hint)
    """
    output = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "Install pandas.\n"


def test_saving_plain_values_imports_no_library() -> None:
    code = """if True:
        import sys
        from lineal.cas import MemoryBlobs
        from lineal.materializers import load, runs_code, save
        blobs = MemoryBlobs()
        manifest = save({"a": [1, (2.5, "x")], "b": {None}}, blobs).manifest
        load(manifest, blobs)
        assert not runs_code(manifest, MemoryBlobs())
        print({"numpy", "pandas", "pyarrow", "cloudpickle", "decimal", "pickle"} & sys.modules.keys())
    """
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.parametrize("missing", ["types", "format"])
def test_a_materializer_that_says_too_little_is_refused_with_what_it_lacks(registry: Registry, missing: str) -> None:
    said = {"types": (Signal,), "format": "test.little/1"}
    del said[missing]
    with pytest.raises(Invalid, match=f"names no {missing}"):
        registry.register(type("Little", (Materializer,), said))
