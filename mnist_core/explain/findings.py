"""What a view of one digit shows, in a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.models.classifier import REJECT_ABOVE
from mnist_core.wording import plural

VISIBLE_SHARE = 0.1
"""Share of the largest value of a map below which a value is hard to see."""
SETTLED = 0.5
"""Probability above which a prediction counts as settled."""
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


def output_name(output: int) -> str:
    """Names an output of a model in a sentence: `a 7`, `an 8`, `“not a digit”`."""
    if output >= NUM_CLASSES:
        return "“not a digit”"
    return f"an {output}" if output == 8 else f"a {output}"


def region(row: int, column: int, size: int) -> str:
    """Where a pixel is in a square of `size` pixels: `at the top left`, `in the middle`."""
    vertical, horizontal = _ROWS[3 * row // size], _COLUMNS[3 * column // size]
    if vertical == horizontal == "middle":
        return "in the middle"
    if horizontal == "middle":
        return f"at the {vertical}"
    return f"on the {horizontal}" if vertical == "middle" else f"at the {vertical} {horizontal}"


def channels(values: NDArray[np.float32]) -> str:
    """`Channel 9 has the largest value, 8.14; 5 of 56 channels are zero everywhere.`

    Args:
        values: (H, W, C) activations of a layer.
    """
    strongest = int(values.max(axis=(0, 1)).argmax())
    silent = int((~values.any(axis=(0, 1))).sum())
    return f"Channel {strongest} has the largest value, {values.max():.3g}{_zeros(silent, values.shape[2], 'channel')}."


def channel(values: NDArray[np.float32]) -> str:
    """`Its largest value, 3.2, is at the top left.` `values`: (H, W) activations of one channel."""
    if not values.any():
        return "It is zero everywhere."
    if values.min() == values.max():
        return f"It is {values.max():.3g} everywhere."
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return f"Its largest value, {values.max():.3g}, is {region(int(row), int(column), len(values))}."


def units(values: NDArray[np.float32]) -> str:
    """`Unit 3 has the largest value, 0.79; 400 of 768 units are zero.` `values`: (W,) activations of a layer."""
    silent = int((values == 0).sum())
    return (
        f"Unit {int(values.argmax())} has the largest value, {values.max():.3g}{_zeros(silent, len(values), 'unit')}."
    )


def _zeros(count: int, total: int, noun: str) -> str:
    where = " everywhere" if noun == "channel" else ""
    return f"; {count:,} of {plural(total, noun)} {'is' if count == 1 else 'are'} zero{where}" if count else ""


def attribution(values: NDArray[np.float32], output: int) -> str:
    """`The pixels at the top left speak most for a 7, those in the middle most against it.`

    Args:
        values: (H, H) float32 of one attribution map; positive speaks for the output.
        output: that is explained.
    """
    if not values.any():
        return f"No pixel speaks for {output_name(output)}."
    if values.min() == values.max():
        return f"All pixels speak equally {'for' if values.max() > 0 else 'against'} {output_name(output)}."
    for_it, against_it = (np.unravel_index(int(each.argmax()), values.shape) for each in (values, -values))
    size, sentences = len(values), []
    visible = VISIBLE_SHARE * float(np.abs(values).max())
    if values.max() > visible:
        where = region(int(for_it[0]), int(for_it[1]), size)
        sentences.append(f"the pixels {where} speak most for {output_name(output)}")
    if values.min() < -visible:
        where = region(int(against_it[0]), int(against_it[1]), size)
        object_ = "it" if sentences else output_name(output)
        sentences.append(
            f"{'those' if sentences else 'the pixels'} {where} {'' if sentences else 'speak '}most against {object_}"
        )
    text = ", ".join(sentences)
    return f"{text[:1].upper()}{text[1:]}."


def neighbors(labels: Sequence[int], predicted: int) -> str:
    """`9 of the 10 most similar training digits are labeled 7, as predicted.` `predicted`: an output."""
    agreeing = sum(label == predicted for label in labels)
    if predicted >= NUM_CLASSES:
        return f"The model rejects this image; the most similar training digits are labeled {_listed(labels)}."
    if not agreeing:
        return (
            f"None of the {len(labels)} most similar training digits is labeled {predicted}, which the model predicts."
        )
    are = "is" if agreeing == 1 else "are"
    return f"{agreeing} of the {len(labels)} most similar training digits {are} labeled {predicted}, as predicted."


def _listed(labels: Sequence[int]) -> str:
    return ", ".join(str(label) for label in sorted(set(labels)))


def growth(moments: Sequence[str], probabilities: NDArray[np.float32]) -> str:
    """Since when it is sure of its final prediction: `It is more than 50% sure of a 7 after 15 steps and later.`

    Args:
        moments: T names of moments of the training, in order: `before training`, `after 15 steps`.
        probabilities: (T, 10) float32, of the digits at those moments.
    """
    final = int(probabilities[-1].argmax())
    unsure = np.flatnonzero(probabilities[:, final] <= SETTLED)
    share, name = f"{SETTLED:.0%}", output_name(final)
    if not len(unsure):
        return f"It is more than {share} sure of {name} at every moment, even {moments[0]}."
    since = int(unsure[-1]) + 1
    if since == len(moments):
        at_end = f"{probabilities[-1, final]:.0%}"
        if probabilities[-1].sum() < 1 - REJECT_ABOVE:
            return f"At the end, it rejects the image: the most probable digit, {final}, has {at_end}."
        return f"At the end, it is not more than {share} sure: the probability of {name} is {at_end}."
    return f"It is more than {share} sure of {name} {moments[since]} and later."
