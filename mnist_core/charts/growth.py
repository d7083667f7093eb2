"""How a network grew: its answers by epoch as a chart, activations and filters as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.attribution import blend_colors
from mnist_core.charts.common import COLORS

GAP = 2  # pixels between tiles
TILE_PIXELS = 56  # pixels of a tile's side, about
COLUMNS = 8
UNIT_PIXELS = 20  # pixels of the square of a unit

Image = NDArray[np.uint8]


def probability_curves(epochs: Sequence[int], probabilities: NDArray[np.float32], shown: int) -> Any:
    """The probability of each digit by epoch.

    Args:
        epochs: T, finished ones.
        probabilities: (T, 10) float32, 0..1.
        shown: the epoch that is marked.

    Returns:
        An Altair chart: the last answer in teal, its closest rival in orange, the others in grey.
    """
    import altair as alt

    final = int(probabilities[-1].argmax())
    rival = int(np.where(np.arange(10) == final, -1, probabilities.max(axis=0)).argmax())
    names = {final: f"{final}, its last answer", rival: f"{rival}, the closest rival"}
    drawn = sorted(range(10), key=names.__contains__)  # the grey ones first, under the others
    points = [
        {"epoch": epoch, "digit": digit, "probability": float(row[digit]), "what": names.get(digit, "other digits")}
        for epoch, row in zip(epochs, probabilities, strict=True)
        for digit in drawn
    ]
    scale = alt.Scale(
        domain=[*names.values(), "other digits"], range=[COLORS[name] for name in ("training", "validation", "muted")]
    )
    base: Any = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epochs trained", scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1)),
        y=alt.Y("probability:Q", title="probability", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
        detail="digit:N",
        color=alt.Color("what:N", scale=scale, legend=alt.Legend(title=None, orient="top")),
        tooltip=["digit:N", "epoch:Q", alt.Tooltip("probability:Q", format=".1%")],
    )
    here = alt.Chart({"values": [{"epoch": shown}]}).mark_rule(strokeDash=[4, 4], size=2, color=COLORS["muted"])
    layers = here.encode(x="epoch:Q"), base.mark_line(strokeWidth=2), base.mark_circle(size=50, opacity=1)
    return alt.layer(*layers, data={"values": points}).properties(height=260)


def activation_grid(values: NDArray[np.float32], low: float, high: float) -> Image:
    """What a layer gives, the brighter the larger.

    Args:
        values: (h, w, channels) or (units,) float32.
        low, high: the values that are black and white.

    Returns:
        (H, W) uint8: a tile for each channel, or a square for each unit.
    """
    grey = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    if grey.ndim == 1:
        return _grid([np.full((UNIT_PIXELS, UNIT_PIXELS), value, np.uint8) for value in grey], 2 * COLUMNS)
    return _grid([_enlarged(grey[..., channel]) for channel in range(grey.shape[-1])], COLUMNS)


def filter_grid(before: NDArray[np.float32], after: NDArray[np.float32]) -> Image:
    """The filters of a first layer before, above, and after, below; teal is positive, orange negative, one scale.

    Args:
        before, after: (h, w, filters) float32, or (side², units) of a dense layer that looks at the image.

    Returns:
        (H, W, 3) uint8.
    """
    end = max(float(np.abs(both).max()) for both in (before, after)) or 1.0
    grids = [_grid([_enlarged(_painted(tile, end)) for tile in _tiles(both)], COLUMNS) for both in (before, after)]
    between = np.full((4 * GAP, grids[0].shape[1], 3), 128, np.uint8)
    return np.vstack([grids[0], between, grids[1]])


def _tiles(weights: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """(h, w) each, of 24 filters at most. The weights of a dense unit are a picture, too: it looks at all pixels."""
    if weights.ndim == 2:
        side = round(len(weights) ** 0.5)
        weights = weights.reshape(side, side, -1)
    return [weights[..., index] for index in range(min(24, weights.shape[-1]))]


def _painted(tile: NDArray[np.float32], end: float) -> Image:
    return blend_colors(tile / end, np.zeros_like(tile))


def _enlarged(tile: Image) -> Image:
    """As large as TILE, by whole pixels; a larger one stays as it is."""
    scale = max(1, TILE_PIXELS // max(tile.shape[:2]))
    return np.asarray(cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8)


def _grid(tiles: Sequence[Image], columns: int) -> Image:
    """Tiles of one size in rows, with grey between them."""
    columns = min(columns, len(tiles))
    framed = [cv2.copyMakeBorder(tile, GAP, GAP, GAP, GAP, cv2.BORDER_CONSTANT, value=(60, 60, 60)) for tile in tiles]
    framed += [np.zeros_like(framed[0])] * (-len(framed) % columns)
    rows = [np.hstack(framed[start : start + columns]) for start in range(0, len(framed), columns)]
    return np.asarray(np.vstack(rows), np.uint8)
