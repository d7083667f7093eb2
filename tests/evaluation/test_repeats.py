"""Means and Welch's test against SciPy's own, tables of Student's t, and the example of Student's paper."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mnist_core.evaluation.repeats import describe_sample, welch_p_value

SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)
"""Extra hours of sleep with two drugs (Student, 1908). R's manual: Welch's t = -1.8608, df = 17.776, p = 0.07939."""
ACCURACIES = st.lists(st.integers(9_000, 10_000).map(lambda right: right / 10_000), min_size=2, max_size=12)


@pytest.mark.parametrize(("count", "t"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (31, 2.042)])
def test_intervals_with_the_t_of_tables(count: int, t: float) -> None:
    values = [0.0, 2.0] * (count // 2) + [1.0] * (count % 2)
    sample = describe_sample(values)
    spread = (count // 2 * 2 / (count - 1)) ** 0.5
    assert (sample.mean, sample.count) == (1.0, count) and sample.deviation == pytest.approx(spread)
    assert sample.half_width == pytest.approx(t * spread / count**0.5, rel=1e-3)
    assert sample.next_half_width == pytest.approx(t * spread * (1 + 1 / count) ** 0.5, rel=1e-3)


def test_students_example() -> None:
    assert welch_p_value(*map(describe_sample, SLEEP)) == pytest.approx(0.07939, abs=5e-6)


@settings(max_examples=25)
@given(ACCURACIES, ACCURACIES)
def test_scipy_agrees(first: list[float], second: list[float]) -> None:
    samples = describe_sample(first), describe_sample(second)
    if not any(sample.deviation for sample in samples):
        assert welch_p_value(*samples) is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of SciPy, about samples that hardly vary
        expected = stats.ttest_ind(first, second, equal_var=False).pvalue
        low, high = stats.t.interval(0.95, len(first) - 1, samples[0].mean, stats.sem(first))
    assert welch_p_value(*samples) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    if samples[0].half_width:
        assert samples[0].half_width == pytest.approx((high - low) / 2, rel=1e-6)


def test_a_single_training_has_no_interval_and_no_test() -> None:
    single, others = describe_sample([0.99]), describe_sample([0.98, 0.99])
    assert (single.mean, single.half_width, single.next_half_width) == (0.99, None, None)
    assert welch_p_value(single, others) is None and welch_p_value(others, single) is None
