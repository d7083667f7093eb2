"""A drawing -> the 28x28 image that MNIST's makers would have made of it, stage by stage.

MNIST's digits were cropped, scaled to 20 pixels and pasted by their centre of mass into 28x28. A model has seen nothing
else, so a drawing gets the same treatment before the model sees it:

    drawing = uploads.decode(upload)      # or the canvas's (280, 280, 4) array
    result = normalise(drawing)
    result.image                          # (28, 28) uint8, ink bright: what the model sees
    [stage.name for stage in result.stages]
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.drawing.ink import HALF, Floats, Pixels, binarize, ink_extent, resize, to_ink
from mnist_core.errors import DrawingError

SIDE, BOX, CENTER = 28, 20, 14  # LeCun: size-normalised to 20x20, centre of mass in the middle of 28x28

# Parts of the digit.
FAINT = 13  # ink up to this is blur or JPEG ringing: it moves no edge. 99 % of MNIST's outermost rows are brighter
SPECK = 0.25  # strokes squared; a pen's dot has pi/4, and is kept
TAP, TAP_GAP = 2.0, 0.4  # a lone dot (strokes squared) that far off (of the digit's longer side) is a slip of the pen

# Edges and strokes, in pixels of 28. Measured over MNIST's 10,000 test digits: stroke width median 2.6, 5th to 95th
# percentile 1.7 to 4.1. A width from THIN to FAT is left alone; these two and what is done outside of them were chosen
# by the accuracy of three networks on 1,600 pen digits under eleven brushes and sizes, and by how little MNIST changes.
FINE = 10  # pixels for each pixel of 28, so that an edge is known to 0.1
EDGE_LOOK, EDGE_SHARE = 0.3, 0.58  # an edge has this share of the brightness so far inside. Fitted on MNIST enlarged
THIN, THIN_WANTED = 1.8, 2.2
FAT, FAT_WANTED, FAT_POWER = 3.5, 3.0, 0.3
RIDGE = 0.3  # pixels; along the middle of a stroke the distance to its edge varies less
STROKE_SCALE, STROKE_MARGIN = 8, 12  # widths are changed at 8 pixels for each of 28, with 12 of 28 around for growth
SHARP, SOFT, UNSHARP = 0.8, 1.6, 0.15  # edge widths: a pen's 0.4, MNIST enlarged linearly 1.6 and what undoes that


@dataclass(frozen=True)
class Stage:
    """One picture on the way. image: (H, W) uint8, ink bright. explanation: one line, what was done and why."""

    name: str
    image: Pixels
    explanation: str


@dataclass(frozen=True)
class NormalizedDrawing:
    """What `normalise` made of a drawing.

    Attributes:
        image: (28, 28) uint8, ink bright: what the model sees. All zero for a blank drawing.
        stages: the pictures on the way, in the order in which they were made.
        blank: nothing is drawn.
        stroke_width: pixels of 28, before it was corrected; 0 where it was not measured.
    """

    image: Pixels
    stages: tuple[Stage, ...]
    blank: bool
    stroke_width: float


@dataclass(frozen=True)
class NormalizationSteps:
    """Which steps to take; a benchmark leaves them out one by one. Without `crop` the whole picture is resized."""

    crop: bool = True
    square: bool = True
    center_of_mass: bool = True
    stroke_width: bool = True


ALL_STEPS = NormalizationSteps()
PLAIN_STEPS = NormalizationSteps(crop=False, square=False, center_of_mass=False, stroke_width=False)


def normalize_drawing(
    drawing: Pixels, brush: float | None = None, steps: NormalizationSteps = ALL_STEPS
) -> NormalizedDrawing:
    """Treats a drawing as MNIST's makers treated theirs.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, RGB order: light on dark or dark on light, on a
            transparent ground or not.
        brush: its width in pixels of the drawing, above 0, where the canvas tells it; else it is measured.
        steps: which steps to take.

    Raises:
        DrawingError: the array is no such image, or the brush no such width.
    """
    if brush is not None and not brush > 0:
        raise DrawingError(f"Expected a brush width above 0 pixels. Received: {brush}.")
    ink = to_ink(drawing)
    stages = [Stage("Ink", ink, "What differs from the colour along the border is ink, and ink is bright.")]
    if not ink.any():
        return NormalizedDrawing(np.zeros((SIDE, SIDE), np.uint8), tuple(stages), True, 0.0)
    if not steps.crop:
        image = resize(ink, SIDE, SIDE)
        stages.append(Stage("28 x 28", image, "The whole picture made small, wherever and however large the digit is."))
        return NormalizedDrawing(image, tuple(stages), False, 0.0)
    stages.append(_without_specks(ink))
    box = _tight_box(stages[-1].image)
    width = _measured_width(box) if brush is None else _brush_width(brush, stages[-1].image, np.shape(drawing)[0])
    if steps.stroke_width:
        stages.append(_with_stroke_width(box, width))
        box = stages[-1].image
    stages += _stages_to_28(box, steps)
    return NormalizedDrawing(stages[-1].image, tuple(stages), False, width)


def plain_resize(drawing: Pixels) -> NormalizedDrawing:
    """The naive way, to see the difference: ink made bright, the whole picture resized to 28x28, nothing else."""
    return normalize_drawing(drawing, steps=PLAIN_STEPS)


def _without_specks(ink: Pixels) -> Stage:
    """Drops dust and a slip of the pen far off; keeps the bar of a 5 and the dot that begins a 4."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(binarize(ink, FAINT), connectivity=8)
    if count <= 2:
        return Stage("Parts", ink, "The ink is one part.")
    stroke = _width(ink, FAINT) ** 2  # pixels
    area = stats[1:, cv2.CC_STAT_AREA]
    keep = area >= min(SPECK * stroke, area.max())
    dots = keep & (area < TAP * stroke)
    if not dots[keep].all():
        keep &= ~(dots & (_gaps(stats[1:], keep & ~dots) > TAP_GAP))
    cleaned = np.where(np.append(False, keep)[labels], ink, 0).astype(np.uint8)
    return Stage("Parts", cleaned, f"{keep.sum()} parts of the digit kept, {(~keep).sum()} specks dropped.")


