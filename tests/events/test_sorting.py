"""The sorter: whatever is gathered comes out whole and in order, from memory or from runs on the disk."""

from __future__ import annotations

from io import BytesIO
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.events import sorting
from lineal.events.sorting import Sorter

rows = st.dictionaries(st.binary(min_size=1, max_size=3), st.binary(max_size=2), max_size=20)


@given(gathered=st.lists(rows, max_size=6), run_rows=st.integers(1, 30), block_rows=st.integers(1, 4))
def test_rows_come_out_whole_and_in_order_however_they_were_spilled(
    gathered: list[dict[bytes, bytes]], run_rows: int, block_rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "_RUN_ROWS", run_rows)
        patch.setattr(sorting, "_BLOCK_ROWS", block_rows)
        sorter = Sorter(BytesIO)
        expected: dict[str, dict[bytes, bytes]] = {"one": {}, "two": {}}
        for number, some in enumerate(gathered):
            for database, known in expected.items():
                fresh = {bytes([number]) + key + database.encode(): value for key, value in some.items()}
                fresh = {key[::-1]: value for key, value in fresh.items()}
                sorter.gathered(database).update(fresh)
                known.update(fresh)
            sorter.limit()
        for database, known in expected.items():
            found = [(key, values[key]) for keys, values in sorter.merged(database) for key in keys]
            assert found == sorted(known.items())
            assert [keys for keys, _ in sorter.merged(database) if keys] == []
        sorter.close()


def test_what_fits_into_memory_makes_no_file() -> None:
    def refuse() -> IO[bytes]:
        raise AssertionError("a file was made")

    sorter = Sorter(refuse)
    sorter.gathered("one")[b"b"] = b"2"
    sorter.gathered("one")[b"a"] = b"1"
    sorter.limit()
    assert [keys for keys, _ in sorter.merged("one")] == [[b"a", b"b"]]
    sorter.close()
