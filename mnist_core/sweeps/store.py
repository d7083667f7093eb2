"""Sweeps: the directory in which its process, the pages and the command line meet.

    RUNS_DIR/sweeps/<sweep id>/
      sweep.json      what to search; written once
      status.json     how it stands, as a run's; its steps are trials
      control.json    what the user asks of it: paused, stop, trials (how many in all)
      study.db        Optuna's study, unless another database was named
      trials.json     every trial so far, for the readers: they never wait for the database
      winner.json     the best trial, trained anew with other seeds
      owner.json      whose it is: see owners
      log.txt         its process's output

Each trial is a run like any other in RUNS_DIR, with a sweep.json of its own that names the sweep and the trial.

plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"], trials=20, data="sample")
sweep = create(plan); launch(sweep)           # a process of its own: python -m mnist_core.sweeps.runner SWEEP_DIR
sweep.status(), sweep.trials(), sweep.retrained_best()
sweep.ask(paused=True); resume(sweep, trials=40)
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess  # noqa: S404 - starts this package's own process
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError, SettingError, SweepError, SweepNotFoundError
from mnist_core.files import read_json, write_json
from mnist_core.processes import start_module
from mnist_core.runs.run import Run, Status, list_runs, stamp_status, sweep_mark
from mnist_core.sweeps.plan import BACKENDS, SweepPlan, best_trial, checked_trials, max_trials, plan_title

FOLDER = "sweeps"
"""In a run's folder: the sweep and the trial that it is of."""

_SWEEP_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_children: list[subprocess.Popen[bytes]] = []  # started here: kept, so that they are asked how they ended


@dataclass(frozen=True)
class Sweep:
    """A sweep's directory, for its process and its readers. Reading never raises for what a crash can leave behind."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def root(self) -> Path:
        """Where its runs are."""
        return self.path.parent.parent

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def files(self) -> Run:
        """Its status and control are written and read as a run's."""
        return Run(self.path)

    def plan(self) -> SweepPlan:
        """What it searches. Raises SweepError, naming the file and why, where sweep.json cannot be read."""
        path = self.path / "sweep.json"
        try:
            return SweepPlan.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError, SweepError) as error:
            raise SweepError(
                f"{path} cannot be read: {error}. Restore the file, or delete the sweep's folder."
            ) from None

    def status(self) -> Status:
        """How it stands; its steps are trials. One that was paused stays so when its process has ended."""
        status = self.files.status()
        if status.state != "interrupted":
            return status
        before = read_json(self.path / "status.json")
        if before.get("state") == "paused":
            return replace(status, state="paused", message=str(before.get("message", "")))
        return replace(status, message=f"Its process is gone after {status.step} of {status.steps} trials. Resume it.")

    @property
    def live(self) -> bool:
        """Whether its process runs."""
        return not self.files.status().final and self.status().state != "paused"

    def ask(self, **wishes: Any) -> None:
        """Adds to what the user asks of it: `ask(paused=True)`."""
        self.files.ask(**wishes)

    def target_trials(self, plan: SweepPlan) -> int:
        """How many trials in all: as planned, or as it was extended since."""
        asked = self.files.control().get("trials")
        try:
            wanted = checked_trials(asked)
        except SettingError:
            return plan.trials
        return min(wanted, max_trials(plan))

    def backend(self, plan: SweepPlan) -> str:
        """Who trains its runs: as planned, or as it was resumed last."""
        asked = self.files.control().get("backend")
        return asked if asked in BACKENDS else plan.backend

    def trials(self) -> list[dict[str, Any]]:
        """Every trial so far, as study.Trial writes it; those whose line was changed by hand are left out."""
        found = read_json(self.path / "trials.json").get("trials")
        return [row for row in found if _plausible(row)] if isinstance(found, list) else []

    def retrained_best(self) -> dict[str, Any]:
        """`trial`, `settings`, `runs` (each `run`, `seed`, `value`), and at the end `mean`, `spread`, `run` (the best
        of them), `test_accuracy`, `test_loss`. Empty before there is one."""
        return read_json(self.path / "winner.json")


def _plausible(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("trial"), int)
        and isinstance(row.get("settings"), dict)
        and isinstance(row.get("values"), list)
        and (row.get("value") is None or isinstance(row["value"], int | float))
    )


