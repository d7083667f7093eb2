"""A setting is relevant exactly if changing it changes the trained weights."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest

from mnist_core.data.mnist import load_mnist
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
"""A value other than the default, by setting. Label smoothing is rejected where it would have no effect."""


def setting_values(settings: Settings) -> dict[str, Any]:
    return {described.name: getattr(settings, described.name) for described in fields(settings)}


@cache
def trained_weights(settings: Settings) -> list[np.ndarray]:
    """Weights after four epochs on sixty digits. Cached, because many cases start from the same settings."""
    sample = load_mnist("sample")
    x, y = sample.x_train[:60], sample.y_train[:60]
    model = make_model(settings, 1)
    list(loop.train(model, settings, Split(x, y, x, y, x, y), 1))
    return model.get_weights()


CASES = [
    (name, {"optimizer": optimizer, "schedule": schedule}, layers)
    for optimizer, schedule, layers in [
        ("SGD", "step", NORMED),
        ("SGD", "constant", PLAIN),
        ("RMSprop", "exponential", PLAIN),
        ("Adam", "cosine", NORMED),
        ("AdamW", "one-cycle", PLAIN),
    ]
    for name in OTHER
]


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(("name", "given", "layers"), CASES)
def test_a_setting_is_relevant_exactly_if_it_changes_the_weights(name: str, given: dict[str, Any], layers: Any) -> None:
    settings = Settings(layers, 30, 4, learning_rate=0.01, **given)
    before, after = trained_weights(settings), trained_weights(apply_overrides(settings, {name: OTHER[name]}))
    same = all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert same is not is_relevant(name, setting_values(settings), layers)


@pytest.mark.parametrize("loss", LOSSES)
def test_label_smoothing_is_rejected_exactly_where_it_is_irrelevant(loss: str) -> None:
    settings = Settings(PLAIN, 30, 1, loss=loss)
    if is_relevant("label_smoothing", setting_values(settings), PLAIN):
        assert apply_overrides(settings, {"label_smoothing": 0.1}).label_smoothing == 0.1
    else:
        with pytest.raises(SettingError, match=f"label_smoothing is 0.1.*{loss}"):
            apply_overrides(settings, {"label_smoothing": 0.1})


def test_nesterov_needs_momentum_and_conditions_name_real_settings() -> None:
    settings = Settings(PLAIN, 30, 1, "SGD", momentum=0)
    assert not is_relevant("nesterov", setting_values(settings), PLAIN)
    assert set(RELEVANT_IF) <= set(setting_rules()) and is_relevant("epochs", {}, PLAIN)
    assert {"SGD", "RMSprop", "Adam", "AdamW"} == set(OPTIMIZERS) and "step" in SCHEDULES
