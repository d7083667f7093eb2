"""The progress of a running sweep: its status with the time left, and its trials, as pages read them."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.sweeps.store import Sweep
from mnist_core.sweeps.study import Study
from mnist_core.sweeps.trial_runs import TrialRuns

STATUS_SECONDS = 0.5
"""How often status.json is written while nothing changes."""
PUBLISH_PAUSE = 9.0
"""After trials.json is written, wait this many times as long as that took. With thousands of trials it takes 1 s."""


class SweepProgress:
    """Writes the status and the trials of a running sweep.

    Args:
        sweep: whose files are written.
        heartbeat: writes the status.
        study: the trials.
        trial_runs: their runs.
    """

    def __init__(self, sweep: Sweep, heartbeat: Heartbeat, study: Study, trial_runs: TrialRuns) -> None:
        self._sweep, self._plan, self._heartbeat = sweep, sweep.plan(), heartbeat
        self._study, self._trial_runs = study, trial_runs
        self._started = time.time()
        self._last_status = ("", 0.0)  # message, monotonic seconds
        self._publish_after = 0.0  # monotonic seconds

    @property
    def target(self) -> int:
        """How many trials the sweep is to have; more once it is extended."""
        return self._sweep.target_trials(self._plan)

    def report(self, message: str = "", seeds_trained: float = 0.0) -> None:
        """Publishes the trials and the status of a running sweep, neither more often than needed.

        Args:
            message: for the status; by default what the sweep waits for.
            seeds_trained: with how many seeds the best trial has been retrained.
        """
        now = time.monotonic()
        if now >= self._publish_after:
            self._study.publish()
            self._publish_after = time.monotonic() + PUBLISH_PAUSE * (time.monotonic() - now)
        message = message or self._trial_runs.waiting_for or "Training trials."
        last_message, written = self._last_status
        if message != last_message or time.monotonic() - written > STATUS_SECONDS:
            self._last_status = (message, time.monotonic())
            self.update(state="running", message=message, seconds_left=self._seconds_left(seeds_trained))

    def update(self, **changes: Any) -> None:
        """Writes the status at once.

        Args:
            changes: fields of `Status`.
        """
        done = len(self._study.ended)
        self._heartbeat.update(step=done, steps=max(self.target, done), started=self._started, **changes)

    def _seconds_left(self, seeds_trained: float) -> float | None:
        """Estimated from the median duration of the ended trials; None before two have ended."""
        ended = [trial for trial in self._study.ended if trial.state != "failed" and trial.ended > trial.began > 0]
        if len(ended) < 2:
            return None
        finished = [trial for trial in ended if trial.state == "finished"] or ended  # pruned trials are shorter
        per_trial = statistics.median(trial.ended - trial.began for trial in ended)
        per_retraining = statistics.median(trial.ended - trial.began for trial in finished)
        parallel = max(1, self._trial_runs.max_parallel)
        trial_rounds = rounds_left(0.0, self.target - len(self._study.ended), parallel)
        return (
            trial_rounds * per_trial + rounds_left(seeds_trained, self._plan.retrain_seeds, parallel) * per_retraining
        )


def rounds_left(done: float, total: int, parallel: int) -> float:
    """How many rounds of trainings are left, if each round trains as many at once as it can.

    Args:
        done: trainings that have ended, with the trained shares of those in progress.
        total: of all rounds.
        parallel: how many can be trained at once, at least 1.
    """
    if done >= total:
        return 0.0
    rounds, in_round = divmod(done, parallel)
    return math.ceil(total / parallel) - rounds - in_round / min(parallel, total - rounds * parallel)
