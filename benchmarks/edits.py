"""What is edited from version to version: values of some size, and how many bytes really change each time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lineal

ROWS, COLUMNS, ARRAYS, ARRAYS_REPLACED = 1000, 10, 50, 2
LINES_INSERTED, LINE_BYTES = 200, 64
FILES, FILES_CHANGED, FOLDERS = 5000, 50, 50

Random = np.random.Generator


@dataclass(frozen=True)
class Edit:
    """A value and what happens to it in each version."""

    name: str
    first: Callable[[int, Random, Path], Any]
    """Makes the first version, of about so many bytes; where it is files, at this path."""
    change: Callable[[Any, Random], tuple[Any, int]]
    """Gives the next version, and how many of its bytes are new."""


def _array(size_bytes: int, random: Random, _: Path) -> Any:
    return random.random((size_bytes // 8 // COLUMNS, COLUMNS))


def _frame(size_bytes: int, random: Random, _: Path) -> Any:
    rows = size_bytes // 8 // COLUMNS
    return pd.DataFrame({f"column {number}": random.random(rows) for number in range(COLUMNS)})


def _arrays(size_bytes: int, random: Random, _: Path) -> Any:
    return {f"layer.{number}": random.random(size_bytes // 8 // ARRAYS) for number in range(ARRAYS)}


def _text(size_bytes: int, random: Random, _: Path) -> Any:
    return _lines(size_bytes // LINE_BYTES, random).decode("ascii")


def _lines(count: int, random: Random) -> bytes:
    """Lines of words, seven out of a thousand each, ended by a number."""
    words = random.integers(97, 123, (1000, 8), np.uint8)
    words[:, 7] = 32
    lines = np.empty((count, LINE_BYTES), np.uint8)
    lines[:, :56] = words[random.integers(0, len(words), (count, 7))].reshape(count, 56)
    lines[:, 56:63] = random.integers(48, 58, (count, 7), np.uint8)
    lines[:, 63] = 10
    return lines.tobytes()


def _text_file(size_bytes: int, random: Random, path: Path) -> Path:
    path.write_bytes(_lines(size_bytes // LINE_BYTES, random))
    return path


def _directory(size_bytes: int, random: Random, path: Path) -> Path:
    for number in range(FILES):
        file = path / f"{number % FOLDERS:02}" / f"{number:04}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(random.bytes(size_bytes // FILES))
    return path


def _append(array: Any, random: Random) -> tuple[Any, int]:
    new = random.random((len(array) // 100, COLUMNS))
    return np.concatenate([array, new]), new.nbytes


def _insert(array: Any, random: Random) -> tuple[Any, int]:
    middle, new = len(array) // 2, random.random((ROWS, COLUMNS))
    return np.concatenate([array[:middle], new, array[middle:]]), new.nbytes


def _delete(array: Any, random: Random) -> tuple[Any, int]:
    start = int(random.integers(0, len(array) - ROWS))
    return np.delete(array, slice(start, start + ROWS), axis=0), 0


def _insert_in_frame(frame: Any, random: Random) -> tuple[Any, int]:
    middle, new = len(frame) // 2, pd.DataFrame(random.random((ROWS, COLUMNS)), columns=frame.columns)
    return pd.concat([frame[:middle], new, frame[middle:]], ignore_index=True), ROWS * COLUMNS * 8


def _replace_column(frame: Any, random: Random) -> tuple[Any, int]:
    label = frame.columns[int(random.integers(0, COLUMNS))]
    return frame.assign(**{label: random.random(len(frame))}), len(frame) * 8


def _replace_arrays(arrays: Any, random: Random) -> tuple[Any, int]:
    names = random.choice(sorted(arrays), ARRAYS_REPLACED, replace=False)
    new = {str(name): random.random(len(arrays[name])) for name in names}
    return {**arrays, **new}, sum(one.nbytes for one in new.values())


def _insert_lines(text: Any, random: Random) -> tuple[Any, int]:
    new = _lines(LINES_INSERTED, random)
    cut: Callable[[int], Any] = lambda number: new[number * LINE_BYTES : (number + 1) * LINE_BYTES]  # noqa: E731
    end = b"\n"
    if isinstance(text, str):
        new, end = new.decode("ascii"), "\n"
    starts = sorted({text.find(end, at) + 1 for at in random.integers(0, len(text) - LINE_BYTES, LINES_INSERTED)})
    pieces = []
    for number, (start, stop) in enumerate(zip([0, *starts], [*starts, len(text)], strict=True)):
        pieces += [text[start:stop], cut(number) if stop < len(text) else end[:0]]
    return end[:0].join(pieces), len(starts) * LINE_BYTES


def _insert_lines_in_file(path: Path, random: Random) -> tuple[Path, int]:
    data, changed_bytes = _insert_lines(path.read_bytes(), random)
    path.write_bytes(data)
    return path, changed_bytes


def _change_files(path: Path, random: Random) -> tuple[Path, int]:
    changed_bytes = 0
    for number in random.choice(FILES, FILES_CHANGED, replace=False):
        file = path / f"{number % FOLDERS:02}" / f"{number:04}.bin"
        size_bytes = file.stat().st_size
        file.write_bytes(random.bytes(size_bytes))
        changed_bytes += size_bytes
    return path, changed_bytes


EDITS = (
    Edit("append 1 %", _array, _append),
    Edit("insert 1,000 rows in the middle", _array, _insert),
    Edit("insert 1,000 rows in a frame of ten columns", _frame, _insert_in_frame),
    Edit("replace one column of ten", _frame, _replace_column),
    Edit("replace 2 of 50 arrays", _arrays, _replace_arrays),
    Edit("delete 1,000 rows", _array, _delete),
    Edit("insert 200 lines in a text, at scattered places", _text, _insert_lines),
    Edit("insert 200 lines in a file of text, at scattered places", _text_file, _insert_lines_in_file),
    Edit("change 50 of 5,000 files in a directory", _directory, _change_files),
)


def as_saved(value: Any) -> Any:
    """What the store is given: files and directories as such, since a path is but a path. None if it can't."""
    if not isinstance(value, Path):
        return value
    kind = getattr(lineal, "Directory" if value.is_dir() else "File", None)
    return None if kind is None else kind(value)


