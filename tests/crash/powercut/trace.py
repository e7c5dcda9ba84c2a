"""What a process asks of the file system, as strace writes it down: recorded, and read back as calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

STRACE = shutil.which("strace")

_NAMES = (
    *("open", "openat", "openat2", "creat", "dup", "dup2", "dup3", "fcntl", "lseek"),
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "truncate", "ftruncate", "fallocate"),
    *("copy_file_range", "sendfile", "splice", "ioctl"),
    *("fsync", "fdatasync", "sync_file_range", "sync", "syncfs"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
    *("clone", "clone3", "fork", "vfork"),
)
_LONGEST_STRING_BYTES = 1 << 27
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()", re.ASCII)
_UNFINISHED = " <unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that has returned."""

    thread: int
    name: str
    arguments: tuple[str, ...]
    """As strace writes them: strings in hexadecimal, a file descriptor with its path."""
    result: int
    """Below zero where it failed."""
    began: int
    ended: int
    """Where in the trace; a call that began after another had ended came after it for certain."""


def record(command: Sequence[str], trace: Path, **options: object) -> None:
    """Run a command to its end, and write what it asked of the file system to a file."""
    assert STRACE is not None
    tracing = ["-f", "-y", "-xx", "--seccomp-bpf", "-s", str(_LONGEST_STRING_BYTES), "-e", f"trace={','.join(_NAMES)}"]
    tracing += ["-e", "signal=none", "-o", str(trace)]
    subprocess.run([STRACE, *tracing, "--", *command], check=True, **options)  # type: ignore[call-overload]


def calls(trace: Path) -> Iterator[Call]:
    """The calls of a trace, in the order in which they returned. Those that never did are left out."""
    begun: dict[int, tuple[int, str]] = {}
    with open(trace, encoding="ascii") as lines:
        for number, line in enumerate(lines):
            match = _LINE.match(line)
            if match is None:
                continue
            thread, name = int(match[1]), match[2]
            text = line[match.end() :].rstrip("\n")
            began = number
            if match[0].endswith("resumed>"):
                began, start = begun.pop(thread)
                text = start + text
            if text.endswith(_UNFINISHED):
                begun[thread] = (began, text.removesuffix(_UNFINISHED))
                continue
            inside, _, outcome = text.rpartition(" = ")
            arguments = tuple(inside.rstrip().removesuffix(")").split(", "))
            result = outcome.split("<")[0].split()[0]
            if result != "?":
                yield Call(thread, name, arguments, int(result, 0), began, number)


def decoded(argument: str) -> bytes:
    """The bytes of a string, or of all the strings in one argument."""
    if '"...' in argument:
        raise ValueError("strace has cut a string short")
    return bytes.fromhex("".join(argument.split('"')[1::2]).replace("\\x", ""))


def descriptor(argument: str) -> tuple[int, str]:
    """A file descriptor's number and path; the number is negative for the working directory."""
    number, _, path = argument.partition("<")
    path = path.rpartition(">")[0]
    text = os.fsdecode(bytes.fromhex(path.replace("\\x", ""))) if path.startswith("\\x") else path
    return (-1 if number == "AT_FDCWD" else int(number)), text
