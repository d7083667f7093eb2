"""Normalizes a drawing to a 28×28 image, stage by stage, as the makers of MNIST normalized theirs.

MNIST's digits were cropped, scaled to 20 pixels and pasted by their center of mass into 28×28. Models are trained on
nothing else, so a drawing gets the same treatment:

    drawing = decode_upload(upload)       # or the canvas's (280, 280, 4) array
    result = normalize_drawing(drawing)
    result.image                          # (28, 28) uint8, ink bright: what the model sees
    [stage.name for stage in result.stages]
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.drawing.ink import (
    FAINT,
    Floats,
    Pixels,
    binarize,
    ink_extent,
    mean_stroke_width,
    resize,
    to_ink,
)
from mnist_core.drawing.stroke_width import (
    BOX,
    FAT,
    STROKE_SCALE,
    THIN,
    change_stroke_width,
    measure_stroke_width,
    scale_brush_width,
    wanted_stroke_width,
)
from mnist_core.errors import DrawingError

SIDE, CENTER = 28, 14  # LeCun: the center of mass is in the middle of 28×28

SPECK = 0.25
"""Parts with less area than this, in squared stroke widths, are specks. A pen's dot has pi / 4 and is kept."""
TAP, TAP_GAP = 2.0, 0.4
"""A dot below this area, in squared stroke widths, this far off, relative to the digit, is a slip of the pen."""

# Edges, in pixels of 28.
FINE = 10  # pixels per pixel of 28, so that an edge is known to 0.1
EDGE_LOOK, EDGE_SHARE = 0.3, 0.58  # at an edge the ink has this share of its brightness so far inside; fitted on MNIST
SHARP, SOFT, UNSHARP = 0.8, 1.6, 0.15  # edge widths (a pen's is 0.4, enlarged MNIST's 1.6) and the unsharp mask


@dataclass(frozen=True)
class Stage:
    """One step of the normalization.

    Attributes:
        name: shown above the picture.
        image: (H, W) uint8, ink bright: the picture after this step.
        explanation: one line: what was done and why.
    """

    name: str
    image: Pixels
    explanation: str


@dataclass(frozen=True)
class NormalizedDrawing:
    """The result of `normalize_drawing`.

    Attributes:
        image: (28, 28) uint8, ink bright: what the model sees. All zero for a blank drawing.
        stages: all steps, in order.
        blank: True if nothing is drawn.
        stroke_width: in pixels of 28, before correction; 0 if it was not measured.
    """

    image: Pixels
    stages: tuple[Stage, ...]
    blank: bool
    stroke_width: float


@dataclass(frozen=True)
class NormalizationSteps:
    """Which steps to take. A benchmark leaves them out one by one. Without `crop` the whole picture is resized."""

    crop: bool = True
    square: bool = True
    center_of_mass: bool = True
    stroke_width: bool = True


ALL_STEPS = NormalizationSteps()
PLAIN_STEPS = NormalizationSteps(crop=False, square=False, center_of_mass=False, stroke_width=False)


def normalize_drawing(
    drawing: Pixels, brush: float | None = None, steps: NormalizationSteps = ALL_STEPS
) -> NormalizedDrawing:
    """Normalizes a drawing as the makers of MNIST normalized theirs.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, RGB order; light on dark or dark on light, on a
            transparent background or not.
        brush: the brush width in pixels of the drawing, above 0. None measures the stroke width instead.
        steps: which steps to take.

    Raises:
        DrawingError: the array is not such an image, or the brush width is not above 0.
    """
    if brush is not None and not brush > 0:
        raise DrawingError(f"Expected a brush width above 0 pixels. Received: {brush}.")
    ink = to_ink(drawing)
    stages = [Stage("Ink", ink, "Every pixel that differs from the color at the border is ink. Ink is bright.")]
    if not ink.any():
        return NormalizedDrawing(np.zeros((SIDE, SIDE), np.uint8), tuple(stages), True, 0.0)
    if not steps.crop:
        image = resize(ink, SIDE, SIDE)
        stages.append(Stage("28 x 28", image, "The whole picture is shrunk, wherever the digit is."))
        return NormalizedDrawing(image, tuple(stages), False, 0.0)
    stages.append(_without_specks(ink))
    box = _tight_box(stages[-1].image)
    width = (
        measure_stroke_width(box) if brush is None else scale_brush_width(brush, stages[-1].image, np.shape(drawing)[0])
    )
    if steps.stroke_width:
        stages.append(_with_stroke_width(box, width))
        box = stages[-1].image
    stages += _stages_to_28(box, steps)
    return NormalizedDrawing(stages[-1].image, tuple(stages), False, width)


