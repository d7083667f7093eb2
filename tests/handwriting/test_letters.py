"""The shipped letters: all of them, by eleven people, whom training and evaluation share."""

from __future__ import annotations

import string
from collections import Counter

import numpy as np

from mnist_core.handwriting.letters import LETTERS_FILE, LIKE_DIGITS, load_letters, split_letter_writers


def test_each_of_eleven_people_wrote_every_letter_twice() -> None:
    counts = Counter((letter.writer, letter.label) for letter in load_letters())
    assert set(counts) == {(str(writer), label) for writer in range(1, 12) for label in string.ascii_letters}
    assert set(counts.values()) == {2}


def test_letters_are_fitted() -> None:
    for letter in load_letters():
        together = np.concatenate(letter.strokes)
        assert together.min(axis=0).tolist() == [0, 0] and together.max() == 1000, letter


def test_nobody_is_trained_on_and_evaluated_with() -> None:
    train, held_out = ({letter.writer for letter in part} for part in split_letter_writers(load_letters()))
    assert len(train) == 7 and len(held_out) == 4 and not train & held_out


def test_letters_that_are_drawn_like_a_digit_are_named() -> None:
    assert set("OolIZzSsBbgqi") == LIKE_DIGITS


def test_the_file_is_small() -> None:
    assert LETTERS_FILE.stat().st_size < 400_000
