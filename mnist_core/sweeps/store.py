"""Sweeps on disk: the folder through which a sweep's process, the pages and the command line communicate.

    RUNS_DIR/sweeps/<sweep id>/
      sweep.json      the plan; written once
      status.json     state and progress, as a run's; its steps are trials
      control.json    what the user requests: paused, stop, trials (how many in all), backend
      study.db        Optuna's study, unless the plan names another database
      trials.json     every trial so far, so that readers need not open the database
      winner.json     the best trial, retrained with other seeds
      owner.json      who started it: see owners
      log.txt         output of its process

Each trial is an ordinary run in RUNS_DIR. Its own sweep.json names the sweep and the trial.

plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"], trials=20, data="sample")
sweep = create_sweep(plan)
sweep.status(), sweep.trials(), sweep.retrained_best()
sweep.update_control(paused=True)             # `launch` starts and resumes it
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError, SettingError, SweepError, SweepNotFoundError
from mnist_core.files.folders import make_folder, new_folder
from mnist_core.files.json_reader import parse_json, read_json
from mnist_core.files.read import read_file
from mnist_core.files.write import write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.runs import claims
from mnist_core.runs.disk_space import check_room
from mnist_core.runs.run import BEST_MODEL, SWEEP_ID, SWEEPS_FOLDER, Run, sweep_mark
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import list_runs
from mnist_core.sweeps.limits import check_sweep_limits
from mnist_core.sweeps.objective import best_trial
from mnist_core.sweeps.plan import BACKENDS, SweepPlan, checked_trials, max_trials, plan_title
from mnist_core.sweeps.records import check_best, check_trials
from mnist_core.wording import plural

TRIALS_BYTES = 50_000_000
"""Largest trials.json. 10,000 trials of 20 epochs have 12 MB."""


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder, for its process and its readers. Reading never raises because of what a crash left behind."""

    path: Path

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.path.name

    @property
    def root(self) -> Path:
        """The folder of its runs."""
        return self.path.parent.parent

    @property
    def log(self) -> Path:
        """The output of its process."""
        return self.path / "log.txt"

    @property
    def files(self) -> Run:
        """Its folder as a Run: status.json and control.json have the same form."""
        return Run(self.path)

    def plan(self) -> SweepPlan:
        """What it searches. Raises SweepError, naming the file and the reason, if sweep.json cannot be read."""
        path = self.path / "sweep.json"
        try:
            return SweepPlan.from_json(parse_json(read_file(path)))
        except (OSError, ValueError, SweepError) as error:
            raise SweepError(
                f"{path} cannot be read: {error}. Restore the file, or delete the sweep's folder."
            ) from None

    def status(self) -> Status:
        """Its state and progress; its steps are trials. A paused sweep stays `paused` after its process has ended."""
        status = self.files.status()
        if status.state != "interrupted":
            return status
        written = read_json(self.path / "status.json")
        if written.get("state") == "paused":
            return replace(status, state="paused", message=str(written.get("message", "")))
        return replace(
            status,
            message=f"Its process died after {status.step} of {plural(status.steps, 'trial')}. Resume it to continue.",
        )

    @property
    def live(self) -> bool:
        """Whether its process is running or about to start."""
        return not self.files.status().final and self.status().state != "paused"

    def update_control(self, **changes: Any) -> None:
        """Adds to control.json: `paused=True`, `stop=True`, `trials=40`, `backend="ray"`."""
        self.files.update_control(**changes)

    def target_trials(self, plan: SweepPlan) -> int:
        """How many trials in all: as planned, or as extended since."""
        try:
            trials = checked_trials(self.files.control().get("trials"))
        except SettingError:
            return plan.trials
        return min(trials, max_trials(plan))

    def backend_name(self, plan: SweepPlan) -> str:
        """Where its runs are trained, one of BACKENDS: as planned, or as chosen when it was last resumed."""
        backend = self.files.control().get("backend")
        return backend if backend in BACKENDS else plan.backend

    def trials(self) -> list[dict[str, Any]]:
        """Every trial so far, as study.Trial.to_json writes it. Rows that are damaged are left out.

        Raises SweepError if sweep.json cannot be read.
        """
        return check_trials(read_json(self.path / "trials.json", TRIALS_BYTES).get("trials"), self.plan().space)

    def retrained_best(self) -> dict[str, Any]:
        """The content of winner.json; empty before the best trial is retrained.

        Returns:
            `trial`, `settings`, `of` (how many seeds) and `runs` (`run`, `seed` and `value` of each that has finished).
            Once all have finished also `mean`, `spread` (standard deviation), `run` (the best of them),
            `test_accuracy`, `test_loss` and `tested_before` (how many models were tested before an extension).
        """
        return check_best(read_json(self.path / BEST_MODEL))


