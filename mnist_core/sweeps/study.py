"""Optuna's side of a sweep: the study in its database, who proposes, who prunes, and each trial as readers see it.

study = Study(sweep, plan)                    # made anew, or taken up where an earlier process left it
trial = study.ask()                           # trial.settings: what is to be tried
trial.report(epoch, value); trial.should_prune()
trial.end("finished", value)                  # or "pruned", or "failed" with a message
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.errors import SweepError
from mnist_core.files import write_json
from mnist_core.sweeps import search_space
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.store import Sweep

STUDY_FILE = "study.db"
LOCK_SECONDS = 20.0
"""How long another program may keep the database locked."""
STARTUP_TRIALS = 4  # before anything is pruned: a median of fewer says little

log = logging.getLogger("digitlab.sweep")


@dataclass
class Trial:
    """One point that is tried, as it stands in trials.json.

    Attributes:
        number: from 0.
        settings: what was proposed.
        state: `running`, `finished`, `pruned` or `failed`.
        value: the measure of the model that it kept; of a pruned one, at its last epoch.
        values: (epoch, value) at the end of each epoch.
        run: id of its run; empty before there is one.
        began, ended: seconds since the epoch; 0 before.
        seconds: of training and validation.
        message: why it ended, where that is not plain.
    """

    number: int
    settings: dict[str, Any]
    state: str = "running"
    value: float | None = None
    values: list[tuple[int, float]] = field(default_factory=list)
    run: str = ""
    began: float = 0.0
    ended: float = 0.0
    seconds: float = 0.0
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """One row of trials.json."""
        values = asdict(self)
        return {"trial": values.pop("number"), **values}


_NOTED = ("run", "began", "ended", "seconds", "message")  # in the database, too: trials.json is made anew from it


class Study:
    """The study of a sweep, used by its process alone.

    Args:
        sweep: whose directory it lies in.
        plan: what it searches.

    Raises:
        SweepError: the database is locked, damaged, of another version of Optuna, or cannot be reached.
    """

    def __init__(self, sweep: Sweep, plan: SweepPlan) -> None:
        self._sweep, self._plan = sweep, plan
        self._lives: dict[int, Any] = {}  # number -> Optuna's own, of those that run
        self._published: dict[str, Any] = {}
        with _plain_words(sweep, plan):
            self._study = _open(sweep, plan)
            self.trials = {frozen.number: _read(frozen) for frozen in self._study.trials if _asked(frozen)}

    def ask(self) -> Trial:
        """One more trial, with what is to be tried."""
        with _plain_words(self._sweep, self._plan):
            asked = self._study.ask()
            self._lives[asked.number] = asked
            found = Trial(asked.number, search_space.suggest_settings(asked, self._plan.space), began=time.time())
        self.trials[found.number] = found
        return found

    def take_up(self) -> list[Trial]:
        """The trials that an earlier process left running, with what is to be tried complete."""
        left = [trial for trial in self.trials.values() if trial.state == "running"]
        with _plain_words(self._sweep, self._plan):
            for trial in left:
                trial.settings = search_space.suggest_settings(self._live(trial), self._plan.space)
        return left

    def _live(self, trial: Trial) -> Any:
        import optuna

        if trial.number not in self._lives:
            frozen = self._study.get_trials(deepcopy=False)[trial.number]
            self._lives[trial.number] = optuna.trial.Trial(self._study, frozen._trial_id)
        return self._lives[trial.number]

    def note(self, trial: Trial, **changes: Any) -> None:
        """Changes what is known of a running trial, in the database, too."""
        with _plain_words(self._sweep, self._plan):
            live = self._live(trial)
            for name, value in changes.items():
                setattr(trial, name, value)
                live.set_user_attr(name, value)

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Tells what a trial reached at the end of an epoch. Returns whether it is to be ended early."""
        if any(known == epoch for known, _ in trial.values):
            return False  # it was resumed, and trains an epoch once more
        trial.values.append((epoch, value))
        with _plain_words(self._sweep, self._plan):
            live = self._live(trial)
            live.report(value, epoch)
            return self._plan.prune and bool(live.should_prune())

    def end(self, trial: Trial, state: str, value: float | None = None, message: str = "", seconds: float = 0) -> None:
        """A trial has ended: `finished` with its value, `pruned` or `failed`."""
        import optuna

        self.note(trial, ended=time.time(), message=message, seconds=seconds)
        states = {
            "finished": optuna.trial.TrialState.COMPLETE,
            "pruned": optuna.trial.TrialState.PRUNED,
            "failed": optuna.trial.TrialState.FAIL,
        }
        with _plain_words(self._sweep, self._plan):
            self._study.tell(trial.number, value if state == "finished" else None, states[state])
        self._lives.pop(trial.number, None)
        last = trial.values[-1][1] if trial.values and state == "pruned" else None
        trial.state, trial.value = state, value if state == "finished" else last

    def best(self) -> Trial | None:
        """The best of those that were trained to their end."""
        done = [trial for trial in self.trials.values() if trial.state == "finished" and trial.value is not None]
        return min(done, key=lambda trial: self._plan.cost(trial.value or 0.0), default=None)

    @property
    def ended(self) -> list[Trial]:
        """Those that have ended, in the order in which they did."""
        return sorted((trial for trial in self.trials.values() if trial.state != "running"), key=lambda one: one.ended)

    def publish(self) -> None:
        """Writes trials.json, for all who look on."""
        rows = [self.trials[number].to_json() for number in sorted(self.trials)]
        content = {"sweep": self._sweep.id, "trials": rows}
        if content != self._published:
            write_json(self._sweep.path / "trials.json", content)
            self._published = content


