"""Stamps of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from lineal.cas.process import ProcessStamp


def test_this_process_is_alive_and_its_token_reads_back() -> None:
    here = ProcessStamp.current()
    assert here.is_alive()
    assert here.pid == os.getpid()
    assert ProcessStamp.from_token(here.token) == here


def test_another_start_of_the_same_pid_is_another_process() -> None:
    here = ProcessStamp.current()
    assert not replace(here, start_ticks=here.start_ticks + 1).is_alive()


def test_an_earlier_boot_is_dead_and_another_host_can_not_be_told() -> None:
    here = ProcessStamp.current()
    assert not replace(here, boot="another").is_alive()
    assert replace(here, host="another", boot="another").is_alive()


def test_an_ended_process_is_dead() -> None:
    script = "from lineal.cas.process import ProcessStamp; print(ProcessStamp.current().token)"
    ended = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    stamp = ProcessStamp.from_token(ended.stdout.strip())
    assert stamp is not None
    assert not stamp.is_alive()


def test_what_is_no_token_is_none() -> None:
    assert ProcessStamp.from_token("notes") is None