def plain_resize(drawing: Pixels) -> NormalizedDrawing:
    """Only makes the ink bright and resizes the whole picture to 28×28, to show what normalization adds."""
    return normalize_drawing(drawing, steps=PLAIN_STEPS)


def _without_specks(ink: Pixels) -> Stage:
    """Drops dust and distant slips of the pen, but keeps the bar of a 5 and the dot that begins a 4."""
    extent = ink_extent(ink, FAINT)
    part = binarize(ink[extent], FAINT)
    if cv2.connectedComponents(part, connectivity=8)[0] <= 2:  # most drawings; this takes a tenth of the next call
        return Stage("Parts", ink, "All ink is connected.")
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    stroke = mean_stroke_width(ink[extent], FAINT) ** 2  # pixels
    area = stats[1:, cv2.CC_STAT_AREA]
    keep = area >= min(SPECK * stroke, area.max())
    dots = keep & (area < TAP * stroke)
    if not dots[keep].all():
        keep &= ~(dots & (_gaps(stats[1:], keep & ~dots) > TAP_GAP))
    cleaned = np.zeros_like(ink)
    cleaned[extent] = np.where(np.append(False, keep)[labels], ink[extent], 0)
    return Stage("Parts", cleaned, f"Parts of the digit kept: {keep.sum()}. Specks dropped: {(~keep).sum()}.")


def _gaps(stats: npt.NDArray[np.int32], main: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Returns (parts,) the distance of each part's box from the box of the main parts, relative to its longer side."""
    start = stats[:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]]
    stop = start + stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    low, high = start[main].min(axis=0), stop[main].max(axis=0)
    apart = np.maximum(low - stop, start - high).clip(0)  # (parts, 2)
    return np.asarray(apart.max(axis=1) / (high - low).max())


