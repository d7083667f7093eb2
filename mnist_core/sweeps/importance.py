"""Hyperparameter importance: how much of the variation between trials each setting explains (fANOVA).

A random forest learns to predict the measure from the settings. Functional ANOVA (Hutter et al., 2014, "An Efficient
Approach for Assessing Hyperparameter Importance") computes the share of the forest's variance that each setting
explains on its own; the rest is interaction, which only combinations of settings explain. Forests grown with other
seeds give slightly different shares; their range is reported as the uncertainty. It is the uncertainty of the forest,
not of the trials: with few trials, all forests can be wrong together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.sweeps.search_space import Dimension, Range

FORESTS = 8
"""How many forests are grown, each with another seed."""
TREES = 32
"""Of each forest."""
MIN_TRIALS = 6
"""With fewer finished trials there is no result."""


def importances(
    trials: Sequence[Mapping[str, Any]], space: Sequence[Dimension], forests: int = FORESTS
) -> list[dict[str, Any]]:
    """The importance of each setting.

    Args:
        trials: rows of trials.json; only finished trials count.
        space: what the sweep varied.
        forests: how many are grown.

    Returns:
        For each setting `setting`, `share` (0..1, mean over the forests), `low` and `high` (the smallest and the
        largest share), the most important first. The shares sum to at most 1. Empty if fewer than MIN_TRIALS trials
        have finished, all with the same value, or with values in which the forests find no difference.
    """
    import optuna

    finished = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    if len(finished) < MIN_TRIALS or len({row["value"] for row in finished}) == 1:
        return []
    study = _study_in_memory(finished, space)
    shares: dict[str, list[float]] = {dimension.name: [] for dimension in space}
    for seed in range(forests):
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        try:
            # `get_param_importances` would scale the shares so that they sum to 1, whatever the settings explain.
            forest = evaluator.evaluate(study)
        except RuntimeError:  # "Encountered zero total variance in all trees."
            return []
        for name in shares:
            shares[name].append(float(forest[name]))
    rows = [
        {"setting": name, "share": statistics.fmean(values), "low": min(values), "high": max(values)}
        for name, values in shares.items()
    ]
    return sorted(rows, key=lambda row: -row["share"])


def _study_in_memory(finished: Sequence[Mapping[str, Any]], space: Sequence[Dimension]) -> Any:
    """The trials as an Optuna study. The sweep's own database is only for its process."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    distributions = {dimension.name: _distribution(dimension) for dimension in space}
    for row in finished:
        params = {dimension.name: _param(dimension, row["settings"][dimension.name]) for dimension in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=row["value"]))
    return study


def _param(dimension: Dimension, value: Any) -> Any:
    """The value for fANOVA; the exponent, if the range is logarithmic.

    fANOVA weighs values by their distance: 0.05..0.1 would count as half of 0.0001..0.1.
    """
    return math.log10(value) if isinstance(dimension, Range) and dimension.log else value


def _distribution(dimension: Dimension) -> Any:
    import optuna

    if not isinstance(dimension, Range):
        return optuna.distributions.CategoricalDistribution(dimension.values)
    if dimension.log:  # slightly wider, because logarithms are rounded
        low, high = math.log10(dimension.low) - 1e-9, math.log10(dimension.high) + 1e-9
        return optuna.distributions.FloatDistribution(low, high)
    if dimension.whole:
        return optuna.distributions.IntDistribution(int(dimension.low), int(dimension.high))
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high)
