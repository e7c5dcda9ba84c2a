"""The environment of a run: Python, the machine, installed packages, and variables that decide what programs do."""

from __future__ import annotations

import json
import os
import platform
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgpack

from .redaction import REDACTED, is_secret, redacted

MORE_VARIABLES = "LINEAL_CAPTURE_ENV"
"""The variable that names others to be captured, with commas between them."""

_VARIABLES = (
    *("CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONUTF8", "TZ"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS"),
    *("CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
    *("TF_DETERMINISTIC_OPS", "XLA_FLAGS", "JAX_PLATFORMS", "TOKENIZERS_PARALLELISM"),
)
_PATHS = frozenset({"VIRTUAL_ENV", "CONDA_DEFAULT_ENV"})
"""Variables of which only the last part counts: an environment is the same wherever it lies."""


def captured_environment() -> bytes:
    """A description in msgpack, equal bytes for equal environments.

    Variables are looked at each time, for about ten microseconds; the rest once a process, for the listing of each
    folder on the path.
    """
    return _packed(_variables())


@lru_cache(maxsize=8)
def _packed(variables: tuple[tuple[str, str], ...]) -> bytes:
    packed: bytes = msgpack.packb({**_machine(), "variables": dict(variables)}, unicode_errors="surrogateescape")
    return packed


def _variables() -> tuple[tuple[str, str], ...]:
    environ = os.environ
    more = environ.get(MORE_VARIABLES)
    names = _VARIABLES if more is None else sorted({*_VARIABLES, *filter(None, map(str.strip, more.split(",")))})
    return tuple([(name, _shown(name, environ[name])) for name in names if name in environ])


def _shown(name: str, value: str) -> str:
    if is_secret(name):
        return REDACTED
    return Path(value).name if name in _PATHS else redacted(value)


@lru_cache(maxsize=1)
def _machine() -> dict[str, Any]:
    packages, editable = _installed()
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join((*platform.python_build(), platform.python_compiler())),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "packages": dict(sorted(packages.items())),
        "editable": sorted(editable),
    }


def _cpu() -> str:
    """The processor's model, where the kernel says it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                label, _, value = line.partition(":")
                if label.strip() in ("model name", "Model", "cpu model"):
                    return value.strip()
    except OSError:
        pass
    return platform.processor()


def _installed() -> tuple[dict[str, str], set[str]]:
    """Name and version of each distribution, off the names of their metadata folders; and which are editable."""
    found: dict[str, str] = {}
    editable: set[str] = set()
    for folder in map(Path, sys.path):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, _, suffix = name.rpartition(".")
            if suffix == "dist-info":
                distribution, _, version = stem.rpartition("-")
                if distribution not in found:
                    found[distribution] = version
                    if _is_editable(folder / name):
                        editable.add(distribution)
    return found, editable


def _is_editable(metadata: Path) -> bool:
    """Whether a distribution is imported from a checkout, whose state its version does not tell; see PEP 610."""
    try:
        origin = json.loads((metadata / "direct_url.json").read_bytes())
        return bool(origin.get("dir_info", {}).get("editable"))
    except (OSError, ValueError, AttributeError):
        return False
