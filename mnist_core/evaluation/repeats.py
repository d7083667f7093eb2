"""What several trainings with different seeds show: mean, confidence interval, and Welch's test of two means."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
"""How often such an interval contains what it is an interval for."""


@dataclass(frozen=True)
class Sample:
    """The results of trainings that differ only in their seeds.

    Attributes:
        mean: of the results.
        count: number of trainings.
        deviation: standard deviation of the results; None for a single one.
    """

    mean: float
    count: int
    deviation: float | None

    @property
    def half_width(self) -> float | None:
        """Half the width of the confidence interval of the mean, at level CONFIDENCE; None for a single training.

        Student's t with n - 1 degrees of freedom: t · s / √n (Student, 1908, "The probable error of a mean").
        """
        return None if self.deviation is None else _student_t(self.count - 1) * self.deviation / math.sqrt(self.count)

    @property
    def next_half_width(self) -> float | None:
        """Half the width of the prediction interval for one more training, at level CONFIDENCE; None for a single one.

        The prediction interval of a normal distribution: t · s · √(1 + 1/n). A published result is one training: it is
        this wider interval that it must be compared with, not the one of the mean.
        """
        if self.deviation is None:
            return None
        return _student_t(self.count - 1) * self.deviation * math.sqrt(1 + 1 / self.count)


def describe_sample(values: Sequence[float]) -> Sample:
    """Mean and spread of at least one result."""
    return Sample(statistics.fmean(values), len(values), statistics.stdev(values) if len(values) > 1 else None)


def welch_p_value(first: Sample, second: Sample) -> float | None:
    """Probability that two equally good trainers differ at least this much in their means, 0..1.

    Welch's t-test (Welch, 1947, "The generalization of Student's problem when several different population variances
    are involved"): the trainings must be independent, so no two may share a seed; the spreads may differ.

    Returns:
        None if one of them has a single result, or if neither has any spread.
    """
    if first.deviation is None or second.deviation is None:
        return None
    errors = first.deviation**2 / first.count, second.deviation**2 / second.count
    if not sum(errors):
        return None
    from scipy.special import stdtr  # type: ignore[import-untyped]

    freedom = sum(errors) ** 2 / (errors[0] ** 2 / (first.count - 1) + errors[1] ** 2 / (second.count - 1))
    return 2 * float(stdtr(freedom, -abs(first.mean - second.mean) / math.sqrt(sum(errors))))


def _student_t(freedom: int) -> float:
    """The value that Student's t exceeds in either direction with probability 1 - CONFIDENCE."""
    from scipy.special import stdtrit  # scipy.stats would take half a second

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))
