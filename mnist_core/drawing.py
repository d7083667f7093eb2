"""A drawing -> the 28x28 image that MNIST's makers would have made of it, stage by stage.

MNIST's digits were cropped, scaled to 20 pixels and pasted by their centre of mass into 28x28. A model has seen nothing
else, so a drawing gets the same treatment before the model sees it:

    drawing = decode(upload)              # or the canvas's (280, 280, 4) array
    result = normalise(drawing)
    result.image                          # (28, 28) uint8, ink bright: what the model sees
    [stage.name for stage in result.stages]
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ImageOps
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from mnist_core.errors import DrawingError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIDE, BOX, CENTRE = 28, 20, 14  # LeCun: size-normalised to 20x20, centre of mass in the middle of 28x28

# Reading. A phone's picture has 12 to 24 million pixels; anything far beyond is a mistake or an attack.
MAX_PIXELS = 40_000_000
MIN_UPLOAD_SIDE = 8  # pixels; below, a digit and the rim of paper around it do not fit
LOOKS_LIKE = {
    b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"%PDF": "a PDF", b"PK": "a ZIP file",
    b"RIFF": "a WebP or another RIFF file", b"<": "an SVG, HTML or XML text", b"\x93NUMPY": "a NumPy array",
}  # fmt: skip

# Ink and paper, in grey levels of 255.
WORKING_SIDE = 640  # pixels; larger pictures are reduced first: 32 pixels for each of MNIST's 20 are plenty
UNEVEN = 2  # median deviation of the rim from one colour, above which it is a photo: paper in uneven light, with noise
NOISES = 7.4  # ink differs from the paper by five standard deviations: 5 * 1.4826 median deviations
MIN_CONTRAST = 24  # less is a blank sheet
HALF = 127  # the edge of a stroke
ONE_INK = 0.8  # nine tenths of the ink at least so bright, of its brightest: its shades are edges, not crossings
# An opaque card on a transparent ground, a page in a frame: share of the picture's sides, of its own box filled, cut
# off for round corners, and of it that is paper.
CARD_SIDE, CARD_FILL, CARD_INSET, CARD_PAPER = 0.5, 0.75, 0.04, 0.5
BACKGROUND_SIDE, BACKGROUND_WINDOW = 96, 41  # a median over 43 % of a photo's side sees paper, never ink

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
class Normalised:
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
class Strokes:
    """What the canvas knows of its strokes. width: of the brush, in pixels of the drawing, above 0."""

    width: float

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise DrawingError(f"Expected a brush width above 0 pixels. Received: {self.width}.")


@dataclass(frozen=True)
class Steps:
    """Which steps to take; a benchmark leaves them out one by one. Without `crop` the whole picture is resized."""

    crop: bool = True
    square: bool = True
    centre_of_mass: bool = True
    stroke_width: bool = True


ALL_STEPS = Steps()
PLAIN = Steps(crop=False, square=False, centre_of_mass=False, stroke_width=False)


def decode(content: bytes) -> Pixels:
    """Reads an upload, turned upright as its EXIF says.

    Args:
        content: a PNG or JPEG file of at most 40 million pixels, at least 8 on either side.

    Returns:
        (H, W), (H, W, 3) or (H, W, 4) uint8, 0..255, RGB order.

    Raises:
        DrawingError: not such a file; says what it looks like. Its size is checked before a pixel is decoded.
    """
    picture = _open(content)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} million"
        raise DrawingError(f"The picture has {width} x {height} pixels, more than {limit}. Make it smaller first.")
    if min(width, height) < MIN_UPLOAD_SIDE:
        least = f"{MIN_UPLOAD_SIDE} x {MIN_UPLOAD_SIDE}"
        raise DrawingError(f"The picture has {width} x {height} pixels: a digit with paper around it needs {least}.")
    try:
        return _pixels(ImageOps.exif_transpose(picture))
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise DrawingError(f"The picture is damaged and cannot be read ({error}). Save it again as PNG.") from error


def _open(content: bytes) -> Image:
    """Reads the header only. Not by `PIL.Image.open`, whose size limit is a warning and global to the process."""
    reader = PngImageFile if content.startswith(b"\x89PNG") else JpegImageFile
    try:
        return reader(io.BytesIO(content))
    except Exception as error:  # a broken header makes Pillow raise nearly anything
        raise DrawingError(f"Expected a PNG or JPEG picture. Received: {_looks_like(content)}.") from error


def _looks_like(content: bytes) -> str:
    if not content:
        return "an empty file"
    if content.startswith((b"\x89PNG", b"\xff\xd8")):
        return "a PNG or JPEG with a damaged header"
    if content[4:8] == b"ftyp":
        return "a HEIC, AVIF or MP4 file"
    found = [name for start, name in LOOKS_LIKE.items() if content.lstrip().startswith(start)]
    return found[0] if found else f"a file that begins with {content[:8]!r}"


def _pixels(picture: Image) -> Pixels:
    """(H, W), (H, W, 3) or (H, W, 4) uint8."""
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip, not scale
        return (np.asarray(picture) >> 8).astype(np.uint8)
    mode = "RGBA" if picture.has_transparency_data else "L" if picture.mode in ("1", "L") else "RGB"
    return np.array(picture.convert(mode))


def normalise(drawing: Pixels, strokes: Strokes | None = None, steps: Steps = ALL_STEPS) -> Normalised:
    """Treats a drawing as MNIST's makers treated theirs.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, RGB order: light on dark or dark on light, on a
            transparent ground or not.
        strokes: the brush, where the canvas tells it; else its width is measured.
        steps: which steps to take.

    Raises:
        DrawingError: the array is no such image.
    """
    ink = to_ink(drawing)
    stages = [Stage("Ink", ink, "What differs from the colour along the border is ink, and ink is bright.")]
    if not ink.any():
        return Normalised(np.zeros((SIDE, SIDE), np.uint8), tuple(stages), True, 0.0)
    if not steps.crop:
        image = _resized(ink, SIDE, SIDE)
        stages.append(Stage("28 x 28", image, "The whole picture made small, wherever and however large the digit is."))
        return Normalised(image, tuple(stages), False, 0.0)
    stages.append(_without_specks(ink))
    box = _tight_box(stages[-1].image)
    width = _measured_width(box) if strokes is None else _brush_width(strokes, stages[-1].image, np.shape(drawing)[0])
    if steps.stroke_width:
        stages.append(_with_stroke_width(box, width))
        box = stages[-1].image
    stages += _stages_to_28(box, steps)
    return Normalised(stages[-1].image, tuple(stages), False, width)


def plain_resize(drawing: Pixels) -> Normalised:
    """The naive way, to see the difference: ink made bright, the whole picture resized to 28x28, nothing else."""
    return normalise(drawing, steps=PLAIN)


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
    return _resized(image, height, width).reshape(height, width, -1)


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
    small = cv2.medianBlur(_resized(grey, BACKGROUND_SIDE, BACKGROUND_SIDE), BACKGROUND_WINDOW)
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
    box = _extent(ink, MIN_CONTRAST)
    sides = [part.stop - part.start for part in box]
    if min(np.divide(sides, ink.shape)) < CARD_SIDE or np.mean(ink[box] > MIN_CONTRAST) < CARD_FILL:
        return None
    insets = [int(np.ceil(side * CARD_INSET)) for side in sides]
    rows, columns = (slice(part.start + n, part.stop - n) for part, n in zip(box, insets, strict=True))
    if min(ink[rows, columns].shape) < MIN_UPLOAD_SIDE:
        return None
    inner = _contrast(image[rows, columns])
    return (rows, columns) if inner.any() and np.mean(inner == 0) > CARD_PAPER else None


def _without_specks(ink: Pixels) -> Stage:
    """Drops dust and a slip of the pen far off; keeps the bar of a 5 and the dot that begins a 4."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(_mask(ink, FAINT), connectivity=8)
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


