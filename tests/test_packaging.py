"""What gets installed: the rooms and nothing else, under one name, from a checkout of any name, without the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tests", "benchmarks", "examples", "docs", "build", "dist", "__pycache__"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DIST_INFO = f"lineal-{PROJECT['project']['version']}.dist-info"
HEAVY = ("cloudpickle", "numpy", "pandas", "pyarrow", "rich", "sklearn")
LIGHT = [
    "lineal",
    "lineal.cas",
    "lineal.cli",
    "lineal.client",
    "lineal.errors",
    "lineal.events",
    "lineal.history",
    "lineal.store",
]


def rooms() -> Iterator[Path]:
    """The directories at the root that belong to the package."""
    for top in ROOT.iterdir():
        is_leftover = top.name.startswith(".") or top.suffix == ".egg-info"
        if top.is_dir() and not is_leftover and top.name not in OUTSIDE:
            yield top


def shipped_files() -> set[str]:
    """Every file of the package, by its path in the wheel."""
    tops = [*ROOT.glob("*.py"), ROOT / "py.typed"]
    inner = [path for room in rooms() for path in room.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"lineal/{path.relative_to(ROOT).as_posix()}" for path in [*tops, *inner]}


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command to success, with nothing of this process's environment that could lend it a package."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "LINEAL"))}
    done = subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_checkout(to: Path) -> Path:
    """Copy what a clone would hold, so that nothing is built inside the checkout itself."""
    leftovers = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")
    return Path(shutil.copytree(ROOT, to, ignore=leftovers))


def site_packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(environment)}))


def build(checkout: Path, hook: str) -> Path:
    """Build a distribution with the declared backend; ``hook`` is its PEP 517 or 660 function."""
    to = checkout.parent / hook
    to.mkdir()
    run(sys.executable, "-c", f"from setuptools.build_meta import *; {hook}({str(to)!r})", cwd=checkout)
    (built,) = to.iterdir()
    return built


def pip(verb: str, *arguments: str | Path, cwd: Path) -> None:
    options = ("--no-index", "--no-deps", "--quiet", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", verb, *options, *arguments, cwd=cwd)


def install(wheel: Path, environment: Path) -> Path:
    """Install into a fresh environment that sees this one's libraries, but not this one's Lineal. Gives its Python."""
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=wheel.parent)
    site = site_packages(environment)
    pip("install", "--root-user-action=ignore", "--target", site, wheel, cwd=wheel.parent)
    # A path line adds the libraries without obeying their .pth files, where this environment's own Lineal hides.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(copy_checkout(tmp_path_factory.mktemp("built") / "a checkout"), "build_wheel")


@pytest.fixture(scope="module")
def wheel_files(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    install(wheel, environment)
    return environment


def test_nothing_generic_lands_in_site_packages(wheel_files: list[str]) -> None:
    assert {name.split("/")[0] for name in wheel_files} == {"lineal", DIST_INFO}


def test_the_wheel_holds_exactly_the_rooms(wheel_files: list[str]) -> None:
    shipped = shipped_files()
    assert {"lineal/__init__.py", "lineal/py.typed", "lineal/cas/digest.py"} <= shipped
    assert {name for name in wheel_files if not name.startswith("lineal-")} == shipped


def test_the_source_distribution_builds_the_same_wheel(wheel_files: list[str], tmp_path: Path) -> None:
    source = build(copy_checkout(tmp_path / "a checkout"), "build_sdist")
    pip("wheel", "--no-build-isolation", "--wheel-dir", tmp_path, source, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert sorted(zipfile.ZipFile(wheel).namelist()) == sorted(wheel_files)


def test_every_package_is_listed() -> None:
    inits = [init.parent for room in rooms() for init in room.rglob("__init__.py")]
    packages = [".".join(("lineal", *package.relative_to(ROOT).parts)) for package in inits]
    assert PROJECT["tool"]["setuptools"]["packages"] == sorted(["lineal", *packages])


def test_every_directory_with_modules_is_a_package() -> None:
    directories = {module.parent for room in rooms() for module in room.rglob("*.py")}
    assert [str(path) for path in directories if not (path / "__init__.py").exists()] == []


def test_the_installed_record_names_nothing_outside_the_package(installed: Path) -> None:
    site = site_packages(installed)
    record = (site / DIST_INFO / "RECORD").read_text(encoding="utf-8")
    tops = {line.split(",")[0].split("/")[0] for line in record.splitlines()}
    assert tops - {"..", "bin"} == {"lineal", DIST_INFO}
    assert {path.name for path in site.iterdir()} - {"bin", "libraries.pth"} == {"lineal", DIST_INFO}


SPAWNING = """
import multiprocessing
import lineal.events
from lineal.cas.digest import digest_of

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(digest_of, (b"x",)) == digest_of(b"x"), lineal.__file__)
"""


def works_in(folders: list[Path], package: Path, python: Path, tmp_path: Path) -> None:
    """Check that what is imported is this package, also by another process, in these directories and elsewhere."""
    script = tmp_path / "scripts" / "spawning.py"
    script.parent.mkdir()
    script.write_text(SPAWNING, encoding="utf-8")
    for cwd in [script.parent, *folders]:
        works, where = run(python, script, cwd=cwd).split(" ", 1)
        assert works == "True"
        assert Path(where.strip()).is_relative_to(package)
        assert run(python, "-c", "import lineal.cas.digest as it; print(it.__name__)", cwd=cwd) == "lineal.cas.digest\n"


@pytest.mark.parametrize("name", ["lineal", "another name"])
def test_it_works_from_a_checkout_of_any_name(tmp_path: Path, name: str) -> None:
    checkout = copy_checkout(tmp_path / name)
    python = install(build(checkout, "build_editable"), tmp_path / "venv")
    works_in([checkout], checkout, python, tmp_path)


def test_what_is_installed_is_what_works_in_a_checkout_of_any_name(installed: Path, tmp_path: Path) -> None:
    folders = [copy_checkout(tmp_path / name) for name in ("lineal", "another name")]
    works_in(folders, installed, installed / "bin" / "python", tmp_path)


def test_the_console_command_is_installed(installed: Path) -> None:
    (script,) = installed.rglob("bin/lineal")
    assert "from lineal.cli import command" in script.read_text(encoding="utf-8")


@pytest.mark.parametrize("module", LIGHT)
def test_importing_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    loaded = run(sys.executable, "-c", f"import sys, {module}; print(*sys.modules)", cwd=tmp_path).split()
    assert set(HEAVY) & set(loaded) == set()


@pytest.mark.parametrize("module", LIGHT)
def test_importing_needs_nothing_heavy(module: str, tmp_path: Path) -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r})); import {module}; print({module}.__name__)"
    assert run(sys.executable, "-c", blocked, cwd=tmp_path) == f"{module}\n"


def requirements(table: list[str | dict[str, str]]) -> Iterator[Requirement]:
    for entry in table:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from requirements(PROJECT["dependency-groups"][entry["include-group"]])


def declared() -> list[Requirement]:
    extras = PROJECT["project"].get("optional-dependencies", {})
    tables = [PROJECT["project"]["dependencies"], *extras.values(), *PROJECT["dependency-groups"].values()]
    return [one for table in tables for one in requirements(table)]


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, flags=re.MULTILINE))


def test_the_lock_meets_every_declared_requirement() -> None:
    versions = locked()
    unmet = [str(one) for one in declared() if not one.specifier.contains(versions.get(one.name, "0"))]
    assert unmet == []


def test_the_lock_pins_every_package_by_hash_and_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.sub(r"\\\n\s+--hash", " --hash", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    pinned = re.compile(r"[a-z0-9-]+==\S+( ; [^\\-]+)?( +--hash=sha256:[0-9a-f]{64})+")
    assert len(entries) == len(locked()) > 20
    assert [entry for entry in entries if not pinned.fullmatch(entry)] == []
    assert re.findall(r"https?:|file:|--(?:find-links|(?:extra-)?index-url)|(?:^|\s)/\w+", text) == []
