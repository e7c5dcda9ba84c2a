"""Equal values are equal content in every process, whatever its hash seed and whatever was imported before."""

from __future__ import annotations

import os
import subprocess
import sys

import golden_values
import kinds

PROGRAM = """if True:
    import sys
    if sys.argv[1] == "1":
        import pandas, pyarrow.compute
    import collections, datetime, decimal, fractions, hashlib, pathlib, uuid, zoneinfo
    from lineal.cas import MemoryBlobs
    from lineal.materializers import save

    words = ["alpha", "beta", "gamma", b"delta", None, 1, 2.5, (1, "x"), frozenset({"p", "q", 3})]
    def content(value):
        return save(value, MemoryBlobs()).manifest.digest.hex()

    print(content(set(words)))
    print(content({"s": [set(words), {frozenset(words): [{"u", "v"}]}], "i": 2**90}))
    print(content([decimal.Decimal("1.5"), fractions.Fraction(1, 3), pathlib.Path("/x"), uuid.UUID(int=7),
                   datetime.datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")), {1j, 2j, 3j}]))

    import numpy as np
    structure = np.zeros(3, np.dtype([("a", "i1"), ("b", "g")], align=True))
    print(content([np.arange(5000.0).reshape(50, 100).T, structure, np.array([{"k", "l"}, None], object)]))

    import pandas as pd
    frame = pd.DataFrame({
        "i": range(4), "s": ["a", None, "b", "c"], "o": [{"m", "n", "o"}, 1, "x", None],
        "c": pd.Categorical(list("abca")), "z": pd.date_range("2020", periods=4, tz="UTC"),
        "I": pd.array([1, None, 3, 4], dtype="Int64"),
    }, index=pd.MultiIndex.from_product([["p", "q"], [1, 2]]))
    frame.attrs = {"set": {"x", "y", "z"}}
    print(content(frame))
    print(content({"frame": frame, "series": frame["s"], "set": {"x", "y"}}))

    import pyarrow as pa
    table = pa.table({"a": [1, None], "d": pa.array(["x", "y"]).dictionary_encode(), "b": [True, None]})
    print(content(table))

    import types
    import polars as pl
    if sys.argv[1] == "1":
        pl.Series(["q", "b"], dtype=pl.Categorical)
    print(content(pl.DataFrame({"t": ["a", None], "c": pl.Series(["a", "b"], dtype=pl.Categorical)})))
    large = pd.concat([frame] * 3000)[["i", "s", "c", "z"]]
    large.attrs = {}
    print(content(types.SimpleNamespace(frame=large, array=np.arange(9000)[::2], table=pl.DataFrame(large[["i"]]))))
    print(content({"u", "v", number} for number in range(600)))

    sys.path.insert(0, sys.argv[2])
    import golden_values
    for made in golden_values.REPRODUCED:
        print(content(made()))
    import kinds
    for kind in kinds.KINDS.values():
        print(hashlib.sha256("".join(content(kind.made(one)) for one in kinds.drawn(kind, 4)).encode()).hexdigest())
    class_set = {golden_values.Point(word) for word in words}
    print(content([class_set, golden_values.Item("x", [{"p", "q", "r"}]), collections.Counter(["a", "b"])]))
"""


def contents(hash_seed: str, imported_before: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-P", "-c", PROGRAM, imported_before, str(golden_values.HERE)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_four_processes_with_four_hash_seeds_make_the_same_contents() -> None:
    processes = [contents(seed, before) for seed, before in (("0", "0"), ("1", "1"), ("12345", "0"), ("random", "1"))]
    found = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(found[0])) == 11 + len(golden_values.REPRODUCED) + len(kinds.KINDS)
    assert found[1:] == [found[0]] * 3
