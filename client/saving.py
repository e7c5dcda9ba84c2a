"""Saving a value as a version of an artifact."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..cas import Digest
from ..events.catalogue import ArtifactSaved, Event, Output
from ..history import check_name, content_visualized, is_visualized, newest_content
from ..in_force import record, running_step
from ..materializers import Previous, is_kept_drawn, save, visualize
from ..store import Store


def save_version(store: Store, value: Any, name: str, *, visualizes: bool) -> Digest:
    """Submit a value as a version of an artifact, with what it shows of itself if that is wanted; give its content."""
    store.raise_failed()
    check_name(name, "artifact")
    with store.blobs.batch() as batch:
        saved = save(value, batch, previous=Previous(partial(newest_content, store, name), store.blobs))
        manifest = saved.manifest
        content = manifest.digest
        is_asked = visualizes and is_kept_drawn(value, saved) and not is_visualized(store, content)
        shown = visualize(value, saved.materializer, batch) if is_asked else None
        blobs = batch.publish()
    output = Output(name, name, content, manifest.format, manifest.type, manifest.size_bytes, saved.metadata)
    events: list[Event] = [ArtifactSaved(output, running_step(store.path))]
    if shown:
        events.append(content_visualized(content, shown))
    record(store, events, blobs)
    return content
