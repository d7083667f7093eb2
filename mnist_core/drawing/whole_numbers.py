"""Recognizes a whole number: finds its digits in one drawing and classifies each.

Parts of the ink that overlap horizontally belong together, like the bar of a 5 and its 5. A group that the model
clearly takes for a digit stays whole. The others are cut where a path from top to bottom crosses little ink, and every
span of neighboring pieces is classified. The spans that together make the most probable number win:

    number = recognize_number(drawing, classifier)  # the canvas's (280, 560, 4) array, or a picture of any size
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
from mnist_core.drawing.ink import MIN_CONTRAST, Floats, Pixels, binarize, mean_stroke_width, to_ink
from mnist_core.drawing.normalize import FAINT, SPECK, normalize_drawing
from mnist_core.drawing.strokes import Strokes
from mnist_core.models.classifier import Classifier, Prediction

Box = tuple[int, int, int, int]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Span = tuple[int, int]
"""The pieces between two cuts, by the indices of the cuts: a candidate for a digit."""

MAX_CUTS = 40
"""Most cuts. At most MAX_CUTS * MAX_SPAN_PIECES crops are classified, in one or two milliseconds each."""
MAX_SPAN_PIECES = 5
"""Most pieces or strokes of one digit."""
MAX_PIXELS = 10_000
"""How far outside of the drawing the pen's path is followed, in pixels."""

# All that follow were chosen on numbers composed of the training writers' pen digits. Widths and heights are relative
# to the line's height.
OVERLAP = 0.5  # parts belong together if they share this much of the narrower one's width
SMALL = 0.3  # a group smaller than this in both directions is dirt, or a part of its neighbor
SURE = 0.9  # a group classified with this probability stays whole...
NARROW = 0.9  # ...unless it is wider than this
MAX_WIDTH = 1.5  # no digit is wider, unless it is a whole group

# What a segmentation costs, in natural logarithms of probability. A cost of the ink that a cut crosses did not help. A
# cost of 0.1 per cut recognizes 0.6 % more of the numbers whose digits are apart, but 5.6 % fewer of those that touch.
MAX_DOUBT = 1.0  # most that an improbable digit costs, so that one bad cut does not outweigh all good ones
LOW_COST, LOW = 3.0, 0.6  # cost of a digit lower than this
WIDE_COST, WIDE = 1.0, 1.1  # cost of a digit wider than this
SLIM_COST, SLIM = 1.0, 1.2  # cost of a digit cut out of a group slimmer than this
PATH_COST = 0.05  # cost of separating digits by the pen's strokes instead of by the ink
DIRT_COST = 1.0  # cost of leaving out a small group


@dataclass(frozen=True, eq=False)
class DigitPart:
    """One digit of a number.

    Attributes:
        box: left, top, right, bottom in pixels of the drawing; right and bottom are exclusive.
        image: (28, 28) uint8, ink bright: what the model classified.
        prediction: the model's prediction.
    """

    box: Box
    image: Pixels
    prediction: Prediction


@dataclass(frozen=True, eq=False)
class WholeNumber:
    """A whole number.

    Attributes:
        parts: its digits from left to right; none if nothing is drawn.
    """

    parts: tuple[DigitPart, ...]

    @property
    def text(self) -> str:
        """Its digits, including rejected ones, like "2026"."""
        return "".join(str(part.prediction.digit) for part in self.parts)

    @property
    def confidence(self) -> float:
        """The product of the digits' probabilities, 0..1; 0 if there are no digits."""
        return prod(part.prediction.confidence for part in self.parts) if self.parts else 0.0

    @property
    def rejected(self) -> bool:
        """True if any part is more likely not a digit."""
        return any(part.prediction.rejected for part in self.parts)


def recognize_number(
    drawing: Pixels, classifier: Classifier, brush: float | None = None, strokes: Strokes = ()
) -> WholeNumber:
    """Recognizes the digits of a whole number.

    Args:
        drawing: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, as for `normalize_drawing`.
        classifier: has ten or more outputs; those past the tenth say that a crop is not a digit.
        brush: the brush width in pixels of the drawing. None measures it, once for all digits.
        strokes: the pen's paths in pixels of the drawing, in the order of writing, if the canvas knows them. They help
            to separate digits that touch.

    Raises:
        DrawingError: the array is not such an image, or the brush width is not above 0.
    """
    ink = to_ink(drawing)
    scale = np.shape(drawing)[0] / ink.shape[0]  # above 1 where the drawing is larger than 640 pixels
    width = max(1.0, mean_stroke_width(ink, FAINT)) if brush is None else brush / scale
    line = _segment_ink(ink, width, classifier)
    if line is None:
        return WholeNumber(())
    by_strokes = None if line.all_settled() else _segment_strokes(ink, width, classifier, strokes, scale)
    if by_strokes is not None and by_strokes.best()[0] + PATH_COST < line.best()[0]:
        line = by_strokes
    parts = [line.part(span, scale) for span in line.best()[1]]
    return WholeNumber(tuple(sorted(parts, key=lambda part: part.box[0] + part.box[2])))


