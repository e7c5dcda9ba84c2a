"""What notebooks and pages want to know of views: so much of them they show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol


class ShownVersion(Protocol):
    """An artifact version."""

    name: str

    @property
    def version(self) -> int:
        """Its number."""

    @property
    def type(self) -> str:
        """Qualified name of the value's type."""

    @property
    def size_bytes(self) -> int:
        """Logical size."""

    @property
    def computed_metadata(self) -> dict[str, Any]:
        """What the materializer said."""

    @property
    def visualizations(self) -> Any:
        """What it shows of itself."""


class ShownStep(Protocol):
    """A step run."""

    name: str

    @property
    def status(self) -> str:
        """How it went."""

    @property
    def function(self) -> str:
        """Module and name of its function."""

    @property
    def docstring(self) -> str | None:
        """What the function says of itself."""

    @property
    def started(self) -> datetime | None:
        """When it began."""

    @property
    def duration_s(self) -> float | None:
        """How long it took."""

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """The literals it took."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The artifact versions it took."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The artifact versions it gave."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was logged of it."""

    @property
    def failure(self) -> Any:
        """What it raised."""

    @property
    def log(self) -> str:
        """What it printed."""

    @property
    def reuses(self) -> Any:
        """The step run whose outputs it was served with."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""


class ShownRun(Protocol):
    """A run."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def status(self) -> str:
        """How it went."""

    @property
    def message(self) -> str | None:
        """What made it fail."""

    @property
    def pipeline(self) -> Any:
        """Its pipeline."""

    @property
    def pipeline_version(self) -> Any:
        """Its structure."""

    @property
    def started(self) -> datetime:
        """When it began."""

    @property
    def duration_s(self) -> float | None:
        """How long it took."""

    @property
    def shown_parameters(self) -> dict[str, Any]:
        """What it was called with."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was logged of it."""

    @property
    def steps(self) -> Mapping[str, Any]:
        """Its steps."""

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""


class DatedVersion(ShownVersion, Protocol):
    """An artifact version, in a list of them."""

    @property
    def created(self) -> datetime:
        """When it was first made."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """What points to it."""

    @property
    def producer(self) -> Any:
        """The step run that made it."""