def touch(value: Any) -> int:
    """Look at every byte of a value, however it is held."""
    if isinstance(value, np.ndarray):
        return int(value.reshape(-1).view(np.uint64).sum())
    if isinstance(value, pd.DataFrame):
        return sum(touch(value[label].to_numpy()) for label in value.columns)
    if isinstance(value, dict | list):
        return sum(touch(one) for one in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, str | bytes):
        return value.count("\n" if isinstance(value, str) else b"\n")
    if hasattr(value, "open"):
        with value.open() as stream:
            return sum(iter(lambda: len(stream.read(1 << 20)), 0))
    return sum(touch(value[path]) for path in value)


def write_plainly(value: Any, path: Path, *, durable: bool) -> None:
    """Write a value the plainest way there is: the arrays one after the other, texts and files as they are."""
    if isinstance(value, Path) and value.is_dir():
        shutil.copytree(value, path)
        if durable:
            # All at once: file by file it takes many times as long.
            os.sync()
        return
    with path.open("wb") as stream:
        if isinstance(value, str):
            stream.write(value.encode("ascii"))
        elif isinstance(value, Path):
            with value.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        else:
            for array in _arrays_of(value):
                np.save(stream, array)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())


def read_plainly(value: Any, path: Path) -> Any:
    """Read what `write_plainly` wrote of a value like this one; an array is mapped."""
    if isinstance(value, np.ndarray):
        return np.load(path, mmap_mode="r")
    if isinstance(value, str):
        return path.read_text(encoding="ascii")
    if isinstance(value, Path):
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [file.read_bytes() for file in files if file.is_file()]
    with path.open("rb") as stream:
        return [np.load(stream) for _ in _arrays_of(value)]


def _arrays_of(value: Any) -> list[Any]:
    if isinstance(value, pd.DataFrame):
        return [value[label].to_numpy() for label in value.columns]
    return list(value.values()) if isinstance(value, dict) else [value]