def _segment_ink(ink: Pixels, width: float, classifier: Classifier) -> _Line | None:
    """Segments the line by its ink; None if nothing is drawn."""
    groups = _group_parts(ink, width)
    count = int(groups.max())
    if not count:
        return None
    line = _Line(ink, [groups > number for number in range(count + 1)], width, classifier)
    line.classify([(number, number + 1) for number in range(count)])
    line = line.with_cuts()
    line.classify(line.unclassified_spans())
    return line


def _segment_strokes(ink: Pixels, width: float, classifier: Classifier, strokes: Strokes, scale: float) -> _Line | None:
    """Segments the line by the pen's strokes; None if they are unknown, too many, or not on the ink."""
    masks = [_ink_along(stroke / scale, width, ink) for stroke in strokes[: MAX_CUTS + 1]]
    if not 1 < len(masks) <= MAX_CUTS or not all(mask.any() for mask in masks):
        return None
    line = _StrokeLine(ink, masks, width, classifier)
    line.classify([span for span in line.short_spans() if line.size(span)[0] <= MAX_WIDTH])
    return line


def _ink_along(stroke: npt.NDArray[np.floating], width: float, ink: Pixels) -> Mask:
    """Returns (H, W) bool: the ink along a stroke."""
    trace = np.zeros(ink.shape, np.uint8)
    points = np.round(np.clip(stroke, -MAX_PIXELS, MAX_PIXELS)).astype(np.int32)
    cv2.polylines(trace, [points], False, 1, max(1, round(width) + 2))
    return np.asarray((trace > 0) & (ink > FAINT))


