"""The environment of a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version

import msgpack
import pytest

from lineal.pipeline.surroundings.environment import captured_environment


def test_python_platform_and_the_installed_packages_are_described() -> None:
    described = msgpack.unpackb(captured_environment())
    assert described["python"] == platform.python_version()
    assert described["packages"]["numpy"] == version("numpy")
    assert described["packages"]["blake3"] == version("blake3")
    assert list(described["packages"]) == sorted(described["packages"])
    assert described["editable"] == ["lineal"]
    assert described["cpu_count"] == os.cpu_count()
    assert described["memory_bytes"] > 1 << 28
    assert described["build"].endswith(platform.python_compiler())


def test_variables_that_decide_what_programs_do_are_captured_and_secrets_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("VIRTUAL_ENV", "/home/me/.venvs/mine")
    monkeypatch.setenv("MINE", "redis://:hunter2@host/0")
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    monkeypatch.setenv("OTHER", "x")
    monkeypatch.delenv("TZ", raising=False)
    before = captured_environment()
    assert "MINE" not in msgpack.unpackb(before)["variables"]
    monkeypatch.setenv("LINEAL_CAPTURE_ENV", "MINE, MY_TOKEN,ABSENT,")
    variables = msgpack.unpackb(captured_environment())["variables"]
    assert variables["OMP_NUM_THREADS"] == "3"
    assert variables["VIRTUAL_ENV"] == "mine"
    assert (variables["MINE"], variables["MY_TOKEN"]) == ("redis://***@host/0", "***")
    assert not {"OTHER", "ABSENT", "TZ"} & variables.keys()
    monkeypatch.delenv("LINEAL_CAPTURE_ENV")
    assert captured_environment() == before


def test_equal_environments_are_equal_bytes_in_every_process() -> None:
    script = """
import sys
from lineal.pipeline.surroundings.environment import captured_environment
sys.stdout.buffer.write(captured_environment())
"""
    found = {subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, check=True).stdout for _ in "ab"}
    assert len(found) == 1
