"""A drawing of a whole number -> its digits, each with its place, its crop and what a model makes of it.

Parts of the ink that lie over one another belong together: the bar of a 5 and its 5. What the model takes for a digit
stays as it is. The rest is cut where a path from top to bottom crosses little ink, and every run of pieces is read;
the runs that together make the likeliest number win:

    number = read_number(drawing, classifier)       # the canvas's (280, 560, 4) array, or a picture of any size
    number.text, number.confidence                  # "2026", 0.97
    [part.box for part in number.parts]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, prod

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.constants import NUM_CLASSES
from mnist_core.drawing.cuts import find_cuts
from mnist_core.drawing.ink import MIN_CONTRAST, Floats, Pixels, binarize, to_ink
from mnist_core.drawing.normalize import FAINT, SPECK, normalize_drawing
from mnist_core.drawing.strokes import Strokes
from mnist_core.models.classifier import Classifier, Prediction

Box = tuple[int, int, int, int]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Span = tuple[int, int]  # from one cut to another, by their numbers

# Bounds of the work: at most MAX_CUTS * LONGEST_RUN crops are read, one or two milliseconds each.
MAX_CUTS = 40
MAX_SPAN_PIECES = 5  # cuts or strokes that one digit may span
MAX_PIXELS = 10_000  # how far outside the drawing a pen is followed

# Chosen on numbers that were composed of the training writers' pen digits.
OVERLAP = 0.5  # of the narrower of two parts: they belong together
SMALL = 0.3  # of the line's height; a group smaller in both directions is dirt, or a part of its neighbour
SURE = 0.9  # a group read with this probability is left whole...
NARROW = 0.9  # ...unless it is wider than that, of the line's height
WIDEST = 1.5  # of the line's height: no digit is wider, unless it is a group as it was found

# What a segmentation costs, in natural logarithms of probability. Costs for the ink that a cut crosses were tried: the
# best weight was none. A cost of 0.1 a cut reads 0.6 % more of the numbers whose digits lie apart, and 5.6 % fewer of
# those that touch.
DOUBTFUL = 1.0  # at most, for a crop that looks like no digit: one bad cut does not outweigh all good ones
LOW_COST, LOW = 3.0, 0.6  # for a digit lower than that share of the line
WIDE_COST, WIDE = 1.0, 1.1  # for a digit wider than that, of the line's height
SLIM_COST, SLIM = 1.0, 1.2  # for a digit cut out of a group slimmer than that, of the line's height
PATH_COST = 0.05  # for parting the digits where the pen was lifted, and not where the ink ends
DIRT_COST = 1.0  # for a small group that is left out


@dataclass(frozen=True, eq=False)
class DigitPart:
    """One digit of a number.

    Attributes:
        box: left, top, right, bottom in pixels of the drawing; right and bottom are the first outside.
        image: (28, 28) uint8, ink bright: what the model saw.
        prediction: what it made of it.
    """

    box: Box
    image: Pixels
    prediction: Prediction


@dataclass(frozen=True, eq=False)
class WholeNumber:
    """A whole number. parts: its digits from left to right; none where nothing is drawn."""

    parts: tuple[DigitPart, ...]

    @property
    def text(self) -> str:
        """Its digits, also those that are rejected: "2026"."""
        return "".join(str(part.prediction.digit) for part in self.parts)

    @property
    def confidence(self) -> float:
        """0..1, the product of the digits' probabilities, as if each was read for itself; 0 for no digits."""
        return prod(part.prediction.confidence for part in self.parts) if self.parts else 0.0

    @property
    def rejected(self) -> bool:
        """Whether any part more likely is no digit at all."""
        return any(part.prediction.rejected for part in self.parts)


