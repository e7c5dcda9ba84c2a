"""Images and figures."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lineal.cas import Manifest, MemoryBlobs
from lineal.errors import Corrupt, LoadRefused
from lineal.materializers import load, runs_code, save
from lineal.materializers.matplotlib import Figure as FigureMaterializer

RoundTrip = Callable[[Any], tuple[Any, Manifest]]
MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "I;16"]


def image(mode: str) -> Image.Image:
    pixels = np.arange(9 * 7 * 3, dtype=np.uint8).reshape(7, 9, 3)
    made = Image.fromarray(pixels)
    if mode == "I;16":
        return Image.frombytes(mode, (9, 7), bytes(range(126)))
    if mode == "PA":
        return made.convert("P", palette=Image.Palette.ADAPTIVE).convert("PA")
    if mode in ("LAB", "HSV", "YCbCr", "CMYK"):
        return (
            Image.frombytes(mode, (9, 7), bytes(range(9 * 7 * (4 if mode == "CMYK" else 3)))[: 9 * 7 * 4])
            if (mode != "CMYK")
            else made.convert("CMYK")
        )
    return made.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_an_image_comes_back_pixel_by_pixel(round_trip: RoundTrip, mode: str) -> None:
    value = image(mode)
    value.info["note"] = (1, b"x")
    loaded, manifest = round_trip(value)
    assert (type(loaded), loaded.mode, loaded.size) == (Image.Image, mode, (9, 7))
    assert loaded.tobytes() == value.tobytes()
    assert loaded.info == value.info
    if mode in ("P", "PA"):
        assert loaded.convert("RGBA").tobytes() == value.convert("RGBA").tobytes()
    assert not runs_code(manifest, MemoryBlobs())


def test_an_opened_file_is_the_image_in_it(round_trip: RoundTrip) -> None:
    stream = io.BytesIO()
    image("RGB").save(stream, "PNG")
    opened = Image.open(stream)
    loaded, manifest = round_trip(opened)
    assert manifest.type == "PIL.Image.Image"
    assert loaded.tobytes() == image("RGB").tobytes()


def test_a_loaded_image_may_be_drawn_on(round_trip: RoundTrip) -> None:
    large = Image.new("L", (500, 400), 7)
    loaded, manifest = round_trip(large)
    assert len(list(manifest.named())) == 1
    loaded.putpixel((0, 0), 1)
    assert round_trip(large)[0].getpixel((0, 0)) == 7


@pytest.mark.parametrize("size", [[2**30, 2**30], [-1, 3], [3], [9, 8], ["9", 7]])
def test_an_image_that_claims_another_size_is_damage(size: list[Any]) -> None:
    manifest = save(image("RGB"), MemoryBlobs()).manifest
    head: Any = manifest.head
    with pytest.raises(Corrupt):
        load(Manifest(manifest.format, manifest.type, {**head, "size": size}, manifest.parts), MemoryBlobs())


def figure() -> Figure:
    made = Figure()
    made.subplots().plot([1, 2, 3], label="line")
    return made


def test_a_figure_comes_back_and_is_kept_as_pictures_too() -> None:
    blobs = MemoryBlobs()
    saved = save(figure(), blobs)
    loaded: Any = load(saved.manifest, blobs)
    assert list(loaded.axes[0].lines[0].get_ydata()) == [1, 2, 3]
    assert saved.metadata["axes"] == 1
    assert [name for name, _ in saved.manifest.parts] == ["figure", "svg", "png"]
    with pytest.raises(LoadRefused):
        load(saved.manifest, blobs, allow_pickle=False)


def test_two_drawings_of_equal_figures_are_the_same_bytes() -> None:
    one, other = ([*FigureMaterializer().visualize(figure())] for _ in range(2))
    assert one == other
    assert [drawing.media_type for drawing in one] == ["image/svg+xml", "image/png"]
    assert bytes(one[1].content[:4], "ascii") if isinstance(one[1].content, str) else one[1].content[1:4] == b"PNG"


def test_a_figure_of_many_inches_is_shown_no_larger_than_can_be_looked_at() -> None:
    large = Figure(figsize=(300, 1))
    drawings = {drawing.media_type: drawing.content for drawing in FigureMaterializer().visualize(large)}
    pixels = drawings["image/png"]
    assert isinstance(pixels, bytes)
    assert Image.open(io.BytesIO(pixels)).width == 2000
