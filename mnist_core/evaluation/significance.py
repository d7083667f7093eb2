"""Whether of two models one is really better, or the difference is noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNIFICANCE_LEVEL = 0.05  # a difference that chance alone makes more rarely than so is taken to be real
EXACT_LIMIT = (
    25  # images on which the models differ: up to here chi-square is too rough (Edwards, 1948; Dietterich, 1998)
)

Right = NDArray[np.bool_]


@dataclass(frozen=True)
class McNemarResult:
    """Two models on the same images, by McNemar's test (1947).

    Attributes:
        both, neither: images that both read right, that both read wrong.
        only_first, only_second: images that one of them alone reads right.
        p_value: how often two equally good models would differ at least so much, 0..1.
        exact: by the binomial distribution; else by chi-square with continuity correction.
    """

    both: int
    neither: int
    only_first: int
    only_second: int
    p_value: float
    exact: bool

    @property
    def real(self) -> bool:
        """Whether chance alone would hardly make such a difference."""
        return self.p_value < SIGNIFICANCE_LEVEL

    def sentence(self, first: str, second: str) -> str:
        """What it means, for people, with the models' names."""
        if self.only_first == self.only_second:
            return f"No difference: each reads {self.only_first:,} images right that the other reads wrong."
        if not self.real:
            return f"The difference is noise ({format_p_value(self.p_value)})."
        better = first if self.only_first > self.only_second else second
        return f"{better} is really better ({format_p_value(self.p_value)})."


def mcnemar(first: Right, second: Right) -> McNemarResult:
    """Compares two models that read the same images. Only those count on which one is right and the other wrong.

    Args:
        first, second: (N,) bool, whether the model reads each image right.

    Raises:
        ValueError: where the lengths differ, or there are no images.
    """
    if first.shape != second.shape or not first.size:
        raise ValueError(f"Expected answers to the same images, one or more; got {first.shape} and {second.shape}.")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    exact = only_first + only_second <= EXACT_LIMIT
    p_value = (_binomial if exact else _chi_square)(only_first, only_second)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    return McNemarResult(both, neither, only_first, only_second, p_value, exact)


def correct_mask(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Right:
    """(N,) bool: which images are read right. Takes (N, C) and (N,); outputs past the tenth can win and are wrong."""
    found: Right = probabilities.argmax(axis=1) == labels
    return found


def format_p_value(p_value: float) -> str:
    """For people: `p = 0.0034`, `p = 0.4`, `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _binomial(only_first: int, only_second: int) -> float:
    """Two-sided: both tails of a fair coin. math.comb is exact, and needs no half second of scipy.stats."""
    count, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(count, heads) for heads in range(fewer + 1))
    return min(1.0, 2 * tail / int(2**count))


def _chi_square(only_first: int, only_second: int) -> float:
    """With Edwards's continuity correction and one degree of freedom, whose tail is erfc(sqrt(x / 2))."""
    gap = max(abs(only_first - only_second) - 1, 0)
    return math.erfc(math.sqrt(gap**2 / (only_first + only_second) / 2))
