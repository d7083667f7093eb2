"""Runs one sweep in its own process: `python -m mnist_core.sweeps.runner SWEEP_DIR`.

The runner asks Optuna for settings, trains each trial as an ordinary run, reports the results to Optuna, and at the
end retrains the best trial. It reads sweep.json and control.json and writes all other files of the sweep. It can be
killed at any time: started again it continues, loses no trial and trains none twice.

No trial sees the test images: trials are compared by the validation results in metrics.jsonl, and a worker does not
test a run that is marked with its sweep. Only the best retrained model is tested, once, by `final_test`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from pathlib import Path

from mnist_core import owners
from mnist_core.errors import ArchitectureError, DigitLabError, SettingError, SweepError
from mnist_core.fields import AMOUNT, accepted
from mnist_core.jobs import routing
from mnist_core.jobs.backend import JobBackend
from mnist_core.jobs.local import LocalBackend
from mnist_core.runs import claims
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Metrics, Run
from mnist_core.runs.status import Status
from mnist_core.sweeps.control import SweepControl
from mnist_core.sweeps.objective import epoch_value, trial_value
from mnist_core.sweeps.plan import MEASURES
from mnist_core.sweeps.progress import SweepProgress
from mnist_core.sweeps.retrain_best import Retraining
from mnist_core.sweeps.search_space import settings_text
from mnist_core.sweeps.store import Sweep, runs_by_mark, trial_mark
from mnist_core.sweeps.study import Study, Trial
from mnist_core.sweeps.trial_runs import TrialRuns
from mnist_core.wording import plural

POLL_SECONDS = 0.1
MAX_FAILURES = 3
"""Abort the sweep if its first trials all fail, or if later twice as many fail in a row."""
PAUSED_RUN = "Waiting: its sweep is paused."
STOPPED_RUN = "Waiting: its sweep was stopped."

log = logging.getLogger("digitlab.sweep")


class _Halted(Exception):  # noqa: N818 - not an error: the user has paused or stopped the sweep
    """Leaves the runner's loops after a pause or stop."""


