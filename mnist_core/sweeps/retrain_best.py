"""What a trial is worth, and the end of a sweep: its best trial, trained anew with other seeds, tested once.

A single training is partly luck, and the best of twenty is the luckiest, too. Trained anew from other seeds it shows
what is to be expected of its settings: mean and spread of the validation figures. Of these models the best is kept, and
its accuracy on the test set read from its card: the only figure of the test set in a sweep.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.errors import SweepError
from mnist_core.files import write_json
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import MAX_SEED, Run
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.store import Sweep, runs_by_mark, trial_mark
from mnist_core.sweeps.study import Trial
from mnist_core.sweeps.trial_runs import TrialRuns


def measure(row: Mapping[str, Any], plan: SweepPlan) -> float | None:
    """What one report says of the validation images; None where it says nothing of them."""
    value = row.get(f"val_{plan.measure}")
    number = isinstance(value, int | float) and math.isfinite(value) and isinstance(row.get("epoch"), int)
    return float(value) if number and value is not None else None


def value(rows: Sequence[Mapping[str, Any]], plan: SweepPlan, settings: Settings) -> float | None:
    """What a training came to: the measure of the model that it kept.

    That is the model of the last epoch; with patience, the one of the lowest validation loss, which it restores.
    """
    validated = [row for row in rows if measure(row, plan) is not None]
    if not validated:
        return None
    kept = min(validated, key=lambda row: row["val_loss"]) if settings.patience else validated[-1]
    return measure(kept, plan)


class Crowning:
    """The best trial, trained anew, one seed after another.

    Args:
        sweep: whose winner.json is written.
        plan: what it searched.
        best: the trial that won.
        attempts: who has runs trained.
    """

    def __init__(self, sweep: Sweep, plan: SweepPlan, best: Trial, attempts: TrialRuns) -> None:
        self._sweep, self._plan, self._best, self._attempts = sweep, plan, best, attempts
        self._seeds = [(plan.seed + 1 + place) % (MAX_SEED + 1) for place in range(plan.retrain_seeds)]
        made = runs_by_mark(sweep)
        self._runs = {seed: made[best.number, str(seed)] for seed in self._seeds if (best.number, str(seed)) in made}
        for run in self._runs.values():
            attempts.take_over(run)  # of an earlier process; one that has ended is found so
        self._done: list[dict[str, Any]] = []

    @property
    def done(self) -> int:
        """Seeds that were trained."""
        return len(self._done)

    def step(self) -> bool:
        """A little further. Returns whether it is all done. Raises SweepError where one could not be trained."""
        self._attempts_ended()
        waiting = [seed for seed in self._seeds if seed not in self._runs]
        if waiting and self._attempts.room():
            self._begin(waiting[0])
        if len(self._done) < len(self._seeds):
            return False
        self._write(self._result())
        return True

    def _begin(self, seed: int) -> None:
        spec = self._plan.trial_spec(self._best.settings, seed)
        mark = trial_mark(self._sweep, self._best.number, str(seed))
        self._runs[seed] = self._attempts.begin(spec, mark, lambda _: None)
        self._write({})

    def _attempts_ended(self) -> None:
        seeds = {run.id: seed for seed, run in self._runs.items()}
        for run in self._attempts.ended():
            if run.id not in seeds:
                continue
            found = value(run.metrics().rows, self._plan, run.spec().settings) if run.path.is_dir() else None
            if found is None or run.status().state != "finished":
                message = run.status().message if run.path.is_dir() else "It was deleted."
                raise SweepError(
                    f"The winner could not be trained anew: {message} Delete the run {run.id}, then resume the sweep."
                )
            self._done.append({"run": run.id, "seed": seeds[run.id], "value": found})
            self._write({})

    def _result(self) -> dict[str, Any]:
        values = [row["value"] for row in self._done]
        chosen = min(self._done, key=lambda row: (self._plan.cost(row["value"]), row["seed"]))["run"]
        return {
            "mean": statistics.fmean(values),
            "spread": statistics.stdev(values) if len(values) > 1 else None,
            "run": chosen,
            **_scored_once(Run(self._sweep.root / chosen)),
        }

    def _write(self, result: dict[str, Any]) -> None:
        found = {"trial": self._best.number, "settings": self._best.settings, "of": len(self._seeds)}
        runs = sorted(self._done, key=lambda row: row["seed"])
        write_json(self._sweep.path / "winner.json", {**found, "runs": runs, **result})


def _scored_once(run: Run) -> dict[str, Any]:
    """The figures of the test set. The only place of a sweep that reads a card."""
    card = run.card()
    return {"test_accuracy": card.get("test_accuracy"), "test_loss": card.get("test_loss")}
