"""Giving: what a step returned becomes its outputs, and beside them what they show of themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...cas import Batch, BlobReader, Digest
from ...errors import UnsavableValue
from ...events.catalogue import ContentVisualized, Output
from ...history import content_visualized
from ...materializers import Previous, Saved, is_kept_drawn, save, visualize
from ..declaring.outputs import Outputs

Newest = Callable[[str], Digest | None]
"""Gives the content of an artifact's newest version, which a new one succeeds."""
Shown = Callable[[Digest], bool]
"""Whether it is kept already what a content shows of itself."""


class Given(NamedTuple):
    """What came of a step."""

    outputs: tuple[Output, ...] = ()
    visualized: tuple[ContentVisualized, ...] = ()
    """What they show of themselves, where they show anything."""


class Giver(NamedTuple):
    """Where outputs go, and what is there."""

    batch: Batch
    reader: BlobReader
    newest: Newest
    shown: Shown

    def give(self, declared: Outputs, returned: Any, pipeline: str, step: str, *, visualizes: bool) -> Given:
        """Put what a step returned; nothing is drawn before all is put.

        Raises:
            UnsavableValue: An output has no byte form.
            LinealError: What it returned is not what it declares.
        """
        values = declared.apart(returned, step)
        outputs: list[Output] = []
        puts: list[Saved] = []
        for spec, value in zip(declared.specs, values, strict=True):
            artifact = spec.artifact or f"{pipeline}.{step}.{spec.name}"
            try:
                previous = Previous(partial(self.newest, artifact), self.reader)
                saved = save(value, self.batch, previous=previous, materializer=spec.materializer)
            except UnsavableValue as error:
                raise error.about(f"output {spec.name!r} of step {step!r} can't be saved") from error
            one = saved.manifest
            outputs.append(
                Output(spec.name, artifact, one.digest, one.format, one.type, one.size_bytes, saved.metadata)
            )
            puts.append(saved)
        shown = self._visualize(puts, values) if visualizes else ()
        return Given(tuple(outputs), shown)

    def _visualize(self, puts: Sequence[Saved], values: Sequence[Any]) -> tuple[ContentVisualized, ...]:
        """Put what the values show of themselves, each content's once."""
        found: dict[Digest, ContentVisualized] = {}
        for saved, value in zip(puts, values, strict=True):
            content = saved.manifest.digest
            if is_kept_drawn(value, saved) and content not in found and not self.shown(content):
                drawn = visualize(value, saved.materializer, self.batch)
                if drawn:
                    found[content] = content_visualized(content, drawn)
        return tuple(found.values())
