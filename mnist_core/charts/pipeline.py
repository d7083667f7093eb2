"""Pictures of one channel of a layer, with the unit or the window that is looked at in a frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import Image
from mnist_core.charts.layers import CHOSEN_COLOR, colorize, largest_magnitude

MAP_PIXELS = 112
"""Approximate width of a map."""
_FRAME = tuple(int(CHOSEN_COLOR[start : start + 2], 16) for start in (1, 3, 5))


def framed_map(
    values: NDArray[np.float32],
    box: tuple[int, int, int, int] | None = None,
    largest: float | None = None,
    pixels: int = MAP_PIXELS,
) -> Image:
    """Draws a map with square pixels and a frame around a part of it.

    Args:
        values: (H, W) float32.
        box: top, left, bottom, right of the frame in the map; it may reach beyond the map. None: no frame.
        largest: the magnitude that gets the full color; by default the map's own.
        pixels: approximate width of the picture.

    Returns:
        (H', W', 3) uint8.
    """
    scale = max(1, pixels // max(values.shape))
    colors = colorize(values, largest_magnitude(values) if largest is None else largest)
    picture = np.ascontiguousarray(colors.repeat(scale, axis=0).repeat(scale, axis=1))
    if box is not None:
        top, left, bottom, right = (scale * edge for edge in box)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), _FRAME, 2)
    return picture
