"""Visualizing: what a value shows of itself, put beside it, within bounds of time and size, and never at its cost.

Materializers may be anybody's: what they raise is told and no more, and they draw in a thread of their own, which is
left behind when it takes too long.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..cas.blob import BlobWriter
from ..cas.digest import Digest
from ..cas.manifest import BlobPart, Manifest
from ..errors import Invalid
from ..stopping import guarded_starts, raise_in
from .base import Materializer, is_built_in
from .describing import said
from .registry import REGISTRY, Registry
from .saving import Saved
from .visualization import Visualization

LIMIT_S = 0.2
"""How long a value may draw when it is saved, in processor time of its thread."""
_WALL_PER_CPU = 10
"""So many times as long may pass by the clock: a busy machine, or a wait, takes no picture away."""
EACH_MAX_BYTES = 4 * 1024 * 1024
ALL_MAX_BYTES = 16 * 1024 * 1024
_ASKED_MAX_BYTES = 64 * 1024
_LIGHT = (
    "python.plain/",
    "numpy.",
    "pandas.",
    "polars.",
    "pyarrow.",
    "scipy.",
    "PIL.",
    "lineal.file/",
    "lineal.directory/",
)
"""Formats of values that are drawn when they are looked at, while they are small: what draws them is at hand."""
_COUNT_MAX = 32
_PROBLEM_MAX_CHARACTERS = 300
_NAME_MAX_CHARACTERS = 100
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*(; ?[a-z]+=[A-Za-z0-9_.-]+)*")
_SHOWS_ALL_MAX_CHARACTERS = 200
_SHOW_NOTHING = frozenset((type(None), bool, int, float, complex))
_NUMBERS = frozenset((int, float))
_FLAT = frozenset((*_SHOW_NOTHING, str, bytes))
_SEQUENCES = frozenset((list, tuple, set, frozenset))
_FLAT_MAX_ITEMS = 16


class KeptVisualization(NamedTuple):
    """One visualization whose bytes were put."""

    name: str
    media_type: str
    blob: Digest
    size_bytes: int


class Visualized(NamedTuple):
    """What a value showed of itself."""

    visualizations: tuple[KeptVisualization, ...]
    problems: tuple[str, ...]
    """What went wrong, so that some are missing."""

    def __bool__(self) -> bool:
        return bool(self.visualizations or self.problems)


def may_show(value: object, materializer: Materializer[Any]) -> bool:
    """Whether it is worth asking: scalars, short texts, and few of them in a list or by name,
    show all they have where they are named."""
    kind = type(value)
    if kind in _SHOW_NOTHING or type(materializer).visualize is Materializer.visualize:
        return False
    if kind is str or kind is bytes:
        return len(value) > _SHOWS_ALL_MAX_CHARACTERS  # type: ignore[arg-type]
    if kind in _SEQUENCES and len(value) <= _FLAT_MAX_ITEMS:  # type: ignore[arg-type]
        return not all(type(item) in _FLAT for item in value)  # type: ignore[attr-defined]
    return kind is not dict or _is_worth_it(value)  # type: ignore[arg-type]


def is_drawn_when_asked(manifest: Manifest) -> bool:
    """Whether a value is drawn when it is looked at, instead of kept drawn: one that is small, and of formats that
    load at once and run no code, is smaller than its pictures, and drawn in less time than they are kept in."""
    if not manifest.parts:
        return len(manifest.encoded) <= _ASKED_MAX_BYTES and manifest.format.startswith(_LIGHT)
    return manifest.size_bytes <= _ASKED_MAX_BYTES and _is_light(manifest)


def _is_light(manifest: Manifest) -> bool:
    """Whether it is of light formats, as far as can be told without reading anything else."""
    return manifest.format.startswith(_LIGHT) and all(
        isinstance(part, bytes | BlobPart) or (isinstance(part, Manifest) and _is_light(part))
        for _, part in manifest.parts
    )


def is_kept_drawn(value: object, saved: Saved) -> bool:
    """Whether what a value shows of itself is to be kept beside it."""
    return not is_drawn_when_asked(saved.manifest) and may_show(value, saved.materializer)


def _is_worth_it(value: dict[object, object]) -> bool:
    """Whether a dict is more than a few scalars by name; where those are measurements, they make a chart."""
    if len(value) > _FLAT_MAX_ITEMS:
        return True
    kinds = set(map(type, value.values()))
    return not kinds <= _FLAT or (float in kinds and kinds <= _NUMBERS)


def shower_of(value: object, format_id: str, registry: Registry = REGISTRY) -> Materializer[Any]:
    """What lets a value that was loaded show itself: the user's own that saved it, else what would save it now."""
    saved_by = registry.for_format(format_id)
    return registry.for_value(value) if is_built_in(saved_by) else saved_by