def _mask(ink: Pixels, level: int) -> Pixels:
    """1 where the ink is brighter than a level, else 0."""
    mask: Pixels = cv2.threshold(ink, level, 1, cv2.THRESH_BINARY)[1]
    return mask


def _extent(ink: Pixels, level: int) -> tuple[slice, slice]:
    """Rows and columns of what is brighter than a level; of any ink at all where nothing is."""
    left, top, width, height = cv2.boundingRect(_mask(ink, level))
    if width == 0:
        left, top, width, height = cv2.boundingRect(ink)
    return slice(top, top + height), slice(left, left + width)


def _tight_box(ink: Pixels) -> Pixels:
    """The ink's box, enlarged until its edges are known to a tenth of a pixel of 28, less the blur around the ink."""
    box = ink[_extent(ink, FAINT)]
    if max(box.shape) < 2 * BOX:  # already of MNIST's own size: its pixels are kept as they are
        return box
    factor = int(np.ceil(FINE * BOX / max(box.shape)))
    if factor > 1:
        framed = cv2.copyMakeBorder(box, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        box = cv2.resize(framed, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
        box = box[_extent(box, FAINT)]
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
    mask = cv2.copyMakeBorder(_mask(ink, level), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
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


def _brush_width(strokes: Strokes, ink: Pixels, height: int) -> float:
    """The brush in pixels of 28, for a drawing of this height."""
    side = max(part.stop - part.start for part in _extent(ink, FAINT))
    return BOX * min(1.0, float(strokes.width * ink.shape[0] / (height * side)))


def _at_working_scale(box: Pixels) -> Pixels:
    """The longer side 160 pixels, a margin of 96 on every side."""
    factor, margin = BOX * STROKE_SCALE / max(box.shape), STROKE_MARGIN * STROKE_SCALE
    height, width = (max(1, round(n * factor)) for n in box.shape)
    return np.pad(_resized(box, height, width), margin)


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
    mask = _mask(working, _half(working))
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


def _stages_to_28(box: Pixels, steps: Steps) -> list[Stage]:
    if not steps.square:
        return [Stage("28 x 28", _resized(box, SIDE, SIDE), "The box around the ink, stretched to 28 x 28.")]
    square = _squared(box)
    small = _averaged(square)
    stages = [
        Stage("Square", square, "The tight box around the ink, padded to a square so that nothing is stretched."),
        Stage("20 x 20", small, "Averaged over areas, the longer side now 20 pixels, the brightest pixel 255."),
    ]
    if steps.centre_of_mass:
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
    small: Floats = _resized(square.astype(np.float32), BOX, BOX)
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
    fine = _resized(square, BOX * STROKE_SCALE, BOX * STROKE_SCALE).astype(np.float32) / 255
    across, down = (cv2.Sobel(fine, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    slope = cv2.magnitude(across, down)
    return float(slope.sum() / max(np.square(slope).sum(), 1e-6)) / STROKE_SCALE


def _trimmed(small: Pixels) -> Pixels:
    return small[_extent(small, 0)]


def _offsets_by_mass(digit: Pixels) -> list[int]:
    """Where the digit's first row and column go in 28x28: the nearest whole shift that keeps all of it inside."""
    totals = digit.sum(axis=1, dtype=float), digit.sum(axis=0, dtype=float)
    centroids = [float((total * np.arange(total.size)).sum() / total.sum()) for total in totals]
    return [int(np.clip(np.floor(CENTRE - c + 0.5), 0, SIDE - n)) for c, n in zip(centroids, digit.shape, strict=True)]


def _pasted(small: Pixels, offsets: list[int]) -> Pixels:
    digit, image = _trimmed(small), np.zeros((SIDE, SIDE), np.uint8)
    image[offsets[0] : offsets[0] + digit.shape[0], offsets[1] : offsets[1] + digit.shape[1]] = digit
    return image


def _resized(image: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Averages over areas where it shrinks, interpolates where it grows."""
    grows = height > image.shape[0] or width > image.shape[1]
    resized: npt.NDArray[Any] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    )
    return resized
