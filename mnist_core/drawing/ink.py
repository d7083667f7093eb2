"""Ink and paper told apart: any picture of a drawing -> grey levels in which the paper is 0 and the ink is bright."""

from __future__ import annotations

from functools import reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.errors import DrawingError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Ink and paper, in grey levels of 255.
WORKING_SIDE = 640  # pixels; larger pictures are reduced first: 32 pixels for each of MNIST's 20 are plenty
UNEVEN = 2  # median deviation of the rim from one colour, above which it is a photo: paper in uneven light, with noise
NOISES = 7.4  # ink differs from the paper by five standard deviations: 5 * 1.4826 median deviations
MIN_CONTRAST = 24  # less is a blank sheet
HALF = 127  # the edge of a stroke
ONE_INK = 0.8  # nine tenths of the ink at least so bright, of its brightest: its shades are edges, not crossings
# An opaque card on a transparent ground, a page in a frame: share of the picture's sides, of its own box filled, cut
# off for round corners, and of it that is paper.
MIN_CARD = 8  # pixels: smaller ones are no cards
CARD_SIDE, CARD_FILL, CARD_INSET, CARD_PAPER = 0.5, 0.75, 0.04, 0.5
CARD_EDGE = 0.95  # paper along a card's own edge; a patch that was filled with a pen has a ragged one
BACKGROUND_SIDE, BACKGROUND_WINDOW = 96, 41  # a median over 43 % of a photo's side sees paper, never ink


def to_ink(drawing: Pixels) -> Pixels:
    """Flattens alpha and tells ink from paper, which is the colour of the border.

    Returns:
        (H, W) uint8, paper 0, ink up to 255. A side above 640 is reduced to 640. All zero: nothing is drawn.

    Raises:
        DrawingError: not a (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 image.
    """
    image = _bounded(_premultiplied(_checked(drawing)))
    ink = _contrast(image)
    card = _card(image, ink)
    if card is not None:
        ink = np.zeros_like(ink)
        ink[card] = _contrast(image[card])
    return ink


def _checked(drawing: Pixels) -> Pixels:
    """(H, W, 1 | 3 | 4) uint8."""
    given = f"Received: {getattr(drawing, 'dtype', type(drawing).__name__)} {np.shape(drawing)}."
    if not isinstance(drawing, np.ndarray) or drawing.dtype != np.uint8 or drawing.ndim not in (2, 3):
        raise DrawingError(f"Expected a uint8 image, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). {given}")
    image = np.ascontiguousarray(drawing[..., None] if drawing.ndim == 2 else drawing)
    if image.size == 0 or image.shape[2] not in (1, 3, 4):
        raise DrawingError(f"Expected an image of at least one pixel, of 1, 3 or 4 channels. {given}")
    return image


def _premultiplied(image: Pixels) -> Pixels:
    """Colours times alpha, so that what hides in transparent pixels counts nowhere; (H, W, 3) where all is opaque."""
    if image.shape[2] < 4:
        return image
    opaque = cv2.minMaxLoc(cv2.extractChannel(image, 3))[0] == 255
    converted: Pixels = cv2.cvtColor(image, cv2.COLOR_RGBA2RGB if opaque else cv2.COLOR_RGBA2mRGBA)
    return converted


def _bounded(image: Pixels) -> Pixels:
    factor = WORKING_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    height, width = (max(1, round(n * factor)) for n in image.shape[:2])
    return resize(image, height, width).reshape(height, width, -1)


def _contrast(image: Pixels) -> Pixels:
    """How far each pixel's colour lies from the paper's; (H, W) uint8, stretched to 255."""
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).astype(np.int16)  # (border pixels, channels)
    paper = np.median(rim, axis=0)
    deviation = float(np.median(np.abs(rim - paper).max(axis=1)))
    if deviation > UNEVEN:
        return _photo_contrast(image)
    if image.shape[2] == 4 and paper[3] > 127:  # opaque paper: what is transparent (a round corner) is paper too...
        ink = _stretched(_difference(_over(image, paper), paper[:3]), deviation)
        if ink.any():  # ...unless the ink is a hole in it
            return ink
    return _stretched(_difference(image, paper), deviation)


def _over(image: Pixels, paper: npt.NDArray[np.float64]) -> Pixels:
    """(H, W, 4) premultiplied, laid on the paper: (H, W, 3)."""
    return (image[..., :3] + (255 - image[..., 3:]) * (paper[:3] / 255)).clip(0, 255).astype(np.uint8)


def _difference(image: Pixels, paper: npt.NDArray[np.float64]) -> Pixels:
    """The channel that differs most decides: yellow on white is ink as black on white is. (H, W) uint8."""
    pairs = zip(cv2.split(image), paper, strict=True)
    return reduce(cv2.max, [cv2.absdiff(channel, np.full_like(channel, level)) for channel, level in pairs])


def _photo_contrast(image: Pixels) -> Pixels:
    """As `_contrast`, for paper in uneven light: each pixel against the median of a wide window around it."""
    grey = image[..., 0] if image.shape[2] == 1 else cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY)
    small = cv2.medianBlur(resize(grey, BACKGROUND_SIDE, BACKGROUND_SIDE), BACKGROUND_WINDOW)
    paper = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    darker, lighter = cv2.subtract(paper, grey), cv2.subtract(grey, paper)
    deviation = float(np.median(cv2.max(darker, lighter)))
    return max(_stretched(darker, deviation), _stretched(lighter, deviation), key=np.sum)


def _stretched(difference: Pixels, deviation: float) -> Pixels:
    """Noise to 0, ink to 255: its brightest, or what most of it has where a translucent pen crossed its own line."""
    floor, peak = NOISES * deviation, float(difference.max())
    if peak - floor < MIN_CONTRAST:
        return np.zeros_like(difference)
    level = float(np.quantile(difference[difference > (floor + peak) / 2], 0.9))
    if level - floor > ONE_INK * (peak - floor):
        level = peak
    table = ((np.arange(256) - floor) * (255 / (level - floor))).round().clip(0, 255).astype(np.uint8)
    stretched: Pixels = cv2.LUT(difference, table)
    return stretched


def _card(image: Pixels, ink: Pixels) -> tuple[slice, slice] | None:
    """Where the paper lies as a card on another ground (transparent, a frame): that part of the picture, or None."""
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
    """1 where the ink is brighter than a level, else 0."""
    mask: Pixels = cv2.threshold(ink, level, 1, cv2.THRESH_BINARY)[1]
    return mask


def ink_extent(ink: Pixels, level: int) -> tuple[slice, slice]:
    """Rows and columns of what is brighter than a level; of any ink at all where nothing is."""
    left, top, width, height = cv2.boundingRect(binarize(ink, level))
    if width == 0:
        left, top, width, height = cv2.boundingRect(ink)
    return slice(top, top + height), slice(left, left + width)


def resize(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Averages over areas where it shrinks, interpolates where it grows."""
    grows = height > image.shape[0] or width > image.shape[1]
    result: npt.NDArray[Any] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    )
    return result
