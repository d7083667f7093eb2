"""Sweep plans: what can be the base, what is refused, and how a plan is stored."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mnist_core.data.splits import split_mnist
from mnist_core.errors import RunError, SettingError, SweepError
from mnist_core.networks.layers import Dense, Dropout, Flatten
from mnist_core.networks.library import save_network
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from mnist_core.sweeps.plan import HELD_OUT_SPLIT, SweepPlan, describe_plan, make_plan, plan_title
from mnist_core.sweeps.presets import PRESETS
from mnist_core.sweeps.store import create_sweep, find_sweep, list_sweeps
from tests.sweeps.fakes import RATES

REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"base": "nonsense"}, ["'nonsense'", "fast"]),
    ({"base": "network:nonsense"}, ["'nonsense'"]),
    ({"sampler": "magic"}, ["'magic'", "grid, random, tpe"]),
    ({"trials": 0}, ["trials", "0", "10,000"]),
    ({"trials": 10_001}, ["trials", "10001", "10,000"]),
    ({"trials": True}, ["trials", "True"]),
    ({"retrain_seeds": 21}, ["seeds", "21", "20"]),
    ({"measure": "test"}, ["'test'", "accuracy, loss"]),
    ({"seed": -1}, ["seed", "-1"]),
    ({"epochs": 0}, ["epochs", "0"]),
    ({"epochs": 3, "vary": ["epochs=1..5"]}, ["epochs", "3"]),
    ({"vary": ["batch_size=1..1000", "epochs=1..1000"], "sampler": "grid"}, ["1,000,000"]),
    ({"backend": "cloud"}, ["'cloud'", "local, ray"]),
]


def test_bad_plans_are_refused_with_the_value_and_what_is_expected() -> None:
    for given, mentioned in REFUSED:
        with pytest.raises((SettingError, RunError)) as caught:
            make_plan(**{"base": "fast", "vary": [RATES], **given})
        assert all(words in str(caught.value) for words in mentioned), f"{given}: {caught.value}"


def test_a_plan_is_stored_and_read_back() -> None:
    plan = make_plan(
        "fast",
        [RATES, "optimizer=Adam,SGD"],
        trials=7,
        epochs=2,
        data="sample",
        sampler="random",
        measure="loss",
        prune=False,
        seed=3,
        retrain_seeds=1,
        storage="postgresql://me:secret@there/db",
    )
    sweep = create_sweep(plan)
    assert sweep.plan() == plan
    assert find_sweep(sweep.id) == sweep and list_sweeps() == [sweep]


@pytest.mark.parametrize("vary", [[1], [["a"]], [None], 1, "a", {"a": 1}])
def test_a_damaged_plan_is_refused_in_a_sentence(vary: Any) -> None:
    with pytest.raises(SweepError):
        SweepPlan.from_json({**make_plan("fast", [RATES]).to_json(), "vary": vary})


def test_a_sweep_of_an_earlier_version_that_varied_the_images_is_still_read() -> None:
    content = make_plan("lesson08-mlp", ["learning_rate=0.1,0.2"]).to_json()
    stored = SweepPlan.from_json({**content, "vary": ["uncentered=true,false"]})
    assert [dimension.name for dimension in stored.space] == ["uncentered"]
    with pytest.raises(SettingError, match="uncentered cannot be varied"):
        make_plan("lesson08-mlp", ["uncentered=true,false"])


def test_stored_and_printed_plans_keep_their_keys() -> None:
    plan = make_plan("fast", [RATES], storage="postgresql://me:secret@there/db")
    keys = {"vary", "how", "trials", "measure", "prune", "seed", "seeds", "backend", "storage", "title", "created"}
    assert set(plan.to_json()) == {"schema", "base", *keys}
    printed = describe_plan(plan)
    assert set(printed) == {"base", "data", "epochs", *keys}
    assert "secret" not in json.dumps(printed) and "me:" in printed["storage"]


def test_validation_images_are_never_test_images(sample: Any) -> None:
    """The recipe `fast` validates on the test images; a sweep of it must not."""
    base = make_plan("fast", [RATES], data="sample").base
    split = split_mnist(sample, base.settings.split)
    validation = {image.tobytes() for image in split.x_validation}
    assert not validation & {image.tobytes() for image in sample.x_test}
    assert base.overrides["split"] == HELD_OUT_SPLIT


def test_a_base_can_be_a_run() -> None:
    run = create_run(make_spec("fast", {"optimizer": "SGD"}, "sample"))
    base = make_plan(run.id, [RATES], data="sample").base
    assert base.settings.optimizer == "SGD" and base.overrides["optimizer"] == "SGD"


def test_a_fine_tuned_run_cannot_be_a_base() -> None:
    run = create_run(replace(make_spec("fast"), base="default"))
    with pytest.raises(RunError, match=run.id):
        make_plan(run.id, [RATES])


def test_a_base_can_be_a_saved_network() -> None:
    layers = (Flatten(), Dense(7, "relu"), Dropout(0.1), Dense(10, "softmax"))
    saved = save_network("seven", layers)
    plan = make_plan("network:seven", ["dropout=0..0.5", "batch_size=32,64"], epochs=1, data="sample")
    assert plan.base.settings.layers == layers and plan.base.settings.epochs == 1
    by_id = make_plan(f"network:{saved.id}", ["batch_size=32,64"], epochs=1, data="sample")
    assert by_id.base.settings == plan.base.settings
    trial = plan.trial_spec({"dropout": 0.4, "batch_size": 64}, 0).settings
    assert trial.layers == (*layers[:2], Dropout(0.4), layers[3]) and trial.batch_size == 64
    assert plan_title(plan) == "custom network: dropout × batch size"
    assert create_sweep(plan).plan() == plan, "the sweep holds the layers: the library may lose them"


def test_a_grid_has_as_many_trials_as_points() -> None:
    for trials, expected in ((None, 3), (10, 3), (2, 2)):
        assert make_plan("fast", ["batch_size=32,64,128"], trials=trials, sampler="grid").trials == expected
    assert make_plan("fast", ["batch_size=32,64,128"]).trials == 20


def test_presets_are_small() -> None:
    """benchmarks/sweep.py measures that they finish within three minutes; this notices when somebody enlarges one."""
    for preset in PRESETS.values():
        plan = preset.plan()
        images = 4000 * 5 // 6 * plan.base.settings.epochs * (plan.trials + plan.retrain_seeds)
        assert plan.base.data == "sample" and images <= 200_000
        assert plan_title(plan) == preset.title
