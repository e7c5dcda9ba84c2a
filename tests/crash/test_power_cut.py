"""Power cuts: what they may leave of each workload is opened again, state by state, and no promise is broken.

The order of writes is taken from the system calls of a real process, and the disk promises no more than POSIX does.
"""

from __future__ import annotations

import pytest
from powercut.harness import judged, performed, recorded
from powercut.workloads import WORKLOADS

pytestmark = pytest.mark.usefixtures("_traceable")

SAMPLED_STATES = 50
EXHAUSTIVE_STATES = 4000
WEAKENED = [
    ("create", "folders_not_synced"),
    ("create", "format_not_synced"),
    ("create", "commits_not_synced"),
    ("save", "files_not_synced"),
    ("save", "shards_not_synced"),
    ("save", "commits_not_synced"),
    ("save", "last_page_not_synced"),
    ("save", "facts_before_bytes"),
    ("save", "acknowledged_before_commit"),
    ("save_medium", "packs_not_synced"),
    ("save_medium", "pack_names_not_synced"),
    ("save_successors", "packs_not_synced"),
    ("save_successors", "pack_names_not_synced"),
    ("save_streams", "files_not_synced"),
    ("save_directory", "packs_not_synced"),
    ("migrate", "kept_log_not_synced"),
    ("migrate", "swap_not_synced"),
    ("migrate", "migrated_copy_not_synced"),
    ("migrate", "swapped_after_format"),
    ("collect", "files_removed_with_their_rows"),
    ("compact", "files_removed_with_the_move"),
    ("compact", "pack_names_not_synced"),
    ("repair", "bad_files_renamed"),
    ("repair", "pack_names_not_synced"),
    ("collect", "last_page_not_synced"),
    ("collect", "acknowledged_before_commit"),
    ("dedupe", "found_files_trusted"),
    ("put_by_others", "names_by_others_trusted"),
    ("run", "files_not_synced"),
    ("run", "acknowledged_before_commit"),
    ("append", "commits_not_synced"),
    ("append", "acknowledged_before_commit"),
    ("append", "caught_up_before_the_rows"),
    ("rebuild_in_pieces", "replayed_in_place"),
    ("upgrade", "version_said_first"),
    ("import_bundle", "files_not_synced"),
    ("import_bundle", "facts_before_bytes"),
    ("import_bundle", "imported_in_pieces"),
]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_no_power_cut_breaks_a_promise(workload: str) -> None:
    with recorded(workload) as recording:
        outcome = judged(recording, states=SAMPLED_STATES)
    print(f"{workload}: {outcome.states} states")
    assert outcome.faults == []
    assert outcome.states > 30


@pytest.mark.torture
@pytest.mark.parametrize("workload", WORKLOADS)
def test_no_power_cut_of_very_many_breaks_a_promise(workload: str) -> None:
    with recorded(workload) as recording:
        outcome = judged(recording, states=EXHAUSTIVE_STATES)
    print(f"{workload}: {outcome.states} states")
    assert outcome.faults == []
    assert outcome.states > 100


@pytest.mark.parametrize(("workload", "weakness"), WEAKENED)
def test_a_weaker_protocol_can_still_be_had_and_does_its_work(workload: str, weakness: str) -> None:
    assert performed(workload, weakness) == 0


@pytest.mark.torture
@pytest.mark.parametrize(("workload", "weakness"), WEAKENED)
def test_a_weaker_protocol_is_found_out_by_this_very_check(workload: str, weakness: str) -> None:
    with recorded(workload, weakness) as recording:
        outcome = judged(recording, states=SAMPLED_STATES, until_fault=True)
    assert outcome.faults
