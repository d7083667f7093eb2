"""The Optuna study of a sweep: it proposes settings, prunes trials, and records every trial in its database.

study = Study(sweep, plan)                    # a new study, or the one in the sweep's database
trial = study.ask()                           # trial.settings: what to train
if study.report(trial, epoch, value): ...     # the trial should be pruned
study.end(trial, "finished", value)           # or "pruned", or "failed" with a message
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.errors import SweepError
from mnist_core.files.write import write_json
from mnist_core.sweeps.plan import SweepPlan
from mnist_core.sweeps.search_space import grid_points, suggest_settings
from mnist_core.sweeps.store import Sweep

STUDY_FILE = "study.db"
LOCK_SECONDS = 20.0
"""How long to wait while another program has the database locked."""
STARTUP_TRIALS = 4
"""Trials that end before the first is pruned: the median of fewer means little."""
_OPTUNA_STATES = {"RUNNING": "running", "COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
"""Optuna's trial states and ours. A grid point that waits for its turn (WAITING) is not a trial yet."""
_USER_ATTRIBUTES = ("run", "began", "ended", "seconds", "message")
"""Fields of a trial that the database keeps as user attributes, so that trials.json can be rebuilt from it."""

log = logging.getLogger("digitlab.sweep")


@dataclass
class Trial:
    """One trial of a sweep.

    Attributes:
        number: from 0, in the order of proposal.
        settings: the proposed value of each dimension.
        state: `running`, `finished`, `pruned` or `failed`.
        value: the measure of the model that the training kept; the last epoch's if the trial was pruned.
        values: (epoch, value) after each epoch.
        run: id of the run that trains it; empty before there is one.
        began, ended: seconds since the epoch; 0 before. A pause moves `began` by its length.
        seconds: spent in training and validation.
        message: why it ended, if that needs an explanation.
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


class Study:
    """The study of a sweep. Only the sweep's own process uses it.

    Args:
        sweep: whose folder the database is in.
        plan: what the sweep searches.

    Attributes:
        trials: every trial so far, by number.

    Raises:
        SweepError: the database is locked, damaged, of another version of Optuna, or out of reach.
    """

    def __init__(self, sweep: Sweep, plan: SweepPlan) -> None:
        self._sweep, self._plan = sweep, plan
        self._optuna_trials: dict[int, Any] = {}  # of running trials, by number
        self._published: dict[str, Any] = {}
        with self._database():
            self._study = _open_study(sweep, plan)
            started = (frozen for frozen in self._study.trials if frozen.state.name in _OPTUNA_STATES)
            self.trials = {frozen.number: _parse_trial(frozen) for frozen in started}

    def _database(self) -> contextlib.AbstractContextManager[None]:
        """Turns errors of the database into a SweepError that says what to do."""
        return _database_errors(Path("its database") if self._plan.storage else self._sweep.path / STUDY_FILE)

    def ask(self) -> Trial:
        """A new trial with the settings that the sampler proposes."""
        with self._database():
            optuna_trial = self._study.ask()
            self._optuna_trials[optuna_trial.number] = optuna_trial
            settings = suggest_settings(optuna_trial, self._plan.space)
        trial = self.trials[optuna_trial.number] = Trial(optuna_trial.number, settings, began=time.time())
        return trial

    def running(self) -> list[Trial]:
        """The trials that an earlier process left running. Missing settings are proposed now."""
        running = [trial for trial in self.trials.values() if trial.state == "running"]
        with self._database():
            for trial in running:
                trial.settings = suggest_settings(self._optuna_trial(trial), self._plan.space)
        return running

    def _optuna_trial(self, trial: Trial) -> Any:
        import optuna

        if trial.number not in self._optuna_trials:
            frozen = self._study.get_trials(deepcopy=False)[trial.number]
            self._optuna_trials[trial.number] = optuna.trial.Trial(self._study, frozen._trial_id)
        return self._optuna_trials[trial.number]

    def update(self, trial: Trial, **changes: Any) -> None:
        """Sets fields of a running trial, here and in the database. `changes`: of _USER_ATTRIBUTES."""
        with self._database():
            optuna_trial = self._optuna_trial(trial)
            for name, value in changes.items():
                setattr(trial, name, value)
                optuna_trial.set_user_attr(name, value)

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Records the value after an epoch. Returns whether the trial should be pruned.

        An epoch that is already recorded is ignored: a resumed run trains its last epoch again.
        """
        if any(known == epoch for known, _ in trial.values):
            return False
        trial.values.append((epoch, value))
        with self._database():
            optuna_trial = self._optuna_trial(trial)
            optuna_trial.report(value, epoch)
            return self._plan.prune and bool(optuna_trial.should_prune())

    def end(self, trial: Trial, state: str, value: float | None = None, message: str = "", seconds: float = 0) -> None:
        """Ends a running trial.

        Args:
            trial: which.
            state: `finished`, `pruned` or `failed`.
            value: of the finished trial.
            message: why it ended, if that needs an explanation.
            seconds: spent in training and validation.
        """
        import optuna

        self.update(trial, ended=time.time(), message=message, seconds=seconds)
        optuna_state = next(theirs for theirs, ours in _OPTUNA_STATES.items() if ours == state)
        finished_value = value if state == "finished" else None
        with self._database():
            self._study.tell(trial.number, finished_value, optuna.trial.TrialState[optuna_state])
        self._optuna_trials.pop(trial.number, None)
        last_value = trial.values[-1][1] if trial.values and state == "pruned" else None
        trial.state, trial.value = state, finished_value if state == "finished" else last_value

    def best(self) -> Trial | None:
        """The best finished trial; None if none has finished."""
        finished = [trial for trial in self.trials.values() if trial.state == "finished" and trial.value is not None]
        return min(finished, key=lambda trial: self._plan.cost(trial.value or 0.0), default=None)

    @property
    def ended(self) -> list[Trial]:
        """The trials that have ended, in the order in which they ended."""
        ended = [trial for trial in self.trials.values() if trial.state != "running"]
        return sorted(ended, key=lambda trial: trial.ended)

    def publish(self) -> None:
        """Writes trials.json if anything has changed."""
        rows = [self.trials[number].to_json() for number in sorted(self.trials)]
        content = {"sweep": self._sweep.id, "trials": rows}
        if content != self._published:
            write_json(self._sweep.path / "trials.json", content, durable=False)  # the study has it all
            self._published = content


