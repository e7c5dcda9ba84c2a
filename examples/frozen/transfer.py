"""Train the head of a small network epoch by epoch on a frozen body: each checkpoint stores just what has changed."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from sklearn.datasets import load_digits
from torch import nn

import lineal
from lineal import Artifact, pipeline, step

State = dict[str, Any]
Epoch = Annotated[State, Artifact("digits-network")]


def network() -> nn.Sequential:
    """A body of three layers, and a head."""
    body = nn.Sequential(nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU())
    return nn.Sequential(body, nn.Linear(1024, 10))


@step
def digits() -> tuple[Annotated[torch.Tensor, "images"], Annotated[torch.Tensor, "labels"]]:
    """Read scikit-learn's bundled images."""
    data = load_digits()
    return torch.tensor(data.data / 16, dtype=torch.float32), torch.tensor(data.target)


@step
def body(seed: int) -> Epoch:
    """The network as it comes: its body stays as it is."""
    torch.manual_seed(seed)
    return network().state_dict()


@step
def epoch(state: State, images: torch.Tensor, labels: torch.Tensor, rate: float) -> Epoch:
    """One pass over all images, for the head alone."""
    model = network()
    model.load_state_dict(state)
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[1].parameters(), lr=rate)
    for batch in torch.arange(len(labels)).split(64):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(images).argmax(dim=1) == labels).float().mean()
    lineal.log_metric("accuracy", float(right))
    return model.state_dict()


@pipeline
def transfer(epochs: int = 5, rate: float = 0.5, seed: int = 0) -> None:
    """One step an epoch: a longer training goes on from the epochs that are there."""
    images, labels = digits()
    state = body(seed)
    for _ in range(epochs):
        state = epoch(state, images, labels, rate)


if __name__ == "__main__":
    for epochs in (5, 8):
        run = transfer(epochs=epochs)
        print([found.status for found in run.steps.values()])
        print(f"accuracy {[*run.steps.values()][-1].metrics['accuracy'].value:.3f}")
    with lineal.open(read_only=True) as store:
        usage = store.usage()
        print(f"{usage.logical_bytes:,} bytes of outputs are kept in {usage.stored_bytes:,}")
