"""Letters that eleven people wrote with a pen: what a model has to reject.

They are the letters of *UJI Pen Characters* (Llorens, Prat, Marzal and Vilar; UCI Machine Learning Repository, CC BY
4.0): a to z and A to Z, twice by each person, as strokes scaled to 0..1000 with y down.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mnist_core.drawing.strokes import Strokes, fit_strokes

LETTERS_FILE = Path(__file__).parent / "letters.jsonl.gz"
"""One object per line: `label`, `writer` and `strokes`."""

LIKE_DIGITS = frozenset("BIOSZbgiloqsz")
"""Letters that are drawn exactly like a digit, so that nobody can reject them: 8 1 0 5 2 6 9 1 1 0 9 5 2.

An i counts because normalization drops a dot that is far off as a slip of the pen.
"""

HELD_OUT_LETTER_WRITERS = ("8", "9", "10", "11")
"""Writers whose letters only evaluate. Nothing trains on them."""


@dataclass(frozen=True, eq=False)
class PenLetter:
    """A letter as a pen wrote it.

    Attributes:
        label: a..z or A..Z.
        writer: number of the person.
        strokes: in the order of writing, fitted, read-only.
    """

    label: str
    writer: str
    strokes: Strokes


@lru_cache(maxsize=1)
def load_letters() -> tuple[PenLetter, ...]:
    """Loads all letters."""
    with gzip.open(LETTERS_FILE, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(PenLetter(row["label"], str(row["writer"]), fit_strokes(row["strokes"])) for row in rows)


def split_letter_writers(letters: Sequence[PenLetter]) -> tuple[tuple[PenLetter, ...], tuple[PenLetter, ...]]:
    """Returns the letters to train on and, by HELD_OUT_LETTER_WRITERS, those to evaluate with."""
    return (
        tuple(letter for letter in letters if letter.writer not in HELD_OUT_LETTER_WRITERS),
        tuple(letter for letter in letters if letter.writer in HELD_OUT_LETTER_WRITERS),
    )
