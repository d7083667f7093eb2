"""Fine-tuning on corrections: a short run that starts from the weights of a trained model.

A network that sees nothing but a few new drawings forgets the rest. So the corrections are mixed with MNIST digits
(rehearsal) and, if the model was trained on drawings, with generated drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.splits import Split
from mnist_core.errors import ModelError, SettingError
from mnist_core.files.json_reader import read_json
from mnist_core.handwriting import mixture
from mnist_core.handwriting.corrections import Correction
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.recipes.overrides import overrides_for
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.model_card import spec_from_card
from mnist_core.runs.spec import RunSpec, check_seed
from mnist_core.runs.store import find_run
from mnist_core.training.weights import adjust_class_prior

SHIPPED_MODEL = "default"
"""Base name of the shipped model; other models go by their run id."""
REHEARSAL_IMAGES = 4000
"""MNIST digits to train on, so that fine-tuning takes seconds."""
VALIDATION_IMAGES = 1000
"""MNIST digits to validate on. At the end, the model is tested on all test images."""
CORRECTION_SHARE = 0.15
"""Share of the training images that are corrections. Each is repeated many times, augmented differently each time."""
FINE_TUNE_IMAGES = round(REHEARSAL_IMAGES / (1 - CORRECTION_SHARE))
"""MNIST digits and corrections together; generated drawings come on top."""
FINE_TUNE_SETTINGS: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 64,
    "optimizer": "Adam",
    "learning_rate": 2e-4,
    "schedule": "cosine",
    "warm_up": 0.0,
    "weight_decay": 0.0,
    "gradient_clipping": 0.0,
    "loss": "cross-entropy",
    "weight_averaging": 0.0,
    "augmentation": "hand",
    "patience": 0,
    "time_budget": 0.0,
    "target_accuracy": 0.0,
}
"""Settings that replace those of the base model."""


def make_fine_tune_spec(base: str, seed: int = 0) -> RunSpec:
    """Makes the spec of a run that fine-tunes a model.

    Args:
        base: SHIPPED_MODEL, or the id of a run that has a model.
        seed: 0..2**31-1.

    Raises:
        RunNotFoundError: there is no such run.
        ModelError: the run has no model, or its card cannot be read.
        SettingError: the model takes 56×56 fields, and corrections are 28×28.
    """
    before = base_spec(base)
    if before.settings.uncentered:
        raise SettingError(f"{base} takes 56×56 fields, but corrections are 28×28 pixels. Choose another model.")
    drawings = "none" if before.settings.drawings == "none" else "few"
    settings = replace(before.settings, **FINE_TUNE_SETTINGS, drawings=drawings)
    recipe = RECIPES.get(before.recipe)
    overrides = overrides_for(settings, recipe.settings) if recipe else {}
    return RunSpec(before.recipe, settings, before.data, check_seed(seed), overrides, base=base)


def base_spec(base: str) -> RunSpec:
    """Returns the spec that a model was trained with.

    Raises:
        RunNotFoundError: there is no such run.
        ModelError: the run has no model, or its card cannot be read.
    """
    return spec_from_card(base_card(base), base)


def base_card(base: str) -> dict[str, Any]:
    """Returns the card of a model.

    Raises:
        RunNotFoundError: there is no such run.
        ModelError: the run has no model.
    """
    if base == SHIPPED_MODEL:
        return read_json(DEFAULT_MODEL.with_name("card.json"))
    run = find_run(base)
    if not run.has_model:
        raise ModelError(f"Run {base} has no model: it is {run.status().state}. Choose another model.")
    return run.card()


def model_folder(base: str) -> Path:
    """Returns the folder of a base's model.keras and model.tflite. Raises RunNotFoundError if the run is gone."""
    return DEFAULT_MODEL.parent if base == SHIPPED_MODEL else find_run(base).path


def rehearsal_split(split: Split, seed: int) -> Split:
    """Picks REHEARSAL_IMAGES of the training images at random, and the first VALIDATION_IMAGES to validate on."""
    count = min(REHEARSAL_IMAGES, len(split.x_train))
    chosen = np.random.default_rng([seed, 2]).choice(len(split.x_train), count, replace=False)
    return replace(
        split,
        x_train=split.x_train[chosen],
        y_train=split.y_train[chosen],
        x_validation=split.x_validation[:VALIDATION_IMAGES],
        y_validation=split.y_validation[:VALIDATION_IMAGES],
    )


def learnable_corrections(corrections: Sequence[Correction], outputs: int) -> list[Correction]:
    """Filters out corrections to "not a digit" if the model has no output for it."""
    return [correction for correction in corrections if correction.label < outputs]


def add_corrections(split: Split, corrections: Sequence[Correction]) -> Split:
    """Appends corrections to the training images, all equally often, until they are about CORRECTION_SHARE of them."""
    images, labels = corrections_to_arrays(corrections)
    wanted = CORRECTION_SHARE / (1 - CORRECTION_SHARE) * len(split.x_train)
    times = max(1, round(wanted / len(labels)))
    return replace(
        split,
        x_train=np.concatenate([split.x_train, np.tile(images, (times, 1, 1))]),
        y_train=np.concatenate([split.y_train, np.tile(labels, times)]),
    )


def corrections_to_arrays(corrections: Sequence[Correction]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Stacks one or more corrections: (N, 28, 28) uint8 images, ink bright, and (N,) uint8 labels, 0..10."""
    images = np.stack([correction.image for correction in corrections])
    return images, np.array([correction.label for correction in corrections], np.uint8)


def load_base_weights(model: Any, architecture: Architecture, base: str, non_digit_share: float) -> None:
    """Starts a Keras model from the weights of its base.

    Args:
        model: the new model, compiled.
        architecture: of both.
        base: SHIPPED_MODEL, or the id of a run.
        non_digit_share: of the images that the new model will be trained on, 0..1.

    Raises:
        ModelError: model.keras is missing, broken, or of another network.
        RunNotFoundError: the run is gone.
    """
    model.set_weights(load_keras_model(architecture, model_folder(base) / "model.keras").get_weights())
    if non_digit_share:
        adjust_class_prior(model, architecture.layers, NOT_A_DIGIT, mixture.ASSUMED_NON_DIGIT_SHARE, non_digit_share)


def load_keras_model(architecture: Architecture, path: Path) -> Any:
    """Builds an uncompiled Keras model and loads the weights of a model.keras; nothing else in the file is read.

    Raises:
        ModelError: the file is missing, broken, or of another network.
    """
    model = build_model(architecture)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, RuntimeError, BadZipFile) as error:  # NotImplementedError is a RuntimeError
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} cannot be used ({reason}). Train the model again, or choose another.") from None
    return model
