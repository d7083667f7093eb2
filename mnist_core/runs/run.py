"""Runs: what to train, and the directory in which worker and pages meet. Everything about its files is here.

    RUNS_DIR/<run id>/
      spec.json       what to train; written once
      status.json     how it stands; rewritten twice a second
      metrics.jsonl   one line a report
      control.json    what the user asks of it
      probes.json wall.npz    what it is watched by: drawings of people's own, sixty test digits
      checkpoint/     where it stands after its last finished epoch
      snapshots/      its weights before the first step and at ends of epochs, to look back on; they stay at home
      label.json      what people call it
      owner.json      whose it is: see owners
      claim.json      which worker it belongs to, where it is trained on a cluster: see claims
      sweep.json      the sweep and the trial that it is of, where it is of one: see sweeps
      card.json model.keras model.tflite    at the end, also of a stopped run
      events/         the same for TensorBoard
      log.txt         the worker's output
    RUNS_DIR/.rates/<id>/    the like for a test of learning rates: see rate_finder

Every file is written beside its place and moved there, or appended to by whole lines: a reader never sees half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import psutil

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import DigitLabError, RunError, RunNotFoundError, SettingError
from mnist_core.files import append_line, parse_lines, read_json, replacing, write_json
from mnist_core.networks import architecture
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import find_recipe
from mnist_core.recipes.settings import Settings

SCHEMA = 1
OWN = "own"
FINAL_STATES = ("finished", "stopped", "failed", "interrupted")
STATES = ("queued", "running", "paused", "stopping", *FINAL_STATES)
STALE_SECONDS = 10.0
"""A heartbeat older than this is looked into: is the process still there?"""
MAX_SEED = 2**31 - 1
SWEEP_MARK = "sweep.json"
"""In a run of a sweep: which sweep and which trial it belongs to."""

_RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_OTHER_FOLDERS = ("drawings", "networks", "sweeps")  # beside the runs, and none of them


@dataclass(frozen=True)
class RunSpec:
    """What to train. The settings are written out whole, so that a run is understood when its recipe has changed.

    Attributes:
        recipe: name in RECIPES that it began with.
        settings: everything that decides how the model is trained.
        data: `full`, `sample` or a path, as data.load takes it.
        seed: 0..2**31-1; of the initial weights, the order of the images, dropout and augmentation.
        overrides: what was changed of the recipe.
        created: seconds since the epoch.
        base: empty, or the model that it begins with and teaches the kept drawings: see `teaching`.
    """

    recipe: str
    settings: Settings
    data: str = "full"
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    base: str = ""

    @property
    def kind(self) -> str:
        """What it goes by among others: its recipe, or OWN where somebody built the network."""
        return OWN if LAYERS_KEY in self.overrides else self.recipe

    def to_json(self) -> dict[str, Any]:
        """As it stands in spec.json."""
        settings = {described.name: getattr(self.settings, described.name) for described in fields(self.settings)}
        settings["layers"] = architecture.layers_to_json(self.settings.layers)
        return {
            "schema": SCHEMA,
            "recipe": self.recipe,
            "overrides": dict(self.overrides),
            "data": self.data,
            "split": self.settings.split,
            "seed": self.seed,
            "created": self.created,
            "base": self.base,
            "settings": settings,
        }

    @classmethod
    def from_json(cls, value: Any) -> RunSpec:
        """What `to_json` wrote. Raises RunError where it is not that, or of a newer schema."""
        if not isinstance(value, dict) or not isinstance(value.get("settings"), dict):
            raise RunError("it is not a JSON object with 'settings'")
        if value.get("schema") != SCHEMA:
            raise RunError(f"its schema is {value.get('schema')!r}; this version of Digit Lab reads {SCHEMA}")
        try:
            settings = dict(value["settings"])
            settings["layers"] = architecture.layers_from_json(settings.get("layers"))
            return cls(
                str(value["recipe"]),
                Settings(**settings),
                str(value["data"]),
                checked_seed(value["seed"]),
                dict(value.get("overrides", {})),
                float(value["created"]),
                str(value.get("base", "")),
            )
        except KeyError as error:
            raise RunError(f"it lacks {error}") from None
        except (TypeError, ValueError, OverflowError, DigitLabError) as error:
            raise RunError(str(error)) from None


def make_spec(recipe: str, overrides: Mapping[str, Any] | None = None, data: str = "full", seed: int = 0) -> RunSpec:
    """A checked RunSpec.

    Args:
        recipe: name of a recipe.
        overrides: settings to change, as overrides.apply_overrides takes them.
        data: `full`, `sample` or a path.
        seed: 0..2**31-1.

    Raises:
        SettingError: for an unknown recipe or setting, or a value out of range.
        ArchitectureError: where the changed network cannot work.
    """
    base = find_recipe(recipe).settings
    return RunSpec(recipe, apply_overrides(base, overrides or {}), data, checked_seed(seed), dict(overrides or {}))


def checked_seed(seed: object) -> int:
    """The seed. Raises SettingError where it is not one."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise SettingError(f"seed is {seed!r}, expected a whole number from 0 to {MAX_SEED:,}.")
    return seed


