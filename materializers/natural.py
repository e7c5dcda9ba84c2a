"""Values as the files that other programs read: tables, arrays, images, documents, files and directories.

A value is what decides which forms it has; nothing of a library is imported unless the value is of it.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..errors import Invalid
from .files import Directory, File
from .forms import Record, contents_of


class FileForm(StrEnum):
    """How a value can be written."""

    CSV = "csv"
    """Comma-separated, with a header where columns have names."""
    PARQUET = "parquet"
    NPY = "npy"
    PNG = "png"
    SVG = "svg"
    HTML = "html"
    JPEG = "jpeg"
    JSON = "json"
    TEXT = "txt"
    """UTF-8, as it is."""
    BYTES = "bin"
    FILE = "file"
    """The file that was saved."""
    DIRECTORY = "directory"


Writers = dict[FileForm, Callable[[Path], None]]
"""By form, what writes the file; the most natural form comes first."""

_OTHER_SUFFIXES = {".jpg": FileForm.JPEG, ".pq": FileForm.PARQUET, ".text": FileForm.TEXT}
_SUFFIXES = {**{f".{form}": form for form in FileForm}, **_OTHER_SUFFIXES}
_NO_SUFFIX = frozenset({FileForm.FILE, FileForm.DIRECTORY})


def form_called(suffix: str) -> FileForm | None:
    """The form that an extension such as ``.csv`` means; None if it means none."""
    form = _SUFFIXES.get(suffix.lower())
    return None if form in _NO_SUFFIX else form


def suffix_of(form: FileForm) -> str:
    """The extension of a form, empty where it has none."""
    return "" if form in _NO_SUFFIX else f".{form}"


def forms_of(value: Any) -> Writers:
    """How a value can be written, at a path where nothing is."""
    if isinstance(value, File):
        return {FileForm.FILE: value.restore}
    if isinstance(value, Directory):
        return {FileForm.DIRECTORY: value.restore}
    if isinstance(value, str):
        return {FileForm.TEXT: lambda path: _put(path, value), FileForm.JSON: lambda path: _write_json(path, value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {FileForm.BYTES: lambda path: _put(path, value)}
    library = type(value).__module__.partition(".")[0]
    found = _OF_LIBRARY.get(library, _plain)(value)
    return found or _plain(value)


def _of_pandas(value: Any) -> Writers:
    if not hasattr(value, "to_csv"):
        return {}
    table = value.to_frame() if value.ndim == 1 else value
    is_numbered = type(table.index).__name__ == "RangeIndex"
    return {
        FileForm.PARQUET: lambda path: table.rename(columns=str).to_parquet(path),
        FileForm.CSV: lambda path: table.to_csv(path, index=not is_numbered),
        FileForm.JSON: lambda path: table.to_json(path, orient="records", date_format="iso"),
    }


def _of_polars(value: Any) -> Writers:
    if not hasattr(value, "to_frame") and not hasattr(value, "write_parquet"):
        return {}
    table = value.to_frame() if hasattr(value, "to_frame") else value
    return {FileForm.PARQUET: table.write_parquet, FileForm.CSV: table.write_csv, FileForm.JSON: table.write_json}


def _of_pyarrow(value: Any) -> Writers:
    import pyarrow

    if isinstance(value, pyarrow.RecordBatch):
        value = pyarrow.Table.from_batches([value])
    if not isinstance(value, pyarrow.Table):
        return {}
    return {
        FileForm.PARQUET: lambda path: _write_parquet(path, value),
        FileForm.CSV: lambda path: _write_arrow_csv(path, value),
        FileForm.JSON: lambda path: _write_json(path, value.to_pylist()),
    }


def _write_parquet(path: Path, table: Any) -> None:
    from pyarrow import parquet

    parquet.write_table(table, path)


def _write_arrow_csv(path: Path, table: Any) -> None:
    from pyarrow import csv as arrow_csv

    arrow_csv.write_csv(table, path)


def _of_numpy(value: Any) -> Writers:
    import numpy as np

    if not isinstance(value, np.ndarray):
        return {}
    forms: Writers = {FileForm.NPY: lambda path: np.save(path, value, allow_pickle=False)}
    if value.ndim in (1, 2) and value.dtype.names is None:
        forms[FileForm.CSV] = lambda path: _write_rows(path, value.reshape(len(value), -1).tolist())
    forms[FileForm.JSON] = lambda path: _write_json(path, value.tolist())
    if value.dtype == np.uint8 and (value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (3, 4))):
        forms[FileForm.PNG] = lambda path: _write_pixels(path, value)
    return forms


def _write_pixels(path: Path, pixels: Any) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG")


def _of_pillow(value: Any) -> Writers:
    if not hasattr(value, "save"):
        return {}
    return {
        FileForm.PNG: lambda path: value.save(path, format="PNG"),
        FileForm.JPEG: lambda path: value.convert("RGB").save(path, format="JPEG"),
    }


def _plain(value: Any) -> Writers:
    forms: Writers = {FileForm.JSON: lambda path: _write_json(path, value)}
    if isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
        columns = list(dict.fromkeys(name for row in value for name in row))
        forms[FileForm.CSV] = lambda path: _write_rows(
            path, [columns, *([row.get(one) for one in columns] for row in value)]
        )
    elif isinstance(value, list | tuple) and value and all(isinstance(row, list | tuple) for row in value):
        forms[FileForm.CSV] = lambda path: _write_rows(path, value)
    return forms


_OF_LIBRARY: dict[str, Callable[[Any], Writers]] = {
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_pyarrow,
    "numpy": _of_numpy,
    "PIL": _of_pillow,
}


def _put(path: Path, content: str | bytes | bytearray | memoryview) -> None:
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


def _write_rows(path: Path, rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _write_json(path: Path, value: Any) -> None:
    try:
        text = json.dumps(value, default=_as_json, allow_nan=False, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(
            f"the value has no JSON form: {error}", hint="Choose another form with --as, or load it in Python."
        ) from error
    _put(path, f"{text}\n")


def _as_json(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Record):
        return dict(contents_of(value)[1])
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__qualname__} is no JSON type")
