"""Sweeps: what to search, and the directory in which its process, the pages and the command line meet.

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
sweep = create(plan); launch(sweep)           # a process of its own: python -m mnist_core.sweep SWEEP_DIR
sweep.status(), sweep.trials(), sweep.winner()
sweep.ask(paused=True); resume(sweep, trials=40)
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess  # noqa: S404 - starts this package's own process
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_core import owners, space
from mnist_core.errors import DigitLabError, RunError, SettingError, SweepError, SweepNotFoundError
from mnist_core.files import read_json, write_json
from mnist_core.recipes import RECIPES, override
from mnist_core.runs import Run, RunSpec, Status, checked_seed, find_run, list_runs, make_spec, owned, runs_dir
from mnist_core.space import Vary
from mnist_core.workers import environment

SCHEMA = 1
FOLDER = "sweeps"
MARK = "sweep.json"
"""In a run's folder: the sweep and the trial that it is of."""
HOWS = ("grid", "random", "tpe")
MEASURES = {"accuracy": "validation accuracy", "loss": "validation loss"}
"""What a sweep can go by. The test set is none of it."""
BACKENDS = ("local",)
MAX_TRIALS = 10_000
SEEDS = 3  # with which the winner is trained anew
HELD_OUT = "last-sixth"
"""The split of a sweep whose base validates on the test images: they must not choose anything."""

_SWEEP_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")
_children: list[subprocess.Popen[bytes]] = []  # started here: kept, so that they are asked how they ended


