"""The workloads of `bench_peers` as nodes of Hamilton."""

from __future__ import annotations

from types import ModuleType

from hamilton import ad_hoc_utils
from hamilton.function_modifiers import inject, parameterize, source, value
from hamilton.function_modifiers.dependencies import group

WIDE, CHAIN = 200, 5


@parameterize(**{f"node_{number}": {"number": value(number)} for number in range(WIDE)})
def node(salt: int, number: int) -> int:
    """One of the nodes that do not depend on each other."""
    return salt * WIDE + number + 1


@inject(nodes=group(*[source(f"node_{number}") for number in range(WIDE)]))
def gathered(nodes: list[int]) -> int:
    """Their sum."""
    return sum(nodes)


@parameterize(**{f"value_{number + 1}": {"before": source(f"value_{number}")} for number in range(CHAIN)})
def link(before: int) -> int:
    """One of the nodes that depend on each other."""
    return before + 1


def wide() -> ModuleType:
    """The fan-out."""
    return ad_hoc_utils.create_temporary_module(node, gathered, module_name="wide_nodes")


def chained() -> ModuleType:
    """The chain."""
    return ad_hoc_utils.create_temporary_module(link, module_name="chained_nodes")
