"""What a sweep is to search: a SweepPlan, checked; and those that are ready to start.

plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"], trials=20, data="sample")
plan = PRESETS["batch-size-and-learning-rate"].plan()
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mnist_core.errors import DigitLabError, RunError, SettingError, SweepError
from mnist_core.networks.library import resolve_network
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.run import OWN, RunSpec, checked_seed, find_run, make_spec
from mnist_core.sweeps import search_space
from mnist_core.sweeps.search_space import Dimension

SCHEMA = 1
SAMPLERS = ("grid", "random", "tpe")
MEASURES = {"accuracy": "validation accuracy", "loss": "validation loss"}
"""What a sweep can go by. The test set is none of it."""
BACKENDS = ("local", "ray")
"""This machine, or the cluster that DIGITLAB_RAY_ADDRESS names."""
MAX_TRIALS = 10_000
NETWORK_PREFIX = "network:"
"""Before the name of a network of one's own, where it is the base; it is trained as the recipe NETWORK_RECIPE is."""
NETWORK_RECIPE = "fast"
RETRAIN_SEEDS = 3  # with which the winner is trained anew
HELD_OUT_SPLIT = "last-sixth"
"""The split of a sweep whose base validates on the test images: they must not choose anything."""
_JSON_KEYS = {"space": "vary", "sampler": "how", "retrain_seeds": "seeds"}
"""Fields of a SweepPlan that sweep.json and `--json` call something else."""


@dataclass(frozen=True)
class SweepPlan:
    """What to search.

    Attributes:
        base: what every trial begins with; its epochs, data and split hold for all of them.
        space: what varies.
        sampler: one of SAMPLERS.
        trials: how many in all.
        measure: one of MEASURES.
        prune: whether a trial that is worse than most at the same epoch is ended early.
        seed: 0..2**31-1; of the search, and of every trial.
        retrain_seeds: with how many others the winner is trained anew; 0 for no winner.
        backend: one of BACKENDS.
        storage: empty for a file of its own, or the URL of a database that SQLAlchemy knows.
        title: what people read above it.
        created: seconds since the epoch.
    """

    base: RunSpec
    space: tuple[Dimension, ...]
    sampler: str = "tpe"
    trials: int = 20
    measure: str = "accuracy"
    prune: bool = True
    seed: int = 0
    retrain_seeds: int = RETRAIN_SEEDS
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

    def trial_spec(self, settings: Mapping[str, Any], seed: int) -> RunSpec:
        """What one trial trains. Raises SettingError or ArchitectureError where these cannot go together."""
        changed = apply_overrides(self.base.settings, settings)
        overrides = {**self.base.overrides, **settings}
        return replace(self.base, settings=changed, overrides=overrides, seed=seed, created=time.time())

    def to_json(self) -> dict[str, Any]:
        """As it stands in sweep.json."""
        values = {_JSON_KEYS.get(name, name): value for name, value in vars(self).items()}
        return {"schema": SCHEMA, **values, "base": self.base.to_json(), "vary": [str(one) for one in self.space]}

    @classmethod
    def from_json(cls, value: Any) -> SweepPlan:
        """What `to_json` wrote. Raises SweepError where it is not that, or of another schema."""
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            found = value.get("schema") if isinstance(value, dict) else None
            raise SweepError(f"its schema is {found!r}; this version of Digit Lab reads {SCHEMA}")
        try:
            values = {name: value[_JSON_KEYS.get(name, name)] for name in cls.__dataclass_fields__}
            values |= {"base": RunSpec.from_json(value["base"]), "space": search_space.parse_space(value["vary"])}
            plan = cls(**values)
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
) -> SweepPlan:
    """A checked SweepPlan.

    Args:
        base: a recipe; the id of a run, whose settings are taken; or NETWORK_PREFIX and a network as networks.named
            takes it.
        vary: what varies, as space.parse takes it.
        trials: how many; by default the whole of a grid, and 20 otherwise.
        epochs: of each trial; by default as the base, which must not be given where they vary.
        data: `full`, `sample` or a path.
        how: the other fields of SweepPlan.

    Raises:
        SettingError: for what is unknown or out of range, also a network.
        RunError: the base is no recipe, and no run that can be read.
        ArchitectureError: where a changed network cannot work.
    """
    varies = search_space.parse_space(vary)
    spec = replace(_base(base), data=data)
    fixed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if epochs is not None and any(one.name == "epochs" for one in varies):
        raise SettingError(f"epochs is {epochs} and varies, too. Give one of both.")
    if spec.settings.split == "test-as-validation":
        fixed["split"] = HELD_OUT_SPLIT
    spec = replace(spec, settings=apply_overrides(spec.settings, fixed), overrides={**spec.overrides, **fixed})
    search_space.check_space(varies, spec.settings)
    gridded = how.get("sampler") == "grid"
    size = len(search_space.grid_points(varies)) if gridded else MAX_TRIALS
    wanted = trials if trials is not None else size if gridded else SweepPlan.trials
    plan = SweepPlan(spec, varies, **{**how, "trials": wanted, "created": time.time()})
    _check(plan)
    return replace(plan, trials=min(wanted, size))