def create_sweep(plan: SweepPlan, root: Path | None = None, owner: str = owners.NOBODY) -> Sweep:
    """Creates a sweep's folder with its plan.

    Args:
        plan: what it searches.
        root: the folder of all runs; RUNS_DIR by default.
        owner: who started it.

    Raises:
        QueueFullError: as many sweeps run already as may, of all people or of this owner.
        RunError: the runs of this owner, or all runs, take as much disk space as they may; or the folder cannot be
            written.
    """
    root = root or runs_dir()
    day = time.strftime("%Y%m%d-%H%M%S", time.localtime(plan.created))
    sweep = Sweep(root / SWEEPS_FOLDER / f"{day}-{secrets.token_hex(4)}")
    check_room(owner, root)
    try:
        make_folder(sweep.path.parent)
        with claims.claiming(sweep.files):
            check_limits(sweep, owner)
            with new_folder(sweep.path) as folder:
                owners.write_owner(folder, owner)
                Run(folder).write_status(stamp_status(Status(steps=plan.trials, message="Starting.")))
                write_json(folder / "sweep.json", plan.to_json())
    except OSError as error:
        raise RunError(f"The sweep cannot be created. {explain_write_error(error, root)}") from None
    return sweep


def check_limits(sweep: Sweep, owner: str) -> None:
    """Raises QueueFullError if the sweep would be one too many. Call it while the sweep is claimed.

    Args:
        sweep: which has not been started.
        owner: of it.
    """
    running = [other for other in list_sweeps(sweep.root) if other.id != sweep.id and other.live]
    check_sweep_limits([owners.read_owner(other.path) for other in running], owner)


def find_sweep(sweep_id: str, root: Path | None = None) -> Sweep:
    """The sweep with this id.

    Raises:
        SweepNotFoundError: there is none. An id that is not well-formed is never used as a path.
    """
    root = root or runs_dir()
    sweep = Sweep(root / SWEEPS_FOLDER / sweep_id) if SWEEP_ID.fullmatch(sweep_id) else None
    if sweep is None or not (sweep.path / "sweep.json").is_file():
        raise SweepNotFoundError(f"There is no sweep {sweep_id[:80]!r} in {root}. `sweep show` lists all sweeps.")
    return sweep


def list_sweeps(root: Path | None = None) -> list[Sweep]:
    """All sweeps, newest first."""
    folder = (root or runs_dir()) / SWEEPS_FOLDER
    names = [path.name for path in folder.iterdir() if SWEEP_ID.fullmatch(path.name)] if folder.is_dir() else []
    return [Sweep(folder / name) for name in sorted(names, reverse=True) if (folder / name / "sweep.json").is_file()]


def trial_mark(sweep: Sweep, trial: int, part: str = "") -> dict[str, Any]:
    """The content of sweep.json in a run of this sweep, for `create_run`.

    Args:
        sweep: the sweep.
        trial: number of the trial.
        part: empty for the trial itself; the seed, if the run retrains the best trial.
    """
    return {"sweep": sweep.id, "trial": trial, "part": part}


def runs_by_mark(sweep: Sweep) -> dict[tuple[int, str], Run]:
    """The runs of this sweep by the `trial` and `part` of their mark."""
    runs = {}
    for run in list_runs(sweep.root):
        mark = sweep_mark(run)
        if mark.get("sweep") == sweep.id:
            runs[mark["trial"], mark["part"]] = run
    return runs


SUMMARY_KEYS = ("sweep", "title", "state", "trials", "of", "best", "measure", "created")


def summarize_sweep(sweep: Sweep) -> dict[str, Any]:
    """One row of the list of sweeps, with SUMMARY_KEYS. The title of a sweep that cannot be read says why."""
    status = sweep.status()
    try:
        plan = sweep.plan()
    except SweepError as error:
        return {**dict.fromkeys(SUMMARY_KEYS), "sweep": sweep.id, "title": str(error), "state": "unreadable"}
    best = best_trial(sweep.trials(), plan)
    return {
        "sweep": sweep.id,
        "title": plan_title(plan),
        "state": status.state,
        "trials": status.step,
        "of": status.steps,
        "best": best["value"] if best else None,
        "measure": plan.measure,
        "created": plan.created,
    }
