"""Labels as they are read: now, as of any past moment, and in references."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import IN_MEMORY

import lineal
from lineal import Artifact, Client, pipeline, step
from lineal.errors import ArtifactNotFound, InvalidReference, LinealError
from lineal.history import History


@step
def train(rate: float) -> Annotated[dict, Artifact("model")]:
    return {"rate": rate}


@pipeline
def training(rate: float = 0.5) -> None:
    train(rate)


OF = {
    "model@1": "version",
    "model@2": "version",
    "training-1": "run",
    "training-1/train": "step",
    "training": "pipeline",
}
words, things = st.sampled_from(["a", "b", "c"]), st.sampled_from(sorted(OF))
operations = st.one_of(
    st.tuples(st.just("tag"), things, words),
    st.tuples(st.just("untag"), things, words),
    st.tuples(st.just("alias"), st.sampled_from(["model@1", "model@2"]), words),
    st.tuples(st.just("unalias"), st.just("model"), words),
    st.tuples(st.just("annotate"), things, words, st.integers(0, 3)),
    st.tuples(st.just("forget"), things, words),
)


class Expected:
    """What the labels are to be, kept in dicts."""

    def __init__(self) -> None:
        self.tags: dict[str, set[str]] = {thing: set() for thing in OF}
        self.aliases: dict[str, str] = {}
        self.annotations: dict[str, dict[str, int]] = {thing: {} for thing in OF}

    def apply(self, verb: str, of: str, word: str, value: int = 0) -> None:
        """Do an operation; one on what is not there does nothing."""
        match verb:
            case "tag":
                self.tags[of].add(word)
            case "untag":
                self.tags[of].discard(word)
            case "alias":
                self.aliases[word] = of
            case "unalias":
                self.aliases.pop(word, None)
            case "annotate":
                self.annotations[of][word] = value
            case "forget":
                self.annotations[of].pop(word, None)

    def state(self) -> dict[str, Any]:
        """All of it."""
        return {
            "tags": {thing: tuple(sorted(tags)) for thing, tags in self.tags.items()},
            "annotations": {thing: dict(sorted(found.items())) for thing, found in self.annotations.items()},
            "aliases": dict(sorted(self.aliases.items())),
            "tagged": {word: {thing for thing in OF if word in self.tags[thing]} for word in "abc"},
            "annotated": {
                word: {thing: found[word] for thing, found in self.annotations.items() if word in found}
                for word in "abc"
            },
        }


def called(view: Any) -> str:
    """A view as the references above have it."""
    return {"version": str, "step": lambda one: f"{one.run.name}/{one.name}"}.get(
        view.subject.kind, lambda one: one.name
    )(view)


def state(history: History) -> dict[str, Any]:
    """The labels as history has them."""
    things = {thing: history.find(thing) for thing in OF}
    versions = [version for thing, version in things.items() if OF[thing] == "version"]
    aliases = {alias: str(version) for alias, version in history.artifact("model@1").artifact.aliases.items()}
    assert aliases == {alias: str(version) for version in versions for alias in version.aliases}  # type: ignore[union-attr]
    assert aliases == {alias: str(history.artifact(f"model@{alias}")) for alias in aliases}
    return {
        "tags": {thing: view.tags for thing, view in things.items()},
        "annotations": {thing: view.annotations for thing, view in things.items()},
        "aliases": dict(sorted(aliases.items())),
        "tagged": {word: set(map(called, history.tagged(word))) for word in "abc"},
        "annotated": {word: {called(view): value for view, value in history.annotated(word)} for word in "abc"},
    }


def operate(client: Client, verb: str, of: str, word: str, value: int = 0) -> None:
    """Do an operation; one on what is not there is refused."""
    verbs: dict[str, Callable[[], None]] = {
        "tag": lambda: client.tag(of, word),
        "untag": lambda: client.untag(of, word),
        "alias": lambda: client.alias(of, word),
        "unalias": lambda: client.unalias(of, word),
        "annotate": lambda: client.annotate(of, {word: value}),
        "forget": lambda: client.annotate(of, remove=[word]),
    }
    try:
        verbs[verb]()
    except LinealError as refusal:
        assert type(refusal).__name__ == "LabelNotFound"  # noqa: PT017


@settings(deadline=None, max_examples=examples(15))
@given(st.lists(operations, max_size=20))
def test_labels_are_what_was_done_now_and_as_of_every_event(done: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory(dir=IN_MEMORY) as directory, lineal.open(Path(directory, "store")) as client:
        training()
        training(0.7)
        expected = Expected()
        states = {client.head.seq: expected.state()}
        for operation in done:
            operate(client, *operation)
            expected.apply(*operation)
            states[client.head.seq] = expected.state()
        assert state(client) == expected.state()
        for seq, then in states.items():
            assert state(client.as_of(seq)) == then


def test_an_alias_comes_before_a_tag_and_a_tag_means_the_newest_version_that_has_it(client: Client) -> None:
    for number in range(4):
        client.save(number, "n")
    client.tag("n@3", "good")
    client.tag("n@2", "good")
    assert str(client.artifact("n@good")) == "n@3"
    client.alias("n@1", "good")
    assert str(client.artifact("n@good")) == "n@1"
    assert client.load("n@good") == 0
    client.unalias("n", "good")
    assert str(client.artifact("n@good")) == "n@3"


def test_digits_and_hex_mean_versions_and_digests_whatever_is_tagged_so(client: Client) -> None:
    client.save(1, "n")
    client.save(2, "n")
    digits = str(client.artifact("n@2").content)[:6]
    client.tag("n@1", "2", digits, "latest")
    assert [str(client.artifact(f"n@{label}")) for label in ("2", digits, "latest")] == ["n@2"] * 3


def test_a_label_of_another_artifact_means_nothing(client: Client) -> None:
    client.save(1, "n")
    client.save(1, "m")
    client.alias("m", "best")
    client.tag("m", "good")
    for label in ("best", "good"):
        with pytest.raises(ArtifactNotFound, match="none has a label"):
            client.artifact(f"n@{label}")


def test_a_miss_names_labels_that_are_near(client: Client) -> None:
    client.save(1, "n")
    client.alias("n", "champion")
    client.tag("n", "candidate")
    for wrong, right in (("champoin", "champion"), ("candidat", "candidate")):
        with pytest.raises(ArtifactNotFound, match=f"Did you mean {right}?"):
            client.artifact(f"n@{wrong}")


def test_equal_content_under_two_names_has_two_sets_of_labels(client: Client) -> None:
    client.save("same", "n")
    client.save("same", "m")
    client.tag("n", "only-n")
    client.annotate("n", {"owner": "me"})
    assert client.artifact("m").tags == ()
    assert client.artifact("m").annotations == {}
    assert [str(view) for view in client.tagged("only-n")] == ["n@1"]


def test_annotations_lie_over_what_was_computed_which_stays_to_be_had(client: Client) -> None:
    version = client.save([1, 2, 3], "n")
    computed = version.metadata
    assert computed["length"] == 3
    client.annotate("n", {"length": "three", "owner": "me"})
    assert version.metadata == {**computed, "length": "three", "owner": "me"}
    assert version.computed_metadata == computed
    assert version.annotations == {"length": "three", "owner": "me"}


def test_tagged_is_told_by_kind_and_an_unknown_kind_is_refused(client: Client) -> None:
    training()
    for of in ("model", client.artifact("model").artifact, "training-1", "training", "training-1/train"):
        client.tag(of, "all")
    for kind in ("version", "artifact", "run", "pipeline", "step"):
        (view,) = client.tagged("all", kind)
        assert view.subject.kind == kind
    assert client.tagged("none") == []
    with pytest.raises(InvalidReference, match="no kind"):
        client.tagged("all", "thing")


def test_long_names_and_keys_stay_apart_and_whole(client: Client) -> None:
    long, longer = "k" * 199, "k" * 200
    client.save(1, longer)
    client.tag(longer, long, longer)
    client.alias(longer, longer)
    client.annotate(longer, {long: 1, longer: 2})
    client.log_metrics(longer, {long: 1.0, longer: 2.0})
    version = client.artifact(f"{longer}@{longer}")
    assert version.tags == (long, longer)
    assert version.annotations == {long: 1, longer: 2}
    assert {name: metric.value for name, metric in version.metrics.items()} == {long: 1.0, longer: 2.0}
