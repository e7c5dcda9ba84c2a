"""Run every benchmark, each question beside its limit in the same run."""

from __future__ import annotations

import bench_array
import bench_start
import bench_steps
import bench_values
from measure import machine


def main() -> None:
    """Print all comparisons."""
    print(machine())
    for benchmark in (bench_steps, bench_values, bench_array, bench_start):
        benchmark.main()


if __name__ == "__main__":
    main()
