"""Generates non-digits: drawings from which a model learns to say "that does not look like a digit".

Letters are real ones and, like all else, designed by eye as the digit forms are. Whatever could be meant as a digit is
left out: a square, and the letters LIKE_DIGITS of `letters`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.drawing.strokes import Strokes, fit_strokes, vary_strokes
from mnist_core.errors import SettingError
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.letter_forms import LETTERS
from mnist_core.handwriting.letters import LIKE_DIGITS, load_letters, split_letter_writers
from mnist_core.handwriting.templates import Template, named_templates, smooth_curve, write_template

Points = NDArray[np.float64]
Generator = np.random.Generator

_SPREAD = 14.0  # standard deviation of each point of a shape, of 1000, before the whole drawing is varied


SHAPES = named_templates(
    {
        "house": (
            "100,1000 100,450 | 900,450 | 900,1000 | 100,1000 ; 40,470 500,0 | 960,470",
            "80,980 90,420 | 500,0 | 910,420 | 920,980 | 80,980 ; 430,980 430,700 | 590,700 | 590,980",
            "100,1000 100,450 | 900,450 | 900,1000 | 100,1000 ; 40,470 500,0 | 960,470 ; 420,1000 420,720 | 580,720 "
            "| 580,1000 ; 200,550 340,550 | 340,680 | 200,680 | 200,550",
        ),
        "smiley": (
            "520,0 150,130 0,500 150,870 500,1000 860,860 1000,500 850,140 500,0 ; 330,350 ; 660,350 ; 250,620 "
            "400,760 600,770 760,620",
            "520,0 150,130 0,500 150,870 500,1000 860,860 1000,500 850,140 500,0 ; 330,300 330,420 ; 670,300 670,420 "
            "; 220,600 500,800 780,600",
            "520,0 150,130 0,500 150,870 500,1000 860,860 1000,500 850,140 500,0 ; 330,350 ; 660,350 ; 500,480 "
            "480,560 ; 300,770 500,660 720,770",
        ),
        "star": (
            "200,1000 500,0 | 800,1000 | 0,370 | 1000,370 | 200,1000",
            "500,0 610,340 | 980,350 | 690,570 | 800,940 | 500,720 | 200,940 | 310,570 | 20,350 | 390,340 | 500,0",
        ),
        "heart": ("500,300 350,30 90,40 0,330 160,620 500,1000 | 840,620 1000,330 900,40 650,30 500,300",),
        "question mark": (
            "130,250 200,60 420,0 640,90 660,300 500,460 420,560 420,720 ; 420,960",
            "60,300 180,60 450,0 700,140 640,400 420,520 390,700 ; 380,930 400,990",
        ),
        "arrow": (
            "0,500 1000,500 ; 700,250 1000,500 | 700,750",
            "1000,500 0,500 ; 300,250 0,500 | 300,750",
            "500,1000 500,0 ; 220,300 500,0 | 780,300",
            "500,0 500,1000 ; 220,700 500,1000 | 780,700",
        ),
        "plus": ("500,0 500,1000 ; 0,500 1000,500",),
        "equals": ("0,100 1000,100 ; 0,500 1000,500", "0,50 800,30 ; 20,300 820,290"),
        "dash": ("0,0 500,20 1000,0", "0,0 300,-60 650,60 1000,0"),
        "triangle": ("500,0 0,870 | 1000,870 | 500,0", "0,700 600,0 | 1000,720 | 0,700"),
        "hash": ("350,0 250,1000 ; 750,0 650,1000 ; 0,330 1000,330 ; 0,670 1000,670",),
        "percent": ("900,0 100,1000 ; 250,40 60,200 250,380 420,200 250,40 ; 750,620 580,800 750,970 940,800 750,620",),
        "tick": ("0,550 280,1000 | 1000,0",),
        "flower": (
            "500,1000 500,480 ; 500,480 380,330 500,180 620,330 500,480 ; 500,480 250,520 180,330 400,300 500,480 ; "
            "500,480 750,520 820,330 600,300 500,480",
        ),
        "stick figure": (
            "500,0 390,60 390,180 500,240 610,180 610,60 500,0 ; 500,240 500,650 ; 500,650 300,1000 ; 500,650 "
            "700,1000 ; 250,400 750,400",
        ),
        "cup": ("50,100 120,900 | 680,900 | 750,100 | 50,100 ; 740,250 950,250 950,600 710,650",),
        "lightning": ("600,0 200,480 | 560,480 | 150,1000 ; 600,0 900,0 | 600,330 | 850,330 | 150,1000",),
        "cross in a ring": (
            "520,0 150,130 0,500 150,870 500,1000 860,860 1000,500 850,140 500,0 ; 200,200 800,800 ; 800,200 200,800",
        ),
        "asterisk": (
            "500,0 500,1000 ; 70,250 930,750 ; 930,250 70,750",
            "0,0 1000,1000 ; 1000,0 0,1000 ; 0,500 1000,500",
        ),
    }
)


def _dots(generator: Generator) -> Strokes:
    """One to six dots."""
    count = int(generator.integers(1, 7))
    return fit_strokes(generator.uniform(0, 1000, (count, 1, 2)))


def _blob(generator: Generator) -> Strokes:
    """A patch filled back and forth."""
    rows = int(generator.integers(20, 40))
    angles = np.linspace(0.15, np.pi - 0.15, rows)
    half_width, y = np.sin(angles) * generator.uniform(300, 500), -np.cos(angles) * generator.uniform(250, 500)
    x = half_width * np.where(np.arange(rows) % 2, 1, -1) * generator.uniform(0.8, 1.0, rows)
    return fit_strokes([_rotate(np.stack([x, y], axis=1), generator.uniform(0, np.pi))])


def _scrawl(generator: Generator) -> Strokes:
    """A random curve."""
    count = int(generator.integers(10, 26))
    points = generator.uniform(0, 1000, (count, 2)) * (1, generator.uniform(0.4, 1.0))
    return fit_strokes([smooth_curve(points)])


def _waves(generator: Generator) -> Strokes:
    """Illegible writing: loops or waves from left to right."""
    count = int(generator.integers(5, 11))
    phase = np.linspace(0, 2 * np.pi * count, 12 * count)
    swing = generator.uniform(0.0, 120)
    x = phase * (1000 / phase[-1]) + swing * np.cos(phase)
    y = generator.uniform(60, 180) * np.sin(phase) * (1 + 0.4 * np.sin(phase * generator.uniform(0.1, 0.4)))
    return fit_strokes([np.stack([x, y], axis=1)])


def _zigzag(generator: Generator) -> Strokes:
    """Four to nine teeth, in any direction."""
    count = 2 * int(generator.integers(4, 10)) + 1
    x = np.linspace(0, 1000, count) + generator.uniform(-25, 25, count)
    y = np.where(np.arange(count) % 2, 1, 0) * generator.uniform(150, 700) + generator.uniform(-50, 50, count)
    angle = float(generator.choice([0, np.pi / 2, generator.uniform(0, np.pi)]))
    return fit_strokes([_rotate(np.stack([x, y], axis=1), angle)])


def _spiral(generator: Generator) -> Strokes:
    """A spiral of 2.5 to 5 turns: with fewer it might be a 6 or a 9."""
    turns = generator.uniform(2.5, 5)
    angle = np.linspace(0, 2 * np.pi * turns, int(20 * turns))
    radius = 40 + angle / angle[-1] * 460
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle) * generator.uniform(0.7, 1.0)], axis=1)
    points *= (generator.choice([-1, 1]), 1)
    return fit_strokes([_rotate(points, generator.uniform(0, 2 * np.pi))])


def _crossing_lines(generator: Generator) -> Strokes:
    """Four to eight straight lines across each other."""
    count = int(generator.integers(4, 9))
    angles = generator.uniform(0, np.pi) + np.arange(count) * np.pi / count + generator.uniform(-0.25, 0.25, count)
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1) * generator.uniform(300, 500, (count, 1))
    middles = generator.uniform(-180, 180, (count, 2))
    return fit_strokes([(middle - half, middle + half) for middle, half in zip(middles, along, strict=True)])


def _hatching(generator: Generator) -> Strokes:
    """Parallel lines."""
    count = int(generator.integers(4, 9))
    places = np.linspace(0, generator.uniform(500, 1000), count)
    ends = [((place, 0), (place + generator.uniform(-60, 60), generator.uniform(600, 900))) for place in places]
    angle = generator.uniform(0, np.pi)
    return fit_strokes([_rotate(np.array(line), angle) for line in ends])


def _side_by_side(make: Callable[[Generator], Strokes]) -> Callable[[Generator], Strokes]:
    """Returns a generator of two or three shapes next to one another: a number or a word, but not a digit."""

    def row(generator: Generator) -> Strokes:
        strokes: list[NDArray[Any]] = []
        right = 0.0
        for _ in range(int(generator.integers(2, 4))):
            scale, offset = generator.uniform(0.85, 1.1), (right, generator.uniform(-80, 80))
            placed = [stroke * scale + offset for stroke in make(generator)]
            strokes += placed
            right = max(float(stroke[:, 0].max()) for stroke in placed) + generator.uniform(120, 350)
        return fit_strokes(strokes)

    return row


def _written_letter(generator: Generator) -> Strokes:
    """A letter by one of the writers whose letters are trained on."""
    letters = _training_letters()
    return letters[int(generator.integers(len(letters)))]


@lru_cache(maxsize=1)
def _training_letters() -> tuple[Strokes, ...]:
    letters, _ = split_letter_writers(load_letters())
    return tuple(letter.strokes for letter in letters if letter.label not in LIKE_DIGITS)


def _overlapping(generator: Generator) -> Strokes:
    """Two digits that touch or overlap."""
    first, second = (generate_digit(generator).strokes for _ in range(2))
    width = float(np.concatenate(first)[:, 0].max())
    offset = (width * generator.uniform(0.7, 1.1), generator.uniform(-120, 120))
    return fit_strokes([*first, *(stroke + offset for stroke in second)])


def _from_templates(shapes: dict[str, tuple[Template, ...]]) -> Callable[[Generator], Strokes]:
    """Returns a generator of these shapes, all equally often."""
    names = list(shapes)

    def make(generator: Generator) -> Strokes:
        variants = shapes[names[generator.integers(len(names))]]
        return write_template(variants[generator.integers(len(variants))], generator, _SPREAD)

    return make


def _rotate(points: Points, angle: float) -> Points:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


NON_DIGIT_KINDS: dict[str, tuple[float, Callable[[Generator], Strokes]]] = {
    "letter": (12, _from_templates(LETTERS)),
    "written letter": (15, _written_letter),
    "shape": (6, _from_templates(SHAPES)),
    "dots": (1, _dots),
    "blob": (1, _blob),
    "scrawl": (2, _scrawl),
    "waves": (1, _waves),
    "zigzag": (1, _zigzag),
    "spiral": (1, _spiral),
    "crossing lines": (1, _crossing_lines),
    "hatching": (1, _hatching),
    "number": (2, _side_by_side(lambda generator: generate_digit(generator).strokes)),
    "overlapping digits": (2, _overlapping),
    "word": (1, _side_by_side(_from_templates(LETTERS))),
}
"""By name: how often it is drawn relative to the others, and the function that draws it."""


def generate_non_digit(generator: np.random.Generator, kind: str | None = None) -> Strokes:
    """Generates a non-digit, varied as if some hand had drawn it.

    Args:
        generator: draws the strokes; the same state gives the same strokes.
        kind: one of NON_DIGIT_KINDS. None draws it, as often as its weight says.

    Returns:
        Strokes, fitted: 0..1000.

    Raises:
        SettingError: there is no such kind.
    """
    if kind is None:
        often = np.array([weight for weight, _ in NON_DIGIT_KINDS.values()])
        kind = list(NON_DIGIT_KINDS)[generator.choice(len(NON_DIGIT_KINDS), p=often / often.sum())]
    if kind not in NON_DIGIT_KINDS:
        raise SettingError(f"Unknown kind of non-digit {kind!r}. Expected one of: {', '.join(NON_DIGIT_KINDS)}.")
    return vary_strokes(NON_DIGIT_KINDS[kind][1](generator), generator)