@dataclass(frozen=True)
class Plan:
    """What to search.

    Attributes:
        base: what every trial begins with; its epochs, data and split hold for all of them.
        vary: what varies.
        how: one of HOWS.
        trials: how many in all.
        measure: one of MEASURES.
        prune: whether a trial that is worse than most at the same epoch is ended early.
        seed: 0..2**31-1; of the search, and of every trial.
        seeds: with how many others the winner is trained anew; 0 for no winner.
        backend: one of BACKENDS.
        storage: empty for a file of its own, or the URL of a database that SQLAlchemy knows.
        title: what people read above it.
        created: seconds since the epoch.
    """

    base: RunSpec
    vary: tuple[Vary, ...]
    how: str = "tpe"
    trials: int = 20
    measure: str = "accuracy"
    prune: bool = True
    seed: int = 0
    seeds: int = SEEDS
    backend: str = "local"
    storage: str = ""
    title: str = ""
    created: float = 0.0

    @property
    def higher_is_better(self) -> bool:
        return self.measure == "accuracy"

    def settings_of(self, settings: Mapping[str, Any], seed: int) -> RunSpec:
        """What one trial trains. Raises SettingError or ArchitectureError where these cannot go together."""
        changed = override(self.base.settings, settings)
        overrides = {**self.base.overrides, **settings}
        return replace(self.base, settings=changed, overrides=overrides, seed=seed, created=time.time())

    def to_json(self) -> dict[str, Any]:
        """As it stands in sweep.json."""
        plain = {name: value for name, value in vars(self).items() if name not in ("base", "vary")}
        return {"schema": SCHEMA, **plain, "base": self.base.to_json(), "vary": [str(vary) for vary in self.vary]}

    @classmethod
    def from_json(cls, value: Any) -> Plan:
        """What `to_json` wrote. Raises SweepError where it is not that, or of another schema."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            found = value.get("schema") if isinstance(value, dict) else None
            raise SweepError(f"its schema is {found!r}; this version of Digit Lab reads {SCHEMA}")
        try:
            plain = {name: value[name] for name in cls.__dataclass_fields__ if name not in ("base", "vary")}
            plan = cls(RunSpec.from_json(value["base"]), space.parse_all(value["vary"]), **plain)
            _check(plan)
            return plan
        except KeyError as error:
            raise SweepError(f"it lacks {error}") from None
        except (TypeError, ValueError, DigitLabError) as error:
            raise SweepError(str(error)) from None


def make_plan(
    base: str, vary: Sequence[str], trials: int | None = None, epochs: int | None = None, data: str = "full",
    **how: Any,
) -> Plan:  # fmt: skip
    """A checked Plan.

    Args:
        base: a recipe, or the id of a run, whose settings are taken.
        vary: what varies, as space.parse takes it.
        trials: how many; by default the whole of a grid, and 20 otherwise.
        epochs: of each trial; by default as the base, which must not be given where they vary.
        data: `full`, `sample` or a path.
        how: the other fields of Plan.

    Raises:
        SettingError: for what is unknown or out of range.
        RunError: the base is no recipe, and no run that can be read.
        ArchitectureError: where a changed network cannot work.
    """
    varies = space.parse_all(vary)
    spec = replace(_base(base), data=data)
    fixed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if epochs is not None and any(one.name == "epochs" for one in varies):
        raise SettingError(f"epochs is {epochs} and varies, too. Give one of both.")
    if spec.settings.split == "test-as-validation":
        fixed["split"] = HELD_OUT
    spec = replace(spec, settings=override(spec.settings, fixed), overrides={**spec.overrides, **fixed})
    space.check(varies, spec.settings)
    gridded = how.get("how") == "grid"
    size = len(space.grid(varies)) if gridded else MAX_TRIALS
    wanted = trials if trials is not None else size if gridded else Plan.trials
    plan = Plan(spec, varies, **{**how, "trials": wanted, "created": time.time()})
    _check(plan)
    return replace(plan, trials=min(wanted, size))


def _base(name: str) -> RunSpec:
    if name in RECIPES:
        return make_spec(name)
    try:
        spec = find_run(name).spec()
    except RunError as error:
        raise RunError(f"The base {name!r} is no recipe ({', '.join(RECIPES)}), and no run: {error}") from None
    if spec.base:
        raise RunError(f"The run {name} was taught drawings by another model: it cannot be the base of a sweep.")
    return spec


def _check(plan: Plan) -> None:
    """Raises SettingError for a field that is out of range."""
    checked_seed(plan.seed)
    choices = {"how": HOWS, "measure": tuple(MEASURES), "backend": BACKENDS}
    for name, known in choices.items():
        if getattr(plan, name) not in known:
            raise SettingError(f"{name} is {getattr(plan, name)!r}, expected one of {', '.join(known)}.")
    check_trials(plan.trials)
    if not isinstance(plan.seeds, int) or not 0 <= plan.seeds <= 20:
        raise SettingError(f"seeds is {plan.seeds!r}, expected a whole number from 0 to 20.")


def check_trials(trials: object) -> int:
    """The number. Raises SettingError where there cannot be so many trials."""
    if not isinstance(trials, int) or isinstance(trials, bool) or not 1 <= trials <= MAX_TRIALS:
        raise SettingError(f"trials is {trials!r}, expected a whole number from 1 to {MAX_TRIALS:,}.")
    return trials


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

    def plan(self) -> Plan:
        """What it searches. Raises SweepError, naming the file and why, where sweep.json cannot be read."""
        path = self.path / "sweep.json"
        try:
            return Plan.from_json(json.loads(path.read_text(encoding="utf-8")))
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

    def wanted(self, plan: Plan) -> int:
        """How many trials in all: as planned, or as it was extended since."""
        asked = self.files.control().get("trials")
        try:
            wanted = check_trials(asked)
        except SettingError:
            return plan.trials
        return min(wanted, len(space.grid(plan.vary))) if plan.how == "grid" else wanted

    def trials(self) -> list[dict[str, Any]]:
        """Every trial so far, as study.Trial writes it; those whose line was changed by hand are left out."""
        found = read_json(self.path / "trials.json").get("trials")
        return [row for row in found if _plausible(row)] if isinstance(found, list) else []

    def winner(self) -> dict[str, Any]:
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


def create(plan: Plan, root: Path | None = None, owner: str = owners.NOBODY) -> Sweep:
    """A new sweep directory with its plan. Raises RunError where it cannot be written."""
    root = root or runs_dir()
    day = time.strftime("%Y%m%d-%H%M%S", time.localtime(plan.created))
    sweep = Sweep(root / FOLDER / f"{day}-{secrets.token_hex(4)}")
    try:
        sweep.path.mkdir(parents=True)
        owners.claim(sweep.path, owner)
        sweep.files.write_status(owned(Status(steps=plan.trials, message="Starting.")))
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


def launch(sweep: Sweep) -> subprocess.Popen[bytes]:
    """Starts the sweep's process, in a session of its own: it outlives whoever started it.

    Raises:
        SweepError: the machine takes no more processes, or the folder cannot be written.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    try:
        with sweep.log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - our own module, the path is one argument
                [sys.executable, "-m", "mnist_core.sweep", str(sweep.path.resolve())], env=environment(1),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise SweepError(f"The sweep {sweep.id} cannot be started: {error}. Mend that, then resume it.") from None
    _children.append(child)
    sweep.files.write_status(replace(owned(sweep.files.status()), pid=child.pid))  # so that its death is seen
    return child


