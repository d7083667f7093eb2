"""Separates ink from paper: any picture of a drawing becomes gray levels with paper 0 and bright ink."""

from __future__ import annotations

from functools import reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.errors import DrawingError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WORKING_SIDE = 640
"""Larger pictures are reduced to this side, in pixels: 32 for each of MNIST's 20 are plenty."""
UNEVEN = 2
"""A picture is a photo, with noise and uneven light, if its rim's median deviation from one color is above this."""
NOISE_FACTOR = 7.4
"""Ink differs from the paper by 5 standard deviations, which are 5 * 1.4826 median deviations."""
MIN_CONTRAST = 24
"""A sheet whose darkest and brightest levels are closer than this, of 255, is blank."""
HALF = 127
"""The gray level at the edge of a stroke, of 255."""
FAINT = 13
"""Ink up to this gray level is blur or JPEG ringing and moves no edge. 99% of MNIST's outermost rows are brighter."""
UNIFORM_INK = 0.8
"""If nine tenths of the ink are brighter than this share of its peak, its shades are edges, not crossing lines."""

# A card is an opaque page on a transparent background, or a page in a frame.
MIN_CARD = 8  # pixels
CARD_SIDE = 0.5  # a card is at least this wide and high, relative to the picture
CARD_FILL = 0.75  # share of its bounding box that it fills
CARD_INSET = 0.04  # cut off on each side because of round corners, relative to the card's side
CARD_PAPER = 0.5  # share of it that is paper
CARD_EDGE = 0.95  # share of its edge that is paper; a patch filled with a pen has a ragged edge

BACKGROUND_SIDE, BACKGROUND_WINDOW = 96, 41  # a median over 43% of a photo's side sees paper, never ink


def to_ink(drawing: Pixels) -> Pixels:
    """Flattens alpha and separates ink from paper. The color along the border counts as paper.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8.

    Returns:
        (H, W) uint8, paper 0, ink up to 255; all zero if nothing is drawn. Sides above WORKING_SIDE are reduced to it.

    Raises:
        DrawingError: the array has another shape or dtype.
    """
    image = _bounded(_premultiplied(_checked(drawing)))
    ink = _contrast(image)
    card = _card(image, ink)
    if card is not None:
        ink = np.zeros_like(ink)
        ink[card] = _contrast(image[card])
    return ink


def _checked(drawing: Pixels) -> Pixels:
    """Returns (H, W, 1 | 3 | 4) uint8, or raises a DrawingError."""
    given = f"Received: {getattr(drawing, 'dtype', type(drawing).__name__)} {np.shape(drawing)}."
    if not isinstance(drawing, np.ndarray) or drawing.dtype != np.uint8 or drawing.ndim not in (2, 3):
        raise DrawingError(f"Expected a uint8 image, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). {given}")
    image = np.ascontiguousarray(drawing[..., None] if drawing.ndim == 2 else drawing)
    if image.size == 0 or image.shape[2] not in (1, 3, 4):
        raise DrawingError(f"Expected an image of at least one pixel, of 1, 3 or 4 channels. {given}")
    return image


def _premultiplied(image: Pixels) -> Pixels:
    """Multiplies colors by alpha, so that transparent pixels do not count. (H, W, 3) if all is opaque."""
    if image.shape[2] < 4:
        return image
    opaque = cv2.minMaxLoc(cv2.extractChannel(image, 3))[0] == 255
    converted: Pixels = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB if opaque else cv2.COLOR_RGBA2mRGBA)
    return converted


def _bounded(image: Pixels) -> Pixels:
    """Reduces an image whose longer side is above WORKING_SIDE."""
    factor = WORKING_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(n * factor)) for n in image.shape[:2])
    return resize(image, height, width).reshape(height, width, -1)


def _contrast(image: Pixels) -> Pixels:
    """Returns (H, W) uint8: how much each pixel's color differs from the paper's, stretched to 255."""
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).astype(np.int16)  # (border pixels, channels)
    paper = np.median(rim, axis=0)
    deviation = float(np.median(np.abs(rim - paper).max(axis=1)))
    if deviation > UNEVEN:
        return _photo_contrast(image)
    if (
        image.shape[2] == 4 and paper[3] > 127
    ):  # the paper is opaque, and transparent parts (round corners) are paper, too...
        ink = _stretched(_difference(_lay_on_paper(image, paper), paper[:3]), deviation)
        if ink.any():  # ...unless the ink is a hole in it
            return ink
    return _stretched(_difference(image, paper), deviation)


