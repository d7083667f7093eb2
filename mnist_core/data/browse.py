"""Filters the digits of a data set by label and prediction, and divides them into pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import SettingError

DIGITS_PER_PAGE = 100
"""Digits shown at once."""


@dataclass(frozen=True)
class DigitFilter:
    """Which digits to find. None allows any.

    Attributes:
        label: 0..9.
        prediction: 0..9 or NOT_A_DIGIT, what a model predicts.
        misclassified: only digits whose prediction differs from the label.
    """

    label: int | None = None
    prediction: int | None = None
    misclassified: bool = False

    @property
    def needs_predictions(self) -> bool:
        """True if a model has to classify the digits first."""
        return self.misclassified or self.prediction is not None


def filter_digits(
    labels: NDArray[np.integer[Any]], wanted: DigitFilter, predictions: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """Returns the indices of the digits that match, ascending.

    Args:
        labels: (N,) 0..9.
        wanted: which digits to find.
        predictions: (N,) as `predicted_labels` returns them. Required if `wanted.needs_predictions`.

    Raises:
        SettingError: predictions are required, but there are none, or not one for each label.
    """
    matches = np.ones(len(labels), bool)
    if wanted.label is not None:
        matches &= labels == wanted.label
    if wanted.needs_predictions:
        if predictions is None or len(predictions) != len(labels):
            given = "none" if predictions is None else f"{len(predictions):,}"
            raise SettingError(f"Expected {len(labels):,} predictions, got {given}. Let a model classify the digits.")
        if wanted.prediction is not None:
            matches &= predictions == wanted.prediction
        if wanted.misclassified:
            matches &= predictions != labels
    return np.flatnonzero(matches).astype(np.int64)


def page_count(digits: int) -> int:
    """Returns the number of pages for this many digits, at least 1."""
    return max(1, -(-digits // DIGITS_PER_PAGE))


def digits_on_page(indices: NDArray[np.int64], page: int) -> NDArray[np.int64]:
    """Returns the indices on a page, counted from 1; none past the last page."""
    return indices[DIGITS_PER_PAGE * (page - 1) : DIGITS_PER_PAGE * page]


def next_with_label(labels: NDArray[np.integer[Any]], label: int, index: int) -> int:
    """The index of the next digit with a label after `index`; at the end of the data set it starts over.

    Args:
        labels: (N,) 0..9, at least one of them `label`.
        label: to find.
        index: to start after.
    """
    matches = np.flatnonzero(labels == label)
    return int(matches[np.searchsorted(matches, index, "right") % len(matches)])
