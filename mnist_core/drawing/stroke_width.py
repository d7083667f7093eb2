"""Measures how wide the strokes of a digit are, and thickens or thins them.

Widths are in pixels of 28: as wide as the strokes are once the longer side of the digit is BOX pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from mnist_core.drawing.ink import (
    FAINT,
    HALF,
    Pixels,
    binarize,
    distance_to_edge,
    ink_extent,
    mean_stroke_width,
    resize,
)

BOX = 20
"""LeCun: digits are scaled to 20×20 before they are placed in 28×28."""

# MNIST's 10,000 test digits have a median stroke width of 2.6 and 5th to 95th percentiles of 1.7 to 4.1. Widths from
# THIN to FAT stay as they are. These two, and what is done to other widths, were chosen by the accuracy of three
# networks on 1,600 pen digits with eleven brushes and sizes, and by how little MNIST's own digits change.
THIN, THIN_WANTED = 1.8, 2.2
FAT, FAT_WANTED, FAT_POWER = 3.5, 3.0, 0.3
RIDGE = 0.3  # pixels; the distance to the edge varies less than this along the middle of a stroke
STROKE_SCALE, STROKE_MARGIN = 8, 12  # strokes change at 8 pixels per pixel of 28, with a margin of 12 of 28


def measure_stroke_width(box: Pixels) -> float:
    """Returns the stroke width in pixels of 28.

    A thin stroke is measured again at MNIST's resolution, because the ragged edge of a digit that was enlarged pixel by
    pixel makes it look thinner than it is.
    """
    working = _at_working_scale(box)
    width = mean_stroke_width(working, _half(working)) / STROKE_SCALE
    if width >= THIN:
        return width
    return max(width, mean_stroke_width(cv2.blur(working, (STROKE_SCALE, STROKE_SCALE)), HALF) / STROKE_SCALE)


def scale_brush_width(brush: float, ink: Pixels, height: int) -> float:
    """Converts a brush width from pixels of a drawing of this height to pixels of 28."""
    side = max(part.stop - part.start for part in ink_extent(ink, FAINT))
    return BOX * min(1.0, float(brush * ink.shape[0] / (height * side)))


def wanted_stroke_width(width: float) -> float:
    """Returns the width a stroke should get, in pixels of 28.

    Any width within MNIST's range is right. A fat stroke is thinned only part of the way: it has filled gaps and loops,
    which thinning does not bring back, and a thin blob looks less like the digit than a fat one.
    """
    if width < THIN:
        return THIN_WANTED
    return FAT_WANTED * (width / FAT_WANTED) ** FAT_POWER if width > FAT else width


def change_stroke_width(box: Pixels, width: float, wanted: float) -> Pixels:
    """Moves every edge outward by g. As the box grows, too, (width + 2 g) / (side + 2 g) = wanted / 20 gives g."""
    working = _at_working_scale(box)
    mask = binarize(working, _half(working))
    outward = BOX * STROKE_SCALE * (wanted - width) / (BOX - wanted) / 2  # pixels
    inside, outside = distance_to_edge(mask), distance_to_edge(1 - mask)
    depth = inside - outside
    # Half a pixel less, because the edge is between two pixels.
    grown = (depth - np.sign(depth) / 2 + outward + 0.5).clip(0, 1)
    if outward < 0:  # where a stroke would vanish or break, its middle line stays, as wide as MNIST's thinnest
        middle = (inside > 0) & (inside < THIN * STROKE_SCALE / 2 - outward)
        middle &= inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - RIDGE
        kept = (THIN * STROKE_SCALE / 2 + 0.5 - distance_to_edge(1 - middle.astype(np.uint8))).clip(0, 1) * mask
        grown = np.maximum(grown, kept)
    moved: Pixels = (grown * 255).astype(np.uint8)
    return moved


def _at_working_scale(box: Pixels) -> Pixels:
    """Resizes the longer side to 160 pixels and adds a margin of 96 on every side."""
    factor, margin = BOX * STROKE_SCALE / max(box.shape), STROKE_MARGIN * STROKE_SCALE
    height, width = (max(1, round(n * factor)) for n in box.shape)
    return np.pad(resize(box, height, width), margin)


def _half(working: Pixels) -> int:
    """Returns half of the ink's brightness, which is lower where averaging has dimmed a hairline."""
    return min(HALF, int(working.max()) // 2)