def resume(sweep: Sweep, trials: int | None = None) -> subprocess.Popen[bytes] | None:
    """Goes on with a sweep that is paused, or has ended; with more trials where that is asked for.

    A sweep that runs is extended, and no process is started.

    Raises:
        SettingError: there cannot be so many trials.
        SweepError: it cannot be read, or started.
    """
    plan = sweep.plan()
    wishes: dict[str, Any] = {"paused": False, "stop": False}
    if trials is not None:
        wishes["trials"] = check_trials(trials)
    if sweep.live:
        sweep.ask(**wishes)
        return None
    sweep.ask(**wishes)
    before = replace(sweep.files.status(), state="queued", message="Starting.", steps=sweep.wanted(plan))
    sweep.files.write_status(owned(before))
    return launch(sweep)


def marked_runs(sweep: Sweep) -> dict[tuple[int, str], Run]:
    """The runs that were made for this sweep, by trial and `part`: empty, or the seed of a winner trained anew."""
    found = {}
    for run in list_runs(sweep.root):
        mark = mark_of(run)
        if mark.get("sweep") == sweep.id:
            found[mark["trial"], mark["part"]] = run
    return found


def mark_of(run: Run) -> dict[str, Any]:
    """`sweep`, `trial` and `part` of a run that was made for a sweep; empty for any other."""
    mark = read_json(run.path / MARK)
    kinds = {"sweep": str, "trial": int, "part": str}
    return mark if all(isinstance(mark.get(name), kind) for name, kind in kinds.items()) else {}


def mark(sweep: Sweep, trial: int, part: str = "") -> dict[str, Any]:
    """What `mark_of` reads: goes to runs.create as `mark`."""
    return {"sweep": sweep.id, "trial": trial, "part": part}


SUMMARY = ("sweep", "title", "state", "trials", "of", "best", "measure", "created")


def summary(sweep: Sweep) -> dict[str, Any]:
    """One line of the list of sweeps: what SUMMARY names. One that cannot be read says so in its title."""
    status = sweep.status()
    try:
        plan = sweep.plan()
    except SweepError as error:
        return {**dict.fromkeys(SUMMARY), "sweep": sweep.id, "title": str(error), "state": "unreadable"}
    best = best_of(sweep.trials(), plan)
    return {
        "sweep": sweep.id, "title": title(plan), "state": status.state, "trials": status.step, "of": status.steps,
        "best": best["value"] if best else None, "measure": plan.measure, "created": plan.created,
    }  # fmt: skip


def best_of(trials: Sequence[dict[str, Any]], plan: Plan) -> dict[str, Any] | None:
    """The best of the trials that were trained to their end; the first of equals; None where there is none."""
    done = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    sign = -1 if plan.higher_is_better else 1
    return min(done, key=lambda row: sign * row["value"], default=None)


def title(plan: Plan) -> str:
    """`fast: learning rate × batch size`."""
    varied = " × ".join(vary.name.replace("_", " ") for vary in plan.vary)
    return plan.title or f"{plan.base.recipe}: {varied}"


def described(plan: Plan) -> dict[str, Any]:
    """The plan for people and for --json: what varies as text."""
    return {
        **vars(plan), "storage": _without_password(plan.storage), "vary": [str(vary) for vary in plan.vary],
        "base": plan.base.recipe, "data": plan.base.data, "epochs": plan.base.settings.epochs,
    }  # fmt: skip


def _without_password(url: str) -> str:
    return re.sub(r"//([^:/@]*):[^@]*@", r"//\1:…@", url)


@dataclass(frozen=True)
class Ready:
    """A sweep that needs no choice: on the offline sample, done while a class looks on."""

    title: str
    story: str
    arguments: dict[str, Any]

    def plan(self) -> Plan:
        """As make_plan makes it."""
        return make_plan(**self.arguments, title=self.title)


READY = {
    "batch-size-and-learning-rate": Ready(
        "Batch size × learning rate",
        "The two settings that everybody turns first, and they depend on each other: a large batch takes few steps in "
        "an epoch and needs a large learning rate to get anywhere; a small batch takes many, and the same rate throws "
        "it off course. Look for the ridge that runs through the contour plot from corner to corner.",
        {
            "base": "fast", "vary": ("batch_size=16,64,256,1024", "learning_rate=0.0003,0.003,0.03"), "epochs": 2,
            "data": "sample", "how": "grid", "prune": False, "measure": "accuracy", "seeds": SEEDS,
        },
    ),
}  # fmt: skip
"""By the name that `--ready` takes."""
