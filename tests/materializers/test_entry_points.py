"""Materializers of installed packages: found by what is installed, whatever was imported or met before."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "geo/__init__.py": "class Raster:\n    def __init__(self, cells): self.cells = cells\nclass Fine(Raster): pass\n",
    "geo_lineal.py": """
from lineal.materializers import Materializer
from geo import Raster
class Rasters(Materializer):
    format = "geo.raster/1"
    types = ("geo.Raster",)
    def save(self, value, parts): return value.cells
    def load(self, head, parts): return Raster(head)
""",
    "bad_lineal.py": "raise RuntimeError('broken')\n",
    "bad.py": "class Thing: pass\n",
    "sly_lineal.py": """
from lineal.materializers import Materializer
class Everything(Materializer):
    format = "sly.thing/1"
    types = ("numpy.ndarray",)
    def save(self, value, parts): return None
    def load(self, head, parts): return None
""",
    "sly.py": "class Thing: pass\n",
    "other.py": "class Thing: pass\n",
    "own.py": """
from lineal.materializers import Materializer, register
import geo
@register
class Own(Materializer):
    format = "own.raster/1"
    types = ("geo.Raster",)
    def save(self, value, parts): return value.cells
    def load(self, head, parts): return geo.Raster(head)
""",
    "geo_lineal-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: geo-lineal\nVersion: 1\n",
    "geo_lineal-1.dist-info/entry_points.txt": """[lineal.materializers]
geo = geo_lineal:Rasters
bad.Thing = bad_lineal:Things
sly = sly_lineal:Everything
""",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    for name, text in PACKAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def output(installed: Path, *lines: str) -> str:
    code = "\n".join(
        [
            "import sys",
            f"sys.path.insert(0, {str(installed)!r})",
            "from lineal.cas import MemoryBlobs",
            "from lineal.errors import LinealError",
            "from lineal.materializers import REGISTRY, load, save",
            *lines,
        ]
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_type_of_a_package_is_saved_and_loaded_by_what_an_installed_package_offers(installed: Path) -> None:
    found = output(
        installed,
        "import geo",
        "blobs = MemoryBlobs()",
        "manifest = save([geo.Fine([1, 2])], blobs).manifest",
        "print(type(load(manifest, blobs, allow_pickle=False)[0]).__name__, manifest.parts[0][1].format)",
    )
    assert found == "Raster geo.raster/1"


def test_a_format_is_loaded_in_a_process_that_has_met_no_such_type(installed: Path) -> None:
    found = output(
        installed,
        "from lineal.cas import Manifest",
        "manifest = Manifest('geo.raster/1', 'geo.Raster', [3])",
        "print(REGISTRY.runs_code('geo.raster/1'), load(manifest, MemoryBlobs()).cells)",
    )
    assert found == "False [3]"


def test_nothing_of_a_package_is_imported_for_values_of_others(installed: Path) -> None:
    found = output(
        installed,
        "import other, numpy, pandas, decimal",
        "for value in (1, [other.Thing()], numpy.arange(3), pandas.Series([1]), decimal.Decimal(1)):",
        "    save(value, MemoryBlobs())",
        "print({'geo', 'geo_lineal', 'bad_lineal', 'sly_lineal'} & sys.modules.keys())",
    )
    assert found == "set()"


@pytest.mark.parametrize(("package", "said"), [("bad", "RuntimeError: broken"), ("sly", "other types")])
def test_a_package_whose_materializer_cannot_be_taken_is_named(installed: Path, package: str, said: str) -> None:
    found = output(
        installed,
        f"import {package}",
        "for attempt in range(2):",
        "    try:",
        f"        save({package}.Thing(), MemoryBlobs())",
        "    except LinealError as error:",
        "        print(type(error).__name__, error)",
    )
    assert found.count(said) == 2
    assert f"{package}_lineal" in found


STATEMENTS = ("import geo_lineal", "import own", "REGISTRY.for_type(__import__('geo').Raster)", "import pandas, pydoc")


def test_the_choice_does_not_depend_on_the_order_of_imports(installed: Path) -> None:
    """What is registered by decorator wins over what is offered, and over a base class's, whichever came first."""
    orders = [*itertools.permutations(STATEMENTS[:3])][::2]
    ask = "import geo; print(REGISTRY.for_type(geo.Fine).format, REGISTRY.for_type(geo.Raster).format)"
    found = {output(installed, *order, STATEMENTS[3], ask) for order in orders}
    assert found == {"own.raster/1 own.raster/1"}
    without = {output(installed, first, ask) for first in ("pass", STATEMENTS[0], STATEMENTS[2])}
    assert without == {"geo.raster/1 geo.raster/1"}
