"""The end of a sweep: its best trial is retrained with other seeds, and the best of these models is tested once.

The result of a single training is partly luck, and the best of twenty trials is also the luckiest. Retraining with
other seeds shows what its settings really achieve: mean and standard deviation of the validation value. Only the best
of these models is evaluated on the test images. A sweep that is extended may find a better trial, whose model is then
evaluated, too: a second look at the test images, which winner.json counts.
"""

from __future__ import annotations

import statistics
from typing import Any

from mnist_core.errors import SweepError
from mnist_core.files.write import write_json
from mnist_core.runs.run import BEST_MODEL, Run
from mnist_core.runs.spec import MAX_SEED
from mnist_core.sweeps import final_test
from mnist_core.sweeps.objective import trial_value
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.store import Sweep, runs_by_mark, trial_mark
from mnist_core.sweeps.study import Trial
from mnist_core.sweeps.trial_runs import TrialRuns


class Retraining:
    """Retrains the best trial with one seed after another and writes winner.json.

    Args:
        sweep: whose winner.json is written.
        plan: what the sweep searched.
        best: the best trial.
        trial_runs: starts the runs and follows them.
    """

    def __init__(self, sweep: Sweep, plan: SweepPlan, best: Trial, trial_runs: TrialRuns) -> None:
        self._sweep, self._plan, self._best, self._trial_runs = sweep, plan, best, trial_runs
        self._seeds = [(plan.seed + 1 + index) % (MAX_SEED + 1) for index in range(plan.retrain_seeds)]
        self._results: list[dict[str, Any]] = []  # `run`, `seed`, `value` of each run that has finished
        known = runs_by_mark(sweep)  # of an earlier process
        self._runs = {seed: known[best.number, str(seed)] for seed in self._seeds if (best.number, str(seed)) in known}
        for run in self._runs.values():
            trial_runs.adopt(run)

    @property
    def finished_seeds(self) -> int:
        """How many seeds have been trained."""
        return len(self._results)

    @property
    def seeds_trained(self) -> float:
        """How many seeds have been trained, with the trained shares of those in progress."""
        statuses = [run.status() for run in self._runs.values()]
        return sum(1.0 if status.final else status.progress for status in statuses)

    def step(self) -> bool:
        """Collects runs that have ended and starts the next. Returns True once all seeds are trained.

        Raises:
            SweepError: a run has failed or was deleted.
            DataError, ModelError: the best model cannot be tested.
        """
        self._collect_results()
        waiting = [seed for seed in self._seeds if seed not in self._runs]
        if waiting and self._trial_runs.has_room():
            self._start(waiting[0])
        if len(self._results) < len(self._seeds):
            return False
        summary = self._summary()
        self._write(summary)  # first: only the model that winner.json names may be tested
        best = Run(self._sweep.root / summary["run"])
        card, before = final_test.score_on_test_images(best), final_test.count_tested_before(self._sweep, best)
        scores = {"test_accuracy": card["test_accuracy"], "test_loss": card["test_loss"], "tested_before": before}
        self._write({**summary, **scores})
        return True

    def _start(self, seed: int) -> None:
        spec = self._plan.trial_spec(self._best.settings, seed)
        mark = trial_mark(self._sweep, self._best.number, str(seed))
        self._runs[seed] = self._trial_runs.start(spec, mark)
        self._write({})

    def _collect_results(self) -> None:
        seeds = {run.id: seed for seed, run in self._runs.items()}
        for run in self._trial_runs.collect_ended():
            if run.id not in seeds:
                continue
            value = trial_value(run.metrics().rows, self._plan, run.spec().settings) if run.path.is_dir() else None
            if value is None or run.status().state != "finished":
                message = run.status().message if run.path.is_dir() else "It was deleted."
                raise SweepError(
                    f"Retraining the best trial failed: {message} Delete the run {run.id}, then resume the sweep."
                )
            self._results.append({"run": run.id, "seed": seeds[run.id], "value": value})
            self._write({})

    def _summary(self) -> dict[str, Any]:
        values = [result["value"] for result in self._results]
        best = min(self._results, key=lambda result: (self._plan.cost(result["value"]), result["seed"]))
        return {
            "mean": statistics.fmean(values),
            "spread": statistics.stdev(values) if len(values) > 1 else None,
            "run": best["run"],
        }

    def _write(self, summary: dict[str, Any]) -> None:
        results = sorted(self._results, key=lambda result: result["seed"])
        trial = {"trial": self._best.number, "settings": self._best.settings, "of": len(self._seeds)}
        write_json(self._sweep.path / BEST_MODEL, {**trial, "runs": results, **summary})
