"""How deep properties are searched: in make test, and in make torture."""

from __future__ import annotations

import hypothesis


def examples(count: int) -> int:
    """So many examples in make test, and as many times more as the profile in force allows more than by default."""
    return count * hypothesis.settings.default.max_examples // 100
