"""Which of the settings that a sweep varied matter: fANOVA over its trials, with how sure that is.

A random forest learns the measure from the settings; functional analysis of variance (Hutter et al., 2014) tells what
share of the forest's variance each setting explains by itself. A forest is grown at random: grown again with other
seeds it says something a little different, and by how much is the uncertainty told here. It is that of the forest, not
of the trials: with few of them, all forests can err alike.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.sweeps.search_space import Dimension, Range

FORESTS, TREES = 8, 32
MIN_TRIALS = 6  # trials below which nothing is said


def importances(
    trials: Sequence[Mapping[str, Any]], varies: Sequence[Dimension], forests: int = FORESTS
) -> list[dict[str, Any]]:
    """The share of each setting.

    Args:
        trials: as Sweep.trials gives them; those that were trained to their end count.
        varies: what the sweep varied.
        forests: how many are grown.

    Returns:
        For each setting `setting`, `share` (0..1, the mean over the forests), `low` and `high` (the smallest and the
        largest of them), the most important first. Empty for fewer than MIN_TRIALS trials, and where all came to the same.
    """
    import optuna

    done = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    if len(done) < MIN_TRIALS or len({row["value"] for row in done}) == 1:
        return []
    study = _study(done, varies)
    found = []
    for seed in range(forests):
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        found.append(optuna.importance.get_param_importances(study, evaluator=evaluator))
    rows = [_row(vary.name, [forest[vary.name] for forest in found]) for vary in varies]
    return sorted(rows, key=lambda row: -row["share"])


def _row(name: str, shares: list[float]) -> dict[str, Any]:
    return {"setting": name, "share": statistics.fmean(shares), "low": min(shares), "high": max(shares)}


def _study(done: Sequence[Mapping[str, Any]], varies: Sequence[Dimension]) -> Any:
    """The trials in memory: the database is for the sweep's process.

    Of a logarithmic range the exponents: fANOVA weighs by length, and 0.05..0.1 would be half of 0.0001..0.1.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    spaces = {vary.name: _distribution(vary) for vary in varies}
    for row in done:
        params = {vary.name: _seen(vary, row["settings"][vary.name]) for vary in varies}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=row["value"]))
    return study


def _seen(vary: Dimension, value: Any) -> Any:
    return math.log10(value) if isinstance(vary, Range) and vary.log else value


def _distribution(vary: Dimension) -> Any:
    import optuna

    if not isinstance(vary, Range):
        return optuna.distributions.CategoricalDistribution(vary.values)
    if vary.log:  # a little wider: a logarithm is rounded
        return optuna.distributions.FloatDistribution(math.log10(vary.low) - 1e-9, math.log10(vary.high) + 1e-9)
    if vary.whole:
        return optuna.distributions.IntDistribution(int(vary.low), int(vary.high))
    return optuna.distributions.FloatDistribution(vary.low, vary.high)
