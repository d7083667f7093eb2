"""Sweep plans: what a sweep searches and how, checked before anything starts.

plan = make_plan("fast", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"], trials=20, data="sample")
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from mnist_core.errors import DigitLabError, RunError, SettingError, SweepError
from mnist_core.fields import TIMESTAMP, Choice, Integer, Rule, Text, shorten
from mnist_core.networks.library import resolve_network
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.spec import OWN, RunSpec, check_seed, make_spec
from mnist_core.runs.store import find_run
from mnist_core.sweeps import search_space
from mnist_core.sweeps.search_space import Dimension
from mnist_core.sweeps.space_parser import parse_space

SCHEMA = 1
SAMPLERS = ("grid", "random", "tpe")
MEASURES = {"accuracy": "validation accuracy", "loss": "validation loss"}
"""What a sweep can optimize. Never a result on the test set."""
BACKENDS = ("local", "ray")
"""Where the runs are trained: on this machine, or on the cluster at DIGITLAB_RAY_ADDRESS."""
MAX_TRIALS = 10_000
MAX_RETRAIN_SEEDS = 20
NETWORK_PREFIX = "network:"
"""Marks a base that is a saved network: `network:NAME`."""
NETWORK_RECIPE = "fast"
"""The recipe whose settings train a saved network."""
RETRAIN_SEEDS = 3
"""How many seeds retrain the best trial by default."""
HELD_OUT_SPLIT = "last-sixth"
"""Replaces the split of a base that validates on the test images: those must not choose anything."""
_JSON_KEYS = {"space": "vary", "sampler": "how", "retrain_seeds": "seeds"}
"""Fields of SweepPlan that have another name in sweep.json and `--json`."""

_RULES: dict[str, Rule] = {
    "retrain_seeds": Integer(0, MAX_RETRAIN_SEEDS),
    "prune": Choice((False, True)),
    "storage": Text(1_000),
    "title": Text(1_000),
    "created": TIMESTAMP,
}


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep searches, and how.

    Attributes:
        base: what every trial starts from. Epochs, data and split are the same for all trials, unless epochs vary.
        space: the settings that vary.
        sampler: one of SAMPLERS.
        trials: how many in all, 1..MAX_TRIALS.
        measure: one of MEASURES.
        prune: stop a trial early if it is worse than the median of the others at the same epoch.
        seed: of the sampler and of every trial, 0..2**31-1.
        retrain_seeds: with how many other seeds the best trial is retrained, 0..MAX_RETRAIN_SEEDS.
        backend: one of BACKENDS.
        storage: URL of Optuna's database, as SQLAlchemy takes it; empty for a file in the sweep's folder.
        title: shown instead of one made from the base and the space.
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
        """Whether the measure is to be maximized."""
        return self.measure == "accuracy"

    @property
    def value_format(self) -> str:
        """How a value of the measure is formatted, by Python and by D3: `95.10%` or `0.1234`."""
        return ".2%" if self.higher_is_better else ".4f"

    def cost(self, value: float) -> float:
        """A value of the measure as a cost: the lowest is the best."""
        return -value if self.higher_is_better else value

    def trial_spec(self, settings: Mapping[str, Any], seed: int) -> RunSpec:
        """The run spec of a trial with these settings.

        Raises:
            SettingError, ArchitectureError: the settings do not work together.
        """
        return replace(
            self.base,
            settings=apply_overrides(self.base.settings, settings),
            overrides={**self.base.overrides, **settings},
            seed=seed,
            created=time.time(),
        )

    def to_json(self) -> dict[str, Any]:
        """The content of sweep.json."""
        values = {_JSON_KEYS.get(name, name): value for name, value in vars(self).items()}
        space = [str(dimension) for dimension in self.space]
        return {"schema": SCHEMA, **values, "base": self.base.to_json(), "vary": space}

    @classmethod
    def from_json(cls, content: Any) -> SweepPlan:
        """Parses what `to_json` returned. Raises SweepError if it is something else, or of another schema."""
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema != SCHEMA:
            raise SweepError(f"its schema is {shorten(repr(schema))}; this version of Digit Lab reads {SCHEMA}")
        try:
            values = {name: content[_JSON_KEYS.get(name, name)] for name in cls.__dataclass_fields__}
            values |= {"base": RunSpec.from_json(content["base"]), "space": parse_space(content["vary"], stored=True)}
            plan = cls(**values)
            _check(plan)
        except KeyError as error:
            raise SweepError(f"the key {error} is missing") from None
        except (AttributeError, TypeError, ValueError, DigitLabError) as error:  # "vary" may contain anything
            raise SweepError(shorten(str(error))) from None
        return plan


def make_plan(
    base: str,
    vary: Sequence[str],
    trials: int | None = None,
    epochs: int | None = None,
    data: str = "full",
    **options: Any,
) -> SweepPlan:
    """A checked SweepPlan.

    Args:
        base: a recipe; a run id, whose settings are used; or NETWORK_PREFIX and the name or id of a saved network.
        vary: texts for `parse_space`.
        trials: how many; by default 20, or every point of a grid. A grid has no more trials than points.
        epochs: of every trial; by default those of the base. Not together with epochs that vary.
        data: `full`, `sample` or a path.
        options: the other fields of SweepPlan.

    Raises:
        SettingError: something is unknown or out of range, or there is no such network.
        RunError: the base is neither a recipe nor a run that can be read.
        ArchitectureError: a varied network cannot be built.
    """
    space = parse_space(vary)
    spec = replace(_base_spec(base), data=data)
    fixed: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    if epochs is not None and any(dimension.name == "epochs" for dimension in space):
        raise SettingError(f"epochs is {epochs} and also varies. Give one or the other.")
    if spec.settings.split == "test-as-validation":
        fixed["split"] = HELD_OUT_SPLIT
    spec = replace(spec, settings=apply_overrides(spec.settings, fixed), overrides={**spec.overrides, **fixed})
    search_space.check_space(space, spec.settings)
    if options.get("sampler") == "grid":
        most = default = len(search_space.grid_points(space))
    else:
        most, default = MAX_TRIALS, SweepPlan.trials
    options["trials"] = default if trials is None else trials
    plan = SweepPlan(spec, space, **{**options, "created": time.time()})
    _check(plan)
    return replace(plan, trials=min(plan.trials, most))


def _base_spec(name: str) -> RunSpec:
    if name in RECIPES:
        return make_spec(name)
    if name.startswith(NETWORK_PREFIX):
        return make_spec(NETWORK_RECIPE, resolve_network(name.removeprefix(NETWORK_PREFIX)).overrides)
    try:
        spec = find_run(name).spec()
    except RunError as error:
        raise RunError(
            f"The base {name!r} is not a recipe ({', '.join(RECIPES)}), {NETWORK_PREFIX}NAME or a run: {error}"
        ) from None
    if spec.base:
        raise RunError(f"The run {name} was fine-tuned from another model, so it cannot be the base of a sweep.")
    return spec


def _check(plan: SweepPlan) -> None:
    """Raises SettingError if a field is out of range."""
    check_seed(plan.seed)
    choices = {"sampler": SAMPLERS, "measure": tuple(MEASURES), "backend": BACKENDS}
    for name, known in choices.items():
        if getattr(plan, name) not in known:
            shown = shorten(repr(getattr(plan, name)))
            raise SettingError(f"{name} is {shown}, expected one of {', '.join(known)}.")
    checked_trials(plan.trials)
    for name, rule in _RULES.items():
        if not rule.accepts(getattr(plan, name)):
            shown = shorten(repr(getattr(plan, name)))
            raise SettingError(f"{_JSON_KEYS.get(name, name)} is {shown}, expected {rule}.")


def checked_trials(trials: object) -> int:
    """The number of trials. Raises SettingError if it is not one from 1 to MAX_TRIALS."""
    rule = Integer(1, MAX_TRIALS)
    if not rule.accepts(trials):
        raise SettingError(f"trials is {shorten(repr(trials))}, expected {rule}.")
    return cast(int, trials)


def max_trials(plan: SweepPlan) -> int:
    """How many trials the sweep can be extended to: MAX_TRIALS, or the number of grid points if that is lower."""
    return min(MAX_TRIALS, search_space.grid_size(plan.space)) if plan.sampler == "grid" else MAX_TRIALS


def plan_title(plan: SweepPlan) -> str:
    """`fast: learning rate × batch size`."""
    names = " × ".join(dimension.name.replace("_", " ") for dimension in plan.space)
    base = "custom network" if plan.base.kind == OWN else plan.base.recipe
    return plan.title or f"{base}: {names}"


def describe_plan(plan: SweepPlan) -> dict[str, Any]:
    """The plan as `--json` prints it: the space as texts, and no password in the database's URL."""
    return {
        **{_JSON_KEYS.get(name, name): value for name, value in vars(plan).items()},
        "storage": re.sub(r"//([^:/@]*):[^@]*@", r"//\1:…@", plan.storage),
        "vary": [str(dimension) for dimension in plan.space],
        "base": plan.base.kind,
        "data": plan.base.data,
        "epochs": plan.base.settings.epochs,
    }
