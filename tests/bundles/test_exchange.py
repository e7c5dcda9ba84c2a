"""A bundle is a part of a store: opened where it is, or taken by another store, it says what its store says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import ended_well, forked
from trained import training

import lineal
from lineal import Client
from lineal.cas import BlobFiles
from lineal.errors import (
    ArtifactEvicted,
    ArtifactNotFound,
    Conflict,
    Invalid,
    InvalidReference,
    LoadRefused,
    NotFound,
    StoreClosed,
    UnsavableValue,
)
from lineal.store import Store


def told(store: Client) -> Any:
    """What a store tells of what it holds."""
    return {
        "runs": [(str(run.id), run.name, run.status, sorted(run.steps)) for run in store.runs()],
        "versions": {
            str(version): (str(version.content), version.tags, version.aliases, version.annotations)
            for artifact in store.artifacts()
            for version in artifact.versions
        },
        "lineage": {
            str(version): sorted((node.name, str(node.key.content)) for node in version.lineage().nodes.values())
            for artifact in store.artifacts()
            for version in artifact.versions
        },
        "logs": {f"{run.name}/{name}": one.log for run in store.runs() for name, one in run.steps.items()},
        "parameters": {run.name: run.parameters for run in store.runs()},
    }


def test_a_bundle_of_everything_tells_in_place_and_imported_what_its_store_tells(
    source: Client, target: Client, tmp_path: Path
) -> None:
    written = source.export_bundle(tmp_path / "all.bundle")
    expected = told(source)
    with lineal.open(tmp_path / "all.bundle") as bundle:
        assert told(bundle) == expected
        assert bundle.path == tmp_path / "all.bundle"
        assert bundle.verify().is_sound
    arrived = target.import_bundle(tmp_path / "all.bundle")
    assert (arrived.events, arrived.blobs, arrived.is_new) == (written.events - 1, written.blobs, True)
    assert told(target) == expected
    assert target.verify().is_sound


def test_a_version_comes_with_what_explains_it_and_nothing_else(source: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "model.bundle", "model@2")
    with lineal.open(tmp_path / "model.bundle") as bundle:
        versions = [str(version) for artifact in bundle.artifacts() for version in artifact.versions]
        assert versions == ["data@1", "model@2"]
        model = bundle.artifact("model@champion")
        assert (model.load(), model.tags, model.annotations) == (
            source.artifact("model@2").load(),
            ("good",),
            {"by": "hand"},
        )
        assert [(run.name, list(run.steps)) for run in bundle.runs()] == [
            ("training-2", ["train"]),
            ("training-1", ["load"]),
        ]
        assert np.array_equal(bundle.load("data"), source.load("data"))
        assert model.producer is not None
        assert model.producer.why().to_dict()


@pytest.mark.parametrize("names", [("training-3",), ("training-3/train", "note"), ("training",), ("CONTENT",)])
def test_what_is_named_is_there(source: Client, tmp_path: Path, names: tuple[str, ...]) -> None:
    content = str(source.artifact("wrapped@3").content)
    source.export_bundle(tmp_path / "some.bundle", *(content if name == "CONTENT" else name for name in names))
    with lineal.open(tmp_path / "some.bundle") as bundle:
        for name in names:
            wanted = "wrapped@3" if name == "CONTENT" else name
            assert str(bundle.find(wanted)) == str(source.find(wanted))


def test_the_same_things_at_the_same_head_give_the_same_bytes(source: Client, tmp_path: Path) -> None:
    places = [tmp_path / f"{number}.bundle" for number in range(3)]
    source.export_bundle(places[0], "model@2", "training-1")
    source.export_bundle(places[1], source.run("training-1"), source.artifact("model@champion"))
    with lineal.open(source.path, read_only=True) as again:
        again.export_bundle(places[2], "training-1", "model@2", "model@2")
    first = places[0].read_bytes()
    assert [place.read_bytes() == first for place in places] == [True, True, True]


def test_a_second_import_changes_nothing(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "all.bundle")
    first = target.import_bundle(tmp_path / "all.bundle")
    head, usage = target.head, target.usage()
    second = target.import_bundle(tmp_path / "all.bundle")
    assert (second.events, second.blobs, second.known, second.is_new) == (0, 0, first.events, False)
    assert (target.head, target.usage()) == (head, usage)
    assert source.import_bundle(tmp_path / "all.bundle").is_new is False


def test_a_part_and_then_the_whole_are_the_whole(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "part.bundle", "model@2")
    source.export_bundle(tmp_path / "all.bundle")
    target.import_bundle(tmp_path / "part.bundle")
    target.import_bundle(tmp_path / "all.bundle")
    expected = told(source)
    found = told(target)
    assert {run[0] for run in found["runs"]} == {run[0] for run in expected["runs"]}
    assert {one[0] for one in found["versions"].values()} == {one[0] for one in expected["versions"].values()}
    assert found["logs"].values() != {}
    assert target.verify().is_sound


def test_numbers_stay_where_they_come_after_those_that_are_there(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "third.bundle", "training-3")
    target.import_bundle(tmp_path / "third.bundle")
    assert next(target.runs()).name == "training-3"
    assert target.artifact("model@3").content == source.artifact("model@3").content
    with lineal.open(target.path):
        training(0.75)
    assert next(target.runs()).name == "training-4"
    assert target.artifact("model").version == 4


def test_numbers_that_are_taken_are_followed_by_the_next(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "first.bundle", "model@1")
    for value in range(3):
        target.save(value, "model")
    target.alias("model@3", "champion")
    target.import_bundle(tmp_path / "first.bundle")
    assert [version.version for version in target.artifact("model").artifact.versions] == [4, 3, 2, 1]
    assert target.artifact("model@4").content == source.artifact("model@1").content


def test_an_alias_that_is_set_here_stays(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "second.bundle", "model@2")
    own = target.save("mine", "model")
    target.alias("model@1", "champion")
    target.import_bundle(tmp_path / "second.bundle")
    assert target.artifact("model@champion").content == own.content
    assert target.import_bundle(tmp_path / "second.bundle").is_new is False


def test_equal_content_is_stored_once_and_lineage_goes_on_across_stores(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "data.bundle", "data")
    with lineal.open(target.path):
        training(0.5)
        before = target.usage().stored_bytes
        target.import_bundle(tmp_path / "data.bundle")
        assert target.usage().stored_bytes - before < 100_000
        assert {step.run.id for step in target.artifact("data").producers} > {source.run("training-1").id}
        training(0.0625)
    assert len(target.artifact("data").consumers) == 2


def test_what_was_imported_can_be_passed_on_and_comes_back_as_known(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "there.bundle", "training-2")
    target.import_bundle(tmp_path / "there.bundle")
    target.tag("training-2", "seen")
    target.export_bundle(tmp_path / "back.bundle", "training-2")
    arrived = source.import_bundle(tmp_path / "back.bundle")
    assert (arrived.events, arrived.blobs) == (1, 0)
    assert source.run("training-2").tags == ("seen",)


def test_what_executes_code_is_refused_until_its_source_is_trusted(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "all.bundle")
    with lineal.open(tmp_path / "all.bundle") as bundle, pytest.raises(LoadRefused):
        bundle.load("wrapped")
    with lineal.open(tmp_path / "all.bundle", allow_pickle=True) as bundle:
        assert bundle.load("wrapped").value == source.load("model")
    target.import_bundle(tmp_path / "all.bundle")
    assert target.load("model") == source.load("model")
    with pytest.raises(LoadRefused, match="trust"):
        target.load("wrapped")
    assert target.trust(str(source.store.id)[:8]).is_trusted
    assert target.load("wrapped").value == source.load("model")
    assert not target.distrust(tmp_path / "all.bundle").is_trusted
    with pytest.raises(LoadRefused):
        target.load("wrapped")


def test_a_trusted_store_is_not_trusted_in_what_is_imported_later(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "first.bundle", "wrapped@1")
    source.export_bundle(tmp_path / "second.bundle", "wrapped@2")
    target.import_bundle(tmp_path / "first.bundle")
    target.trust(source.store.id)
    target.import_bundle(tmp_path / "second.bundle")
    assert target.load("wrapped@1").value
    with pytest.raises(LoadRefused):
        target.load("wrapped@2")
    assert [one.is_trusted for one in target.imported()] == [False]


def test_a_name_or_a_pin_is_no_trust_but_making_it_here_is(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "one.bundle", "wrapped@1")
    target.import_bundle(tmp_path / "one.bundle")
    target.name("wrapped@1", "mine")
    target.pin("wrapped@1", "kept")
    with pytest.raises(LoadRefused):
        target.load("mine")
    with lineal.open(target.path):
        training(0.5)
    assert target.load("mine").value == source.load("model@1")


def test_tags_of_both_stores_are_kept_and_an_import_says_that_it_put_them_together(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "x.bundle", "model@2")
    target.save(source.load("model@2"), "model")
    target.tag("model", "mine")
    arrived = target.import_bundle(tmp_path / "x.bundle")
    assert (arrived.merged, arrived.kept) == (1, 0)
    assert set(target.artifact("model").tags) == {"mine", "good"}


def test_what_was_made_here_as_well_is_made_again_by_what_made_it_here(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "x.bundle", "model@1")
    target.import_bundle(tmp_path / "x.bundle")
    with lineal.open(target.path):
        training(0.5)
    target.release("model@1")
    target.release("data@1")
    target.collect(grace_s=0)
    assert target.artifact("model@1").is_evicted
    assert target.recompute("model@1").load() == source.load("model@1")


def test_what_only_an_untrusted_store_made_is_not_made_again(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "x.bundle", "model@1")
    target.import_bundle(tmp_path / "x.bundle")
    target.release("model@1")
    target.collect(grace_s=0)
    with pytest.raises(LoadRefused, match="not trusted"):
        target.recompute("model@1")


def test_the_cache_serves_what_was_imported_only_if_that_is_trusted(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "all.bundle")
    target.import_bundle(tmp_path / "all.bundle")
    with lineal.open(target.path):
        target.trust(source.store.id)
        assert {step.status for step in training(0.5).steps.values()} == {"cached"}
        target.distrust(source.store.id)
        foreseen = training.plan(0.5)
        executed = training(0.5)
        assert {step.status for step in executed.steps.values()} == {"completed"}
        target.trust(source.store.id)
        for step in (foreseen["load"], executed.steps["load"].why()):
            (reason,) = step.reasons
            assert (reason.kind, reason.what, reason.new) == ("not-trusted", "training-1/load", str(source.store.id))
            assert f"`lineal trust {str(source.store.id)[:8]}`" in reason.text
        target.distrust(source.store.id)
        assert {step.status for step in training(0.5).steps.values()} == {"cached"}


def test_code_that_was_imported_is_not_run_again_untrusted(source: Client, target: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "all.bundle")
    target.import_bundle(tmp_path / "all.bundle")

    with lineal.open(target.path), pytest.raises(LoadRefused, match="not trusted"):
        lineal.rerun("training-1")


def test_what_was_collected_is_known_to_lack_and_comes_back_with_a_bundle_that_has_it(
    source: Client, target: Client, tmp_path: Path
) -> None:
    source.export_bundle(tmp_path / "whole.bundle")
    source.release("model@1")
    source.collect(None, grace_s=0)
    assert source.artifact("model@1").is_evicted
    written = source.export_bundle(tmp_path / "lacking.bundle")
    assert written.lacking == 1
    with lineal.open(tmp_path / "lacking.bundle") as bundle, pytest.raises(ArtifactEvicted):
        bundle.load("model@1")
    assert target.import_bundle(tmp_path / "lacking.bundle").lacking == 1
    with pytest.raises(ArtifactEvicted):
        target.load("model@1")
    assert target.verify().is_sound
    assert target.import_bundle(tmp_path / "whole.bundle").blobs == 1
    assert target.load("model@1") == {"weight": float(np.arange(150_000).sum()) * 0.5}
    target.collect(None, grace_s=0)
    assert target.load("model@1")
    assert target.verify().is_sound


def test_what_was_deleted_stays_deleted_and_its_lineage_stays(source: Client, target: Client, tmp_path: Path) -> None:
    source.delete("training-1")
    source.delete("note")
    source.export_bundle(tmp_path / "all.bundle")
    target.import_bundle(tmp_path / "all.bundle")
    for store in (source, target):
        assert [run.name for run in store.runs()] == ["training-3", "training-2"]
        with pytest.raises(ArtifactNotFound):
            store.artifact("note")
        assert len(store.artifact("model@2").lineage().nodes) == 2
    assert target.import_bundle(tmp_path / "all.bundle").is_new is False


def test_a_bundle_is_read_only(source: Client, tmp_path: Path) -> None:
    source.export_bundle(tmp_path / "all.bundle")
    before = (tmp_path / "all.bundle").read_bytes()
    with lineal.open(tmp_path / "all.bundle") as bundle:
        for write in (lambda: bundle.save(1, "x"), lambda: bundle.tag("model", "x"), bundle.flush):
            with pytest.raises(StoreClosed, match="import it"):
                write()
        with pytest.raises(StoreClosed):
            training(0.5)
        loaded = bundle.load("data")
        loaded[:] = 0
        assert bundle.load("data")[1] == 1
    assert (tmp_path / "all.bundle").read_bytes() == before


def test_nothing_is_written_over_and_nothing_unknown_is_written(source: Client, tmp_path: Path) -> None:
    place = tmp_path / "x.bundle"
    place.write_text("mine")
    with pytest.raises(Invalid, match="already"):
        source.export_bundle(place)
    assert place.read_text() == "mine"
    with pytest.raises(NotFound):
        source.export_bundle(tmp_path / "y.bundle", "nobody")
    with pytest.raises(Invalid, match="no such directory"):
        source.export_bundle(tmp_path / "none" / "y.bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "x.bundle"]


def test_a_run_that_goes_on_is_not_exported(source: Client, tmp_path: Path) -> None:
    found: list[str] = []

    @lineal.step
    def export() -> int:
        with pytest.raises(Conflict, match="goes on") as refused:
            source.export_bundle(tmp_path / "early.bundle")
        found.append(refused.value.what)
        return 1

    @lineal.pipeline
    def early():
        export()

    early.with_options(cache=False, executor="inline")()
    assert found == ["run early-1 goes on"]


def test_a_source_that_nothing_came_from_is_not_found(target: Client) -> None:
    with pytest.raises(NotFound, match="nothing was imported"):
        target.trust("00")
    with pytest.raises((NotFound, InvalidReference)):
        target.trust("")


def test_labels_that_are_set_here_stay(source: Client, target: Client, tmp_path: Path) -> None:
    source.untag("model@2", "good")
    source.annotate("model@2", remove=["by"])
    source.annotate("model@2", {"place": "there", "more": 1})
    source.export_bundle(tmp_path / "x.bundle", "model@2")
    target.save(source.load("model@2"), "model")
    target.tag("model", "good")
    target.annotate("model", {"by": "me", "place": "here"})
    arrived = target.import_bundle(tmp_path / "x.bundle")
    # The tag was there; it was taken off, and the keys were set, removed and set again: none of that is taken.
    assert (arrived.merged, arrived.kept) == (0, 4)
    version = target.artifact("model")
    assert version.content == source.artifact("model@2").content
    assert (version.tags, dict(version.annotations)) == (("good",), {"by": "me", "place": "here"})
    assert not target.import_bundle(tmp_path / "x.bundle").is_new


@pytest.mark.parametrize(("owner", "moment"), [(BlobFiles, "publish"), (Store, "exclusively")])
def test_what_another_process_imports_meanwhile_is_not_imported_twice(
    source: Client, target: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, moment: str
) -> None:
    whole, part = tmp_path / "whole.bundle", tmp_path / "part.bundle"
    source.export_bundle(whole)
    source.export_bundle(part, "training-1")
    then = getattr(owner, moment)

    def after_the_other(*arguments: Any) -> Any:
        monkeypatch.setattr(owner, moment, then)
        assert ended_well([forked(lambda: (target.import_bundle(part), target.save(2, "own"), target.flush()))])
        return then(*arguments)

    monkeypatch.setattr(owner, moment, after_the_other)
    target.import_bundle(whole)
    ids = [recorded.id for recorded in target.events()]
    assert len(ids) == len(set(ids))
    assert target.import_bundle(whole).is_new is False
    assert target.verify().is_sound
    assert target.load("own") == 2
    assert told(target)["runs"] == told(source)["runs"]


def test_an_annotation_as_deep_as_one_may_be_comes_along(source: Client, target: Client, tmp_path: Path) -> None:
    def nested(depth: int, inside: object) -> object:
        return nested(depth - 1, [inside]) if depth else inside

    def annotate(inside: object) -> int:
        depth = 1
        while True:
            try:
                source.annotate("note@1", {type(inside).__name__: nested(depth, inside)})
            except UnsavableValue:
                return depth - 1
            depth += 1

    assert min(annotate(1), annotate([])) >= 10
    bundle = tmp_path / "b"
    source.export_bundle(bundle)
    target.import_bundle(bundle)
    assert target.artifact("note@1").annotations == source.artifact("note@1").annotations
