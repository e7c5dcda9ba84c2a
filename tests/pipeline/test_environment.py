"""The environment of a run."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version

import msgpack

from lineal.pipeline.environment import captured_environment


def test_python_platform_and_the_installed_packages_are_described() -> None:
    described = msgpack.unpackb(captured_environment())
    assert described["python"] == platform.python_version()
    assert described["packages"]["numpy"] == version("numpy")
    assert described["packages"]["blake3"] == version("blake3")
    assert list(described["packages"]) == sorted(described["packages"])


def test_equal_environments_are_equal_bytes_in_every_process() -> None:
    script = (
        "import sys; from lineal.pipeline.environment import captured_environment as c; sys.stdout.buffer.write(c())"
    )
    found = {subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, check=True).stdout for _ in "ab"}
    assert len(found) == 1
