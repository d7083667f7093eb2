"""Conducts one sweep in a process of its own: `python -m mnist_core.sweeps.runner SWEEP_DIR`.

It asks Optuna what to try, has each trial trained as an ordinary run, tells Optuna what came of it, and at the end has
the winner trained anew with other seeds. It reads sweep.json and control.json of its directory and writes everything
else. Killed at any moment, it goes on from there when it is started again: no trial is lost, and none trained twice.

No trial is judged by the test set. A run is tested when it ends, as every run is, and its card says so; but nothing
here reads a trial's card. What is compared are the validation figures of metrics.jsonl, and of the one model that
won in the end `winner` reads the card, once. A base that validates on the test images is given another split
(HELD_OUT_SPLIT).
"""

from __future__ import annotations

import logging
import os
import re
import signal
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.errors import ArchitectureError, DigitLabError, SettingError, SweepError
from mnist_core.jobs import routing
from mnist_core.jobs.local import JobBackend, LocalBackend
from mnist_core.runs.heartbeat import Heartbeat
from mnist_core.runs.run import Metrics, Run, Status
from mnist_core.sweeps import retrain_best, search_space
from mnist_core.sweeps.plan import MEASURES
from mnist_core.sweeps.store import Sweep, runs_by_mark, trial_mark
from mnist_core.sweeps.study import Study, Trial
from mnist_core.sweeps.trial_runs import TrialRuns

POLL_SECONDS = 0.1
TELL_SECONDS = 0.5
PUBLISH_PAUSE = 9.0
"""So many times as long as it took to write trials.json, it is not written again: of thousands it takes a second."""
HOPELESS = 3
"""So many failed trials end a sweep of which nothing has worked; later it takes twice as many one after another."""
PAUSED = "Waits: its sweep is paused."

log = logging.getLogger("digitlab.sweep")


