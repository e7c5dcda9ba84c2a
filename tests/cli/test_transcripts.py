"""What each verb prints, whole: ``make transcripts`` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import transcripts

from lineal.cli.parser import VERBS


@pytest.mark.parametrize("verb", transcripts.COMMANDS)
def test_a_verb_prints_what_its_transcript_says(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LINEAL_STORE", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    assert transcripts.transcript(verb, tmp_path) == transcripts.kept(verb).read_text(encoding="utf-8")


def test_every_verb_has_a_transcript_and_every_transcript_a_verb() -> None:
    assert set(transcripts.COMMANDS) == set(VERBS)
    assert {path.stem for path in transcripts.FOLDER.iterdir()} == set(transcripts.COMMANDS)
