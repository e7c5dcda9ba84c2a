"""The recorded code of a run: the source files of its pipeline and its steps, as they were, in a folder of their own.

Whatever can't be restored is known before anything is imported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...cas.digest import Digest
from ...errors import CodeMissing, Corrupt
from ...history import Reader, RunView
from ...history.sources import SourceFile, Sources, sources_of
from ..surroundings.script import MAIN


class Restored(NamedTuple):
    """What was written."""

    main: tuple[Path, ...]
    """The texts of the main program: a script, or the cells of a notebook; empty where no code is of it."""
    package: str
    """Of the main program, where it was a module of one that was run; else empty."""
    bound_in: Mapping[str, Path]
    """By name of the main program, the text that binds it, of several that do."""


class _Code(NamedTuple):
    """One function's code in a run."""

    title: str
    code: Digest
    function: str


def restore(reader: Reader, run: RunView, folder: Path) -> Restored:
    """Write all source files of a run's code into an empty folder, from which their modules can be imported.

    Where the steps of a run know different texts of a module, that which the pipeline's own code knows is taken, since
    all of it was captured at once; each symbol that counts is the same in all of them.

    Raises:
        CodeMissing: A file was not recorded; the error says which, and why.
    """
    missing: list[str] = []
    files: dict[Path, SourceFile] = {}
    bound_in: dict[str, Path] = {}
    for code in _codes(run):
        sources = sources_of(reader, code.code, code.function)
        if sources is None:
            missing.append(f"of {code.title} no source was recorded")
            continue
        for file in _chosen(sources):
            if file.left_out is not None or (file.path is None and file.module != MAIN):
                missing.append(f"the file of module {file.module} was left out: {file.left_out or 'it had none'}")
                continue
            path = _path_of(file, folder)
            if path not in files:
                files[path] = file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sources.read(file) or b"")
        for name, file in _bindings(sources):
            bound_in.setdefault(name, _path_of(file, folder))
    if missing:
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise CodeMissing(
            f"the code that {run.name} ran can't be restored: {missing[0]}{more}",
            hint=f"Run it with the code of today: `lineal rerun {run.name} --code current`.",
        )
    main = tuple(path for path, file in files.items() if file.module == MAIN)
    folders = [files[path].path or "" for path in main]
    package = ".".join(PurePosixPath(folders[0]).parts[:-1]) if folders else ""
    return Restored(main, package, bound_in)


def _codes(run: RunView) -> Iterator[_Code]:
    """The pipeline's code, then that of the steps, those that began last first."""
    beginning = run.beginning
    if beginning.function is not None and beginning.code is not None:
        yield _Code(f"pipeline {run.pipeline.name}", beginning.code, beginning.function)
    for step in reversed([*run.steps.values()]):
        if step.code is not None:
            yield _Code(f"step {step.name}", step.code, step.function)


def _chosen(sources: Sources) -> Iterator[SourceFile]:
    """One text of each file: of several, that which has most of the code."""
    counts = Counter(place.file for place in sources.places)
    chosen: dict[tuple[str, str | Digest | None], tuple[int, SourceFile]] = {}
    for number, file in enumerate(sources.files):
        place = file.module, file.path or file.digest
        if place not in chosen or counts[number] > chosen[place][0]:
            chosen[place] = counts[number], file
    return (file for _, file in chosen.values())


def _path_of(file: SourceFile, folder: Path) -> Path:
    path = PurePosixPath(file.path or f".cells/{file.digest}.py")
    if path.is_absolute() or ".." in path.parts:
        raise Corrupt("a recorded source file is named so that it would be written elsewhere", where=path)
    return folder / path


def _bindings(sources: Sources) -> Iterator[tuple[str, SourceFile]]:
    """The names of the main program, and the texts that bind them."""
    for place in sources.places:
        _, module, name = f"{place.symbol}::".split(":")[:3]
        if module == MAIN and name.isidentifier():
            yield name, sources.files[place.file]
