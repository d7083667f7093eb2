"""Which settings make a difference: one that is said to make none must leave a training as it was."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from mnist_core.data.splits import Split
from mnist_core.errors import SettingError
from mnist_core.networks.layers import BatchNormalization, Dense, Flatten, Rescaling
from mnist_core.recipes.overrides import apply_overrides, setting_rules
from mnist_core.recipes.relevance import RELEVANT_IF, is_relevant
from mnist_core.recipes.settings import LOSSES, OPTIMIZERS, SCHEDULES, Settings
from mnist_core.training import loop
from mnist_core.training.model import make_model

PLAIN = (Rescaling(1 / 255), Flatten(), Dense(8, "relu"), Dense(10, "softmax"))
NORMED = (*PLAIN[:3], BatchNormalization(), PLAIN[3])
OTHER = {
    "momentum": 0.5,
    "nesterov": True,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "decay_factor": 0.1,
    "decay_epochs": 2,
    "batch_normalization_momentum": 0.5,
}
"""Setting -> another value than by default; label smoothing is refused where it has no meaning."""


def chosen(settings: Settings) -> dict[str, Any]:
    return {described.name: getattr(settings, described.name) for described in fields(settings)}


def trained(settings: Settings, sample: Any) -> list[np.ndarray]:
    x, y = sample.x_train[:60], sample.y_train[:60]
    model = make_model(settings, 1)
    list(loop.train(model, settings, Split(x, y, x, y, x, y), 1))
    return model.get_weights()


CASES = [
    (name, {"optimizer": optimizer, "schedule": schedule}, layers)
    for name in OTHER
    for optimizer, schedule, layers in [
        ("SGD", "step", NORMED),
        ("SGD", "constant", PLAIN),
        ("RMSprop", "exponential", PLAIN),
        ("Adam", "cosine", NORMED),
        ("AdamW", "one-cycle", PLAIN),
    ]
]


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(("name", "given", "layers"), CASES)
def test_what_is_said_to_make_a_difference_makes_one_and_nothing_else_does(
    sample: Any, name: str, given: dict[str, Any], layers: Any
) -> None:
    settings = Settings(layers, 30, 4, learning_rate=0.01, **given)
    before, after = trained(settings, sample), trained(apply_overrides(settings, {name: OTHER[name]}), sample)
    same = all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert same is not is_relevant(name, chosen(settings), layers)


@pytest.mark.parametrize("loss", LOSSES)
def test_label_smoothing_is_refused_just_where_it_makes_no_difference(loss: str) -> None:
    settings = Settings(PLAIN, 30, 1, loss=loss)
    if is_relevant("label_smoothing", chosen(settings), PLAIN):
        assert apply_overrides(settings, {"label_smoothing": 0.1}).label_smoothing == 0.1
    else:
        with pytest.raises(SettingError, match=f"label_smoothing is 0.1.*{loss}"):
            apply_overrides(settings, {"label_smoothing": 0.1})


def test_nesterov_needs_momentum_and_all_names_are_settings() -> None:
    settings = Settings(PLAIN, 30, 1, "SGD", momentum=0)
    assert not is_relevant("nesterov", chosen(settings), PLAIN)
    assert set(RELEVANT_IF) <= set(setting_rules()) and is_relevant("epochs", {}, PLAIN)
    assert {"SGD", "RMSprop", "Adam", "AdamW"} == set(OPTIMIZERS) and "step" in SCHEDULES