def _group_parts(ink: Pixels, stroke: float) -> Labels:
    """Returns (H, W) int32: 0 for paper and specks, 1, 2, ... from left to right for groups of overlapping parts."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(binarize(ink, FAINT), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    least = min(SPECK * stroke**2, float(area.max()))
    kept = [part for part in np.argsort(-area)[:MAX_CUTS] if area[part] >= max(1.0, least)]
    kept = [part for part in kept if ink[labels == part].max() > 2 * MIN_CONTRAST]
    spans = {part: (int(stats[part, 0]), int(stats[part, 0] + stats[part, 2])) for part in kept}
    table = np.zeros(len(stats), np.int32)
    for number, group in enumerate(_merge_overlapping(spans), 1):
        table[group] = number
    return np.asarray(table[labels])


def _merge_overlapping(spans: dict[int, tuple[int, int]]) -> list[list[int]]:
    """Groups parts that share half of the narrower one's width. Takes each part's left and right, returns parts."""
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
    """A line of ink, the cuts through it, and what the model predicts for the spans between two cuts.

    Args:
        ink: (H, W) uint8.
        after: (H, W) bool for each cut from left to right: True for the ink to its right. The first cut has all ink to
            its right, the last one none.
        stroke: stroke width in pixels.
        classifier: classifies the spans.
        height: height of the line in pixels; by default a median of its pieces.
    """

    def __init__(
        self, ink: Pixels, after: Sequence[Mask], stroke: float, classifier: Classifier, height: float = 0.0
    ) -> None:
        self.ink, self.after, self.stroke, self.classifier = ink, after, stroke, classifier
        self.count = len(after) - 1
        self.boxes = {span: _box(self.mask(span)) for span in self.short_spans()}
        self.height = height or _line_height([self.boxes[start, start + 1] for start in range(self.count)])
        self.images: dict[Span, Pixels] = {}
        self.outputs: dict[Span, Floats] = {}
        self.groups: list[Span] = []  # as the ink shows them, before any cut
        self.slimness: dict[int, float] = {}  # by cut: the cost of cutting the group it is in

    def short_spans(self) -> list[Span]:
        """Returns the spans of at most MAX_SPAN_PIECES pieces."""
        return [
            (start, stop)
            for start in range(self.count)
            for stop in range(start + 1, min(start + MAX_SPAN_PIECES, self.count) + 1)
        ]

    def mask(self, span: Span) -> Mask:
        """Returns (H, W) bool: the ink of a span."""
        return np.asarray(self.after[span[0]] & ~self.after[span[1]])

    def size(self, span: Span) -> tuple[float, float]:
        """Returns the width and height of a span, relative to the line's height."""
        left, top, right, bottom = self.boxes[span]
        return (right - left) / self.height, (bottom - top) / self.height

    def classify(self, spans: Sequence[Span]) -> None:
        """Classifies spans in one batch, each alone on paper."""
        for span in spans:
            left, top, right, bottom = self.boxes[span]
            alone = np.where(self.mask(span), self.ink, 0)[top:bottom, left:right].astype(np.uint8)
            self.images[span] = normalize_drawing(np.pad(alone, 2), self.stroke).image
        if spans:
            outputs = self.classifier.probabilities(np.stack([self.images[span] for span in spans]))
            self.outputs.update(zip(spans, outputs, strict=True))

    def probability(self, span: Span) -> float:
        """Returns the probability of the span's most probable digit."""
        return float(self.outputs[span][:NUM_CLASSES].max())

    def is_settled(self, span: Span) -> bool:
        """Returns True if a span clearly is a digit and has a digit's shape."""
        width, height = self.size(span)
        return self.probability(span) >= SURE and width <= NARROW and height >= LOW

    def all_settled(self) -> bool:
        """Returns True if every group clearly is a digit."""
        return all(self.is_settled(group) for group in self.groups)

    def is_small(self, span: Span) -> bool:
        """Returns True if a span is too small to be a digit."""
        return max(self.size(span)) < SMALL

    def with_cuts(self) -> _Line:
        """Returns the same line with cuts wherever a digit may end in a group that is not settled."""
        after: list[Mask] = []
        groups: list[Span] = []
        for span in list(self.outputs):
            start = len(after)
            after.append(self.after[span[0]])
            if not self.is_settled(span) and not self.is_small(span):
                room = max(0, MAX_CUTS - self.count - len(after))
                after += [right | self.after[span[1]] for right in self.find_cuts(span)[:room]]
            groups.append((start, len(after)))
        line = _Line(self.ink, [*after, self.after[-1]], self.stroke, self.classifier, self.height)
        line.groups = groups
        for group, span in zip(groups, self.outputs, strict=True):
            slimness = SLIM_COST * max(0.0, SLIM - self.size(span)[0])
            line.slimness.update(dict.fromkeys(range(*group), slimness))
            line.boxes[group] = self.boxes[span]
            line.images[group], line.outputs[group] = self.images[span], self.outputs[span]
        return line

    def find_cuts(self, span: Span) -> list[Mask]:
        """Returns (H, W) bool for each cut through a span, from left to right: the ink to its right."""
        left, top, right, bottom = self.boxes[span]
        mask = self.mask(span)
        inner = np.where(mask, self.ink, 0)[top:bottom, left:right].astype(np.uint8)
        found = []
        for beyond in find_cuts(inner, self.height):
            whole = np.zeros_like(mask)
            whole[top:bottom, left:right] = mask[top:bottom, left:right] & beyond
            found.append(whole)
        return found

    def unclassified_spans(self) -> list[Span]:
        """Returns the spans that may be a digit and are not classified yet."""
        settled = {start for start, stop in self.groups if self.is_settled((start, stop))}
        return [
            span
            for span in self.short_spans()
            if span not in self.outputs and 0 < self.size(span)[0] <= MAX_WIDTH and settled.isdisjoint(range(*span))
        ]

    def cost(self, span: Span) -> float:
        """Returns what it costs to take a span for a digit, by its probability and its shape."""
        width, height = self.size(span)
        doubt = min(MAX_DOUBT, -log(max(1e-9, self.probability(span))))
        doubt += self.slimness.get(span[0], 0.0) if span not in self.groups else 0.0
        return doubt + LOW_COST * max(0.0, LOW - height) + WIDE_COST * max(0.0, width - WIDE)

    def best(self) -> tuple[float, list[Span]]:
        """Returns the cost of the most probable number, and its spans, by dynamic programming over the cuts."""
        dirt = {group[1]: group[0] for group in self.groups if self.is_small(group)}
        best: list[tuple[float, list[Span]]] = [(0.0, [])]  # for the pieces before each cut
        for stop in range(1, self.count + 1):
            ways = [(inf, [])] if stop not in dirt else [(best[dirt[stop]][0] + DIRT_COST, best[dirt[stop]][1])]
            for span in self.outputs:
                if span[1] == stop:
                    cost, before = best[span[0]]
                    ways.append((cost + self.cost(span), [*before, span]))
            best.append(min(ways, key=lambda way: way[0]))
        return best[-1]

    def part(self, span: Span, scale: float) -> DigitPart:
        """Returns a span as a digit, its box in pixels of a drawing `scale` times as large as the ink."""
        left, top, right, bottom = (round(edge * scale) for edge in self.boxes[span])
        outputs = self.outputs[span]
        prediction = Prediction(outputs[:NUM_CLASSES], float(outputs[NUM_CLASSES:].sum()))
        return DigitPart((left, top, right, bottom), self.images[span], prediction)


class _StrokeLine(_Line):
    """A line whose pieces are strokes in the order of writing, so that digits may touch.

    Args:
        masks: (H, W) bool for each stroke: True for its ink.
    """

    def __init__(self, ink: Pixels, masks: Sequence[Mask], stroke: float, classifier: Classifier) -> None:
        self.masks = masks
        super().__init__(ink, [*masks, masks[-1]], stroke, classifier)

    def mask(self, span: Span) -> Mask:
        return np.asarray(np.any(self.masks[slice(*span)], axis=0))


def _box(mask: npt.NDArray[np.bool_]) -> Box:
    """Returns the bounding box of a mask."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return left, top, left + width, top + height


def _line_height(boxes: Sequence[Box]) -> float:
    """Returns the height of a line: the median height of its pieces, weighted by area."""
    sizes = sorted((bottom - top, (bottom - top) * (right - left)) for left, top, right, bottom in boxes)
    heights, areas = np.array(sizes, float).T
    return float(heights[np.searchsorted(areas.cumsum(), areas.sum() / 2)])