class SweepRunner:
    """Runs a sweep from where an earlier process left off to its end.

    Args:
        sweep: whose files are written.
        heartbeat: writes the sweep's status.
        backend: trains the runs.
    """

    def __init__(self, sweep: Sweep, heartbeat: Heartbeat, backend: JobBackend) -> None:
        self._sweep, self._plan = sweep, sweep.plan()
        self._trial_runs = TrialRuns(backend, sweep.root, owners.read_owner(sweep.path))
        self._control = SweepControl(sweep)
        self._study = Study(sweep, self._plan)
        self._running: dict[str, tuple[Trial, Metrics]] = {}  # run id -> its trial, and the reports seen so far
        self._ended_before = len(self._study.ended)  # failures under an earlier process may have been fixed since
        self._progress = SweepProgress(sweep, heartbeat, self._study, self._trial_runs)

    def run(self) -> None:
        """Runs all trials, then retrains the best. Returns early if the user pauses or stops the sweep.

        Raises:
            SweepError: the trials fail, no trial has finished, or the study's database cannot be used.
        """
        self._adopt_trials()
        try:
            self._run_trials()
            self._retrain_best()
            while len(self._study.ended) < self._progress.target:  # extended while the best trial was retrained
                self._run_trials()
                self._retrain_best()
        except _Halted:
            return
        self._finish()

    def _adopt_trials(self) -> None:
        """Continues the trials that an earlier process left running; starts those that have no run yet."""
        known = runs_by_mark(self._sweep)  # includes a run that was created just before the process died
        for trial in self._study.running():
            run = known.get((trial.number, ""))
            if run is None:
                self._start_trial(trial)
                continue
            # A trial that was paused began later: the time left is estimated from how long trials train.
            self._study.update(trial, run=run.id, began=time.time() - _trained_seconds(run.metrics()))
            self._running[run.id] = (trial, Metrics())
            self._trial_runs.adopt(run)
        self._progress.report()

    def _run_trials(self) -> None:
        """Starts and follows trials until the target number has ended."""
        while self._running or len(self._study.trials) < self._progress.target:
            self._handle_control()
            while len(self._study.trials) < self._progress.target and self._trial_runs.has_room():
                self._start_trial(self._study.ask())
                self._abort_if_hopeless()
            self._follow_runs()
            self._abort_if_hopeless()
            self._progress.report()
            time.sleep(POLL_SECONDS)
        self._study.publish()

    def _start_trial(self, trial: Trial) -> None:
        """Starts the trial's run. Settings that do not work together fail the trial at once."""
        try:
            spec = self._plan.trial_spec(trial.settings, self._plan.seed)
        except (SettingError, ArchitectureError) as error:
            self._study.end(trial, "failed", message=str(error))
            return
        mark = trial_mark(self._sweep, trial.number)
        # The database learns of the run before the run starts, so that a crash cannot start it twice.
        run = self._trial_runs.start(
            spec, mark, before=lambda run: self._study.update(trial, run=run.id, began=time.time())
        )
        self._running[run.id] = (trial, Metrics())

    def _follow_runs(self) -> None:
        """Passes new reports to the study and ends the trials whose runs have ended."""
        ended = {run.id for run in self._trial_runs.collect_ended()}
        for run_id in list(self._running):
            run = Run(self._sweep.root / run_id)
            self._report_epochs(run)
            if run_id in ended:
                self._end_trial(run)

    def _report_epochs(self, run: Run) -> None:
        """Reports each new epoch to the study, and stops the run once the study has pruned its trial."""
        trial, seen = self._running[run.id]
        metrics = run.metrics(seen)
        self._running[run.id] = (trial, metrics)
        new_rows = metrics.rows[len(seen.rows) :] if metrics.file == seen.file else metrics.rows
        for row in new_rows:
            value = epoch_value(row, self._plan)
            if value is not None and self._study.report(trial, int(row["epoch"]), value) and not trial.message:
                message = f"Pruned after epoch {row['epoch']}: worse than the median of the other trials."
                self._study.update(trial, message=message)
        if trial.message and run.control().get("stop") is not True:  # its run may have been resumed since
            self._trial_runs.request_stop(run)

    def _end_trial(self, run: Run) -> None:
        """Tells the study how the trial's run ended."""
        trial, metrics = self._running.pop(run.id)
        exists, status = run.path.is_dir(), run.status()
        settings = run.spec().settings if exists else self._plan.base.settings
        value = trial_value(metrics.rows, self._plan, settings)
        seconds = _trained_seconds(metrics)
        if status.state == "finished" and value is not None:
            self._study.end(trial, "finished", value, seconds=seconds)
        elif status.state == "stopped":
            stopped = "Stopped by a user." if trial.values else "Stopped before the end of its first epoch."
            self._study.end(trial, "pruned", message=trial.message or stopped, seconds=seconds)
        else:
            message = (status.message or "It ended without a message.") if exists else "Its run was deleted."
            self._study.end(trial, "failed", message=message, seconds=seconds)

    def _abort_if_hopeless(self) -> None:
        """Raises SweepError if trial after trial fails."""
        ended = self._study.ended[self._ended_before :]
        any_success = any(trial.state != "failed" for trial in ended)
        limit = 2 * MAX_FAILURES if any_success else MAX_FAILURES
        last = ended[-limit:]
        if len(last) < limit or any(trial.state != "failed" for trial in last):
            return
        self._trial_runs.stop_all()
        self._study.publish()
        raise SweepError(f"Aborted after {limit} failed trials in a row. {describe_failures(last)}")

    def _retrain_best(self) -> None:
        """Retrains the best trial once all trials have ended."""
        best = self._study.best()
        if best is None or not self._plan.retrain_seeds or len(self._study.ended) < self._progress.target:
            return
        retraining = Retraining(self._sweep, self._plan, best, self._trial_runs)
        while not retraining.step():
            self._handle_control()
            done, seeds = retraining.finished_seeds, plural(self._plan.retrain_seeds, "seed")
            self._progress.report(f"Retraining the best trial, {done} of {seeds} done.", retraining.seeds_trained)
            time.sleep(POLL_SECONDS)

    def _handle_control(self) -> None:
        """Stops or pauses if the user has requested it, then raises _Halted."""
        if self._control.stop:
            self._progress.update(state="stopping", message="Stopping its trials.")
            if self._running:
                self._trial_runs.stop_all()
            else:  # a half-trained model of the retraining is of no use
                self._trial_runs.kill_all(STOPPED_RUN)
            while self._running:
                self._follow_runs()
                time.sleep(POLL_SECONDS)
            self._study.publish()
            message = f"Stopped after {plural(len(self._study.ended), 'trial')}."
            self._progress.update(state="stopped", message=message, seconds_left=None)
            raise _Halted
        if self._control.pause:
            self._progress.update(state="stopping", message="Pausing its trials.")
            self._trial_runs.kill_all(PAUSED_RUN)
            self._study.publish()
            self._progress.update(state="paused", message="Paused. Resume to continue.", seconds_left=None)
            raise _Halted

    def _finish(self) -> None:
        best = self._study.best()
        if best is None:
            failed = [trial for trial in self._study.ended if trial.state == "failed"]
            why = describe_failures(failed) if failed else "All were stopped early."
            raise SweepError(f"No trial has finished, so there is no best trial. {why}")
        value = format(best.value or 0, self._plan.value_format)
        measure, settings = MEASURES[self._plan.measure], settings_text(best.settings)
        message = f"Trial {best.number} is the best: {measure} {value} with {settings}."
        self._progress.update(state="finished", message=message, seconds_left=None)


