"""Leaves: the pages that the log's events lie in, read as LMDB has laid them out, many at once.

To ask a cursor for each event takes longer than what a table does with it. The transaction says where the tree begins,
and keeps what is under there as it is; the pages are copied, so that it may end. What a page says of itself is checked
before it is followed. Format: LMDB's data format 1 (``mdb.c``: MDB_meta, MDB_db, MDB_page, MDB_node).
"""

from __future__ import annotations

import mmap
import sys
from struct import Struct
from typing import NamedTuple

import numpy as np

from ..errors import LogCorrupt, Unsupported
from ..events.log import CHAIN_BYTES, EVENTS, Database
from .cuts import Positions, unaligned
from .heads import NIL
from .packed import PADDING_BYTES, Cells

_META = Struct("<16xII")
_MAGIC_AND_VERSION = (0xBEEFC0DE, 1)
_TREE = Struct("<IHHQQQQQ")
_KIND_AT, _LENGTH_AT = 10, 12
_PAGE_HEAD_BYTES, _NODE_HEAD_BYTES, _KEY_BYTES = 16, 8, 8
_BRANCH, _LEAF = 1, 2
"""What a page is."""
_ELSEWHERE = 1
"""Flag of a node whose value has pages of its own."""
_BRANCHES = 16
"""So many pages of each level above the leaves are looked through at once."""
_LEAVES_BYTES = 8 * 1024 * 1024
_VALUES_BYTES = 32 * 1024 * 1024
"""What the events take at once that have pages of their own."""


class Run(NamedTuple):
    """Events one behind the other."""

    seqs: Positions
    cells: Cells
    """From their envelopes on."""


class Leaves:
    """The leaves of a log."""

    def __init__(self, database: Database) -> None:
        """Read them in short transactions."""
        self._database = database
        self._file = np.empty(0, np.uint8)
        self._data = np.empty(0, np.uint8)
        self._page_bytes = 0

    def after(self, seq: int) -> Run:
        """Some events after this one, from the next on. What was read before is not to be looked at any more."""
        with self._database.begin() as txn:
            self._page_bytes = txn.stat(self._database.databases[EVENTS])["psize"]
            self._see_all()
            _, _, levels, _, _, _, _, root = _TREE.unpack(txn.get(EVENTS.encode()) or bytes(_TREE.size))
            pages = np.array([root] if levels else [], np.int64)
            for level in range(1, levels):
                most = _LEAVES_BYTES // self._page_bytes if level == levels - 1 else _BRANCHES
                pages = self._children(pages, seq + 1)[:most]
            return self._events(pages, seq)

    def _see_all(self) -> None:
        """Have all of the file in sight that the transaction may name."""
        with open(self._database.data_file, "rb", buffering=0) as file:
            if file.seek(0, 2) <= len(self._file):
                return
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self._file = np.frombuffer(mapped, np.uint8)
        if _META.unpack_from(mapped) != _MAGIC_AND_VERSION or sys.byteorder != "little":
            raise Unsupported(
                "the log's database is of a format that tables can't be read from",
                where=self._database.data_file,
                hint="Copy the store with a version that can read it.",
            )

    def _children(self, pages: Positions, seq: int) -> Positions:
        """The pages that pages lead to, from that on which has an event; it is under the first of them."""
        nodes, in_first = self._nodes(pages, _BRANCH)
        keys = self._numbers(">u8", nodes[1:in_first] + _NODE_HEAD_BYTES)  # The first node of a page has none.
        nodes = nodes[np.searchsorted(keys, seq, side="right") :]
        return self._numbers("<u4", nodes) | self._numbers("<u2", nodes + 4) << 32

    def _events(self, pages: Positions, after: int) -> Run:
        nodes, _ = self._nodes(pages, _LEAF)
        seqs = self._numbers(">u8", nodes + _NODE_HEAD_BYTES)
        nodes, seqs = nodes[seqs > after], seqs[seqs > after]
        sizes = self._numbers("<u4", nodes)
        starts = nodes + (_NODE_HEAD_BYTES + _KEY_BYTES)
        is_elsewhere = (self._numbers("<u2", nodes + 4) & _ELSEWHERE).astype(np.bool_)
        end = len(pages) * self._page_bytes
        if is_elsewhere.any():
            count = int(np.searchsorted(np.cumsum(np.where(is_elsewhere, sizes, 0)), _VALUES_BYTES)) + 1
            seqs, starts, sizes, is_elsewhere = seqs[:count], starts[:count], sizes[:count], is_elsewhere[:count]
            end = self._bring(starts, sizes, is_elsewhere.nonzero()[0], end)
        ends = starts + sizes
        if (ends > end).any():
            raise self._damaged()
        self._data[end : end + PADDING_BYTES] = NIL
        return Run(seqs, Cells(self._data[: end + PADDING_BYTES], starts + CHAIN_BYTES, ends=ends))

    def _bring(self, starts: Positions, sizes: Positions, places: Positions, end: int) -> int:
        """Copy values that have pages of their own behind the leaves, and say where they are; tell where they end."""
        froms = self._numbers("<u8", starts[places]) * self._page_bytes + _PAGE_HEAD_BYTES
        ends = end + np.cumsum(sizes[places])
        if (froms + sizes[places] > len(self._file)).any() or (froms < 0).any():
            raise self._damaged()
        self._make_room(int(ends[-1]), end)
        starts[places] = ends - sizes[places]
        for start, found, size in zip(starts[places].tolist(), froms.tolist(), sizes[places].tolist(), strict=True):
            self._data[start : start + size] = self._file[found : found + size]
        return int(ends[-1])

    def _nodes(self, pages: Positions, kind: int) -> tuple[Positions, int]:
        """Copy pages of a kind; where in the copy each of their nodes begins, in order; how many the first page has."""
        page_bytes = self._page_bytes
        file = self._file[: len(self._file) // page_bytes * page_bytes].reshape(-1, page_bytes)
        end = len(pages) * page_bytes
        self._make_room(end, 0)
        # In the place of a page that is not in the file there is one of another number then.
        file.take(pages, axis=0, out=self._data[:end].reshape(-1, page_bytes), mode="clip")
        starts = np.arange(0, end, page_bytes)
        counts = (self._numbers("<u2", starts + _LENGTH_AT) - _PAGE_HEAD_BYTES) >> 1
        is_right = (self._numbers("<u8", starts) == pages) & (self._numbers("<u2", starts + _KIND_AT) == kind)
        if not (is_right & (counts > 0) & (_PAGE_HEAD_BYTES + 2 * counts < page_bytes)).all():
            raise self._damaged()
        numbers = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places = self._numbers("<u2", np.repeat(starts + _PAGE_HEAD_BYTES, counts) + 2 * numbers)
        if (places > page_bytes - _NODE_HEAD_BYTES).any():
            raise self._damaged()
        return np.repeat(starts, counts) + places, int(counts[:1].sum())

    def _make_room(self, size_bytes: int, kept_bytes: int) -> None:
        if len(self._data) < size_bytes + PADDING_BYTES:
            before, self._data = self._data, np.empty(size_bytes + PADDING_BYTES, np.uint8)
            self._data[:kept_bytes] = before[:kept_bytes]

    def _numbers(self, kind: str, at: Positions) -> Positions:
        return unaligned(self._data, kind)[at].astype(np.int64)

    def _damaged(self) -> LogCorrupt:
        return LogCorrupt(
            "a page of the log's database is not what it should be",
            where=self._database.data_file,
            hint="Run `lineal verify`.",
        )