def recognize_number(
    drawing: Pixels, classifier: Classifier, brush: float | None = None, strokes: Strokes = ()
) -> WholeNumber:
    """Reads the digits of a whole number.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, as `drawing.normalise` takes it.
        classifier: of any number of outputs from ten; those past the tenth say that a crop is no digit.
        brush: its width in pixels of the drawing, where the canvas tells it; else it is measured, once for all digits.
        strokes: the pen's paths in pixels of the drawing, in the order of writing, where the canvas tells them: digits
            that touch come apart where the pen was lifted.

    Raises:
        DrawingError: the array is no such image.
    """
    ink = to_ink(drawing)
    scale = np.shape(drawing)[0] / ink.shape[0]  # above 1 where the drawing is larger than 640 pixels
    width = _stroke_width(ink) if brush is None else brush / scale
    line = _of_groups(ink, width, classifier)
    if line is None:
        return WholeNumber(())
    written = None if line.is_settled() else _of_strokes(ink, width, classifier, strokes, scale)
    if written is not None and written.best()[0] + PATH_COST < line.best()[0]:
        line = written
    parts = [line.part(run, scale) for run in line.best()[1]]
    return WholeNumber(tuple(sorted(parts, key=lambda part: part.box[0] + part.box[2])))


def _of_groups(ink: Pixels, width: float, classifier: Classifier) -> _Line | None:
    """The line as the ink shows it; None where nothing is drawn."""
    groups = _groups(ink, width)
    count = int(groups.max())
    if not count:
        return None
    line = _Line(ink, [groups > number for number in range(count + 1)], width, classifier)
    line.read([(number, number + 1) for number in range(count)])
    line = line.cut()
    line.read(line.runs())
    return line


def _of_strokes(ink: Pixels, width: float, classifier: Classifier, strokes: Strokes, scale: float) -> _Line | None:
    """The line as the pen went; None where its paths are not known, or are too many, or show no ink."""
    masks = [_traced(stroke / scale, width, ink) for stroke in strokes[: MAX_CUTS + 1]]
    if not 1 < len(masks) <= MAX_CUTS or not all(mask.any() for mask in masks):
        return None
    line = _Written(ink, masks, width, classifier)
    line.read([run for run in line.near() if line.size(run)[0] <= WIDEST])
    return line


def _traced(stroke: npt.NDArray[np.floating], width: float, ink: Pixels) -> Mask:
    """(H, W) bool: the ink along a stroke."""
    trace = np.zeros(ink.shape, np.uint8)
    points = np.round(np.clip(stroke, -MAX_PIXELS, MAX_PIXELS)).astype(np.int32)
    cv2.polylines(trace, [points], False, 1, max(1, round(width) + 2))
    return np.asarray((trace > 0) & (ink > FAINT))


