"""Draws what the shipped model is trained on and chosen by, on all cores.

python benchmarks/shipped/draw.py choose choose.npz   # some training writers are kept to choose recipes by
python benchmarks/shipped/draw.py final final.npz     # all training writers; measured on the held-out ones
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mnist_core.data.mnist import load_mnist
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.drawing.strokes import PenDigit, Strokes
from mnist_core.handwriting import letters, mixture
from mnist_core.handwriting.mixture import NON_DIGIT, Mixture
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, draw_pen_digits, load_pen_digits, split_writers
from mnist_core.handwriting.regional_forms import add_regional_form

cv2.setNumThreads(1)  # every process draws on its own core

MIXTURE = Mixture(pen_digits=75_000, digit_forms=30_000, non_digits=45_000)
CHOOSE_WRITERS = 5
"""Of the 24 training writers of pen digits, kept to choose recipes by."""
CHOOSE_LETTER_WRITERS = ("6", "7")
"""Likewise of the seven training writers of letters."""
VALIDATION = 10_000
"""The last training images of MNIST, likewise."""

SPARED_CORES = 3
"""For the training that may already be compiling meanwhile."""

Images = np.ndarray


def _begin(digits: Sequence[PenDigit], held_out: tuple[str, ...]) -> None:
    """Initializes a process: which pen digits and whose letters it draws."""
    mixture._keep_digits(tuple(digits))
    letters.HELD_OUT_LETTER_WRITERS = held_out


def draw_pool(
    counts: Mixture, digits: Sequence[PenDigit], held_out: tuple[str, ...], seed: int, processes: int
) -> tuple[Images, Images]:
    """Draws a mixture as `make_mixture` does, non-digits last, without the letters of some writers."""
    kinds = mixture.shuffled_kinds(counts, digits, seed)
    chunks = [kinds[start : start + mixture.CHUNK] for start in range(0, len(kinds), mixture.CHUNK)]
    seeds = [[seed, 1, number] for number in range(len(chunks))]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, initializer=_begin, initargs=(digits, held_out)) as pool:
        parts = list(pool.map(mixture._make_chunk_in_pool, chunks, seeds))
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(kinds == NON_DIGIT, kind="stable")
    return images[order], labels[order]


def draw_all(strokes: Sequence[tuple[int, Strokes]], condition: str) -> Images:
    """Draws and normalizes strokes as pen digits are drawn in a condition."""
    digits = [PenDigit(label, "", paths) for label, paths in strokes]
    return np.stack([normalize_drawing(canvas).image for canvas in draw_pen_digits(digits, condition)])


def evaluation_sets(
    digits: Sequence[PenDigit], writers: tuple[str, ...]
) -> Iterator[tuple[str, list[tuple[int, Strokes]], str]]:
    """Yields name, labeled strokes and condition of each set to evaluate on: pen digits, letters, regional forms."""
    plain = [(digit.label, digit.strokes) for digit in digits]
    kept = [letter for letter in letters.load_letters() if letter.writer in writers]
    written = [(ord(letter.label), letter.strokes) for letter in kept]
    generator = np.random.default_rng(7)
    chosen = [digit for digit in digits if digit.label in (0, 1, 7)]
    plain_digits = [replace(digit, strokes=(max(digit.strokes, key=len),)) for digit in chosen]
    changed = [add_regional_form(digit, generator) for digit in plain_digits]
    regional = [(new.label, new.strokes) for old, new in zip(plain_digits, changed, strict=True) if new is not old]
    for condition in DRAWING_CONDITIONS:
        yield f"pen/{condition}", plain, condition
        yield f"letters/{condition}", written, condition
    yield "regional/usual", regional, "usual"
    yield "regional/thin", regional, "thin"


def draw_sets(digits: Sequence[PenDigit], writers: tuple[str, ...], processes: int) -> dict[str, Images]:
    """Draws the sets of `evaluation_sets`: name -> images, and name + " labels" -> labels."""
    sets = list(evaluation_sets(digits, writers))
    arrays: dict[str, Images] = {}
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        drawn = pool.map(draw_all, [each[1] for each in sets], [each[2] for each in sets])
        for (name, strokes, _), pictures in zip(sets, drawn, strict=True):
            arrays[name], arrays[f"{name} labels"] = pictures, np.array([label for label, _ in strokes], np.int64)
    return arrays


def main(split: str, path: Path, scale: float = 1.0) -> None:
    """Draws the pool and the evaluation sets and writes one file."""
    processes = max(1, (os.cpu_count() or 1) - SPARED_CORES)
    mnist = load_mnist()
    x_train, y_train, x_test, y_test = mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test
    train, measure = split_writers(load_pen_digits())
    held_out = letters.HELD_OUT_LETTER_WRITERS
    measured_letters = held_out
    if split == "choose":
        train, measure = split_writers(train, CHOOSE_WRITERS, seed=1)
        measured_letters = CHOOSE_LETTER_WRITERS
        held_out = (*held_out, *CHOOSE_LETTER_WRITERS)
        x_test, y_test = x_train[-VALIDATION:], y_train[-VALIDATION:]
        x_train, y_train = x_train[:-VALIDATION], y_train[:-VALIDATION]
    counts = Mixture(*(int(count * scale) for count in astuple(MIXTURE)))
    images, labels = draw_pool(counts, train, held_out, 100 + (split == "final"), processes)
    arrays = {
        "images": np.concatenate([x_train, images]),
        "labels": np.concatenate([y_train, labels]).astype(np.uint8),
        "starts": np.cumsum([0, len(x_train), counts.pen_digits + counts.digit_forms, counts.non_digits]),
        "mnist": x_test,
        "mnist labels": y_test,
    }
    arrays |= draw_sets(measure, measured_letters, processes)
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.rename(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:4]))
