"""Artifact versions as the files that other programs read, written whole or not at all; no code of users runs."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Invalid, LoadRefused
from ..materializers.natural import FileForm, Writers, form_called, forms_of, suffix_of
from .visualizations import Visualizations

_DRAWN = {"image/png": FileForm.PNG, "image/svg+xml": FileForm.SVG, "text/html": FileForm.HTML}

_CALLED_ANYTHING = frozenset({FileForm.TEXT, FileForm.BYTES, FileForm.FILE, FileForm.DIRECTORY})


class Exportable(NamedTuple):
    """What is to be written."""

    reference: str
    """As in ``name@3``."""
    name: str
    """The artifact's."""
    file_name: str
    """That of the file or directory that was saved; empty for any other value."""
    load: Callable[[], Any]
    """Gives the value, and refuses to where that takes code."""
    visualizations: Visualizations


class Exported(NamedTuple):
    """What was written."""

    path: Path
    form: FileForm
    size_bytes: int
    """Of a directory: of the files in it."""


def export_version(
    version: Exportable, target: Path | None, form: FileForm | None, *, overwrite: bool = False
) -> Exported:
    """Write a version as a file or a directory.

    Args:
        version: What to write.
        target: Where; a directory that exists takes a file named for the artifact. By default such a file is written
            to the working directory.
        form: By default what the target's extension says, else the first that the value has.
        overwrite: Replace a file that is there; directories never are.

    Raises:
        Invalid: The value has no such form, or none that the target's extension means; or something is at the target.
        LoadRefused: Only code could load the value, and it shows nothing of itself in such a form.
    """
    if form is None and target is not None and not target.is_dir():
        form = form_called(target.suffix)
    writers = _writers(version, form)
    if form is None and target is not None and target.suffix and not target.is_dir():
        _check_takes_any_suffix(version, target, writers)
    if form is None or (form not in writers and FileForm.FILE in writers):
        form = next(iter(writers))
    if form not in writers:
        raise Invalid(
            f"{version.reference} has no {form} form",
            hint=f"There is {', '.join(writers)}: choose one with --as.",
            where=target,
        )
    place = _place(version, target, form)
    _write(place, writers[form], overwrite=overwrite)
    return Exported(place, form, _size_bytes(place))


def _check_takes_any_suffix(version: Exportable, target: Path, writers: Writers) -> None:
    """Refuse an extension that says what the file would not be; texts, bytes and files may be called anything."""
    if next(iter(writers)) not in _CALLED_ANYTHING:
        raise Invalid(
            f"{version.reference} has no {target.suffix} form",
            hint=f"There is {', '.join(writers)}: choose one with --as.",
            where=target,
        )


def _writers(version: Exportable, form: FileForm | None) -> Writers:
    """What writes the value, and what it shows of itself, by form."""
    shown: Writers = {}
    for one in version.visualizations:
        drawn = _DRAWN.get(one.media_type)
        if drawn is not None and drawn not in shown:
            shown[drawn] = partial(_put, one.read)
    try:
        return {**shown, **forms_of(version.load())} if form in shown else {**forms_of(version.load()), **shown}
    except LoadRefused:
        if not shown:
            raise
        return shown


def _put(read: Callable[[], bytes], path: Path) -> None:
    path.write_bytes(read())


def _place(version: Exportable, target: Path | None, form: FileForm) -> Path:
    """Where the file goes; a directory may be written into an empty one, as `restore` does."""
    if target is not None and (form is FileForm.DIRECTORY or not target.is_dir()):
        return target
    recorded = version.file_name
    name = recorded if form is FileForm.FILE and _is_a_name(recorded) else _file_name(version.name) + suffix_of(form)
    return (target or Path()) / name


def _is_a_name(text: str) -> bool:
    return text not in {"", ".", ".."} and text.isprintable() and "/" not in text and os.sep not in text


def _file_name(artifact: str) -> str:
    """An artifact's name as that of a file: no part of it leads elsewhere, and it is neither hidden nor hides."""
    name = "".join(one if one.isprintable() and one not in ("/", os.sep) else "-" for one in artifact)
    return name.lstrip(".") or "artifact"


def _write(place: Path, write: Callable[[Path], None], *, overwrite: bool) -> None:
    """Write beside the place under a name of its own, and give it its name last."""
    if place.is_symlink() or place.exists():
        if place.is_dir() and (any(place.iterdir()) or place.is_symlink()):
            raise Invalid("a directory is there already, and not empty", where=place, hint="Give another path.")
        if not place.is_dir() and not overwrite:
            raise Invalid("a file is there already", where=place, hint="Give another path, or --force.")
    scratch = place.with_name(f".lineal-{secrets.token_hex(8)}{place.suffix}")
    try:
        write(scratch)
        os.replace(scratch, place)
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(scratch) if scratch.is_dir() else scratch.unlink()


def _size_bytes(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(one.lstat().st_size for one in path.rglob("*") if not one.is_dir())
