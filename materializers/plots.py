"""Plots: points, bars, boxes and heat maps between two axes, in SVG."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .axes import Axis
from .markup import Markup, element, escaped
from .rasters import heat_map
from .svg import FAINT, box, label, line

WIDTH, HEIGHT = 540, 280
"""Of what is between the axes, in pixels."""
LEFT, TOP, BELOW, LEGEND = 84, 52, 54, 180
"""Of what is beside it."""
_FEW_POINTS = 300
_BOXES_MAX = 500
_LEGEND_STEP = 18

Ends = dict[tuple[bool, float], float]
"""Where stacks end: those below zero and those above, by their place."""


class Slot(NamedTuple):
    """Where bars of one series stand among those of others."""

    room: float | None
    """How wide the bars of all series are at one place; by default most of what is between two places."""
    place: int
    of: int
    """How many series stand beside each other."""
    ends: Ends | None
    """Where the bars begin and then end if they are stacked; None if they all begin at zero."""


class Plot(NamedTuple):
    """What lies between two axes."""

    x: Axis
    y: Axis
    is_x_turned: bool = False
    """Whether the axis goes from right to left."""
    is_y_turned: bool = False
    """Whether the axis goes from above to below."""

    def across(self, share: float) -> float:
        """Where a share of the horizontal axis is, in pixels."""
        return LEFT + WIDTH * (1 - share if self.is_x_turned else share)

    def upward(self, share: float) -> float:
        """Where a share of the vertical axis is, in pixels from above."""
        return TOP + HEIGHT * (share if self.is_y_turned else 1 - share)

    def grid(self, x_title: str, y_title: str) -> Iterator[Markup]:
        """Lines behind, what is at them, and what the axes are."""
        bottom, right = TOP + HEIGHT, LEFT + WIDTH
        yield box(LEFT, TOP, WIDTH, HEIGHT, "none", stroke=FAINT)
        ticks = [(share, text) for share, text in self.x.ticks() if 0 <= share <= 1]
        room = WIDTH / max(1, len(ticks)) - 6
        for share, text in ticks:
            at = self.across(share)
            yield line(at, TOP, at, bottom)
            yield label(at, bottom + 16, text, size=11, anchor="middle", room=max(room, 24))
        for share, text in self.y.ticks():
            if 0 <= share <= 1:
                at = self.upward(share)
                yield line(LEFT, at, right, at)
                yield label(LEFT - 8, at + 4, text, size=11, anchor="end", room=LEFT - 14)
        yield label(LEFT + WIDTH / 2, bottom + 34, x_title, size=12, anchor="middle", room=WIDTH)
        yield label(LEFT, TOP - 7, y_title, size=12, room=WIDTH)

    def points(self, x: Sequence[Any], y: Sequence[Any], colour: str, *, lines: bool, dots: bool) -> Iterator[Markup]:
        """Points in a colour; a line through them is broken where one has no place."""
        places = [
            (self.across(one), self.upward(other)) if np.isfinite(one + other) else None
            for one, other in zip(self.x.shares(x), self.y.shares(y), strict=False)
        ]
        if lines:
            pieces, is_open = [], False
            for place in places:
                if place is not None:
                    pieces.append(f"{'L' if is_open else 'M'}{place[0]:.1f} {place[1]:.1f}")
                is_open = place is not None
            yield element(
                "path", d="".join(pieces), fill="none", stroke=colour, stroke_width=2, stroke_linejoin="round"
            )
        if dots:
            radius = 3.5 if len(places) <= _FEW_POINTS else 2.2
            circles = [f'<circle cx="{one:.1f}" cy="{other:.1f}" r="{radius}"/>' for one, other in filter(None, places)]
            yield element("g", Markup("".join(circles)), fill=colour, fill_opacity=0.75)

    def bars(
        self, along: Sequence[Any], sizes: Sequence[Any], colour: str, slot: Slot, *, is_lying: bool
    ) -> Iterator[Markup]:
        """Bars at places along one axis, of sizes along the other: the horizontal one if they lie."""
        of, measure = (self.y, self.x) if is_lying else (self.x, self.y)
        places = of.coordinates(along)
        distinct = np.unique(places[np.isfinite(places)])
        room = slot.room or (float(np.diff(distinct).min()) * 0.8 if distinct.size > 1 else 0.8)
        for place, size in zip(places.tolist(), measure.coordinates(sizes).tolist(), strict=False):
            if not np.isfinite(place + size):
                continue
            start = 0.0 if slot.ends is None else slot.ends.get((size < 0, place), 0.0)
            if slot.ends is not None:
                slot.ends[size < 0, place] = start + size
            low = place - room / 2 + slot.place * room / slot.of
            sides = (of.share(low), of.share(low + room / slot.of))
            tops = (measure.share(start), measure.share(start + size))
            yield self._rectangle(*((tops, sides) if is_lying else (sides, tops)), colour)

    def _rectangle(self, across: tuple[float, float], upward: tuple[float, float], colour: str) -> Markup:
        left, right = sorted(self.across(min(max(one, 0.0), 1.0)) for one in across)
        top, bottom = sorted(self.upward(min(max(one, 0.0), 1.0)) for one in upward)
        return box(left + 0.5, top, max(right - left - 1, 0.5), bottom - top, colour, opacity=0.9)

    def boxes(self, x: Sequence[Any], y: Sequence[Any], colour: str) -> Iterator[Markup]:
        """For each place the quartiles as a box, and a line to what is within one and a half of its height (Tukey,
        Exploratory Data Analysis, 1977)."""
        places, values = self.x.coordinates(x), self.y.coordinates(y)
        for place in np.unique(places[np.isfinite(places)])[:_BOXES_MAX].tolist():
            here = values[(places == place) & np.isfinite(values)]
            if not here.size:
                continue
            low, middle, high = np.percentile(here, [25, 50, 75]).tolist()
            reach = 1.5 * (high - low)
            within = here[(here >= low - reach) & (here <= high + reach)]
            ends = (float(within.min()), low, middle, high, float(within.max()))
            least, low, middle, high, most = (self.upward(self.y.share(one)) for one in ends)
            left, centre, right = sorted(self.across(self.x.share(place + by)) for by in (-0.25, 0, 0.25))
            yield line(centre, least, centre, most, colour, stroke_width=1.5)
            yield box(left, min(low, high), right - left, abs(low - high), colour, fill_opacity=0.45, stroke=colour)
            yield line(left, middle, right, middle, "currentColor", stroke_width=2)

    def heat(self, matrix: np.ndarray[Any, Any]) -> Markup:
        """A matrix as colours over all of the plot, its first row at the beginning of the vertical axis."""
        data = base64.b64encode(heat_map(matrix if self.is_y_turned else matrix[::-1])).decode("ascii")
        place = {"x": LEFT, "y": TOP, "width": WIDTH, "height": HEIGHT}
        source = f"data:image/png;base64,{data}"
        return element("image", href=source, **place, preserveAspectRatio="none", style="image-rendering:pixelated")


def legend(colours: Mapping[str, str]) -> Iterator[Markup]:
    """Names and their colours, to the right of a plot; of one alone, nothing."""
    if len(colours) < 2:
        return
    for place, (name, colour) in enumerate(list(colours.items())[: HEIGHT // _LEGEND_STEP]):
        left, top = LEFT + WIDTH + 14, TOP + place * _LEGEND_STEP
        yield element("g", element("title", escaped(name[:1000])), box(left, top, 12, 12, colour, rx=2))
        yield label(left + 18, top + 10, name, room=LEGEND - 40)
