"""Run every benchmark, each question beside its limit in the same run."""

from __future__ import annotations

import bench_array
import bench_asking
import bench_blobs
import bench_bundles
import bench_containers
import bench_events
import bench_fanout
import bench_fingerprint
import bench_frame
import bench_growth
import bench_history
import bench_lineage
import bench_peers
import bench_proof
import bench_start
import bench_steps
import bench_streams
import bench_sweep
import bench_tables
import bench_values
import bench_versions
from measure import machine

BENCHMARKS = (
    bench_steps,
    bench_peers,
    bench_sweep,
    bench_fingerprint,
    bench_events,
    bench_growth,
    bench_values,
    bench_containers,
    bench_array,
    bench_fanout,
    bench_frame,
    bench_streams,
    bench_tables,
    bench_blobs,
    bench_bundles,
    bench_versions,
    bench_history,
    bench_lineage,
    bench_asking,
    bench_proof,
    bench_start,
)


def main() -> None:
    """Print all comparisons."""
    print(machine())
    for benchmark in BENCHMARKS:
        benchmark.main()


if __name__ == "__main__":
    main()
