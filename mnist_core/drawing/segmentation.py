"""Divides a line of ink into digits: of all ways to join neighboring pieces, the most probable number.

line = Line(ink, masks, stroke_width, classifier)
line.classify(line.short_spans())
cost, spans = line.best()
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.constants import NUM_CLASSES
from mnist_core.drawing.cuts import find_cuts
from mnist_core.drawing.ink import Floats, Pixels
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.models.classifier import Classifier

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""
Mask = npt.NDArray[np.bool_]
Span = tuple[int, int]
"""The pieces between two cuts, by the indices of the cuts: a candidate for a digit."""

MAX_CUTS = 40
"""Most cuts. At most MAX_CUTS * MAX_SPAN_PIECES crops are classified, in one or two milliseconds each."""
MAX_SPAN_PIECES = 5
"""Most pieces or strokes of one digit."""

# All that follow were chosen on numbers composed of the training writers' pen digits. Widths and heights are relative
# to the line's height.
SMALL = 0.3  # a group smaller than this in both directions is dirt, or a part of its neighbor
SURE = 0.9  # a group classified with this probability stays whole...
NARROW = 0.9  # ...unless it is wider than this
MAX_WIDTH = 1.5  # no digit is wider, unless it is a whole group

# What a segmentation costs, in natural logarithms of probability. A cost of the ink that a cut crosses did not help. A
# cost of 0.1 per cut recognizes 0.6% more of the numbers whose digits are apart, but 5.6% fewer of those that touch.
MAX_DOUBT = 1.0  # most that an improbable digit costs, so that one bad cut does not outweigh all good ones
LOW_COST, LOW = 3.0, 0.6  # cost of a digit lower than this
WIDE_COST, WIDE = 1.0, 1.1  # cost of a digit wider than this
SLIM_COST, SLIM = 1.0, 1.2  # cost of a digit cut out of a group slimmer than this
DIRT_COST = 1.0  # cost of leaving out a small group


class Line:
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

    def with_cuts(self) -> Line:
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
        line = Line(self.ink, [*after, self.after[-1]], self.stroke, self.classifier, self.height)
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


class StrokeLine(Line):
    """A line whose pieces are strokes in the order of writing, so that digits may touch.

    Args:
        masks: (H, W) bool for each stroke: True for its ink.
    """

    def __init__(self, ink: Pixels, masks: Sequence[Mask], stroke: float, classifier: Classifier) -> None:
        self.masks = masks
        super().__init__(ink, [*masks, masks[-1]], stroke, classifier)

    def mask(self, span: Span) -> Mask:
        """Returns (H, W) bool: the ink of the span's strokes."""
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
