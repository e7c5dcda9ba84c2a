"""A store with something in it to be changed."""

from __future__ import annotations

import pytest
from schooling import training

from lineal import Client


@pytest.fixture
def three(client: Client) -> Client:
    """Runs 1 and 2, and 3, which was served from the cache what 2 made: ``data@1``, ``model@1`` and ``model@2``."""
    training()
    training(rate=0.25)
    training(rate=0.25)
    return client
