"""How a network changed during training: its predictions, the activations of a layer, the first filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.attribution import blend_colors
from mnist_core.charts.axes import PERCENT_LABEL
from mnist_core.charts.common import COLORS, Image

GAP = 2
"""Pixels around a tile."""

TILE_PIXELS = 56
"""Approximate side of a tile."""

COLUMNS = 8
"""Tiles per row; twice as many for units."""

UNIT_PIXELS = 20
"""Side of the square of a unit."""

MAX_FILTERS = 24


def probability_curves(moments: Sequence[str], probabilities: NDArray[np.float32], marked: int) -> Any:
    """Draws the probability of each digit at moments of the training, which are evenly spaced.

    Args:
        moments: T names, in order.
        probabilities: (T, 10) float32, 0..1.
        marked: index of the moment at which a rule is drawn.

    Returns:
        An Altair chart: the digit that is most probable at the end in teal, its closest rival in orange, the others in
        gray.
    """
    import altair as alt

    final = int(probabilities[-1].argmax())
    rival = int(np.where(np.arange(10) == final, -1, probabilities.max(axis=0)).argmax())
    names = {final: f"{final}, most probable at the end", rival: f"{rival}, closest rival"}
    order = sorted(range(10), key=names.__contains__)  # the gray ones first, under the others
    points = [
        {"moment": moment, "digit": digit, "probability": float(row[digit]), "what": names.get(digit, "other digits")}
        for moment, row in zip(moments, probabilities, strict=True)
        for digit in order
    ]
    scale = alt.Scale(
        domain=[*names.values(), "other digits"], range=[COLORS[name] for name in ("training", "validation", "muted")]
    )
    axis = alt.Axis(labelAngle=-45, labelOverlap=True)
    base: Any = alt.Chart().encode(
        x=alt.X("moment:O", title="Trained so far (not to scale)", sort=list(moments), axis=axis),
        y=alt.Y(
            "probability:Q", title="Probability", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=PERCENT_LABEL)
        ),
        detail="digit:N",
        color=alt.Color("what:N", scale=scale, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("digit:N", title="Digit"),
            alt.Tooltip("moment:O", title="Trained so far"),
            alt.Tooltip("probability:Q", title="Probability", format=".1%"),
        ],
    )
    rule = alt.Chart({"values": [{"moment": moments[marked]}]}).mark_rule(
        strokeDash=[4, 4], size=2, color=COLORS["muted"]
    )
    layers = (
        rule.encode(x=alt.X("moment:O", sort=list(moments))),
        base.mark_line(strokeWidth=2),
        base.mark_circle(size=50, opacity=1),
    )
    return alt.layer(*layers, data={"values": points}).properties(height=260)


def activation_grid(values: NDArray[np.float32], low: float, high: float) -> Image:
    """Draws the activations of a layer, larger is brighter.

    Args:
        values: (h, w, channels) or (units,) float32.
        low: the value that is black.
        high: the value that is white.

    Returns:
        (H, W) uint8: a tile for each channel, or a square for each unit.
    """
    gray = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    if gray.ndim == 1:
        return _tile_grid([np.full((UNIT_PIXELS, UNIT_PIXELS), value, np.uint8) for value in gray], 2 * COLUMNS)
    return _tile_grid([_enlarge(gray[..., channel]) for channel in range(gray.shape[-1])], COLUMNS)


def filter_grid(before: NDArray[np.float32], after: NDArray[np.float32]) -> Image:
    """Draws the filters of the first layer before training, on top, and after it, below, on one color scale.

    Args:
        before: (h, w, filters) float32, or (side², units) of a dense layer whose input is the image.
        after: the same.

    Returns:
        (H, W, 3) uint8: teal is positive, orange negative.
    """
    end = max(float(np.abs(weights).max()) for weights in (before, after)) or 1.0
    top, bottom = (
        _tile_grid([_enlarge(blend_colors(tile / end, np.zeros_like(tile))) for tile in _filters(weights)], COLUMNS)
        for weights in (before, after)
    )
    between = np.full((4 * GAP, top.shape[1], 3), 128, np.uint8)
    return np.vstack([top, between, bottom])


def _filters(weights: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """At most MAX_FILTERS filters, (h, w) each. A unit of a dense layer has a weight for every pixel of the image."""
    if weights.ndim == 2:
        side = round(len(weights) ** 0.5)
        weights = weights.reshape(side, side, -1)
    return [weights[..., index] for index in range(min(MAX_FILTERS, weights.shape[-1]))]


def _enlarge(tile: Image) -> Image:
    """Scales a tile to about TILE_PIXELS by a whole number; larger tiles stay as they are."""
    scale = max(1, TILE_PIXELS // max(tile.shape[:2]))
    return np.asarray(cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8)


def _tile_grid(tiles: Sequence[Image], columns: int) -> Image:
    """Tiles of one size in rows, with gray between them."""
    columns = min(columns, len(tiles))
    framed = [cv2.copyMakeBorder(tile, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=(60, 60, 60)) for tile in tiles]
    framed += [np.zeros_like(framed[0])] * (-len(framed) % columns)
    rows = [np.hstack(framed[start : start + columns]) for start in range(0, len(framed), columns)]
    return np.asarray(np.vstack(rows), np.uint8)
