"""Whatever is deleted, released, collected and undone, what is there is what a list of it says, at every moment."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

import lineal
from lineal import Client
from lineal.history import History

values = st.integers(0, 2)
operations = st.one_of(
    st.tuples(st.just("save"), st.sampled_from(["a", "b"]), values),
    st.tuples(st.just("delete"), st.sampled_from(["a", "b"]), values),
    st.tuples(st.just("undo"), st.just(""), st.integers(0, 5)),
    st.tuples(st.just("release"), st.sampled_from(["a", "b"]), values),
    st.tuples(st.just("collect"), st.just(""), st.just(0)),
)


class Expected:
    """What is there, kept in a set and a list."""

    def __init__(self) -> None:
        self.known: set[tuple[str, int]] = set()
        self.there: set[tuple[str, int]] = set()
        self.released: set[int] = set()
        self.gone: set[int] = set()
        self.deletions: list[tuple[int, tuple[str, int]]] = []
        """Positions, with what was deleted, as long as the deletion stands."""

    def view(self) -> dict[str, list[int]]:
        return {name: sorted(value for one, value in self.there if one == name) for name in ("a", "b")}


def _apply(client: Client, expected: Expected, verb: str, name: str, number: int) -> None:
    version = (name, number)
    match verb:
        case "save":
            client.save([number], name)
            client.flush()
            expected.known.add(version)
            expected.there.add(version)
            expected.released.discard(number)
            expected.gone.discard(number)
            expected.deletions = [one for one in expected.deletions if one[1] != version]
        case "delete" if version in expected.there:
            done = client.delete(_version(client, name, number))
            expected.there.discard(version)
            is_last = not any(value == number for _, value in expected.there)
            assert bool(done.released) == is_last
            expected.released |= {number} if is_last else set()
            expected.deletions.append((done.seqs[0], version))
        case "undo" if expected.deletions:
            seq, back = expected.deletions.pop(number % len(expected.deletions))
            client.undo(seq)
            expected.there.add(back)
            if back[1] not in expected.gone:
                expected.released.discard(back[1])
        case "release" if version in expected.there:
            client.release(f"{name}@{_version(client, name, number).content}")
            expected.released.add(number)
        case "collect":
            client.collect(grace_s=0)
            expected.gone |= {value for _, value in expected.known if value in expected.released}


def _version(client: Client, name: str, number: int) -> Any:
    (found,) = [one for one in client.versions(name) if _value(one) == number]
    return found


def _value(version: Any) -> int:
    """What a version is of, whether its bytes are there or not."""
    return CONTENTS[version.content]


CONTENTS: dict[Any, int] = {}


def _seen(history: History) -> dict[str, list[int]]:
    found = {artifact.name: sorted(map(_value, artifact.versions)) for artifact in history.artifacts()}
    return {name: found.get(name, []) for name in ("a", "b")}


@settings(max_examples=examples(30))
@given(st.lists(operations, max_size=14))
def test_whatever_is_deleted_released_collected_and_undone_is_there_as_expected_now_and_at_every_moment(
    done: list[tuple[str, str, int]],
) -> None:
    with TemporaryDirectory(dir=IN_MEMORY) as folder, lineal.open(Path(folder) / "store") as client:
        with lineal.open(Path(folder) / "other") as other:
            for number in range(3):
                CONTENTS[other.save([number], "x").content] = number
        expected = Expected()
        moments: list[tuple[int, dict[str, list[int]]]] = []
        for verb, name, number in done:
            _apply(client, expected, verb, name, number)
            assert _seen(client) == expected.view()
            for artifact in client.artifacts():
                for version in artifact.versions:
                    assert version.is_available == (_value(version) not in expected.gone)
                    assert version.is_evicted == (_value(version) in expected.gone)
            moments.append((client.head.seq, expected.view()))
        client.rebuild()
        for seq, view in moments:
            assert _seen(client.as_of(seq)) == view
        assert client.verify().is_sound
