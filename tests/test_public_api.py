"""The public face of the package."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import pytest

import lineal


def test_every_public_name_is_there_and_documented() -> None:
    for name in lineal.__all__:
        assert getattr(lineal, name).__doc__, name
    assert set(lineal.__all__) <= set(dir(lineal))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = lineal.nothing_like_it


IMPORTS = ["from lineal import pipeline", "import lineal.pipeline.running.runner", "from lineal.pipeline import step"]


@pytest.mark.parametrize("order", list(permutations(IMPORTS)))
def test_pipeline_is_the_decorator_in_whatever_order_things_are_imported(order: tuple[str, ...]) -> None:
    script = "\n".join(
        [
            *order,
            "import lineal",
            "assert lineal.pipeline.__name__ == 'pipeline' and callable(lineal.pipeline), lineal.pipeline",
            "from lineal import pipeline",
            "assert pipeline is lineal.pipeline",
            "from lineal.pipeline.graph.graph import Graph",
        ]
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
