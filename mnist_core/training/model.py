"""The compiled Keras model of a run: its network, optimizer and loss."""

from __future__ import annotations

from typing import Any

from mnist_core.networks.keras_model import build_model
from mnist_core.recipes.settings import LOSSES, SMOOTHED_LOSSES, Settings


def make_model(settings: Settings, seed: int) -> Any:
    """The compiled Keras model, its weights drawn from the seed."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build_model(settings.architecture)
    model.compile(optimizer=make_optimizer(settings), loss=make_loss(settings), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def make_optimizer(settings: Settings) -> Any:
    import keras

    own: dict[str, dict[str, float]] = {
        "SGD": {"momentum": float(settings.momentum), "nesterov": settings.nesterov},
        "RMSprop": {},
        "Adam": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
        "AdamW": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
    }
    given: dict[str, Any] = {"weight_decay": float(settings.weight_decay)} if settings.weight_decay else {}
    if settings.gradient_clipping:
        given["global_clipnorm"] = float(settings.gradient_clipping)
    if settings.weight_averaging:
        given |= {"use_ema": True, "ema_momentum": settings.weight_averaging}
    return getattr(keras.optimizers, settings.optimizer)(settings.learning_rate, **own[settings.optimizer], **given)


def make_loss(settings: Settings) -> Any:
    import keras

    if not settings.categorical:
        return keras.losses.SparseCategoricalCrossentropy()
    smoothing = {"label_smoothing": settings.label_smoothing} if settings.loss in SMOOTHED_LOSSES else {}
    return getattr(keras.losses, LOSSES[settings.loss])(**smoothing)