@dataclass(frozen=True)
class Status:
    """How a run stands.

    Attributes:
        state: one of STATES.
        message: one line for people: what it is doing, or why it ended.
        epoch: finished epochs; epochs: of so many.
        step: batches trained; steps: of so many in all.
        started: when the training loop began, seconds since the epoch; 0 before.
        heartbeat: when the worker last wrote, seconds since the epoch.
        images_per_second: over the last reports.
        seconds_left: estimate; None before there is one.
        train_seconds: spent in the training loop, evaluation left out.
        pid, host: the process that owns the run: its worker, or its queue before.
        data: one line on the images it trains on.
    """

    state: str = "queued"
    message: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    started: float = 0.0
    heartbeat: float = 0.0
    images_per_second: float = 0.0
    seconds_left: float | None = None
    train_seconds: float = 0.0
    pid: int = 0
    host: str = ""
    data: str = ""

    @property
    def final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in FINAL_STATES

    @property
    def progress(self) -> float:
        """0..1 of all its steps."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


@dataclass(frozen=True)
class Metrics:
    """Reports read so far: `rows` in order, `offset` where to read on, `broken` lines that could not be read.

    `file` is the number of the file they were read from: a resumed run has another one, read from its beginning.
    """

    rows: tuple[dict[str, Any], ...] = ()
    offset: int = 0
    broken: int = 0
    file: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Run:
    """A run directory, for its writer and its readers. Reading never raises for what a crash can leave behind."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def model(self) -> Path:
        """The converted model; it is there once the run has ended with one."""
        return self.path / "model.tflite"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def spec(self) -> RunSpec:
        """What it trains. Raises RunError, naming the file and why, where spec.json cannot be read."""
        path = self.path / "spec.json"
        try:
            return RunSpec.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise RunError(f"{path} is missing: the run cannot be read. Delete its folder.") from None
        except (OSError, ValueError, RecursionError, RunError) as error:
            raise RunError(f"{path} cannot be read: {error}. Restore the file, or delete the run's folder.") from None

    def status(self) -> Status:
        """How it stands. A worker that is gone without a word makes it `interrupted`."""
        value = read_json(self.path / "status.json")
        known = {described.name: value[described.name] for described in fields(Status) if described.name in value}
        status = replace(Status(), **known)
        if not _plausible(status):
            return Status("failed", "Its status.json was changed by hand and cannot be read.")
        return _interrupted(status) if _abandoned(status, self.path / "status.json") else status

    @property
    def written_state(self) -> str:
        """The state that its last writer gave it, whatever has become of that one since; empty where none is."""
        state = read_json(self.path / "status.json").get("state")
        return state if isinstance(state, str) else ""

    def left_waiting(self) -> bool:
        """Whether it still waited for its turn when the server that would have started it ended."""
        return self.status().state == "interrupted" and self.written_state == "queued"

    def write_status(self, status: Status) -> None:
        """Replaces status.json."""
        write_json(self.path / "status.json", asdict(status))

    def metrics(self, seen: Metrics | None = None) -> Metrics:
        """All reports; given what was `seen` before, only new bytes are read. A line that is not whole yet waits."""
        seen = seen or Metrics()
        try:
            with (self.path / "metrics.jsonl").open("rb") as file:
                number = os.fstat(file.fileno()).st_ino
                seen = seen if seen.file == number else Metrics(file=number)
                file.seek(seen.offset)
                content = file.read()
        except FileNotFoundError:
            return seen
        rows, size, broken = parse_lines(content)
        return Metrics((*seen.rows, *rows), seen.offset + size, seen.broken + broken, number)

    def trim_metrics(self, step: int) -> None:
        """Drops the reports after a step: what is trained once more is reported once more."""
        rows = [row for row in self.metrics().rows if isinstance(row.get("step"), int) and row["step"] <= step]
        with replacing(self.path / "metrics.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """One report, written as one whole line or not at all."""
        append_line(self.path / "metrics.jsonl", json.dumps(dict(row), allow_nan=False))

    def control(self) -> dict[str, Any]:
        """What the user asks of it; nothing where the file is missing or nonsense."""
        return read_json(self.path / "control.json")

    def ask(self, **wishes: Any) -> None:
        """Adds to what the user asks of it: `ask(stop=True)`."""
        write_json(self.path / "control.json", {**self.control(), **wishes})

    def card(self) -> dict[str, Any]:
        """What became of it: test accuracy, loss, confusion and more; empty while there is no model."""
        return read_json(self.path / "card.json")

    def write_card(self, card: Mapping[str, Any]) -> None:
        """Writes card.json, the last of a run's files: where it is, the model is whole."""
        write_json(self.path / "card.json", dict(card))

    @property
    def has_model(self) -> bool:
        return self.model.is_file() and (self.path / "card.json").is_file()


def create_run(
    spec: RunSpec, root: Path | None = None, owner: str = owners.NOBODY, mark: Mapping[str, Any] | None = None
) -> Run:
    """A new run directory with its spec, queued by this process; `mark`: what its sweep.json says, of a sweep's trial.

    Raises:
        RunError: it cannot be written.
    """
    root = root or runs_dir()
    day = time.strftime("%Y%m%d-%H%M%S", time.localtime(spec.created))
    run = Run(root / f"{day}-{spec.kind}-{secrets.token_hex(4)}")
    try:
        run.path.mkdir(parents=True)
        owners.claim(run.path, owner)
        if mark is not None:
            write_json(run.path / SWEEP_MARK, dict(mark))
        run.write_status(stamp_status(Status(epochs=spec.settings.epochs, message="Waiting for its turn.")))
        write_json(run.path / "spec.json", spec.to_json())  # last: with it the run is listed
    except OSError as error:
        raise RunError(f"No run can be written in {root}: {error}. Mend that, or set DIGITLAB_RUNS.") from None
    return run


def stamp_status(status: Status) -> Status:
    """The status as this process writes it: with its process id, host and heartbeat."""
    return replace(status, pid=os.getpid(), host=socket.gethostname(), heartbeat=time.time())


def write_stamped_status(run: Run, status: Status) -> None:
    """Writes the status as this process does, unless somebody has deleted the run's folder meanwhile."""
    if run.path.is_dir():
        run.write_status(stamp_status(status))


def find_run(run_id: str, root: Path | None = None) -> Run:
    """The run of this id.

    Raises:
        RunNotFoundError: where there is none, or the id could not be one (it is never used as a path then).
    """
    if not _RUN_ID.fullmatch(run_id) or run_id in _OTHER_FOLDERS:
        raise RunNotFoundError(f"{run_id[:80]!r} is not a run id: those are lower-case letters, digits and hyphens.")
    run = Run((root or runs_dir()) / run_id)
    if not run.path.is_dir():
        raise RunNotFoundError(f"There is no run {run_id!r} in {root or runs_dir()}. It may have been deleted.")
    return run


def list_runs(root: Path | None = None) -> list[Run]:
    """All runs, newest first."""
    root = root or runs_dir()
    if not root.is_dir():
        return []
    names = [entry.name for entry in os.scandir(root) if entry.is_dir() and _RUN_ID.fullmatch(entry.name)]
    return [Run(root / name) for name in sorted(names, reverse=True) if (root / name / "spec.json").exists()]


def _plausible(status: Status) -> bool:
    """Whether each value is of its field's kind and the state is known."""
    pairs = [(getattr(status, described.name), described.default) for described in fields(Status)]
    kinds = [(value, str if isinstance(default, str) else (int, float, type(default))) for value, default in pairs]
    return status.state in STATES and all(isinstance(value, kind) for value, kind in kinds)


def _abandoned(status: Status, path: Path) -> bool:
    """A heartbeat that is stale, of a process that is gone, or is on a machine that cannot be asked.

    Another machine's clock may differ from this one's: there it counts, too, when the file was written, by the clock of
    the storage that both share.
    """
    if status.final or abs(time.time() - status.heartbeat) < STALE_SECONDS:
        return False
    if status.host == socket.gethostname():
        return not _alive(status)
    with contextlib.suppress(OSError):
        return not status.host or abs(time.time() - path.stat().st_mtime) >= STALE_SECONDS
    return True


def _alive(status: Status) -> bool:
    """Whether the process that wrote the status still runs; one that began later only has got the same number."""
    try:
        process = psutil.Process(status.pid)
        ended = process.status() == psutil.STATUS_ZOMBIE  # it has, but its parent has not asked how
        return not ended and bool(process.create_time() <= status.heartbeat)
    except (psutil.Error, TypeError, ValueError):
        return False


def _interrupted(status: Status) -> Status:
    message = f"Its process is gone after {status.epoch} of {status.epochs} epochs."
    return replace(status, state="interrupted", message=message, seconds_left=None)


def sweep_mark(run: Run) -> dict[str, Any]:
    """`sweep`, `trial` and `part` of a run that was made for a sweep; empty for any other."""
    mark = read_json(run.path / SWEEP_MARK)
    kinds = {"sweep": str, "trial": int, "part": str}
    return mark if all(isinstance(mark.get(name), kind) for name, kind in kinds.items()) else {}
