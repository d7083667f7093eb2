"""Which digits of a data set somebody wants to see: labels and answers in, their numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.errors import SettingError

PER_PAGE = 100


@dataclass(frozen=True)
class Wanted:
    """What to look for; a field that is None asks for nothing.

    Attributes:
        label: 0..9, what the digit is.
        answer: 0..9 or NOT_A_DIGIT, what a model reads it as.
        wrong: whether only digits are wanted that the model reads wrong.
    """

    label: int | None = None
    answer: int | None = None
    wrong: bool = False

    @property
    def asks_a_model(self) -> bool:
        """Whether labels alone do not tell."""
        return self.wrong or self.answer is not None


def answers(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """What a model reads each image as.

    Args:
        probabilities: (N, C), C of 10 or more.

    Returns:
        (N,) uint8, 0..9, or NOT_A_DIGIT where an output past the tenth is the largest.
    """
    return np.asarray(probabilities.argmax(axis=1).clip(0, NOT_A_DIGIT), np.uint8)


def find(
    labels: NDArray[np.integer[Any]], wanted: Wanted, read_as: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """The numbers of the digits that are wanted, from 0, ascending.

    Args:
        labels: (N,) 0..9.
        wanted: what to look for.
        read_as: (N,) as `answers` gives them; needed where a model is asked.

    Raises:
        SettingError: a model is asked and there are no answers, or not one for each label.
    """
    if wanted.asks_a_model and (read_as is None or len(read_as) != len(labels)):
        given = "none" if read_as is None else f"{len(read_as):,}"
        raise SettingError(f"Expected answers for {len(labels):,} digits, got {given}. Have a model read them first.")
    chosen = np.ones(len(labels), bool)
    if wanted.label is not None:
        chosen &= labels == wanted.label
    if wanted.answer is not None and read_as is not None:
        chosen &= read_as == wanted.answer
    if wanted.wrong and read_as is not None:
        chosen &= read_as != labels
    return np.flatnonzero(chosen).astype(np.int64)


def page_count(found: int) -> int:
    """Pages of PER_PAGE digits, at least one."""
    return max(1, -(-found // PER_PAGE))


def on_page(found: NDArray[np.int64], page: int) -> NDArray[np.int64]:
    """Those of a page, counted from 1; none past the last."""
    return found[PER_PAGE * (page - 1) : PER_PAGE * page]
