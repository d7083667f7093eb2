"""What an evaluation shows, in a sentence each: confusions, weakest digit, mistakes, calibration, robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT, NUM_CLASSES
from mnist_core.data.labels import correct_mask, predicted_labels
from mnist_core.evaluation import mistakes
from mnist_core.evaluation.calibration import Coverage, calibration_error
from mnist_core.wording import plural

Counts = NDArray[np.int64]
"""(10, 11) counts, as `metrics.confusion_matrix` returns them: row = true digit, column = prediction."""

SURE = 0.9
"""A mistake with more confidence than this counts as a confident one."""
CALIBRATED_GAP = 0.005
"""Difference of mean confidence and accuracy, up to which they count as equal."""
CALIBRATED_ERROR = 0.03
"""Expected calibration error up to which a model counts as calibrated: by chance, one has 1 or 2 points on 1,000
images."""


def headline(counts: Counts, images: str) -> str:
    """`99.24% of 10,000 test digits are right: 76 are wrong; it confuses 4 and 9 most.`

    Args:
        counts: confusion matrix.
        images: what the digits are called, in the plural.
    """
    total, right = int(counts.sum()), int(np.trace(counts))
    wrong = total - right
    if not wrong:
        return f"All {total:,} {images} are right."
    decimals = next(count for count in range(2, 20) if float(f"{100 * right / total:.{count}f}") < 100)
    share = f"{right / total:.{decimals}%} of {total:,} {images} are right"
    pairs = most_confused(counts)
    confusion = f"; it confuses {pairs[0][0]} and {pairs[0][1]} most" if len(pairs) == 1 else ""
    return f"{share}: {wrong:,} {_are(wrong)} wrong{confusion}."


def most_confused(counts: Counts) -> list[tuple[int, int]]:
    """The pairs of digits that are taken for each other most often, the smaller first; none without such a mistake."""
    both = counts[:, :NUM_CLASSES] + counts[:, :NUM_CLASSES].T
    upper = np.triu(both, 1)
    if not upper.any():
        return []
    return [(int(first), int(second)) for first, second in np.argwhere(upper == upper.max())]


def confusion(counts: Counts) -> str:
    """`It confuses 4 and 9 most: 5 times it reads a 4 as a 9, 3 times a 9 as a 4.` Rejections are named at the end."""
    pairs, rejected = most_confused(counts), int(counts[:, NUM_CLASSES:].sum())
    sentences = []
    if len(pairs) > 1:
        first, second = pairs[0]
        times = int(counts[first, second] + counts[second, first])
        sentences.append(f"It confuses {len(pairs)} pairs of digits most, each {_times(times)}.")
    elif pairs:
        first, second = pairs[0]
        ways = [(int(counts[a, b]), a, b) for a, b in ((first, second), (second, first)) if counts[a, b]]
        ways.sort(key=lambda way: -way[0])
        times, true, predicted = ways[0]
        sentence = f"It confuses {first} and {second} most: {_times(times)} it reads {_a(true)} as {_a(predicted)}"
        if len(ways) > 1:
            times, true, predicted = ways[1]
            sentence += f", {_times(times)} {_a(true)} as {_a(predicted)}"
        sentences.append(f"{sentence}.")
    if rejected:
        sentences.append(f"It rejects {plural(rejected, 'digit')} as “not a digit”.")
    return " ".join(sentences) or "It confuses no two digits."


def weakest_digit(recall: NDArray[np.float64], support: NDArray[np.int64]) -> str:
    """`It recognizes 1 best (99.8%) and 9 worst (98.2%).` Digits without images do not count."""
    digits = np.flatnonzero(support)
    shown = {digit: f"{recall[digit]:.1%}" for digit in digits.tolist()}
    best, worst = (shown[int(digits[place])] for place in (recall[digits].argmax(), recall[digits].argmin()))
    if best == worst:
        return f"It recognizes each digit equally well ({best})."
    first, last = (_listed([digit for digit in shown if shown[digit] == end]) for end in (best, worst))
    return f"It recognizes {first} best ({best}) and {last} worst ({worst})."


def _listed(digits: Sequence[int]) -> str:
    """`3`, `3 and 4`, `0, 3 and 4`."""
    *before, last = map(str, digits)
    return f"{', '.join(before)} and {last}" if before else last


def worst_mistake(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> str:
    """`12 of 76 mistakes are made with more than 90% confidence; the surest takes a 4 for a 9, with 99.7%.`"""
    order = mistakes.worst_mistakes(probabilities, labels)
    if not len(order):
        return "It makes no mistakes here."
    sure = int((probabilities[order].max(axis=1) > SURE).sum())
    predicted = int(predicted_labels(probabilities[order[:1]])[0])
    read = mistakes.prediction_label(predicted) if predicted == NOT_A_DIGIT else _a(predicted)
    confidence = float(probabilities[order[0]].max())
    surest = f"the surest takes {_a(int(labels[order[0]]))} for {read}, with {_percent(confidence)}"
    share = f"{sure:,} of {plural(len(order), 'mistake')} {_are(sure)}" if sure else "No mistake is"
    return f"{share} made with more than {SURE:.0%} confidence; {surest}."


def calibration(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> str:
    """Whether the model is more or less confident than it is right, on average."""
    confidence = float(probabilities.max(axis=1).astype(np.float64).mean())
    accuracy = float(correct_mask(probabilities, labels).mean())
    gap = confidence - accuracy
    error = calibration_error(probabilities, labels)
    if abs(gap) <= CALIBRATED_GAP and error <= CALIBRATED_ERROR:
        return f"It is about as confident as it is right: {confidence:.1%} and {accuracy:.1%}."
    if abs(gap) <= CALIBRATED_GAP:
        return (
            f"On average it is as confident as it is right ({confidence:.1%} and {accuracy:.1%}), but only because "
            f"over- and underconfidence cancel out: its calibration error is {100 * error:.1f} points."
        )
    kind = "overconfident" if gap > 0 else "underconfident"
    return f"It is {kind}: {confidence:.1%} confident on average, and right {accuracy:.1%} of the time."


def coverage(rows: list[Coverage], target: float) -> str:
    """What the lowest confidence threshold that reaches an accuracy costs. `target`: 0..1."""
    reached = next((row for row in rows if row.accuracy is not None and row.accuracy >= target), None)
    if reached is None:
        return f"No threshold reaches an accuracy of {100 * target:g}%."
    wrong = f"{reached.wrong:,} {'mistake remains' if reached.wrong == 1 else 'mistakes remain'}"
    return (
        f"With a threshold of {100 * reached.threshold:g}% it answers {reached.answered:.2%} of the time, "
        f"with an accuracy of {reached.accuracy or 0:.2%}: {wrong}."
    )


def robustness(curves: Mapping[str, Mapping[float, float]], unit: str) -> str:
    """Each model's lowest accuracy: `At 45 degrees, A keeps 52.0%; at −45 degrees, B keeps 81.0%.`

    Args:
        curves: name of a model -> level -> accuracy, 0..1; none is empty.
        unit: of the levels; of two parts, only the first is named: `pixels, standard deviation`.
    """
    short_unit = unit.partition(",")[0]
    lowest = {model: min(curve.items(), key=lambda point: point[1]) for model, curve in curves.items()}
    parts = [f"at {level:g} {short_unit}, {model} keeps {accuracy:.1%}" for model, (level, accuracy) in lowest.items()]
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def _a(digit: int) -> str:
    return f"an {digit}" if digit == 8 else f"a {digit}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _percent(confidence: float) -> str:
    return "more than 99.9%" if confidence > 0.9995 else f"{confidence:.1%}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
