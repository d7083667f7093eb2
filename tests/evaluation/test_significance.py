"""McNemar's test against SciPy's distributions, a worked example of the literature, and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mnist_core.data.labels import correct_mask
from mnist_core.evaluation.significance import EXACT_LIMIT, McNemarResult, format_p_value, mcnemar


def models(both: int, neither: int, only_first: int, only_second: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images each of two models reads right, shuffled together."""
    counts = [both, neither, only_first, only_second]
    order = np.random.default_rng(0).permutation(sum(counts))
    return (np.repeat([True, False, True, False], counts)[order], np.repeat([True, False, False, True], counts)[order])


@given(st.integers(0, 400), st.integers(0, 400))
def test_p_value_is_scipys(only_first: int, only_second: int) -> None:
    found, count = mcnemar(*models(50, 3, only_first, only_second)), only_first + only_second
    assert (found.both, found.neither, found.only_first, found.only_second) == (50, 3, only_first, only_second)
    assert found.exact == (count <= EXACT_LIMIT)
    if not count:
        expected = 1.0
    elif found.exact:
        expected = stats.binomtest(only_first, count, 0.5).pvalue
    else:
        expected = stats.chi2.sf(max(abs(only_first - only_second) - 1, 0) ** 2 / count, 1)
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_worked_example_of_agresti() -> None:
    """Approval of the prime minister, asked twice (Agresti, 1990, p. 350): 86 and 150 changed their mind.

    (|86 - 150| - 1)² / 236 = 16.8178.
    """
    found = mcnemar(*models(794, 570, 86, 150))
    assert stats.chi2.isf(found.p_value, 1) == pytest.approx(63**2 / 236)
    assert found.p_value == pytest.approx(4.115e-5, rel=1e-3)


def test_small_counts_by_hand() -> None:
    """One against five: both tails of six coins hold 1 + 6 of 64 ways each."""
    found = mcnemar(*models(90, 4, 1, 5))
    assert found.exact and found.p_value == pytest.approx(2 * 7 / 64)


def test_binomial_and_chi_square_agree_where_they_meet() -> None:
    rough = mcnemar(*models(0, 0, 8, 18))
    assert not rough.exact
    assert rough.p_value == pytest.approx(stats.binomtest(8, 26, 0.5).pvalue, rel=0.05)


def test_sentences() -> None:
    assert mcnemar(*models(900, 5, 10, 40)).sentence("A", "B") == "B is significantly better (p < 0.001)."
    assert mcnemar(*models(900, 5, 16, 3)).sentence("A", "B") == "A is significantly better (p = 0.0044)."
    assert mcnemar(*models(900, 5, 3, 7)).sentence("A", "B") == "The difference is not significant (p = 0.34)."
    assert "No difference: each gets 4" in mcnemar(*models(900, 5, 4, 4)).sentence("A", "B")
    assert "No difference: each gets 0" in mcnemar(*models(9, 1, 0, 0)).sentence("A", "B")


def test_the_significance_level_is_five_percent() -> None:
    assert McNemarResult(0, 0, 1, 9, 0.0499, True).significant and not McNemarResult(0, 0, 1, 9, 0.05, True).significant


@pytest.mark.parametrize(
    ("value", "text"), [(0.0034, "p = 0.0034"), (0.4, "p = 0.4"), (1.0, "p = 1"), (0.00099, "p < 0.001")]
)
def test_formatted_p_values(value: float, text: str) -> None:
    assert format_p_value(value) == text


def test_equally_good_models_rarely_differ_significantly() -> None:
    """Of 2,000 pairs without a difference at most 5% are called different: the test keeps its promise."""
    generator = np.random.default_rng(0)
    wins = generator.binomial(60, 0.5, 2000)
    assert np.mean([mcnemar(*models(0, 0, int(first), 60 - int(first))).significant for first in wins]) <= 0.05


def test_masks_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        mcnemar(np.ones(3, bool), np.ones(2, bool))
    with pytest.raises(ValueError, match=r"\(0,\) and \(0,\)"):
        mcnemar(np.ones(0, bool), np.ones(0, bool))


def test_a_rejected_image_is_not_correct() -> None:
    probabilities = np.eye(12, dtype=np.float32)[[3, 11, 10]]
    assert correct_mask(probabilities, np.array([3, 1, 0])).tolist() == [True, False, False]
