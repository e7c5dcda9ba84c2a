"""How fast is the chain verified, and how long do heads and proofs take in a long log?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3
from measure import MIB, Timing, extra_memory_bytes, in_turns, report, seconds

from lineal.cas import Changes, Environment, digest_of
from lineal.events.catalogue import ArtifactSaved, Output
from lineal.events.codec import encode
from lineal.events.hash_tree import HashTree
from lineal.events.ids import EventId, StoreId
from lineal.events.kept_roots import HASH_TREE
from lineal.events.log import EVENTS, Log, LogWriter

LOG_EVENTS, COMMIT_EVENTS = 300_000, 50_000
TURNS = 5
VERIFIED_PER_S, HEAD_S = 500_000, 0.003


@contextmanager
def _filled() -> Iterator[Environment]:
    """An environment with a long log of saves, of about 200 bytes each."""
    output = Output("a", "a", digest_of(b""), "python.plain/1", "builtins.dict", 100, {"length": 4, "keys": ["x" * 50]})
    body = encode(ArtifactSaved(output), event_id=EventId.new(), time_us=1 << 50, origin=StoreId.new())
    with tempfile.TemporaryDirectory() as folder:
        environment = Environment(Path(folder), (EVENTS, HASH_TREE), map_size_bytes=8 << 30, read_only=False)
        for _ in range(LOG_EVENTS // COMMIT_EVENTS):
            with environment.begin(write=True) as txn:
                changes = Changes(environment, txn)
                log = LogWriter(changes)
                for _ in range(COMMIT_EVENTS):
                    log.append(body)
                changes.flush()
        yield environment
        environment.close()


def _hash_all(size_bytes: int) -> None:
    """What the chain takes where nothing has to be read."""
    data = bytes(size_bytes)
    for _ in range(LOG_EVENTS):
        blake3(data).digest()


def _per_s(timing: Timing) -> str:
    return f"{LOG_EVENTS / timing.median_s:,.0f}/s"


def main() -> None:
    """Print the comparisons."""
    with _filled() as environment:
        log = Log(environment)
        kept, unkept = (HashTree(environment, log, keeps=keeps) for keeps in (True, False))
        first_s = seconds(lambda: kept.head(LOG_EVENTS))
        extra_bytes = extra_memory_bytes(log.verify)
        head, old = kept.head(LOG_EVENTS), kept.head(LOG_EVENTS // 3)
        (middle, size_bytes) = (LOG_EVENTS // 2, 32 + len(log.body(1)))
        whole: dict[str, Callable[[], float]] = {
            "BLAKE3 of as many bytes": lambda: seconds(lambda: _hash_all(size_bytes)),
            "chain verified": lambda: seconds(log.verify),
            "tree compared with what is kept": lambda: seconds(lambda: kept.fault(LOG_EVENTS)),
        }
        timings = in_turns(whole, TURNS)
        notes = {name: _per_s(timing) for name, timing in timings.items()}
        notes["chain verified"] += f", budget {VERIFIED_PER_S:,}/s; {extra_bytes / MIB:.0f} MiB more memory"
        report(f"A log of {LOG_EVENTS:,} events of {size_bytes} bytes", timings, notes)
        single: dict[str, Callable[[], float]] = {
            "head": lambda: seconds(lambda: unkept.head(LOG_EVENTS)),
            "head in the middle of a block": lambda: seconds(lambda: unkept.head(LOG_EVENTS - 1)),
            "proof of inclusion": lambda: seconds(lambda: unkept.inclusion(middle, head)),
            "proof of extension": lambda: seconds(lambda: unkept.extension(old, head)),
            "head verified against": lambda: seconds(lambda: unkept.leads_to(old)),
        }
        report(
            f"Heads and proofs in it; the first head took {first_s * 1e6 / LOG_EVENTS:.2f} µs an event",
            in_turns(single, 20),
            dict.fromkeys(single, f"budget {HEAD_S * 1e3:.0f} ms"),
        )


if __name__ == "__main__":
    main()
