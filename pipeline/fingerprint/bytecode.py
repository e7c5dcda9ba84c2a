"""Compiled code: compared with its source, and digested itself where there is no source.

Bytecode differs between Python versions, so it identifies a definition only where nothing better is to be had.
"""

from __future__ import annotations

import dis
import re
import sys
from types import CodeType

from ...cas.digest import Digest, digest_of
from .framing import (
    frame_all,
    frame_bytes,
    frame_constant,
    frame_int,
    frame_str,
)
from .reads import Read

_COMPREHENSION = re.compile(r"<(?:listcomp|setcomp|dictcomp|genexpr)>(?:\.<locals>)?\.")
# Varargs, keywords, generator, coroutine, iterable coroutine, async generator: what changes a call.
_MEANINGFUL_FLAGS = 0x4 | 0x8 | 0x20 | 0x80 | 0x100 | 0x200
_CHAIN_STARTS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"})
_CHAIN_LINKS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def stable_qualname(qualname: str) -> str:
    """The qualified name without comprehension frames, which Python 3.12 did away with."""
    return _COMPREHENSION.sub("", qualname) if "<" in qualname else qualname


def code_digest(code: CodeType) -> Digest:
    """What the code does, on this Python version; names of files, lines and the function itself left out."""
    version = "{}.{}".format(*sys.version_info)
    return digest_of(frame_str("lineal.bytecode/1") + frame_str(version) + _framed(code))


def reads_of_code(code: CodeType) -> tuple[Read, ...]:
    """Global and free names with the attributes taken from them, nested code included."""
    found: set[Read] = set()
    _collect_reads(code, found)
    return tuple(sorted(found, key=lambda read: read.path))


def _framed(code: CodeType) -> bytes:
    names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    return frame_all(
        b"O",
        [
            frame_bytes(code.co_code),
            frame_bytes(code.co_exceptiontable),
            frame_int(code.co_argcount),
            frame_int(code.co_posonlyargcount),
            frame_int(code.co_kwonlyargcount),
            frame_int(code.co_flags & _MEANINGFUL_FLAGS),
            *(frame_all(b"t", [frame_str(name) for name in group]) for group in names),
            frame_all(b"t", [_constant(constant) for constant in code.co_consts]),
        ],
    )


def _constant(value: object) -> bytes:
    match value:
        case tuple():
            return frame_all(b"t", [_constant(item) for item in value])
        case frozenset():
            return frame_all(b"Z", sorted(_constant(item) for item in value))
        case slice():
            return frame_all(b"w", [_constant(part) for part in (value.start, value.stop, value.step)])
        case CodeType():
            return _framed(value)
        case _:
            return frame_constant(value)


def _collect_reads(code: CodeType, found: set[Read]) -> None:
    chain: list[str] = []
    instructions = list(dis.get_instructions(code))
    for place, instruction in enumerate(instructions):
        if instruction.opname in _CHAIN_LINKS and chain:
            chain.append(str(instruction.argval))
            continue
        if chain:
            found.add(Read(tuple(chain)))
            chain = []
        if instruction.opname in _CHAIN_STARTS:
            chain = [str(instruction.argval)]
        elif instruction.opname == "IMPORT_NAME":
            level = instructions[place - 2].argval  # below it lie the level, and the names that are wanted
            found.add(Read((), str(instruction.argval), level if isinstance(level, int) else 0))
    if chain:
        found.add(Read(tuple(chain)))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _collect_reads(constant, found)
