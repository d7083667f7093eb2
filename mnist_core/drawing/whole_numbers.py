"""Recognizes a whole number: finds its digits in one drawing and classifies each.

Parts of the ink that overlap horizontally belong together, like the bar of a 5 and its 5. A group that the model
clearly takes for a digit stays whole. The others are cut where a path from top to bottom crosses little ink, and every
span of neighboring pieces is classified. The spans that together make the most probable number win:

    number = recognize_number(drawing, classifier)  # the canvas's (280, 560, 4) array, or a picture of any size
    number.text, number.confidence                  # "2026", 0.97
    [part.box for part in number.parts]
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import cv2
import numpy as np
import numpy.typing as npt

from mnist_core.drawing.ink import FAINT, MIN_CONTRAST, Pixels, binarize, mean_stroke_width, to_ink
from mnist_core.drawing.normalize import SPECK
from mnist_core.drawing.segmentation import MAX_CUTS, MAX_WIDTH, Box, Line, Mask, Span, StrokeLine
from mnist_core.drawing.strokes import Strokes
from mnist_core.models.classifier import Classifier, Prediction

Labels = npt.NDArray[np.int32]

MAX_PIXELS = 10_000
"""How far outside of the drawing the pen's path is followed, in pixels."""
OVERLAP = 0.5
"""Parts belong together if they share this much of the narrower one's width."""
PATH_COST = 0.05
"""Cost of separating digits by the pen's strokes instead of by the ink, in natural logarithms of probability."""


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
    parts = [_digit_part(line, span, scale) for span in line.best()[1]]
    return WholeNumber(tuple(sorted(parts, key=lambda part: part.box[0] + part.box[2])))


def _digit_part(line: Line, span: Span, scale: float) -> DigitPart:
    """A span as a digit, its box in pixels of a drawing `scale` times as large as the ink."""
    left, top, right, bottom = (round(edge * scale) for edge in line.boxes[span])
    return DigitPart((left, top, right, bottom), line.images[span], Prediction.from_outputs(line.outputs[span]))


def _segment_ink(ink: Pixels, width: float, classifier: Classifier) -> Line | None:
    """Segments the line by its ink; None if nothing is drawn."""
    groups = _group_parts(ink, width)
    count = int(groups.max())
    if not count:
        return None
    line = Line(ink, [groups > number for number in range(count + 1)], width, classifier)
    line.classify([(number, number + 1) for number in range(count)])
    line = line.with_cuts()
    line.classify(line.unclassified_spans())
    return line


def _segment_strokes(ink: Pixels, width: float, classifier: Classifier, strokes: Strokes, scale: float) -> Line | None:
    """Segments the line by the pen's strokes; None if they are unknown, too many, or not on the ink."""
    masks = [_ink_along(stroke / scale, width, ink) for stroke in strokes[: MAX_CUTS + 1]]
    if not 1 < len(masks) <= MAX_CUTS or not all(mask.any() for mask in masks):
        return None
    line = StrokeLine(ink, masks, width, classifier)
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
