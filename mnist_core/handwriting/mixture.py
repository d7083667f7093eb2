"""Drawings to train on beside MNIST: pen strokes of real people, national forms of digits by invented hands, and things
that are no digits, each drawn with some brush at some size and normalised as the page does it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, Strokes, render_strokes, vary_strokes
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.non_digits import generate_non_digit

ASSUMED_NON_DIGIT_SHARE = 0.01
"""How many drawings are taken to be no digits, of all that a finished model will see. It trains on far more of them."""

SIDE = 100  # pixels of the canvas drawn on: normalised they are as those of 280, in half the time
SHARES = (0.3, 0.9)  # of the canvas's side, the digit's longer side
BRUSHES = (0.02, 0.25)  # of the digit's longer side: from a hair to where loops begin to fill
FATTEST_NON_DIGIT = 0.15  # likewise: a fatter scrawl is a blot, and so is many a fat digit
REWRITTEN = 0.8  # how many of the pen digits are varied, as another hand would write them
CHUNK = 500  # drawings that one process makes at a time; their seed depends on it

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Mixture:
    """How many drawings of each kind."""

    pen_digits: int
    digit_forms: int
    non_digits: int


MIXTURES: dict[str, Mixture | None] = {
    "none": None,
    "few": Mixture(700, 300, 300),
    "some": Mixture(12_000, 5_000, 5_000),
    "many": Mixture(24_000, 8_000, 10_000),
}


def make_mixture(mixture: Mixture, digits: Sequence[PenDigit], seed: int, processes: int = 1) -> tuple[Images, Labels]:
    """Drawings of the mixture, in random order.

    Args:
        mixture: how many of each; without pen digits, `pen` of it are left out.
        digits: strokes of people to draw from.
        seed: the same one gives the same drawings, however many processes make them.
        processes: how many work at it.

    Returns:
        (N, 28, 28) uint8, ink bright, and (N,) uint8: 0..9, or NOT_A_DIGIT.
    """
    mixture = mixture if digits else replace(mixture, pen_digits=0)
    kinds = np.repeat([0, 1, 2], [mixture.pen_digits, mixture.digit_forms, mixture.non_digits])
    np.random.default_rng([seed, 0]).shuffle(kinds)
    chunks = [kinds[start : start + CHUNK] for start in range(0, len(kinds), CHUNK)]
    seeds = [[seed, 1, number] for number in range(len(chunks))]
    spawn = multiprocessing.get_context("spawn")  # a fork would copy threads that hold locks
    with ProcessPoolExecutor(processes, spawn, initializer=_receive, initargs=(tuple(digits),)) as pool:
        parts = list(pool.map(_make_chunk, chunks, seeds))
    if not parts:
        return np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8)
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


_digits: tuple[PenDigit, ...] = ()


def _receive(digits: tuple[PenDigit, ...]) -> None:
    """Keeps the strokes in each process, once."""
    global _digits
    _digits = digits


def _make_chunk(kinds: NDArray[np.int64], seed: list[int]) -> tuple[Images, Labels]:
    generator = np.random.default_rng(seed)
    images, labels = [], []
    for kind in kinds:
        image, label = _make_one(int(kind), generator)
        images.append(image)
        labels.append(label)
    return np.stack(images), np.array(labels, np.uint8)


def _make_one(kind: int, generator: np.random.Generator) -> tuple[Images, int]:
    """One drawing, (28, 28) uint8, and its label. What comes out blank is made again."""
    while True:
        strokes, label = _strokes(kind, generator)
        fattest = FATTEST_NON_DIGIT if label == NOT_A_DIGIT else BRUSHES[1]
        normalised = normalize_drawing(_on_canvas(strokes, fattest, generator))
        if not normalised.blank:
            return normalised.image, label


def _strokes(kind: int, generator: np.random.Generator) -> tuple[Strokes, int]:
    if kind == 0:
        digit = _digits[generator.integers(len(_digits))]
        rewritten = generator.random() < REWRITTEN
        return vary_strokes(digit.strokes, generator) if rewritten else digit.strokes, digit.label
    if kind == 1:
        digit = generate_digit(generator)
        return digit.strokes, digit.label
    return generate_non_digit(generator), NOT_A_DIGIT


def _on_canvas(strokes: Strokes, fattest: float, generator: np.random.Generator) -> Images:
    """Drawn with some brush, at some size."""
    size = SIDE * generator.uniform(*SHARES)
    width = size * np.exp(generator.uniform(*np.log((BRUSHES[0], fattest))))
    return render_strokes(strokes, width, size, side=SIDE)
