"""The policy: whether results are looked for, offered to later runs, how old they may be, and whether they are shown.

Each setting is decided for itself. What a step says wins over what its pipeline says; of two that say it for the same,
the later: ``with_options`` over the decorator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Self

from ...errors import InvalidPipeline

CacheMode = Literal["on", "off", "refresh", "read-only"]
"""``on``: take results and offer them. ``off``: neither. ``refresh``: execute, and offer what comes of it.
``read-only``: take results, and offer none."""
CacheChoice = bool | CacheMode
Expiry = timedelta | float
"""How old a result may be; a number is in seconds."""

_MODES: dict[object, CacheMode] = {
    True: "on",
    False: "off",
    "on": "on",
    "off": "off",
    "refresh": "refresh",
    "read-only": "read-only",
}
_TAKE: frozenset[CacheMode] = frozenset(("on", "read-only"))
_OFFER: frozenset[CacheMode] = frozenset(("on", "refresh"))


@dataclass(frozen=True, slots=True)
class Policy:
    """What was said about results, of a step or a pipeline; None where nothing was."""

    mode: CacheMode | None = None
    expires_after_us: int | None = None
    """Age from which a result is not served any more, in microseconds."""
    visualizes: bool | None = None
    """Whether visualizations of results are kept."""

    @classmethod
    def of(
        cls, cache: CacheChoice | None = None, expires_after: Expiry | None = None, visualize: bool | None = None
    ) -> Self:
        """What a user said.

        Raises:
            InvalidPipeline: There is no such mode, or the age is negative.
        """
        return cls(_mode(cache), _age_us(expires_after), visualize)

    def under(self, wider: Policy) -> Policy:
        """This one where it says something, else the wider one."""
        return Policy(
            wider.mode if self.mode is None else self.mode,
            wider.expires_after_us if self.expires_after_us is None else self.expires_after_us,
            wider.visualizes if self.visualizes is None else self.visualizes,
        )

    @property
    def takes(self) -> bool:
        """Whether a result may be served from the cache."""
        return self.mode is None or self.mode in _TAKE

    @property
    def offers(self) -> bool:
        """Whether later runs may be served with what comes of an execution."""
        return self.mode is None or self.mode in _OFFER


UNSAID = Policy()
"""Nothing said: results are taken and offered, however old, and visualized."""


def _mode(cache: CacheChoice | None) -> CacheMode | None:
    if cache is None:
        return None
    if not isinstance(cache, bool | str) or cache not in _MODES:
        raise InvalidPipeline(
            f"there is no cache policy {cache!r}", hint="Say True, False, 'on', 'off', 'refresh' or 'read-only'."
        )
    return _MODES[cache]


def _age_us(expires_after: Expiry | None) -> int | None:
    if expires_after is None:
        return None
    age = expires_after if isinstance(expires_after, timedelta) else timedelta(seconds=expires_after)
    if age < timedelta():
        raise InvalidPipeline("expires_after is negative", hint="Give a timedelta or seconds; cache=False takes none.")
    return age // timedelta(microseconds=1)
