"""Significance of the difference between two models: McNemar's test."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_core.wording import plural

SIGNIFICANCE_LEVEL = 0.05
"""A difference with a smaller p-value is called significant."""
EXACT_LIMIT = 25
"""With more images on which exactly one model is right, chi-square is accurate enough (Dietterich, 1998)."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class McNemarResult:
    """Comparison of two models on the same images by McNemar's test (1947).

    Attributes:
        both: images that both models get right.
        neither: images that both get wrong.
        only_first: images that only the first gets right.
        only_second: images that only the second gets right.
        p_value: probability that two equally good models differ at least this much, 0..1.
        exact: True if computed with the binomial distribution, False with chi-square and continuity correction.
    """

    both: int
    neither: int
    only_first: int
    only_second: int
    p_value: float
    exact: bool

    @property
    def significant(self) -> bool:
        """True if the p-value is below SIGNIFICANCE_LEVEL."""
        return self.p_value < SIGNIFICANCE_LEVEL

    def sentence(self, first: str, second: str) -> str:
        """States the result for people, with the names of the models."""
        if self.only_first == self.only_second:
            return f"No difference: each gets {plural(self.only_first, 'image')} right that the other gets wrong."
        if not self.significant:
            return f"The difference is not significant ({format_p_value(self.p_value)})."
        better = first if self.only_first > self.only_second else second
        return f"{better} is significantly better ({format_p_value(self.p_value)})."


def mcnemar(first: Mask, second: Mask) -> McNemarResult:
    """Compares two models on the same images. Only images that exactly one of them gets right count.

    Args:
        first: (N,) bool, which images the first model gets right.
        second: likewise for the second model.

    Raises:
        ValueError: the lengths differ, or there are no images.
    """
    if first.shape != second.shape or not first.size:
        raise ValueError(f"Expected two arrays of one length, 1 or more; got shapes {first.shape} and {second.shape}.")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    exact = only_first + only_second <= EXACT_LIMIT
    p_value = (_binomial if exact else _chi_square)(only_first, only_second)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    return McNemarResult(both, neither, only_first, only_second, p_value, exact)


def format_p_value(p_value: float) -> str:
    """Formats a p-value for people: `p = 0.0034`, `p = 0.4`, `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _binomial(only_first: int, only_second: int) -> float:
    """Two-sided p-value of a fair coin. math.comb is exact; importing scipy.stats would take half a second."""
    count, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(count, heads) for heads in range(fewer + 1))
    return min(1.0, 2 * tail / int(2**count))


def _chi_square(only_first: int, only_second: int) -> float:
    """P-value by chi-square with one degree of freedom and Edwards's continuity correction: erfc(sqrt(x / 2))."""
    gap = max(abs(only_first - only_second) - 1, 0)
    return math.erfc(math.sqrt(gap**2 / (only_first + only_second) / 2))