def study_url(sweep: Sweep, plan: SweepPlan) -> str:
    """URL of the study's database, as optuna-dashboard takes it."""
    return plan.storage or f"sqlite:///{(sweep.path / STUDY_FILE).resolve().as_posix()}"


def _open_study(sweep: Sweep, plan: SweepPlan) -> Any:
    import optuna
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # No connection stays open, so that the file can be copied, or opened by optuna-dashboard, at any time.
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
    study.sampler = _make_sampler(plan, len(trials))
    if plan.sampler == "grid":
        _enqueue_grid(study, plan, len(trials))
    return study


def _make_sampler(plan: SweepPlan, known_trials: int) -> Any:
    """Optuna's sampler. The seed depends on the number of known trials: a resumed sweep must not repeat proposals."""
    import optuna

    seed = int(np.random.SeedSequence([plan.seed, known_trials]).generate_state(1)[0])
    if plan.sampler == "tpe":
        startup = min(10, max(4, plan.trials // 4))  # sampled at random, so that TPE has something to learn from
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)
    return optuna.samplers.RandomSampler(seed=seed)


def _enqueue_grid(study: Any, plan: SweepPlan, known_trials: int) -> None:
    """Enqueues the grid points that are not enqueued yet; in random order if there are fewer trials than points.

    Optuna's GridSampler is no alternative: it stops the study's own loop, and this sweep does not use that loop.
    """
    points = grid_points(plan.space)
    if plan.trials < len(points):
        random.Random(plan.seed).shuffle(points)  # noqa: S311 - not for cryptography
    for point in points[known_trials:]:
        study.enqueue_trial(point)


def _parse_trial(frozen: Any) -> Trial:
    """A Trial from optuna.trial.FrozenTrial."""
    state = _OPTUNA_STATES[frozen.state.name]
    return Trial(
        number=frozen.number,
        settings=dict(frozen.params),
        state=state,
        value=frozen.value if state != "running" else None,
        values=sorted(frozen.intermediate_values.items()),
        **{name: frozen.user_attrs[name] for name in _USER_ATTRIBUTES if name in frozen.user_attrs},
    )


@contextlib.contextmanager
def _database_errors(database: Path) -> Iterator[None]:
    try:
        yield
    except SweepError:
        raise
    except Exception as error:
        log.exception("The study failed")
        raise SweepError(explain_database_error(error, database)) from error


def explain_database_error(error: BaseException, database: Path) -> str:
    """What is wrong with a study's database and what to do about it.

    Args:
        error: what Optuna or SQLAlchemy raised. The errors that caused it are considered too.
        database: named in the text.
    """
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    text = " ".join(texts).lower()
    kept = "No trial is lost: each is a run on the Runs page."
    if "locked" in text:
        return f"{database} is locked by another program. Close it (optuna-dashboard, a running copy), then resume."
    if "not a database" in text or "malformed" in text or "disk image" in text:
        return f"{database} is damaged and cannot be read. Restore it from a backup, or start a new sweep. {kept}"
    if any(word in text for word in ("version", "schema", "alembic", "no such table", "no such column")):
        return (
            f"{database} was written by another version of Optuna. Open it with that version, or upgrade it with "
            f"`optuna storage upgrade --storage URL`, then resume. {kept}"
        )
    if "readonly" in text or "unable to open" in text or "permission" in text:
        return f"{database} cannot be opened for writing. Fix its permissions, then resume. {kept}"
    if "full" in text:
        return f"The disk of {database} is full. Free some space, then resume. {kept}"
    first_line = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
    return f"{database} cannot be used ({first_line}). Fix that, then resume. {kept}"