def _gaps(stats: npt.NDArray[np.int32], main: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """How far each part's box lies from the box of the main parts, as a share of that box's longer side."""
    start = stats[:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]]
    stop = start + stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    low, high = start[main].min(axis=0), stop[main].max(axis=0)
    apart = np.maximum(low - stop, start - high).clip(0)  # (parts, 2)
    return np.asarray(apart.max(axis=1) / (high - low).max())


def _tight_box(ink: Pixels) -> Pixels:
    """The ink's box, enlarged until its edges are known to a tenth of a pixel of 28, less the blur around the ink."""
    box = ink[ink_extent(ink, FAINT)]
    if max(box.shape) < 2 * BOX:  # already of MNIST's own size: its pixels are kept as they are
        return box
    factor = int(np.ceil(FINE * BOX / max(box.shape)))
    if factor > 1:
        framed = cv2.copyMakeBorder(box, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        box = cv2.resize(framed, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        box = box[ink_extent(box, FAINT)]
    for _ in range(2):  # the second time with the scale that the first has found
        unit = max(box.shape) / BOX
        across, down = box.max(axis=0), box.max(axis=1)
        top, bottom, left, right = (_blur(p, unit) for p in (down, down[::-1], across, across[::-1]))
        box = box[top : box.shape[0] - bottom, left : box.shape[1] - right]
    return box


def _blur(profile: Pixels, unit: float) -> int:
    """How many pixels to leave out at the start of a profile of brightness: an edge is where half of it is reached."""
    place = np.arange(min(profile.size, int(2 * unit) + 1))
    ahead = np.interp(place + EDGE_LOOK * unit - 0.5, np.arange(profile.size), profile)
    return int(np.argmax(profile[: place.size] >= EDGE_SHARE * ahead))


def _width(ink: Pixels, level: int) -> float:
    """Mean stroke width in pixels: across a stroke of width w, the distance to its edge is w / 4 on average."""
    mask = cv2.copyMakeBorder(binarize(ink, level), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = _depth(mask)
    return max(0.0, 4 * float(cv2.mean(depth, mask)[0]) - 2)  # each pixel counts its own half


def _measured_width(box: Pixels) -> float:
    """Stroke width in pixels of 28. A thin one is measured a second time as MNIST's resolution would show it: the
    ragged edge of a digit that was enlarged pixel by pixel makes it look thinner than it is."""
    working = _at_working_scale(box)
    width = _width(working, _half(working)) / STROKE_SCALE
    if width >= THIN:
        return width
    return max(width, _width(cv2.blur(working, (STROKE_SCALE, STROKE_SCALE)), HALF) / STROKE_SCALE)


def _half(working: Pixels) -> int:
    """Half of the ink's brightness, which area averaging has lowered where a line is a hair."""
    return min(HALF, int(working.max()) // 2)


def _brush_width(brush: float, ink: Pixels, height: int) -> float:
    """The brush in pixels of 28, for a drawing of this height."""
    side = max(part.stop - part.start for part in ink_extent(ink, FAINT))
    return BOX * min(1.0, float(brush * ink.shape[0] / (height * side)))


def _at_working_scale(box: Pixels) -> Pixels:
    """The longer side 160 pixels, a margin of 96 on every side."""
    factor, margin = BOX * STROKE_SCALE / max(box.shape), STROKE_MARGIN * STROKE_SCALE
    height, width = (max(1, round(n * factor)) for n in box.shape)
    return np.pad(resize(box, height, width), margin)


def _wanted_width(width: float) -> float:
    """Within MNIST's range any width is right. A fat stroke is thinned part of the way: it has swallowed gaps and
    loops, which thinning does not bring back, and a thin blob looks less like the digit than a fat one."""
    if width < THIN:
        return THIN_WANTED
    return FAT_WANTED * (width / FAT_WANTED) ** FAT_POWER if width > FAT else width


def _with_stroke_width(box: Pixels, width: float) -> Stage:
    name, wanted = "Stroke width", _wanted_width(width)
    found = f"Strokes are {width:.1f} pixels of 28 wide, most of MNIST's are {THIN} to {FAT}:"
    if wanted == width:
        return Stage(name, box, f"{found} left as they are.")
    grown = _tight_box(_grown(box, width, wanted))
    return Stage(name, grown, f"{found} {'thickened' if wanted > width else 'thinned'} to {wanted:.1f}.")


def _grown(box: Pixels, width: float, wanted: float) -> Pixels:
    """Moves every edge out or in. The box grows along: (width + 2 g) / (side + 2 g) = wanted / 20 gives g."""
    working = _at_working_scale(box)
    mask = binarize(working, _half(working))
    outwards = BOX * STROKE_SCALE * (wanted - width) / (BOX - wanted) / 2  # pixels
    inside, outside = _depth(mask), _depth(1 - mask)
    depth = inside - outside
    grown = (depth - np.sign(depth) / 2 + outwards + 0.5).clip(0, 1)  # from the edge, which lies between two pixels
    if outwards < 0:  # a stroke that would vanish or break keeps its middle line, as wide as MNIST's thinnest
        middle = (inside > 0) & (inside < THIN * STROKE_SCALE / 2 - outwards)
        middle &= inside >= cv2.dilate(inside, np.ones((3, 3), np.uint8)) - RIDGE
        kept = (THIN * STROKE_SCALE / 2 + 0.5 - _depth(1 - middle.astype(np.uint8))).clip(0, 1) * mask
        grown = np.maximum(grown, kept)
    moved: Pixels = (grown * 255).astype(np.uint8)
    return moved


def _depth(mask: Pixels) -> Floats:
    """Distance of each 1 to the nearest 0, in pixels."""
    depth: Floats = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return depth


def _stages_to_28(box: Pixels, steps: NormalizationSteps) -> list[Stage]:
    if not steps.square:
        return [Stage("28 x 28", resize(box, SIDE, SIDE), "The box around the ink, stretched to 28 x 28.")]
    square = _squared(box)
    small = _averaged(square)
    stages = [
        Stage("Square", square, "The tight box around the ink, padded to a square so that nothing is stretched."),
        Stage("20 x 20", small, "Averaged over areas, the longer side now 20 pixels, the brightest pixel 255."),
    ]
    if steps.center_of_mass:
        why = "Placed so that the centre of mass falls on pixel 14 both ways, as in MNIST."
        return [*stages, Stage("28 x 28", _pasted(small, _offsets_by_mass(_trimmed(small))), why)]
    middle = [(SIDE - n) // 2 for n in _trimmed(small).shape]
    return [*stages, Stage("28 x 28", _pasted(small, middle), "The box is placed in the middle.")]


def _squared(box: Pixels) -> Pixels:
    """Pads by whole pixels of the 20, so that a digit of MNIST falls on its own pixel grid again."""
    side = max(box.shape)
    before = [min(round(side / BOX * ((BOX - n * BOX / side) // 2)), side - n) for n in box.shape]
    square = np.zeros((side, side), np.uint8)
    square[before[0] : before[0] + box.shape[0], before[1] : before[1] + box.shape[1]] = box
    return square


def _averaged(square: Pixels) -> Pixels:
    """(20, 20) uint8, peak 255. Every row and column that holds ink keeps some, so that the longer side is 20."""
    small: Floats = resize(square.astype(np.float32), BOX, BOX)
    amount = UNSHARP * float(np.clip((_softness(square) - SHARP) / (SOFT - SHARP), 0, 1))
    if amount:
        kernel = np.array([-amount, 1 + 2 * amount, -amount], np.float32)
        small = np.maximum(cv2.sepFilter2D(small, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT), small / 5)
    averaged: Pixels = np.ceil(small * (255 / small.max()) - 1e-3).clip(0, 255).astype(np.uint8)
    return averaged


def _softness(square: Pixels) -> float:
    """Width of the ink's edges in pixels of 28: the steeper the slopes, the sharper. 0 where it cannot be told."""
    if square.shape[0] < 2 * BOX:
        return 0.0
    fine = resize(square, BOX * STROKE_SCALE, BOX * STROKE_SCALE).astype(np.float32) / 255
    across, down = (cv2.Sobel(fine, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    slope = cv2.magnitude(across, down)
    return float(slope.sum() / max(np.square(slope).sum(), 1e-6)) / STROKE_SCALE


def _trimmed(small: Pixels) -> Pixels:
    return small[ink_extent(small, 0)]


def _offsets_by_mass(digit: Pixels) -> list[int]:
    """Where the digit's first row and column go in 28x28: the nearest whole shift that keeps all of it inside."""
    totals = digit.sum(axis=1, dtype=float), digit.sum(axis=0, dtype=float)
    centroids = [float((total * np.arange(total.size)).sum() / total.sum()) for total in totals]
    return [int(np.clip(np.floor(CENTER - c + 0.5), 0, SIDE - n)) for c, n in zip(centroids, digit.shape, strict=True)]


def _pasted(small: Pixels, offsets: list[int]) -> Pixels:
    digit, image = _trimmed(small), np.zeros((SIDE, SIDE), np.uint8)
    image[offsets[0] : offsets[0] + digit.shape[0], offsets[1] : offsets[1] + digit.shape[1]] = digit
    return image
