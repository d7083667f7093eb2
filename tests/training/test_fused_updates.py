"""Fused optimizer steps against Keras's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.networks.layers import Conv2D, Dense, Flatten, Rescaling
from mnist_core.recipes.settings import OPTIMIZERS, Settings
from mnist_core.training import fused_updates, loop
from mnist_core.training.model import make_model

LAYERS = (Rescaling(1 / 255), Conv2D(3, 5, activation="relu"), Flatten(), Dense(10, "softmax"))
SETTINGS = Settings(LAYERS, batch_size=32, epochs=1, beta_1=0.7, beta_2=0.95)
STEPS = 30


def trained(settings: Settings) -> tuple[list[Any], list[Any], int]:
    """Weights, optimizer variables and steps after training on the same noise, the rate falling."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (STEPS, 32, 28, 28)).astype(np.uint8)
    labels = generator.integers(0, 10, (STEPS, 32)).astype(np.int32)
    model = make_model(settings, 1)
    rates = np.linspace(settings.learning_rate, 0, STEPS).astype(np.float32)
    loop.compile_training_steps(model, settings)(images, labels, rates)
    moments = [np.array(variable) for variable in model.optimizer.variables]
    return model.get_weights(), moments[2:], int(model.optimizer.iterations)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_fused_step_is_kerass_step(
    keras: Any, monkeypatch: pytest.MonkeyPatch, optimizer: str, averaging: float
) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer], weight_averaging=averaging)
    fused = trained(settings)
    monkeypatch.setattr(fused_updates, "FUSED", {})
    of_keras = trained(settings)
    assert fused[2] == of_keras[2] == STEPS
    for ours, theirs in zip((*fused[0], *fused[1]), (*of_keras[0], *of_keras[1]), strict=True):
        assert np.abs(ours - theirs).max() <= 2e-6 * max(1.0, float(np.abs(theirs).max()))


@pytest.mark.parametrize(
    "changes",
    [{"nesterov": True}, {"momentum": 0.0}, {"gradient_clipping": 0.1}, {"weight_decay": 0.1}],
    ids=str,
)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_step_with_more_settings_is_kerass_step(
    keras: Any, monkeypatch: pytest.MonkeyPatch, optimizer: str, changes: dict[str, Any]
) -> None:
    settings = replace(SETTINGS, optimizer=optimizer, learning_rate=OPTIMIZERS[optimizer], **changes)
    fused = trained(settings)
    monkeypatch.setattr(fused_updates, "FUSED", {})
    for ours, theirs in zip(fused[0], trained(settings)[0], strict=True):
        assert np.abs(ours - theirs).max() <= 2e-6 * max(1.0, float(np.abs(theirs).max()))


@pytest.mark.parametrize("changes", [{"gradient_clipping": 1.0}, {"weight_decay": 0.1}, {"momentum": 0.0}], ids=str)
def test_what_the_kernels_cannot_do_is_left_to_keras(
    keras: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    called: list[str] = []
    monkeypatch.setitem(fused_updates.FUSED, "SGD", lambda *_: called.append("fused"))
    trained(replace(SETTINGS, optimizer="SGD", **changes))
    assert called == []


@pytest.mark.parametrize("optimizer", list(fused_updates.FUSED))
def test_plain_optimizers_are_fused(keras: Any, monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    called = []
    monkeypatch.setitem(fused_updates.FUSED, optimizer, lambda *_: called.append(optimizer))
    trained(replace(SETTINGS, optimizer=optimizer))
    assert called == [optimizer], "once: while the graph is built"
