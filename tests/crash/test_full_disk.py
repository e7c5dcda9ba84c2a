"""A disk that is really full: a small file system of its own, filled to the brim."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mounting import can_mount

FILLING = """
    import os, sys
    import lineal, numpy as np
    from lineal.errors import StoreFull

    root = sys.argv[1]
    store = lineal.open(root + "/store")
    store.save(np.arange(100_000), "kept")
    store.flush()
    with open(root + "/ballast", "wb") as ballast:
        ballast.write(bytes(8_000_000))
    saved, full = [], 0
    for number in range(400):
        value = np.random.default_rng(number).integers(0, 1 << 60, 40_000 if number % 3 else 150_000)
        try:
            store.save([value, number], f"n{number}")
            store.flush()
            saved.append(number)
        except StoreFull as error:
            assert error.details["needed_bytes"] > 0, error
            full += 1
            if full == 5:
                os.unlink(root + "/ballast")
            if full == 10:
                break
    assert full == 10, full
    assert os.listdir(root + "/store/tmp") == []
    store.close()
    with lineal.open(root + "/store", read_only=True) as store:
        assert store.verify().damages == ()
        assert np.array_equal(store.load("kept"), np.arange(100_000))
        assert [store.load(f"n{number}")[1] for number in saved] == saved
    print("saved", len(saved))
"""


@pytest.mark.torture
@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own, and so root")
@pytest.mark.parametrize("file_system", ["tmpfs", "ext4"])
def test_a_disk_that_is_really_full_takes_what_fits_and_goes_on_once_there_is_room(
    tmp_path: Path, file_system: str
) -> None:
    script = tmp_path / "filling.py"
    script.write_text(textwrap.dedent(FILLING), encoding="utf-8")
    mount = "mount -t tmpfs -o size=24m none disk"
    if file_system == "ext4":
        mount = "truncate -s 32M image && mkfs.ext4 -q image && mount -o loop image disk"
    shell = f"mkdir disk && {mount} && {sys.executable} -P filling.py disk; code=$?; umount disk; exit $code"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 5