def _trained_seconds(metrics: Metrics) -> float:
    """Seconds that a run has spent in training and validation; 0 before its first report."""
    return accepted(AMOUNT, metrics.rows[-1].get("elapsed"), 0.0) if metrics.rows else 0.0


def describe_failures(trials: list[Trial]) -> str:
    """Why trials failed: one message if all are the same except for numbers, otherwise every message."""
    distinct = {re.sub(r"\d[\d.,e+-]*", "#", trial.message) for trial in trials}
    if len(distinct) == 1:
        return f"All for the same reason: {trials[-1].message}"
    return "For different reasons: " + " ".join(f"({trial.number}) {trial.message}" for trial in trials)


def make_backend(name: str) -> JobBackend:
    """The backend that trains the runs of a sweep.

    Args:
        name: one of plan.BACKENDS.

    Raises:
        ClusterError: the cluster cannot be reached.
    """
    return routing.connect_to_cluster(sweep=True) if name == "ray" else LocalBackend(warm=False, stay=True)


def main(arguments: list[str]) -> int:
    """Runs the sweep in the given folder. Returns the exit status: 0 done, paused or stopped; 1 failed; 2 usage."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.sweeps.runner SWEEP_DIR", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    sweep = Sweep(Path(arguments[0]).resolve())
    heartbeat = Heartbeat(sweep.files)
    with claims.claiming(sweep.files):
        before = sweep.files.status()
        if sweep.live and before.state != "queued" and before.pid != os.getpid():
            print(f"Process {before.pid} is already running the sweep {sweep.id}.", file=sys.stderr)
            return 2
        heartbeat.status = Status(step=before.step, steps=before.steps, message="Starting.")
        heartbeat.update(state="running")  # from now on the sweep belongs to this process
    with heartbeat.beating():
        try:
            SweepRunner(sweep, heartbeat, make_backend(sweep.backend_name(sweep.plan()))).run()
        except DigitLabError as error:
            log.error(str(error))
            heartbeat.update(state="failed", message=str(error), seconds_left=None)
            return 1
        except Exception as error:  # the page must show every failure
            log.exception("The sweep failed")
            message = f"{type(error).__name__}: {str(error)[:500]}. Details are in {sweep.log}."
            heartbeat.update(state="failed", message=message, seconds_left=None)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
