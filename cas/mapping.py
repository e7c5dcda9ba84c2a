"""Private maps of files that keep no descriptor open, so that thousands of arrays can be mapped at once.

`mmap.mmap` keeps one a map before Python 3.13.
"""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def map_privately(fd: int, offset: int, size_bytes: int) -> memoryview:
    """Map a part of a file as writable memory, of which no write reaches the file.

    The file must be that long: touching a page beyond its end kills the process. The map lasts as long as the view
    or anything made of it, and outlives the file's name.
    """
    skipped = offset % mmap.ALLOCATIONGRANULARITY
    first, length = offset - skipped, size_bytes + skipped
    if sys.version_info >= (3, 13):
        return memoryview(mmap.mmap(fd, length, access=mmap.ACCESS_COPY, offset=first, trackfd=False))[skipped:]
    return _mapped(fd, first, length)[skipped:]


def _mapped(fd: int, offset: int, length: int) -> memoryview:
    import ctypes

    map_, unmap = _calls()
    address = map_(None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, fd, offset)
    if address == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    memory = (ctypes.c_char * length).from_address(address)
    weakref.finalize(memory, unmap, address, length).atexit = False
    return memoryview(memory).cast("B")


@lru_cache(maxsize=1)
def _calls() -> tuple[Callable[..., int], Callable[..., int]]:
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    map_, unmap = library.mmap, library.munmap
    map_.restype = ctypes.c_void_p
    map_.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    unmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return map_, unmap