def _lay_on_paper(image: Pixels, paper: npt.NDArray[np.float64]) -> Pixels:
    """Blends a premultiplied (H, W, 4) image with the paper's color, (H, W, 3)."""
    return (image[..., :3] + (255 - image[..., 3:]) * (paper[:3] / 255)).clip(0, 255).astype(np.uint8)


def _difference(image: Pixels, paper: npt.NDArray[np.float64]) -> Pixels:
    """Returns (H, W) uint8, of the channel that differs most, so that yellow on white is as much ink as black."""
    pairs = zip(cv2.split(image), paper, strict=True)
    return reduce(cv2.max, [cv2.absdiff(channel, np.full_like(channel, level)) for channel, level in pairs])


def _photo_contrast(image: Pixels) -> Pixels:
    """Like `_contrast`, for paper in uneven light: compares each pixel with the median of a wide window around it."""
    gray = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY)
    small = cv2.medianBlur(resize(gray, BACKGROUND_SIDE, BACKGROUND_SIDE), BACKGROUND_WINDOW)
    paper = cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    darker, lighter = cv2.subtract(paper, gray), cv2.subtract(gray, paper)
    deviation = float(np.median(cv2.max(darker, lighter)))
    return max(_stretched(darker, deviation), _stretched(lighter, deviation), key=np.sum)


def _stretched(difference: Pixels, deviation: float) -> Pixels:
    """Maps noise to 0 and ink to 255. Where a translucent pen crossed its own line, single strokes are 255."""
    floor, peak = NOISE_FACTOR * deviation, float(difference.max())
    if peak - floor < MIN_CONTRAST:
        return np.zeros_like(difference)
    level = float(np.quantile(difference[difference > (floor + peak) / 2], 0.9))
    if level - floor > UNIFORM_INK * (peak - floor):
        level = peak
    table = ((np.arange(256) - floor) * (255 / (level - floor))).round().clip(0, 255).astype(np.uint8)
    stretched: Pixels = cv2.LUT(difference, table)
    return stretched


def _card(image: Pixels, ink: Pixels) -> tuple[slice, slice] | None:
    """Returns the part of the picture that is a card on another background, or None if there is no card."""
    box = ink_extent(ink, MIN_CONTRAST)
    sides = [part.stop - part.start for part in box]
    if min(np.divide(sides, ink.shape)) < CARD_SIDE or np.mean(ink[box] > MIN_CONTRAST) < CARD_FILL:
        return None
    insets = [int(np.ceil(side * CARD_INSET)) for side in sides]
    rows, columns = (slice(part.start + n, part.stop - n) for part, n in zip(box, insets, strict=True))
    if min(ink[rows, columns].shape) < MIN_CARD:
        return None
    inner = _contrast(image[rows, columns])
    ring = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    is_card = inner.any() and np.mean(inner == 0) > CARD_PAPER and np.mean(ring == 0) > CARD_EDGE
    return (rows, columns) if is_card else None


def binarize(ink: Pixels, level: int) -> Pixels:
    """Returns (H, W) uint8: 1 where the ink is brighter than a level, else 0."""
    mask: Pixels = cv2.threshold(ink, level, 1, cv2.THRESH_BINARY)[1]
    return mask


def ink_extent(ink: Pixels, level: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the ink above a level, or of any ink if none is above it."""
    left, top, width, height = cv2.boundingRect(binarize(ink, level))
    if width == 0:
        left, top, width, height = cv2.boundingRect(ink)
    return slice(top, top + height), slice(left, left + width)


def resize(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Resizes an image: averages over areas if it shrinks, interpolates linearly if it grows."""
    grows = height > image.shape[0] or width > image.shape[1]
    result: npt.NDArray[Any] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    )
    return result


def mean_stroke_width(ink: Pixels, level: int) -> float:
    """Returns the mean width in pixels of the strokes above a level, at least 0.

    Across a stroke of width w, the distance to its edge is w / 4 on average. Each pixel counts half of itself.
    """
    mask = cv2.copyMakeBorder(binarize(ink, level), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = distance_to_edge(mask)
    return max(0.0, 4 * float(cv2.mean(depth, mask)[0]) - 2)


def distance_to_edge(mask: Pixels) -> Floats:
    """Returns (H, W) float32: the distance of each 1 to the nearest 0, in pixels."""
    depth: Floats = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return depth
