"""What a sweep is to search: a Plan, checked; and those that are ready to start.

plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"], trials=20, data="sample")
plan = READY["batch-size-and-learning-rate"].plan()
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnist_core.errors import DigitLabError, RunError, SettingError, SweepError
from mnist_core.networks.library import named
from mnist_core.recipes.recipes import RECIPES, override
from mnist_core.runs.run import OWN, RunSpec, checked_seed, find_run, make_spec
from mnist_core.sweeps import search_space
from mnist_core.sweeps.search_space import Vary

SCHEMA = 1
HOWS = ("grid", "random", "tpe")
MEASURES = {"accuracy": "validation accuracy", "loss": "validation loss"}
"""What a sweep can go by. The test set is none of it."""
BACKENDS = ("local", "ray")
"""This machine, or the cluster that DIGITLAB_RAY_ADDRESS names."""
MAX_TRIALS = 10_000
NETWORK_BASE = "network:"
"""Before the name of a network of one's own, where it is the base; it is trained as the recipe TRAINED_AS is."""
TRAINED_AS = "fast"
SEEDS = 3  # with which the winner is trained anew
HELD_OUT = "last-sixth"
"""The split of a sweep whose base validates on the test images: they must not choose anything."""


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

    def cost(self, value: float) -> float:
        """A value of the measure, turned so that the smallest is the best."""
        return -value if self.higher_is_better else value

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
            plan = cls(RunSpec.from_json(value["base"]), search_space.parse_all(value["vary"]), **plain)
            _check(plan)
            return plan
        except KeyError as error:
            raise SweepError(f"it lacks {error}") from None
        except (TypeError, ValueError, DigitLabError) as error:
            raise SweepError(str(error)) from None


def make_plan(
    base: str,
    vary: Sequence[str],
    trials: int | None = None,
    epochs: int | None = None,
    data: str = "full",
    **how: Any,
) -> Plan:
    """A checked Plan.

    Args:
        base: a recipe; the id of a run, whose settings are taken; or NETWORK_BASE and a network as networks.named
            takes it.
        vary: what varies, as space.parse takes it.
        trials: how many; by default the whole of a grid, and 20 otherwise.
        epochs: of each trial; by default as the base, which must not be given where they vary.
        data: `full`, `sample` or a path.
        how: the other fields of Plan.

    Raises:
        SettingError: for what is unknown or out of range, also a network.
        RunError: the base is no recipe, and no run that can be read.
        ArchitectureError: where a changed network cannot work.
    """
    varies = search_space.parse_all(vary)
    spec = replace(_base(base), data=data)
    fixed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if epochs is not None and any(one.name == "epochs" for one in varies):
        raise SettingError(f"epochs is {epochs} and varies, too. Give one of both.")
    if spec.settings.split == "test-as-validation":
        fixed["split"] = HELD_OUT
    spec = replace(spec, settings=override(spec.settings, fixed), overrides={**spec.overrides, **fixed})
    search_space.check(varies, spec.settings)
    gridded = how.get("how") == "grid"
    size = len(search_space.grid(varies)) if gridded else MAX_TRIALS
    wanted = trials if trials is not None else size if gridded else Plan.trials
    plan = Plan(spec, varies, **{**how, "trials": wanted, "created": time.time()})
    _check(plan)
    return replace(plan, trials=min(wanted, size))


def _base(name: str) -> RunSpec:
    if name in RECIPES:
        return make_spec(name)
    if name.startswith(NETWORK_BASE):
        return make_spec(TRAINED_AS, named(name.removeprefix(NETWORK_BASE)).overrides)
    try:
        spec = find_run(name).spec()
    except RunError as error:
        raise RunError(
            f"The base {name!r} is no recipe ({', '.join(RECIPES)}), no {NETWORK_BASE}NAME, and no run: {error}"
        ) from None
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


def most_trials(plan: Plan) -> int:
    """As many as it can be extended to: MAX_TRIALS, or the points of its grid, if these are fewer."""
    return min(MAX_TRIALS, search_space.grid_size(plan.vary)) if plan.how == "grid" else MAX_TRIALS


def best_of(trials: Sequence[dict[str, Any]], plan: Plan) -> dict[str, Any] | None:
    """The best of the trials that were trained to their end; the first of equals; None where there is none."""
    done = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    return min(done, key=lambda row: plan.cost(row["value"]), default=None)


def title(plan: Plan) -> str:
    """`fast: learning rate × batch size`."""
    varied = " × ".join(vary.name.replace("_", " ") for vary in plan.vary)
    base = "a network of one's own" if plan.base.kind == OWN else plan.base.recipe
    return plan.title or f"{base}: {varied}"


def described(plan: Plan) -> dict[str, Any]:
    """The plan for people and for --json: what varies as text."""
    return {
        **vars(plan),
        "storage": _without_password(plan.storage),
        "vary": [str(vary) for vary in plan.vary],
        "base": plan.base.kind,
        "data": plan.base.data,
        "epochs": plan.base.settings.epochs,
    }


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
            "base": "fast",
            "vary": ("batch_size=16,64,256,1024", "learning_rate=0.0003,0.001,0.003,0.01,0.03"),
            "epochs": 2,
            "data": "sample",
            "how": "grid",
            "prune": False,
            "measure": "accuracy",
            "seeds": SEEDS,
        },
    ),
}
"""By the name that `--ready` takes."""
