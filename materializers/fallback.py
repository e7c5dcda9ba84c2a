"""The fallback: cloudpickle, protocol 5, with what is large beside the stream, where it dedupes and can be mapped.

Large arrays and tables anywhere in the value are parts in formats of their own, ``value.0``, ``value.1``, …, as if
saved alone, so that a column or a tensor is a blob, and so are classes that only the main program or a function has;
the stream refers to them by number. What else is pickled out of band is ``buffer.0``, ``buffer.1``, …. Loading executes
what the stream says. Values that are made alike give equal bytes in every process, as far as their classes take them
apart alike; a `memoryview` comes back as `bytes`.
"""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

import cloudpickle

from ..cas.manifest import Plain
from ..errors import ManifestCorrupt, UnsavableValue, Unsupported
from . import opaque
from .base import PICKLE_FORMAT, Materializer, PartReader, PartWriter, type_name
from .canonical import PROTOCOL
from .paths import path_to_culprit
from .pickling import pickled, unpickled
from .visualization import Visualization

_WITHOUT_VERSION = frozenset({*sys.stdlib_module_names, "__main__", "__mp_main__", "builtins", "cloudpickle", "lineal"})


class VersionMismatchWarning(UserWarning):
    """A pickled value was loaded under other versions than it was saved under."""


class Pickle(Materializer[Any]):
    """Anything that can be pickled.

    The head names the versions of Python, cloudpickle and the packages that what is in the value comes from.
    """

    format: ClassVar[str] = PICKLE_FORMAT
    runs_code: ClassVar[bool] = True

    def save(self, value: Any, parts: PartWriter) -> Plain:
        try:
            made = pickled(value)
        except Exception as error:
            raise _unsavable(value, error) from error
        parts.names(made.code)
        parts.buffer("stream", made.stream.getbuffer())
        for index, buffer in enumerate(made.buffers):
            parts.buffer(f"buffer.{index}", buffer)
        for index, one in enumerate(made.apart):
            parts.value(f"value.{index}", one)
        versions = {package: _version(package) for package in sorted(made.packages - _WITHOUT_VERSION)}
        packages: dict[str, Plain] = {package: version for package, version in versions.items() if version is not None}
        return {"python": _python(), "cloudpickle": cloudpickle.__version__, "packages": packages}

    def load(self, head: Any, parts: PartReader) -> Any:
        if not isinstance(head, dict) or not isinstance(head.get("packages"), dict):
            raise ManifestCorrupt("the head of a pickled value does not name its versions", where=self.format)
        stream, names = io.BytesIO(parts.buffer("stream")), parts.names()
        buffers = [parts.buffer(name) for name in names if name.startswith("buffer.")]
        apart = [parts.value(name) for name in names if name.startswith("value.")]
        try:
            value = unpickled(stream, buffers, apart)
        except (pickle.UnpicklingError, EOFError) as error:
            raise ManifestCorrupt(f"a pickled value can't be read: {error}", where=self.format) from error
        except Exception as error:
            raise Unsupported(
                f"a pickled value can't be rebuilt here: {type(error).__name__}: {error}",
                hint=f"Load it under {_versions(head)}, with the code that saved it.",
            ) from error
        _warn_of_mismatches(head)
        return value

    def metadata(self, value: Any) -> dict[str, Plain]:
        return opaque.metadata(value)

    def visualize(self, value: Any) -> Iterable[Visualization]:
        return opaque.visualize(value)


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _version(package: str) -> str | None:
    """The version of a package that is imported; None where it has none."""
    module = sys.modules.get(package)
    version = getattr(module, "__version__", None)
    return version if module is None or isinstance(version, str) else _installed_version(package)


@cache
def _installed_version(package: str) -> str | None:
    """The version of an installed distribution; it takes a look through all that is installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of(package)
    except PackageNotFoundError:
        return None


def _versions(head: dict[str, Any]) -> str:
    packages = (f"{name} {version}" for name, version in head["packages"].items())
    return ", ".join([f"Python {head.get('python')}", *packages])


def _warn_of_mismatches(head: dict[str, Any]) -> None:
    # A package that the loading itself did not import is not looked for: nothing is imported by name.
    found = {name: (saved, _version(name)) for name, saved in head["packages"].items()}
    found["Python"] = (head.get("python"), _python())
    differing = [f"{name} {saved}, now {now}" for name, (saved, now) in found.items() if now not in (None, saved)]
    if differing:
        warnings.warn(f"a pickled value was saved under {'; '.join(differing)}", VersionMismatchWarning, stacklevel=2)


def _unsavable(value: object, error: Exception) -> UnsavableValue:
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return UnsavableValue(
            f"a {type_name(type(value))} can't be saved: it is nested too deep to be pickled",
            hint="Flatten it: keep the parts in one list and let them name each other by index.",
        )
    steps, culprit = path_to_culprit(value, lambda one: not _can_be_pickled(one))
    name = type_name(type(culprit))
    return UnsavableValue(
        f"a {name} can't be saved: {error}",
        hint=f"Save what it is made from instead, or register a materializer for {name}.",
        type=name,
        steps=steps,
    )


def _can_be_pickled(value: object) -> bool:
    try:
        cloudpickle.dumps(value, protocol=PROTOCOL, buffer_callback=lambda _: False)
    except Exception:  # noqa: BLE001  A reducer may raise anything.
        return False
    return True
