"""How far indexes that are kept behind may be, and that who limits it holds up nobody for long."""

from __future__ import annotations

from typing import Any

import pytest

from lineal.events import projector
from lineal.events.catalogue import RunCompleted
from lineal.events.ids import RunId
from lineal.events.projections import Lineage, References
from lineal.events.standing import META, decode_standing, encode_standing, standing_key

ENDED = RunCompleted(RunId(b"r" * 16))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three events at a time."""
    monkeypatch.setattr(projector, "_PIECE_EVENTS", 3)


def test_what_lacks_too_much_is_caught_up_a_piece_of_one_index_at_a_time(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lagging in (Lineage, References):
        monkeypatch.setattr(lagging, "lag_max", 1)
    ledger.append(*[ENDED] * 7)
    ledger.projector.catch_up("references")
    ledger.append(ENDED, ENDED)
    lags = []
    while ledger.projector.limit_lag(0, is_idle=True):
        lags.append((ledger.projector.lag("lineage"), ledger.projector.lag("references")))
    assert lags == [(6, 2), (3, 2), (0, 2), (0, 0)]


def test_while_others_are_busy_an_index_lacks_a_multiple_at_most_however_much_is_appended_at_once(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lineage, "lag_max", 1)
    ledger.append(*[ENDED] * 10)
    assert not ledger.projector.limit_lag(10, is_idle=False)
    ledger.append(*[ENDED] * 50)
    assert not ledger.projector.limit_lag(50, is_idle=False)
    assert 7 < ledger.projector.lag("lineage") <= 10


def test_what_another_version_keeps_behind_is_not_tried_again_and_again(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lineage, "lag_max", 1)
    ledger.append(*[ENDED] * 9)
    with ledger.environment.begin(write=True) as txn:
        meta, place = ledger.environment.databases[META], standing_key("lineage")
        standing = decode_standing(txn.get(place, db=meta))
        assert standing is not None
        txn.put(place, encode_standing(standing._replace(version=99)), db=meta)
    assert not ledger.projector.limit_lag(0, is_idle=True)