class Wishes:
    """What is asked of the sweep: by control.json, or by a signal, which pauses it."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep, self._signalled = sweep, threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._signalled.set())

    @property
    def pause(self) -> bool:
        return self._signalled.is_set() or self._sweep.files.control().get("paused") is True

    @property
    def stop(self) -> bool:
        return self._sweep.files.control().get("stop") is True


class Left(Exception):  # noqa: N818 - no error: it was asked to
    """The sweep was asked to pause or to stop."""


class Conductor:
    """One sweep from its beginning, or from where an earlier process left it, to its end.

    Args:
        sweep: whose files are written.
        heart: its status.
        backend: who trains its runs.
    """

    def __init__(self, sweep: Sweep, heart: Heartbeat, backend: JobBackend) -> None:
        self._sweep, self._heart, self._plan = sweep, heart, sweep.plan()
        self._attempts = TrialRuns(backend, sweep.root, owners.read(sweep.path))
        self._wishes = Wishes(sweep)
        self._study = Study(sweep, self._plan)
        self._running: dict[str, tuple[Trial, Metrics]] = {}  # by run id
        self._began = time.time()
        self._before = len(self._study.ended)  # what failed under an earlier process may have been mended
        self._told = ("", 0.0)
        self._publish_after = 0.0  # monotonic seconds

    def conduct(self) -> None:
        """Tries everything, then crowns the winner. It ends early where it is asked to, or where nothing works."""
        self._take_up()
        try:
            self._try_all()
            self._crown()
            while len(self._study.ended) < self._wanted:  # while it did, somebody asked for more
                self._try_all()
                self._crown()
        except Left:
            return
        self._end()

    @property
    def _wanted(self) -> int:
        return self._sweep.target_trials(self._plan)

    def _take_up(self) -> None:
        """What an earlier process left: its runs are looked for, also those that it could not note any more."""
        made = runs_by_mark(self._sweep)
        for trial in self._study.take_up():
            run = made.get((trial.number, ""))
            if run is None:
                self._launch(trial)
                continue
            if trial.run != run.id:
                self._study.note(trial, run=run.id)
            self._running[run.id] = (trial, Metrics())
            self._attempts.take_over(run)
        self._tell()

    def _try_all(self) -> None:
        """Trials, until as many as wanted have ended."""
        while self._running or len(self._study.trials) < self._wanted:
            self._heed()
            while len(self._study.trials) < self._wanted and self._attempts.room():
                self._launch(self._study.ask())
                self._despair()
            self._follow()
            self._despair()
            self._tell()
            time.sleep(POLL_SECONDS)
        self._study.publish()

    def _launch(self, trial: Trial) -> None:
        """Has a trial trained. What cannot be trained at all has failed at once."""
        try:
            spec = self._plan.trial_spec(trial.settings, self._plan.seed)
        except (SettingError, ArchitectureError) as error:
            return self._study.end(trial, "failed", message=str(error))
        mark = trial_mark(self._sweep, trial.number)
        run = self._attempts.begin(spec, mark, lambda made: self._study.note(trial, run=made.id, began=time.time()))
        self._running[run.id] = (trial, Metrics())

    def _follow(self) -> None:
        """Passes on what the runs have reported, and what became of those that have ended."""
        ended = {run.id: run for run in self._attempts.ended()}
        for run_id in list(self._running):
            run = Run(self._sweep.root / run_id)
            self._report(run)
            if run_id in ended:
                self._conclude(run)

    def _report(self, run: Run) -> None:
        trial, seen = self._running[run.id]
        metrics = run.metrics(seen)
        self._running[run.id] = (trial, metrics)
        fresh = metrics.rows[len(seen.rows) :] if metrics.file == seen.file else metrics.rows
        for row in fresh:
            value = retrain_best.measure(row, self._plan)
            if value is not None and self._study.report(trial, int(row["epoch"]), value) and not trial.message:
                self._study.note(trial, message=f"Ended after epoch {row['epoch']}: most were better by then.")
                self._attempts.stop(run)

    def _conclude(self, run: Run) -> None:
        trial, metrics = self._running.pop(run.id)
        state, message, settings = run.status().state, "", self._plan.base.settings
        if run.path.is_dir():
            settings = run.spec().settings
        value = retrain_best.value(metrics.rows, self._plan, settings)
        seconds = float(metrics.rows[-1].get("elapsed", 0.0)) if metrics.rows else 0.0
        if state == "finished" and value is not None:
            return self._study.end(trial, "finished", value, "", seconds)
        if state == "stopped":
            message = trial.message or ("Stopped by hand." if trial.values else "Stopped before its first epoch ended.")
            return self._study.end(trial, "pruned", None, message, seconds)
        message = run.status().message if run.path.is_dir() else "Its run was deleted."
        self._study.end(trial, "failed", None, message or "It ended without a word.", seconds)

    def _despair(self) -> None:
        """Raises SweepError where trial after trial fails."""
        ended = self._study.ended[self._before :]
        works = any(trial.state != "failed" for trial in ended)
        enough = 2 * HOPELESS if works else HOPELESS
        last = ended[-enough:]
        if len(last) < enough or any(trial.state != "failed" for trial in last):
            return
        self._attempts.stop_all()
        self._study.publish()
        raise SweepError(f"{enough} trials failed one after another, and it was ended. {common_cause(last)}")

    def _crown(self) -> None:
        """Trains the best one anew."""
        best = self._study.best()
        if best is None or not self._plan.retrain_seeds or len(self._study.ended) < self._wanted:
            return
        crowning = retrain_best.Crowning(self._sweep, self._plan, best, self._attempts)
        while not crowning.step():
            self._heed()
            self._tell(f"Training the winner anew, {crowning.done} of {self._plan.retrain_seeds} seeds done.")
            time.sleep(POLL_SECONDS)

    def _heed(self) -> None:
        """Does what it is asked. Raises Left after a pause or a stop."""
        if self._wishes.stop:
            self._update(state="stopping", message="Its trials are ending.")
            if self._running:
                self._attempts.stop_all()
            else:  # the winner: half trained it is none
                self._attempts.kill_all("Waits: its sweep was stopped.")
            while self._running:
                self._follow()
                time.sleep(POLL_SECONDS)
            self._study.publish()
            self._update(state="stopped", message=f"Stopped after {len(self._study.ended)} trials.", seconds_left=None)
            raise Left
        if self._wishes.pause:
            self._update(state="stopping", message="Its trials are being put aside.")
            self._attempts.kill_all(PAUSED)
            self._study.publish()
            self._update(state="paused", message="Paused: resume it to go on.", seconds_left=None)
            raise Left

    def _tell(self, message: str = "") -> None:
        """Writes how it stands, for all who look on."""
        began = time.monotonic()
        if began >= self._publish_after:
            self._study.publish()
            self._publish_after = time.monotonic() + PUBLISH_PAUSE * (time.monotonic() - began)
        message = message or self._attempts.waits_for or "Trying."
        if message != self._told[0] or time.monotonic() - self._told[1] > TELL_SECONDS:
            self._told = (message, time.monotonic())
            self._update(state="running", message=message, seconds_left=self._seconds_left())

    def _update(self, **changes: Any) -> None:
        done = len(self._study.ended)
        self._heart.update(step=done, steps=max(self._wanted, done), started=self._began, **changes)

    def _seconds_left(self) -> float | None:
        """From how long the trials took from their beginning to their end; None before two have ended."""
        ended = [trial for trial in self._study.ended if trial.state != "failed" and trial.ended > trial.began > 0]
        if len(ended) < 2:
            return None
        whole = [trial for trial in ended if trial.state == "finished"] or ended
        each = statistics.median(trial.ended - trial.began for trial in ended)  # one may have been paused for hours
        left = max(0, self._wanted - len(self._study.ended)) * each / max(1, self._attempts.most)
        return left + self._plan.retrain_seeds * statistics.median(trial.ended - trial.began for trial in whole)

    def _end(self) -> None:
        best = self._study.best()
        if best is None:
            raise SweepError("No trial was trained to its end, so there is no winner. See why in the table of trials.")
        name = MEASURES[self._plan.measure]
        found = f"{100 * (best.value or 0):.2f} %" if self._plan.higher_is_better else f"{best.value:.4f}"
        message = f"Trial {best.number} is the best: {name} {found} with {search_space.settings_text(best.settings)}."
        self._update(state="finished", message=message, seconds_left=None)


def common_cause(trials: list[Trial]) -> str:
    """Why they failed: one message where they are alike but for numbers, otherwise each."""
    alike = {re.sub(r"\d[\d.,e+-]*", "#", trial.message) for trial in trials}
    if len(alike) == 1:
        return f"All for the same reason: {trials[-1].message}"
    return "For different reasons: " + " ".join(f"({trial.number}) {trial.message}" for trial in trials)


def backend_of(name: str) -> JobBackend:
    """Who trains the runs of a sweep; `name`: one of BACKENDS.

    Raises:
        ClusterError: it is a cluster, and that cannot be reached.
    """
    return routing.met(sweep=True) if name == "ray" else LocalBackend(warm=False, stay=True)


def main(arguments: list[str]) -> int:
    """Conducts the sweep in the directory given. Returns the exit status: 0 as asked, 1 failed, 2 misused."""
    if len(arguments) != 1:
        print("Usage: python -m mnist_core.sweeps.runner SWEEP_DIR", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    sweep = Sweep(Path(arguments[0]).resolve())
    heart = Heartbeat(sweep.files)
    before = sweep.files.status()
    if sweep.live and before.state != "queued" and before.pid != os.getpid():
        print(f"The sweep {sweep.id} is conducted already, by process {before.pid}.", file=sys.stderr)
        return 2
    heart.status = Status(step=before.step, steps=before.steps, message="Starting.")
    heart.update(state="running")  # from now on it is this process's
    with heart.beating():
        try:
            Conductor(sweep, heart, backend_of(sweep.backend(sweep.plan()))).conduct()
        except DigitLabError as error:
            log.error(str(error))
            heart.update(state="failed", message=str(error), seconds_left=None)
            return 1
        except Exception as error:  # whatever it was, the page must say so
            log.exception("The sweep failed")
            message = f"{type(error).__name__}: {str(error)[:500]}. More is in {sweep.log}."
            heart.update(state="failed", message=message, seconds_left=None)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