def _base(name: str) -> RunSpec:
    if name in RECIPES:
        return make_spec(name)
    if name.startswith(NETWORK_PREFIX):
        return make_spec(NETWORK_RECIPE, resolve_network(name.removeprefix(NETWORK_PREFIX)).overrides)
    try:
        spec = find_run(name).spec()
    except RunError as error:
        raise RunError(
            f"The base {name!r} is no recipe ({', '.join(RECIPES)}), no {NETWORK_PREFIX}NAME, and no run: {error}"
        ) from None
    if spec.base:
        raise RunError(f"The run {name} was taught drawings by another model: it cannot be the base of a sweep.")
    return spec


def _check(plan: SweepPlan) -> None:
    """Raises SettingError for a field that is out of range."""
    checked_seed(plan.seed)
    choices = {"sampler": SAMPLERS, "measure": tuple(MEASURES), "backend": BACKENDS}
    for name, known in choices.items():
        if getattr(plan, name) not in known:
            raise SettingError(f"{name} is {getattr(plan, name)!r}, expected one of {', '.join(known)}.")
    checked_trials(plan.trials)
    if not isinstance(plan.retrain_seeds, int) or not 0 <= plan.retrain_seeds <= 20:
        raise SettingError(f"seeds is {plan.retrain_seeds!r}, expected a whole number from 0 to 20.")


def checked_trials(trials: object) -> int:
    """The number. Raises SettingError where there cannot be so many trials."""
    if not isinstance(trials, int) or isinstance(trials, bool) or not 1 <= trials <= MAX_TRIALS:
        raise SettingError(f"trials is {trials!r}, expected a whole number from 1 to {MAX_TRIALS:,}.")
    return trials


def max_trials(plan: SweepPlan) -> int:
    """As many as it can be extended to: MAX_TRIALS, or the points of its grid, if these are fewer."""
    return min(MAX_TRIALS, search_space.grid_size(plan.space)) if plan.sampler == "grid" else MAX_TRIALS


def best_trial(trials: Sequence[dict[str, Any]], plan: SweepPlan) -> dict[str, Any] | None:
    """The best of the trials that were trained to their end; the first of equals; None where there is none."""
    done = [row for row in trials if row.get("state") == "finished" and row.get("value") is not None]
    return min(done, key=lambda row: plan.cost(row["value"]), default=None)


def plan_title(plan: SweepPlan) -> str:
    """`fast: learning rate × batch size`."""
    varied = " × ".join(vary.name.replace("_", " ") for vary in plan.space)
    base = "a network of one's own" if plan.base.kind == OWN else plan.base.recipe
    return plan.title or f"{base}: {varied}"


def describe_plan(plan: SweepPlan) -> dict[str, Any]:
    """The plan for people and for --json: what varies as text."""
    return {
        **{_JSON_KEYS.get(name, name): value for name, value in vars(plan).items()},
        "storage": _without_password(plan.storage),
        "vary": [str(one) for one in plan.space],
        "base": plan.base.kind,
        "data": plan.base.data,
        "epochs": plan.base.settings.epochs,
    }


def _without_password(url: str) -> str:
    return re.sub(r"//([^:/@]*):[^@]*@", r"//\1:…@", url)


@dataclass(frozen=True)
class Preset:
    """A sweep that needs no choice: on the offline sample, done while a class looks on."""

    title: str
    story: str
    arguments: dict[str, Any]

    def plan(self) -> SweepPlan:
        """As make_plan makes it."""
        return make_plan(**self.arguments, title=self.title)


PRESETS = {
    "batch-size-and-learning-rate": Preset(
        "Batch size × learning rate",
        "The two settings that everybody turns first, and they depend on each other: a large batch takes few steps in "
        "an epoch and needs a large learning rate to get anywhere; a small batch takes many, and the same rate throws "
        "it off course. Look for the ridge that runs through the contour plot from corner to corner.",
        {
            "base": "fast",
            "vary": ("batch_size=16,64,256,1024", "learning_rate=0.0003,0.001,0.003,0.01,0.03"),
            "epochs": 2,
            "data": "sample",
            "sampler": "grid",
            "prune": False,
            "measure": "accuracy",
            "retrain_seeds": RETRAIN_SEEDS,
        },
    ),
}
"""By the name that `--ready` takes."""