def create_sweep(plan: SweepPlan, root: Path | None = None, owner: str = owners.NOBODY) -> Sweep:
    """A new sweep directory with its plan. Raises RunError where it cannot be written."""
    root = root or runs_dir()
    day = time.strftime("%Y%m%d-%H%M%S", time.localtime(plan.created))
    sweep = Sweep(root / FOLDER / f"{day}-{secrets.token_hex(4)}")
    try:
        sweep.path.mkdir(parents=True)
        owners.claim(sweep.path, owner)
        sweep.files.write_status(stamp_status(Status(steps=plan.trials, message="Starting.")))
        write_json(sweep.path / "sweep.json", plan.to_json())  # last: with it the sweep is listed
    except OSError as error:
        raise RunError(f"No sweep can be written in {root}: {error}. Mend that, or set DIGITLAB_RUNS.") from None
    return sweep


def find_sweep(sweep_id: str, root: Path | None = None) -> Sweep:
    """The sweep of this id. Raises SweepNotFoundError where there is none; the id is never used as a path then."""
    root = root or runs_dir()
    sweep = Sweep(root / FOLDER / sweep_id) if _SWEEP_ID.fullmatch(sweep_id) else None
    if sweep is None or not (sweep.path / "sweep.json").is_file():
        raise SweepNotFoundError(f"There is no sweep {sweep_id[:80]!r} in {root}. `sweep show` lists those there are.")
    return sweep


def list_sweeps(root: Path | None = None) -> list[Sweep]:
    """All sweeps, newest first."""
    folder = (root or runs_dir()) / FOLDER
    names = [path.name for path in folder.iterdir() if _SWEEP_ID.fullmatch(path.name)] if folder.is_dir() else []
    return [Sweep(folder / name) for name in sorted(names, reverse=True) if (folder / name / "sweep.json").is_file()]


def launch_sweep(sweep: Sweep) -> subprocess.Popen[bytes]:
    """Starts the sweep's process, in a session of its own: it outlives whoever started it.

    Raises:
        SweepError: the machine takes no more processes, or the folder cannot be written.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    try:
        with sweep.log.open("ab") as output:
            child = start_module(
                "mnist_core.sweeps.runner", str(sweep.path.resolve()), threads=1, stdout=output, stderr=output
            )
    except OSError as error:
        raise SweepError(f"The sweep {sweep.id} cannot be started: {error}. Mend that, then resume it.") from None
    _children.append(child)
    sweep.files.write_status(replace(stamp_status(sweep.files.status()), pid=child.pid))  # so that its death is seen
    return child


def resume_sweep(sweep: Sweep, trials: int | None = None, backend: str | None = None) -> subprocess.Popen[bytes] | None:
    """Goes on with a sweep that is paused, or has ended; with more trials where that is asked for.

    A sweep that runs is extended, and no process is started.

    Args:
        sweep: the sweep.
        trials: how many in all; by default as before.
        backend: one of BACKENDS, who trains from now on; by default as before. One that runs keeps its own.

    Raises:
        SettingError: there cannot be so many trials.
        SweepError: it cannot be read, or started.
    """
    plan = sweep.plan()
    wishes: dict[str, Any] = {"paused": False, "stop": False}
    if trials is not None:
        wishes["trials"] = checked_trials(trials)
    if backend is not None and not sweep.live:
        wishes["backend"] = backend
    if sweep.live:
        sweep.ask(**wishes)
        return None
    sweep.ask(**wishes)
    before = replace(sweep.files.status(), state="queued", message="Starting.", steps=sweep.target_trials(plan))
    sweep.files.write_status(stamp_status(before))
    return launch_sweep(sweep)


def runs_by_mark(sweep: Sweep) -> dict[tuple[int, str], Run]:
    """The runs that were made for this sweep, by trial and `part`: empty, or the seed of a winner trained anew."""
    found = {}
    for run in list_runs(sweep.root):
        mark = sweep_mark(run)
        if mark.get("sweep") == sweep.id:
            found[mark["trial"], mark["part"]] = run
    return found


def trial_mark(sweep: Sweep, trial: int, part: str = "") -> dict[str, Any]:
    """What `mark_of` reads: goes to runs.create as `mark`."""
    return {"sweep": sweep.id, "trial": trial, "part": part}


SUMMARY = ("sweep", "title", "state", "trials", "of", "best", "measure", "created")


def summarize_sweep(sweep: Sweep) -> dict[str, Any]:
    """One line of the list of sweeps: what SUMMARY names. One that cannot be read says so in its title."""
    status = sweep.status()
    try:
        plan = sweep.plan()
    except SweepError as error:
        return {**dict.fromkeys(SUMMARY), "sweep": sweep.id, "title": str(error), "state": "unreadable"}
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
