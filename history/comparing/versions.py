"""Two artifact versions, compared: by their digests without loading, and where allowed by what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import LinealError, LoadRefused
from ...materializers.comparing import Leaf, Stored, leaves, schema_of
from ..reader import Reader
from ..reasons import leaf_text, time_text
from ..stored import StoredVersion
from ..trust import Trust
from ..why import Difference
from .changes import differences, row_of
from .told import Part, Told

if TYPE_CHECKING:
    from .contents import ContentDiff

LEAVES_MAX = 1000
"""How many places inside two values are told."""
LOAD_MAX_BYTES = 1 << 30
"""A value of more is not loaded to be compared."""


class VersionSide(NamedTuple):
    """One of the versions that are compared."""

    reference: str
    content: str
    type: str
    format: str
    size_bytes: int
    created: datetime

    @classmethod
    def of(cls, version: StoredVersion) -> VersionSide:
        """What is said of a version."""
        return cls(
            str(version), str(version.content), version.type, version.format, version.size_bytes, version.created
        )

    def to_dict(self) -> dict[str, Any]:
        """It in plain values."""
        return {**self._asdict(), "created": self.created.isoformat()}


class VersionDiff(Told):
    """What differs from one artifact version to another; `str` tells it."""

    old: VersionSide
    new: VersionSide
    leaves: tuple[Leaf, ...]
    """The places inside that differ, told by digests: columns, tensors, keys, files; without loading."""
    is_cut: bool
    """Whether there are more than `LEAVES_MAX` of them."""
    schema: tuple[Difference, ...]
    """Of tables: the columns that came, went or have another type, told without loading."""
    contents: ContentDiff | None
    """What loading tells; None where nothing was loaded."""
    note: str
    """Why something is not told; empty where all is."""

    @property
    def is_same(self) -> bool:
        """Whether they have one content."""
        return self.old.content == self.new.content

    @property
    def title(self) -> str:
        return f"{self.old.reference} → {self.new.reference}{': the same content' if self.is_same else ''}"

    def parts(self) -> Iterator[Part]:
        old, new = self.old, self.new
        sides = (
            ("content", old.content[:12], new.content[:12]),
            ("type", old.type, new.type),
            ("format", old.format, new.format),
            ("size", f"{old.size_bytes:,} bytes", f"{new.size_bytes:,} bytes"),
            ("created", time_text(old.created), time_text(new.created)),
        )
        yield Part("versions", ("what", old.reference, new.reference), sides)
        places = tuple((leaf.path or "the value", leaf_text(leaf.old, leaf.new)) for leaf in self.leaves)
        yield Part("differs in", ("where", "how"), (*places, *([("… and more", "")] if self.is_cut else [])))
        yield Part("schema", ("column", "before", "now"), tuple(map(row_of, self.schema)))
        if self.contents is not None:
            yield from self.contents.parts()
        yield Part("note", text=self.note)

    def to_dict(self) -> dict[str, Any]:
        return {
            "old": self.old.to_dict(),
            "new": self.new.to_dict(),
            "leaves": [leaf._asdict() for leaf in self.leaves],
            "is_cut": self.is_cut,
            "schema": [one._asdict() for one in self.schema],
            "contents": None if self.contents is None else self.contents.to_dict(),
            "note": self.note,
            "is_same": self.is_same,
        }


def version_diff(
    reader: Reader, old: StoredVersion, new: StoredVersion, *, load: bool = True, allow_pickle: bool = False
) -> VersionDiff:
    """Compare two versions. Cost: reads manifests and small values; with ``load`` all of what differs.

    Args:
        reader: What to read with.
        old: The one before.
        new: The one after.
        load: Whether to load them where their digests differ, if they are not too large.
        allow_pickle: Whether loading may execute code, or import the classes of records.
    """
    sides = VersionSide.of(old), VersionSide.of(new)
    if old.content == new.content:
        return VersionDiff(*sides, (), False, (), None, "")
    schema = differences(schema_of(old.computed_metadata), schema_of(new.computed_metadata))
    try:
        pair = [Stored(one.manifest, one.computed_metadata) for one in (old, new)]
        found = tuple(islice(leaves(pair[0], pair[1], reader.store.blobs), LEAVES_MAX + 1))
    except LinealError as error:
        return VersionDiff(*sides, (), False, schema, None, f"not told: {error.what}")
    contents, note = _contents(reader, (old, new), allow_pickle) if load else (None, "")
    return VersionDiff(*sides, found[:LEAVES_MAX], len(found) > LEAVES_MAX, schema, contents, note)


def _contents(
    reader: Reader, versions: tuple[StoredVersion, StoredVersion], allow_pickle: bool
) -> tuple[ContentDiff | None, str]:
    from .contents import content_diff  # It needs what values need.

    if max(one.size_bytes for one in versions) > LOAD_MAX_BYTES:
        return None, f"not loaded: more than {LOAD_MAX_BYTES:,} bytes"
    try:
        allowed = allow_pickle and Trust(reader.store).allows(one.content for one in versions)
        return content_diff(reader.store.blobs, versions[0].manifest, versions[1].manifest, allowed), ""
    except LoadRefused as error:
        return None, f"not loaded: {error.what}"
    except ImportError as error:
        return None, f"not loaded: {error}"
    except LinealError as error:
        return None, f"not loaded: {error.what}"
