"""The workloads of `bench_peers` as tasks of redun."""

from __future__ import annotations

from redun import task

redun_namespace = "lineal_benchmarks"


@task()
def one(x: int) -> int:
    """As little as a task can do."""
    return x + 1


@task()
def gather(xs: list[int]) -> int:
    """What a fan-out ends in."""
    return sum(xs)


@task()
def fan_out(salt: int, width: int) -> int:
    """Tasks that do not depend on each other, and one that takes them all."""
    return gather([one(salt * width + number) for number in range(width)])


@task()
def chain(start: int, length: int) -> int:
    """Tasks that depend on each other."""
    value = start
    for _ in range(length):
        value = one(value)
    return value
