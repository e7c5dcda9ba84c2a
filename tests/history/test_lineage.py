"""Lineage: back from any artifact, across runs, through the cache."""

from __future__ import annotations

from typing import Annotated

from lineal import Client, pipeline, step


@step
def raw(seed: int) -> Annotated[list, "raw"]:
    return [seed, seed + 1]


@step
def clean(raw: list) -> Annotated[list, "clean"]:
    return sorted(raw)


@step
def model(data: list, extra: list, rate: float = 0.5) -> Annotated[dict, "model"]:
    return {"n": len(data) + len(extra), "rate": rate}


@pipeline
def training(seed: int = 1, rate: float = 0.5):
    first = raw(seed)
    return model(clean(first), first, rate=rate)


def test_lineage_goes_back_to_the_first_steps_and_literals(client: Client) -> None:
    training()
    lineage = client.artifact("model").lineage()
    assert {(node.name, node.version) for node in lineage} == {("model", 1), ("clean", 1), ("raw", 1)}
    root = lineage.nodes[lineage.root]
    assert root.production is not None
    assert [(taken.name, taken.artifact, taken.literal) for taken in root.production.inputs] == [
        ("data", "clean", None),
        ("extra", "raw", None),
        ("rate", None, "0.5"),
    ]
    assert lineage.is_complete


def test_lineage_of_a_later_run_names_the_run_that_executed_each_step(client: Client) -> None:
    training()
    training(rate=0.9)
    lineage = client.artifact("model@2").lineage()
    makers = {node.name: node.production.run_name for node in lineage if node.production is not None}
    assert makers == {"model": "training-2", "clean": "training-1", "raw": "training-1"}


def test_a_tree_shows_each_artifact_once_and_literals_where_they_went(client: Client) -> None:
    training(seed=7)
    lines = str(client.artifact("model").lineage()).splitlines()
    assert lines[0].startswith("model@1  dict  ")
    assert lines[1].startswith("├─ data: clean@1  list  ")
    assert lines[2].startswith("│  └─ raw: raw@1  list  ")
    assert lines[3] == "│     └─ seed = 7"
    assert lines[4].startswith("├─ extra: raw@1  ")
    assert lines[4].endswith("(see above)")
    assert lines[5] == "└─ rate = 0.5"
    assert len(lines) == 6


def test_what_was_saved_by_hand_has_no_producer(client: Client) -> None:
    saved = client.save([1, 2], "mine")
    lineage = saved.lineage()
    assert [node.production for node in lineage] == [None]
    assert "saved by hand" in str(lineage)
    assert saved.producer is None


def test_equal_content_under_two_names_keeps_each_its_own_origin(client: Client) -> None:
    @step
    def same(raw: list) -> Annotated[list, "same"]:
        return list(raw)

    @pipeline
    def copying() -> None:
        same(raw(3))

    copying()
    producers = {name: client.artifact(name).producer for name in ("raw", "same")}
    assert client.artifact("raw").content == client.artifact("same").content
    assert {name: producer.name for name, producer in producers.items() if producer} == {"raw": "raw", "same": "same"}


def test_the_graph_is_plain_values_for_json(client: Client) -> None:
    training()
    plain = client.artifact("model").lineage().to_dict()
    assert [one["name"] for one in plain["artifacts"]] == ["model", "clean", "raw"]
    assert plain["artifacts"][0]["producer"]["step"] == "model"
    assert plain["root"] == {"name": "model", "content": plain["artifacts"][0]["content"]}


def test_a_long_chain_is_drawn_a_hundred_levels_deep(client: Client) -> None:
    @step
    def more(number: int) -> Annotated[int, "number"]:
        return number + 1

    @pipeline
    def chain() -> None:
        number = more(0)
        for _ in range(150):
            number = more(number)

    chain()
    lineage = client.artifact("number").lineage()
    lines = str(lineage).splitlines()
    assert len(lineage) == 151
    assert len(lines) == 102
    assert lines[-1].strip() == "└─ …"


def test_a_lineage_is_a_picture_in_a_notebook(client: Client) -> None:
    training()
    lineage = client.artifact("model").lineage()
    assert lineage._repr_svg_().startswith("<svg ")
    assert "<script" not in lineage._repr_html_()
    assert repr(lineage) == "<Lineage upstream of model@1: 3 artifact versions, 3 steps>"


def test_lineage_goes_through_deleted_runs_and_given_names(client: Client) -> None:
    run = training()
    training(rate=0.9)
    raw, model = client.artifact("raw"), client.artifact("model@2")
    there, back = model.lineage(), raw.downstream()
    client.delete(run, outputs=True)
    assert model.lineage().nodes.keys() == there.nodes.keys()
    assert raw.downstream().nodes.keys() == back.nodes.keys()
    client.rename("model", "best")
    assert {node.name for node in client.artifact("best").lineage()} == {"best", "clean", "raw"}
    assert {"model", "best"} <= {node.name for node in raw.downstream()}
    assert "also called best@2" in str(raw.downstream())


def test_what_a_step_saves_by_hand_comes_of_what_it_took(client: Client) -> None:
    @step
    def report(raw: list) -> Annotated[int, "rows"]:
        client.save({"mean": 1.5}, "statistics")
        return len(raw)

    @pipeline
    def reporting() -> None:
        report(raw(1))

    reporting()
    downstream = client.artifact("raw").downstream()
    assert {node.name for node in downstream} == {"raw", "rows", "statistics"}
    assert [link.name for link in downstream.links if link.version.name == "statistics"] == [""]
    assert {node.name for node in client.artifact("statistics").lineage()} == {"statistics", "raw"}
    assert len(downstream.steps) == 1