def study_url(sweep: Sweep, plan: SweepPlan) -> str:
    """Of its database, as optuna-dashboard takes it."""
    return plan.storage or f"sqlite:///{(sweep.path / STUDY_FILE).resolve().as_posix()}"


def _open(sweep: Sweep, plan: SweepPlan) -> Any:
    import optuna
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # No connection is kept: a file that is not held open can be copied, and opened by optuna-dashboard, at any time.
    options: dict[str, Any] = {} if plan.storage else {"connect_args": {"timeout": LOCK_SECONDS}, "poolclass": NullPool}
    storage = optuna.storages.RDBStorage(study_url(sweep, plan), engine_kwargs=options)
    study = optuna.create_study(
        storage=storage,
        study_name=sweep.id,
        load_if_exists=True,
        direction="maximize" if plan.higher_is_better else "minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS) if plan.prune else None,
    )
    trials = study.get_trials(deepcopy=False)
    study.sampler = _sampler(plan, len(trials))
    if plan.sampler == "grid":
        _lay_out(study, plan, len(trials))
    return study


def _sampler(plan: SweepPlan, seen: int) -> Any:
    """Whoever proposes. Taken up again it goes on with other random numbers: with the same ones it would repeat itself.

    Args:
        plan: how to search.
        seen: trials that there are already.
    """
    import optuna

    seed = int(np.random.SeedSequence([plan.seed, seen]).generate_state(1)[0])
    if plan.sampler == "tpe":
        first = min(10, max(4, plan.trials // 4))  # at random: it has to know something first
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=first, constant_liar=plan.backend == "ray")
    return optuna.samplers.RandomSampler(seed=seed)


def _lay_out(study: Any, plan: SweepPlan, laid: int) -> None:
    """Queues every point of a grid, once. Of a grid that is not wanted whole, some from everywhere.

    Not with Optuna's GridSampler, which wants to end a loop that it is not called from.
    """
    points = search_space.grid_points(plan.space)
    if plan.trials < len(points):
        random.Random(plan.seed).shuffle(points)  # noqa: S311 - an order, no secret
    for point in points[laid:] if laid < len(points) else []:
        study.enqueue_trial(point)


def _asked(frozen: Any) -> bool:
    """Whether it is no mere point of a grid that waits."""
    return bool(frozen.state.name != "WAITING")


def _read(frozen: Any) -> Trial:
    """A trial of the database."""
    names = {"RUNNING": "running", "COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
    noted = {name: frozen.user_attrs[name] for name in _NOTED if name in frozen.user_attrs}
    values = sorted(frozen.intermediate_values.items())
    state = names[frozen.state.name]
    value = frozen.value if state != "running" else None
    return Trial(frozen.number, dict(frozen.params), state, value, values, **noted)


class _plain_words:  # noqa: N801 - reads as a statement: `with _plain_words(sweep, plan):`
    """What goes wrong with the database becomes a SweepError that says what to do."""

    def __init__(self, sweep: Sweep, plan: SweepPlan) -> None:
        self._place = sweep.path / STUDY_FILE if not plan.storage else Path("its database")

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, SweepError) or not isinstance(error, Exception):
            return
        log.error("The study failed", exc_info=error)
        raise SweepError(explain_database_error(error, self._place)) from error


def explain_database_error(error: BaseException, place: Path) -> str:
    """What is wrong with a study's database, and what to do, in plain words."""
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    text = " ".join(texts).lower()
    kept = "No trial is lost: every one is a run in the history."
    if "locked" in text:
        return f"{place} is locked by another program. Close it (optuna-dashboard, a copy in progress), then resume."
    if "not a database" in text or "malformed" in text or "disk image" in text:
        return f"{place} is damaged and cannot be read. Restore it from a copy, or begin a new sweep. {kept}"
    if any(word in text for word in ("version", "schema", "alembic", "no such table", "no such column")):
        return (
            f"{place} is of another version of Optuna. Read it with that version, or bring it up to this one by "
            f"`optuna storage upgrade --storage URL`, then resume. {kept}"
        )
    if "readonly" in text or "unable to open" in text or "permission" in text:
        return f"{place} cannot be opened for writing. Mend its permissions, then resume. {kept}"
    if "full" in text:
        return f"The disk of {place} is full. Make room, then resume. {kept}"
    first = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    return f"{place} cannot be used ({first}). Mend that, then resume. {kept}"