def visualize(
    value: object, materializer: Materializer[Any], blobs: BlobWriter, *, limit_s: float = LIMIT_S
) -> Visualized:
    """Put what a value shows of itself; the caller publishes. Nothing that the materializer does makes it raise.

    What was drawn within the limit is kept, be there more or not.

    Raises:
        OSError, StoreFull: The bytes can't be written.
    """
    drawn, problems = _drawn(value, materializer, limit_s)
    kept: dict[str, KeptVisualization] = {}
    left_bytes = ALL_MAX_BYTES
    for one in drawn:
        try:
            content = _checked(one, kept, left_bytes)
        except Exception as error:  # noqa: BLE001 — what it gave may be of a class of the user's own
            problems.append(str(error) if isinstance(error, Invalid) else said(error))
            continue
        left_bytes -= len(content)
        kept[one.name] = KeptVisualization(one.name, one.media_type, blobs.put(content), len(content))
    return Visualized(tuple(kept.values()), tuple(problem[:_PROBLEM_MAX_CHARACTERS] for problem in problems))


def _checked(one: Visualization, kept: Iterable[str], left_bytes: int) -> bytes:
    """Its bytes, if it can be kept."""
    if not isinstance(one, Visualization):
        raise Invalid(f"visualize gave a {type(one).__qualname__}, not a Visualization")
    name, media_type, content = one.name, one.media_type, one.content
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_MAX_CHARACTERS or not name.isprintable():
        raise Invalid(f"a visualization can't be called {str(name)[:_NAME_MAX_CHARACTERS]!r}")
    if name in kept:
        raise Invalid(f"two visualizations are called {name!r}")
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise Invalid(f"{name}: {str(media_type)[:_NAME_MAX_CHARACTERS]!r} is no media type")
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    if not isinstance(content, bytes):
        raise Invalid(f"{name}: its content is a {type(content).__qualname__}, neither bytes nor text")
    if len(content) > min(EACH_MAX_BYTES, left_bytes):
        limit, of = (EACH_MAX_BYTES, "one") if len(content) > EACH_MAX_BYTES else (ALL_MAX_BYTES, "all of a value")
        raise Invalid(f"{name}: it has {len(content):,} bytes, and {of} may have no more than {limit:,}")
    return content


def _drawn(value: object, materializer: Materializer[Any], limit_s: float) -> tuple[list[Visualization], list[str]]:
    drawing = _Drawing(value, materializer)
    drawing.start()
    is_over = drawing.wait(limit_s)
    drawn = list(drawing.drawn)
    if not is_over:
        return drawn, [f"drawing took more than {limit_s:g} s, and was stopped after {len(drawn)}"]
    error = drawing.error
    problems = [] if error is None else [said(error)]
    if len(drawn) > _COUNT_MAX:
        problems.append(f"there are more than {_COUNT_MAX}")
    return drawn[:_COUNT_MAX], problems


class _TooLong(BaseException):
    """Raised in a thread that draws for too long."""


class _Drawing(threading.Thread):
    """One value that draws itself."""

    def __init__(self, value: object, materializer: Materializer[Any]) -> None:
        super().__init__(name="lineal-visualize", daemon=True)
        self._call: Callable[[], Iterable[Visualization]] = partial(materializer.visualize, value)
        self._context = copy_context()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._is_stoppable = False
        self.drawn: list[Visualization] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with guarded_starts():
                self._context.run(self._stoppably)
        except BaseException as error:  # noqa: BLE001 — the materializer's own; whoever waits is told
            self.error = error
        self._over.set()

    def _stoppably(self) -> None:
        try:
            with self._lock:
                self._is_stoppable = True
            for one in self._call():
                self.drawn.append(one)
                if len(self.drawn) > _COUNT_MAX:
                    break
        finally:
            # One that was told to stop is stopped here at the latest: nothing is told once the lock is free again.
            with self._lock:
                self._is_stoppable = False

    def wait(self, limit_s: float) -> bool:
        """Whether it came to an end within the limit; else it is stopped, at its next step in Python."""
        until = time.monotonic() + limit_s * _WALL_PER_CPU
        left_s = limit_s
        while not self._over.wait(max(left_s, 0.001)):
            left_s = min(limit_s - _cpu_s(self.native_id), until - time.monotonic())
            if left_s <= 0:
                self._stop_drawing()
                return False
        return True

    def _stop_drawing(self) -> None:
        with self._lock:
            if self._is_stoppable and self.ident is not None:
                raise_in(self.ident, _TooLong, self._stop_drawing)


def _cpu_s(thread: int | None) -> float:
    """Processor time of a thread, as Linux has it (proc(5), schedstat); without end where that is not told."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_bytes().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return float("inf")
