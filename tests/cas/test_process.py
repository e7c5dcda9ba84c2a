"""Stamps of processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lineal.cas.process import CLOCK_SKEW_US, ProcessStamp


def test_this_process_is_alive_and_its_token_reads_back() -> None:
    here = ProcessStamp.current()
    assert here.is_alive()
    assert here.pid == os.getpid()
    assert ProcessStamp.from_token(here.token) == here


def test_another_start_of_the_same_pid_is_another_process() -> None:
    here = ProcessStamp.current()
    assert not here.replaced(start_ticks=here.start_ticks + 1).is_alive()


def test_an_earlier_boot_is_dead_and_another_host_can_not_be_told() -> None:
    here = ProcessStamp.current()
    assert not here.replaced(boot="another").is_alive()
    assert here.replaced(host="another", boot="another").is_alive()


def test_on_its_own_host_the_process_itself_tells_whatever_its_lease_says() -> None:
    here = ProcessStamp.current()
    dead = here.replaced(start_ticks=here.start_ticks + 1)
    for lease in (None, 0, 2_000_000):
        assert here.is_taken_for_alive(lease, now_us=1_000_000)
        assert not dead.is_taken_for_alive(lease, now_us=1_000_000)
        assert not here.replaced(boot="another").is_taken_for_alive(lease, now_us=1_000_000)


def test_on_another_host_its_lease_tells_with_an_allowance_for_clocks() -> None:
    far = ProcessStamp.current().replaced(host="another", start_ticks=1)
    assert far.is_taken_for_alive(1_000_000, now_us=1_000_000 + CLOCK_SKEW_US - 1)
    assert not far.is_taken_for_alive(1_000_000, now_us=1_000_000 + CLOCK_SKEW_US)
    assert far.is_taken_for_alive(None, now_us=1 << 60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a namespace of pids")
def test_a_process_whose_pids_are_its_own_is_of_another_host() -> None:
    script = "from lineal.cas.process import ProcessStamp as P; print(P.current().host, P.current().boot, sep='|')"
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-P", "-c", script]
    host, boot = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("|")
    here = ProcessStamp.current()
    assert boot == here.boot
    assert host != here.host
    assert here.replaced(host=host, start_ticks=1).is_taken_for_alive(1, now_us=0)


def test_an_ended_process_is_dead() -> None:
    script = "from lineal.cas.process import ProcessStamp; print(ProcessStamp.current().token)"
    ended = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    stamp = ProcessStamp.from_token(ended.stdout.strip())
    assert stamp is not None
    assert not stamp.is_alive()


def test_what_is_no_token_is_none() -> None:
    assert ProcessStamp.from_token("notes") is None
