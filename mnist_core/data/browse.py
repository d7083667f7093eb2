"""Which digits of a data set somebody wants to see: labels and answers in, their numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import SettingError

DIGITS_PER_PAGE = 100


@dataclass(frozen=True)
class DigitFilter:
    """What to look for; a field that is None asks for nothing.

    Attributes:
        label: 0..9, what the digit is.
        prediction: 0..9 or NOT_A_DIGIT, what a model reads it as.
        misclassified: whether only digits are wanted that the model reads wrong.
    """

    label: int | None = None
    prediction: int | None = None
    misclassified: bool = False

    @property
    def needs_predictions(self) -> bool:
        """Whether labels alone do not tell."""
        return self.misclassified or self.prediction is not None


def filter_digits(
    labels: NDArray[np.integer[Any]], wanted: DigitFilter, predictions: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """The numbers of the digits that are wanted, from 0, ascending.

    Args:
        labels: (N,) 0..9.
        wanted: what to look for.
        predictions: (N,) as `answers` gives them; needed where a model is asked.

    Raises:
        SettingError: a model is asked and there are no answers, or not one for each label.
    """
    if wanted.needs_predictions and (predictions is None or len(predictions) != len(labels)):
        given = "none" if predictions is None else f"{len(predictions):,}"
        raise SettingError(f"Expected answers for {len(labels):,} digits, got {given}. Have a model read them first.")
    chosen = np.ones(len(labels), bool)
    if wanted.label is not None:
        chosen &= labels == wanted.label
    if wanted.prediction is not None and predictions is not None:
        chosen &= predictions == wanted.prediction
    if wanted.misclassified and predictions is not None:
        chosen &= predictions != labels
    return np.flatnonzero(chosen).astype(np.int64)


def page_count(found: int) -> int:
    """Pages of PER_PAGE digits, at least one."""
    return max(1, -(-found // DIGITS_PER_PAGE))


def digits_on_page(found: NDArray[np.int64], page: int) -> NDArray[np.int64]:
    """Those of a page, counted from 1; none past the last."""
    return found[DIGITS_PER_PAGE * (page - 1) : DIGITS_PER_PAGE * page]
