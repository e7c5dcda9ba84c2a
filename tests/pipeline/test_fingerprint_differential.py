"""Random edits of random projects: whatever the cache serves is what an execution gives.

Each project has the ways of depending on code that fingerprint_atoms.toml lists, in several modules and imported in
several ways. It is edited at random, imported afresh and run with the cache; then the step is executed without.
"""

from __future__ import annotations

import ast
import importlib
import random
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lineal

ATOMS = tomllib.loads((Path(__file__).parent / "fingerprint_atoms.toml").read_text(encoding="utf-8"))["atom"]
MODULES = 3
STYLES = (
    "from m{m} import {name} as {name}",
    "import m{m}",
    "    import m{m} as late{m}",
    "    from m{m} import {name}",
    "from m{m} import *",
)


@dataclass
class Atom:
    """One way to depend on code, with its numbers."""

    number: int
    form: dict[str, str]
    module: int
    style: int
    numbers: dict[str, Any]
    remark: int = 0

    @property
    def code(self) -> str:
        remark = f"# Remark {self.remark}.\n" * self.remark
        return remark + self.form["code"].format(n=self.number, **self.numbers)

    @property
    def value(self) -> str:
        return self.form["value"].format(n=self.number, **self.numbers)


@dataclass
class Project:
    """A step over some atoms."""

    random: random.Random
    atoms: list[Atom] = field(default_factory=list)
    unevaluated: set[int] = field(default_factory=set)
    """The modules in which annotations are texts."""

    def grow(self, count: int) -> None:
        for number, form in enumerate(self.random.sample(ATOMS, count)):
            numbers = {"a": self.random.randrange(5), "b": self.random.randrange(5), "s": self.random.choice("+-*")}
            self.atoms.append(
                Atom(number, form, self.random.randrange(MODULES), self.random.randrange(len(STYLES)), numbers)
            )

    @property
    def is_exact(self) -> bool:
        """Whether nothing counts a module as a whole, in which the order of definitions tells."""
        return not any("globals()" in atom.code for atom in self.atoms)

    def edit(self) -> bool:
        """Change one thing; say whether it may mean something."""
        atom = self.random.choice(self.atoms)
        if self.random.random() < 0.05:
            self.unevaluated ^= {self.random.randrange(MODULES)}
            return True
        if self.random.random() < 0.3:
            if self.random.random() < 0.5:
                atom.remark += 1
            else:
                self.random.shuffle(self.atoms)
            return False
        name = self.random.choice("abs")
        atom.numbers[name] = self.random.choice("+-*") if name == "s" else self.random.randrange(5)
        return True

    def write(self, directory: Path) -> None:
        directory.mkdir()
        for module in range(MODULES):
            parts = ["from __future__ import annotations"] if module in self.unevaluated else []
            parts += [atom.code for atom in self.atoms if atom.module == module]
            (directory / f"m{module}.py").write_text("\n\n\n".join(parts) + "\n", encoding="utf-8")
        outside, inside, values = set(), set(), []
        for atom in sorted(self.atoms, key=lambda atom: atom.number):
            value = atom.value
            for name in self._names(atom):
                line = STYLES[atom.style].format(m=atom.module, name=name)
                (inside if line.startswith(" ") else outside).add(line)
                if "import m" in line:
                    prefix = f"late{atom.module}" if "late" in line else f"m{atom.module}"
                    value = value.replace(name, f"{prefix}.{name}")
            values.append(value)
        lines = [
            *sorted(outside),
            "from lineal import pipeline, step",
            "@step",
            "def compute():",
            *sorted(inside),
            f"    return [{', '.join(values)}]",
            "@pipeline",
            "def computing():",
            "    compute()",
        ]
        (directory / "flow.py").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _names(self, atom: Atom) -> list[str]:
        """The module's names that the value reads."""
        names = {node.id for node in ast.walk(ast.parse(atom.value)) if isinstance(node, ast.Name)}
        return sorted(name for name in names if name.endswith(str(atom.number)) and not name[0].isdigit())


@dataclass
class Count:
    """What came of the edits."""

    examples: int = 0
    hits: int = 0
    false_hits: list[str] = field(default_factory=list)
    cosmetic: int = 0
    false_misses: int = 0


def try_edits(seed: int, edits: int, directory: Path, count: Count) -> None:
    """Edit one project again and again, and hold each hit against an execution."""
    project = Project(random.Random(seed))
    project.grow(8)
    means_something = True
    for number in range(edits):
        place = directory / f"{seed}-{number}"
        project.write(place)
        with imported(place) as flow:
            step = flow.computing().steps["compute"]
            executed = flow.compute()
        served = step.outputs["output"].load()
        count.examples += 1
        count.hits += step.is_cached
        if step.is_cached and repr(served) != repr(executed):
            count.false_hits.append(f"{place}: {served} is not {executed}")
        if not means_something and project.is_exact:
            count.cosmetic += 1
            count.false_misses += not step.is_cached
        means_something = project.edit()


class imported:
    """The module flow of a directory, imported afresh."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> Any:
        sys.path.insert(0, str(self._directory))
        importlib.invalidate_caches()
        return importlib.import_module("flow")

    def __exit__(self, *_: object) -> None:
        sys.path.remove(str(self._directory))
        for name in ("flow", *(f"m{module}" for module in range(MODULES))):
            sys.modules.pop(name, None)


@pytest.fixture
def _without_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.usefixtures("_without_bytecode", "client")
def test_what_the_cache_serves_after_random_edits_is_what_an_execution_gives(tmp_path: Path) -> None:
    count = Count()
    for seed in range(6):
        try_edits(seed, 10, tmp_path, count)
    assert not count.false_hits
    assert count.hits > 10
    assert count.false_misses == 0


@pytest.mark.torture
@pytest.mark.usefixtures("_without_bytecode")
def test_no_hit_of_thousands_is_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = Count()
    with lineal.open(tmp_path / "store"):
        for seed in range(1000, 1150):
            try_edits(seed, 15, tmp_path, count)
    with capsys.disabled():
        print(
            f"\n{count.examples} edits: {count.hits} hits, {len(count.false_hits)} false; "
            f"of {count.cosmetic} that mean nothing, {count.false_misses} missed"
        )
    assert not count.false_hits