def _stroke_width(ink: Pixels) -> float:
    """Mean width in pixels: across a stroke, the distance to its edge is a quarter of its width on average."""
    mask = cv2.copyMakeBorder(binarize(ink, FAINT), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return max(1.0, 4 * float(cv2.mean(depth, mask)[0]) - 2)


def _groups(ink: Pixels, stroke: float) -> Labels:
    """(H, W) int32: 0 for paper and specks, 1 and up from left to right for parts that lie over one another."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(binarize(ink, FAINT), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    least = min(SPECK * stroke**2, float(area.max()))
    kept = [part for part in np.argsort(-area)[:MAX_CUTS] if area[part] >= max(1.0, least)]
    kept = [part for part in kept if ink[labels == part].max() > 2 * MIN_CONTRAST]
    spans = {part: (int(stats[part, 0]), int(stats[part, 0] + stats[part, 2])) for part in kept}
    table = np.zeros(len(stats), np.int32)
    for number, group in enumerate(_overlapping(spans), 1):
        table[group] = number
    return np.asarray(table[labels])


def _overlapping(spans: dict[int, tuple[int, int]]) -> list[list[int]]:
    """Parts, gathered where they share half of the narrower one's width; from left to right."""
    groups: list[tuple[int, int, list[int]]] = []  # left, right, parts
    for part, (left, right) in spans.items():  # the largest first
        members, apart = [part], []
        for group in groups:
            shared = min(right, group[1]) - max(left, group[0])
            if shared >= OVERLAP * min(right - left, group[1] - group[0]):
                left, right, members = min(left, group[0]), max(right, group[1]), members + group[2]
            else:
                apart.append(group)
        groups = [*apart, (left, right, members)]
    return [members for left, right, members in sorted(groups, key=lambda group: group[0] + group[1])]


class _Line:
    """Ink in a row, the cuts through it, and what the model makes of the runs between two cuts.

    Args:
        ink: (H, W) uint8.
        after: (H, W) bool for each cut from left to right: the ink to the right of it. The first cut has all ink to
            its right, the last one none.
        stroke: width in pixels.
        classifier: reads the runs.
        height: of the line in pixels; by default as its runs from one cut to the next have it.
    """

    def __init__(
        self, ink: Pixels, after: Sequence[Mask], stroke: float, classifier: Classifier, height: float = 0.0
    ) -> None:
        self.ink, self.after, self.stroke, self.classifier = ink, after, stroke, classifier
        self.count = len(after) - 1
        self.boxes = {run: _box(self.mask(run)) for run in self.near()}
        self.height = height or _height([self.boxes[start, start + 1] for start in range(self.count)])
        self.images: dict[Span, Pixels] = {}
        self.outputs: dict[Span, Floats] = {}
        self.groups: list[Span] = []  # as they were before cuts
        self.slimness: dict[int, float] = {}  # of the group that a cut lies in: what it costs to part that

    def near(self) -> list[Span]:
        """Runs over few enough cuts."""
        return [
            (start, stop)
            for start in range(self.count)
            for stop in range(start + 1, min(start + MAX_SPAN_PIECES, self.count) + 1)
        ]

    def mask(self, run: Span) -> Mask:
        """(H, W) bool: the ink of a run."""
        return np.asarray(self.after[run[0]] & ~self.after[run[1]])

    def size(self, run: Span) -> tuple[float, float]:
        """Width and height of a run, in heights of the line."""
        left, top, right, bottom = self.boxes[run]
        return (right - left) / self.height, (bottom - top) / self.height

    def read(self, runs: Sequence[Span]) -> None:
        """Reads runs, all in one batch, each with paper around it and nothing else."""
        for run in runs:
            left, top, right, bottom = self.boxes[run]
            alone = np.where(self.mask(run), self.ink, 0)[top:bottom, left:right].astype(np.uint8)
            self.images[run] = normalize_drawing(np.pad(alone, 2), self.stroke).image
        if runs:
            outputs = self.classifier.probabilities(np.stack([self.images[run] for run in runs]))
            self.outputs.update(zip(runs, outputs, strict=True))

    def probability(self, run: Span) -> float:
        """Of the likeliest digit."""
        return float(self.outputs[run][:NUM_CLASSES].max())

    def settled(self, run: Span) -> bool:
        """Whether a run is a digit beyond doubt, of a digit's shape."""
        width, height = self.size(run)
        return self.probability(run) >= SURE and width <= NARROW and height >= LOW

    def is_settled(self) -> bool:
        """Whether all of it is read beyond doubt as it was found."""
        return all(self.settled(group) for group in self.groups)

    def small(self, run: Span) -> bool:
        return max(self.size(run)) < SMALL

    def cut(self) -> _Line:
        """The same ink with more cuts: whatever is not settled is cut wherever a digit may end."""
        after: list[Mask] = []
        groups: list[Span] = []
        for run in list(self.outputs):
            start = len(after)
            after.append(self.after[run[0]])
            if not self.settled(run) and not self.small(run):
                room = max(0, MAX_CUTS - self.count - len(after))
                after += [right | self.after[run[1]] for right in self.cuts(run)[:room]]
            groups.append((start, len(after)))
        line = _Line(self.ink, [*after, self.after[-1]], self.stroke, self.classifier, self.height)
        line.groups = groups
        for group, run in zip(groups, self.outputs, strict=True):
            slimness = SLIM_COST * max(0.0, SLIM - self.size(run)[0])
            line.slimness.update(dict.fromkeys(range(*group), slimness))
            line.boxes[group] = self.boxes[run]
            line.images[group], line.outputs[group] = self.images[run], self.outputs[run]
        return line

    def cuts(self, run: Span) -> list[Mask]:
        """(H, W) bool for each cut through a run, from left to right: the ink to the right of it."""
        left, top, right, bottom = self.boxes[run]
        mask = self.mask(run)
        inner = np.where(mask, self.ink, 0)[top:bottom, left:right].astype(np.uint8)
        found = []
        for beyond in find_cuts(inner, self.height):
            whole = np.zeros_like(mask)
            whole[top:bottom, left:right] = mask[top:bottom, left:right] & beyond
            found.append(whole)
        return found

    def runs(self) -> list[Span]:
        """Runs that may be a digit and are not read yet."""
        settled = {start for start, stop in self.groups if self.settled((start, stop))}
        return [
            run
            for run in self.near()
            if run not in self.outputs and 0 < self.size(run)[0] <= WIDEST and settled.isdisjoint(range(*run))
        ]

    def cost(self, run: Span) -> float:
        """What it costs to take a run for a digit, by its reading and by its shape."""
        width, height = self.size(run)
        doubt = min(DOUBTFUL, -log(max(1e-9, self.probability(run))))
        doubt += self.slimness.get(run[0], 0.0) if run not in self.groups else 0.0
        return doubt + LOW_COST * max(0.0, LOW - height) + WIDE_COST * max(0.0, width - WIDE)

    def best(self) -> tuple[float, list[Span]]:
        """What the likeliest number costs, and its runs. A cut that no run ends at is out of reach."""
        dirt = {group[1]: group[0] for group in self.groups if self.small(group)}
        found: list[tuple[float, list[Span]]] = [(0.0, [])]
        for stop in range(1, self.count + 1):
            ways = [(inf, [])] if stop not in dirt else [(found[dirt[stop]][0] + DIRT_COST, found[dirt[stop]][1])]
            for run in self.outputs:
                if run[1] == stop:
                    cost, before = found[run[0]]
                    ways.append((cost + self.cost(run), [*before, run]))
            found.append(min(ways, key=lambda way: way[0]))
        return found[-1]

    def part(self, run: Span, scale: float) -> DigitPart:
        """A run as a digit, its box in pixels of a drawing that is `scale` times as large as the ink."""
        left, top, right, bottom = (round(edge * scale) for edge in self.boxes[run])
        outputs = self.outputs[run]
        reading = Prediction(outputs[:NUM_CLASSES], float(outputs[NUM_CLASSES:].sum()))
        return DigitPart((left, top, right, bottom), self.images[run], reading)


class _Written(_Line):
    """Strokes in the order of writing: a run of them may be a digit, also where its ink touches that of others.

    Args:
        masks: (H, W) bool for each stroke: its ink.
    """

    def __init__(self, ink: Pixels, masks: Sequence[Mask], stroke: float, classifier: Classifier) -> None:
        self.masks = masks
        super().__init__(ink, [*masks, masks[-1]], stroke, classifier)

    def mask(self, run: Span) -> Mask:
        return np.asarray(np.any(self.masks[slice(*run)], axis=0))


def _box(mask: npt.NDArray[np.bool_]) -> Box:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return left, top, left + width, top + height


def _height(boxes: Sequence[Box]) -> float:
    """Of the line: the median height of pieces, the larger ones counting more."""
    sizes = sorted((bottom - top, (bottom - top) * (right - left)) for left, top, right, bottom in boxes)
    heights, areas = np.array(sizes, float).T
    return float(heights[np.searchsorted(areas.cumsum(), areas.sum() / 2)])
