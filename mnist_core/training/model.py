"""The compiled Keras model of a run: network, optimizer and loss. Keras is imported when a function runs."""

from __future__ import annotations

from typing import Any

from mnist_core.networks.keras_model import build_model
from mnist_core.processes import import_keras
from mnist_core.recipes.settings import LOSSES, SMOOTHED_LOSSES, Settings


def make_model(settings: Settings, seed: int) -> Any:
    """Builds and compiles the Keras model, with initial weights drawn from the seed."""
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    model = build_model(settings.architecture)
    model.compile(optimizer=make_optimizer(settings), loss=make_loss(settings), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def make_optimizer(settings: Settings) -> Any:
    """The Keras optimizer. A weight decay, gradient clipping or weight averaging of 0 keeps Keras's default."""
    import keras

    options: dict[str, Any] = {}
    if settings.optimizer == "SGD":
        options = {"momentum": float(settings.momentum), "nesterov": settings.nesterov}
    elif settings.optimizer in ("Adam", "AdamW"):
        options = {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    if settings.weight_decay:
        options["weight_decay"] = float(settings.weight_decay)
    if settings.gradient_clipping:
        options["global_clipnorm"] = float(settings.gradient_clipping)
    if settings.weight_averaging:
        options |= {"use_ema": True, "ema_momentum": settings.weight_averaging}
    return getattr(keras.optimizers, settings.optimizer)(settings.learning_rate, **options)


def make_loss(settings: Settings) -> Any:
    """The Keras loss. It takes one-hot labels if `settings.categorical`, else integers."""
    import keras

    if not settings.categorical:
        return keras.losses.SparseCategoricalCrossentropy()
    smoothing = {"label_smoothing": settings.label_smoothing} if settings.loss in SMOOTHED_LOSSES else {}
    return getattr(keras.losses, LOSSES[settings.loss])(**smoothing)
