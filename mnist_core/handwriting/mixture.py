"""Draws images to train on besides MNIST: pen digits, digit forms and non-digits, normalized as on the Draw page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, Strokes, render_strokes, vary_strokes
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.non_digits import generate_non_digit
from mnist_core.handwriting.regional_forms import regional_strokes
from mnist_core.processes import spawned_pool

ASSUMED_NON_DIGIT_SHARE = 0.01
"""Share of non-digits, 0..1, among the drawings that a finished model will see. It trains on far more of them."""

SIDE = 100
"""Side of the canvas that is drawn on, in pixels. Normalized images are as good as from 280, in half the time."""
SIZES = (0.3, 0.9)
"""Range of the digit's longer side, relative to the canvas."""
BRUSHES = (0.02, 0.27)
"""Range of the brush width, relative to the digit's longer side: from a hairline to where loops begin to fill."""
FAT_SHARE = 0.5
"""Share of the digits whose brush is drawn evenly from BRUSHES, so mostly fat; of the others, its logarithm is."""
KNOWN_BRUSH_SHARE = 0.5
"""Share of the drawings that are normalized with their brush width, as on the Draw page, instead of a measured one."""
MAX_NON_DIGIT_BRUSH = 0.15
"""Upper end of BRUSHES for non-digits: drawn any fatter they are blots, and so are many fat digits."""
VARIED_SHARE = 0.8
"""Share of the pen digits that are varied as if another hand had written them."""
CHUNK = 500
"""Drawings per task and per random seed. Another value gives other drawings."""
PROGRESS_SECONDS = 0.5

PEN_DIGIT, DIGIT_FORM, NON_DIGIT = range(3)

Progress = Callable[[int, int], None]
"""Takes how many drawings are made, and how many there will be."""
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


def make_mixture(
    mixture: Mixture,
    digits: Sequence[PenDigit],
    seed: int,
    processes: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[Images, Labels]:
    """Makes the drawings of a mixture, in random order.

    Args:
        mixture: how many drawings of each kind.
        digits: the pen digits to draw. If empty, `mixture.pen_digits` counts as 0.
        seed: decides the drawings, whatever the number of processes.
        processes: how many processes work at once.
        progress: called at least every PROGRESS_SECONDS with the number of drawings made so far, and of all.

    Returns:
        (N, 28, 28) uint8, ink bright, and (N,) uint8 labels, 0..9 or NOT_A_DIGIT.
    """
    kinds = shuffled_kinds(mixture, digits, seed)
    chunks = [kinds[start : start + CHUNK] for start in range(0, len(kinds), CHUNK)]
    seeds = [[seed, 1, number] for number in range(len(chunks))]
    if not chunks:
        return np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8)
    if len(chunks) == 1:  # made before a process has started
        return _make_chunk(chunks[0], seeds[0], digits)
    with spawned_pool(processes, _keep_digits, (tuple(digits),)) as pool:
        tasks = [pool.submit(_make_chunk_in_pool, *each) for each in zip(chunks, seeds, strict=True)]
        waiting = set(tasks)
        while waiting:
            waiting = wait(waiting, PROGRESS_SECONDS, FIRST_COMPLETED).not_done
            progress(min(len(kinds), CHUNK * (len(tasks) - len(waiting))), len(kinds))
        parts = [task.result() for task in tasks]
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def make_first_drawings(
    mixture: Mixture, digits: Sequence[PenDigit], seed: int, count: int
) -> tuple[Images, Labels] | None:
    """Makes only the first `count` (at most CHUNK) drawings of `make_mixture`; None if the mixture is empty."""
    kinds = shuffled_kinds(mixture, digits, seed)[: min(count, CHUNK)]
    return _make_chunk(kinds, [seed, 1, 0], digits) if len(kinds) else None


def shuffled_kinds(mixture: Mixture, digits: Sequence[PenDigit], seed: int) -> NDArray[np.int64]:
    """Returns (N,) the kind of each drawing: PEN_DIGIT, DIGIT_FORM or NON_DIGIT."""
    mixture = mixture if digits else replace(mixture, pen_digits=0)
    counts = [mixture.pen_digits, mixture.digit_forms, mixture.non_digits]
    kinds = np.repeat([PEN_DIGIT, DIGIT_FORM, NON_DIGIT], counts)
    np.random.default_rng([seed, 0]).shuffle(kinds)
    return kinds


_pool_digits: tuple[PenDigit, ...] = ()


def _keep_digits(digits: tuple[PenDigit, ...]) -> None:
    """Initializes a process of the pool, so that the strokes are sent once and not with every chunk."""
    global _pool_digits
    _pool_digits = digits


def _make_chunk_in_pool(kinds: NDArray[np.int64], seed: list[int]) -> tuple[Images, Labels]:
    return _make_chunk(kinds, seed, _pool_digits)


def _make_chunk(kinds: NDArray[np.int64], seed: list[int], digits: Sequence[PenDigit]) -> tuple[Images, Labels]:
    generator = np.random.default_rng(seed)
    drawings = [_make_drawing(int(kind), digits, generator) for kind in kinds]
    return np.stack([image for image, _ in drawings]), np.array([label for _, label in drawings], np.uint8)


def _make_drawing(kind: int, digits: Sequence[PenDigit], generator: np.random.Generator) -> tuple[Images, int]:
    """Returns one (28, 28) uint8 image and its label. A drawing that comes out blank is drawn again."""
    while True:
        strokes, label = _make_strokes(kind, digits, generator)
        size = SIDE * generator.uniform(*SIZES)
        brush = size * _relative_brush(label, generator)
        known = generator.random() < KNOWN_BRUSH_SHARE
        normalized = normalize_drawing(render_strokes(strokes, brush, size, side=SIDE), brush if known else None)
        if not normalized.blank:
            return normalized.image, label


def _make_strokes(kind: int, digits: Sequence[PenDigit], generator: np.random.Generator) -> tuple[Strokes, int]:
    if kind == PEN_DIGIT:
        digit = digits[int(generator.integers(len(digits)))]
        strokes = regional_strokes(digit, generator)
        varied = generator.random() < VARIED_SHARE
        return vary_strokes(strokes, generator) if varied else strokes, digit.label
    if kind == DIGIT_FORM:
        digit = generate_digit(generator)
        return digit.strokes, digit.label
    return generate_non_digit(generator), NOT_A_DIGIT


def _relative_brush(label: int, generator: np.random.Generator) -> float:
    """Returns the brush width relative to the drawing's longer side."""
    thin, fat = BRUSHES[0], MAX_NON_DIGIT_BRUSH if label == NOT_A_DIGIT else BRUSHES[1]
    if label != NOT_A_DIGIT and generator.random() < FAT_SHARE:
        return float(generator.uniform(thin, fat))
    return float(np.exp(generator.uniform(np.log(thin), np.log(fat))))