def _tight_box(ink: Pixels) -> Pixels:
    """Crops to the ink without the blur around it, enlarged until edges are known to a tenth of a pixel of 28."""
    box = ink[ink_extent(ink, FAINT)]
    if max(box.shape) < 2 * BOX:  # already of MNIST's own size: the pixels stay as they are
        return box
    factor = int(np.ceil(FINE * BOX / max(box.shape)))
    if factor > 1:
        framed = cv2.copyMakeBorder(box, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        box = cv2.resize(framed, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        box = box[ink_extent(box, FAINT)]
    for _ in range(2):  # the second time with the scale found by the first
        unit = max(box.shape) / BOX
        across, down = box.max(axis=0), box.max(axis=1)
        top, bottom, left, right = (_blur(p, unit) for p in (down, down[::-1], across, across[::-1]))
        box = box[top : box.shape[0] - bottom, left : box.shape[1] - right]
    return box


def _blur(profile: Pixels, unit: float) -> int:
    """Returns how many blurred pixels to cut off at the start of a (n,) profile of brightness."""
    place = np.arange(min(profile.size, int(2 * unit) + 1))
    ahead = np.interp(place + EDGE_LOOK * unit - 0.5, np.arange(profile.size), profile)
    return int(np.argmax(profile[: place.size] >= EDGE_SHARE * ahead))


def _with_stroke_width(box: Pixels, width: float) -> Stage:
    """Thickens or thins strokes whose width is outside of MNIST's range."""
    wanted = wanted_stroke_width(width)
    measured = f"The strokes are {width:.1f} pixels of 28 wide, most of MNIST's are {THIN} to {FAT}:"
    if wanted == width:
        return Stage("Stroke width", box, f"{measured} they stay as they are.")
    changed = _tight_box(change_stroke_width(box, width, wanted))
    action = "thickened" if wanted > width else "thinned"
    return Stage("Stroke width", changed, f"{measured} they are {action} to {wanted:.1f}.")


def _stages_to_28(box: Pixels, steps: NormalizationSteps) -> list[Stage]:
    """Takes the last steps, from the tight box to 28×28."""
    if not steps.square:
        return [Stage("28 x 28", resize(box, SIDE, SIDE), "The box around the ink is stretched to 28 x 28.")]
    square = _squared(box)
    small = _averaged(square)
    stages = [
        Stage("Square", square, "The tight box around the ink is padded to a square, so that nothing is stretched."),
        Stage("20 x 20", small, "Averaged over areas: the longer side is now 20 pixels, the brightest pixel 255."),
    ]
    if steps.center_of_mass:
        why = "Pasted so that the center of mass falls on pixel 14 both ways, as in MNIST."
        return [*stages, Stage("28 x 28", _pasted(small, _offsets_by_mass(_trimmed(small))), why)]
    middle = [(SIDE - n) // 2 for n in _trimmed(small).shape]
    return [*stages, Stage("28 x 28", _pasted(small, middle), "The box is pasted in the middle.")]


def _squared(box: Pixels) -> Pixels:
    """Pads to a square, by whole pixels of the 20, so that a digit of MNIST falls on its own pixel grid again."""
    side = max(box.shape)
    before = [min(round(side / BOX * ((BOX - n * BOX / side) // 2)), side - n) for n in box.shape]
    square = np.zeros((side, side), np.uint8)
    square[before[0] : before[0] + box.shape[0], before[1] : before[1] + box.shape[1]] = box
    return square


def _averaged(square: Pixels) -> Pixels:
    """Reduces to (20, 20) uint8, peak 255. Every row and column with ink keeps some, so that the longer side is 20."""
    small: Floats = resize(square.astype(np.float32), BOX, BOX)
    amount = UNSHARP * float(np.clip((_softness(square) - SHARP) / (SOFT - SHARP), 0, 1))
    if amount:
        kernel = np.array([-amount, 1 + 2 * amount, -amount], np.float32)
        small = np.maximum(cv2.sepFilter2D(small, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT), small / 5)
    averaged: Pixels = np.ceil(small * (255 / small.max()) - 1e-3).clip(0, 255).astype(np.uint8)
    return averaged


def _softness(square: Pixels) -> float:
    """Returns the width of the ink's edges in pixels of 28, or 0 if the image is too small to measure it."""
    if square.shape[0] < 2 * BOX:
        return 0.0
    fine = resize(square, BOX * STROKE_SCALE, BOX * STROKE_SCALE).astype(np.float32) / 255
    across, down = (cv2.Sobel(fine, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    slope = cv2.magnitude(across, down)
    return float(slope.sum() / max(np.square(slope).sum(), 1e-6)) / STROKE_SCALE


def _trimmed(small: Pixels) -> Pixels:
    return small[ink_extent(small, 0)]


def _offsets_by_mass(digit: Pixels) -> list[int]:
    """Returns where the digit's first row and column go: the nearest whole shift that keeps all of it in 28×28."""
    totals = digit.sum(axis=1, dtype=float), digit.sum(axis=0, dtype=float)
    centroids = [float((total * np.arange(total.size)).sum() / total.sum()) for total in totals]
    return [int(np.clip(np.floor(CENTER - c + 0.5), 0, SIDE - n)) for c, n in zip(centroids, digit.shape, strict=True)]


def _pasted(small: Pixels, offsets: list[int]) -> Pixels:
    digit, image = _trimmed(small), np.zeros((SIDE, SIDE), np.uint8)
    image[offsets[0] : offsets[0] + digit.shape[0], offsets[1] : offsets[1] + digit.shape[1]] = digit
    return image
