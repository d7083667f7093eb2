"""Teaching a model what people said it misread: a short run that begins with its weights and learns their drawings.

A network that sees nothing but a few new drawings forgets the rest. So they are mixed with digits of MNIST and, where
the model knows them, with drawings of the kind that it was trained on.
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
from mnist_core.errors import ModelError, RunError, SettingError
from mnist_core.files import read_json
from mnist_core.handwriting import mixture
from mnist_core.handwriting.corrections import Correction
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.recipes.overrides import overrides_for
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs.spec import RunSpec, check_seed
from mnist_core.runs.store import find_run
from mnist_core.training.weights import adjust_class_prior

SHIPPED_MODEL = "default"
"""The name of the shipped model, where others go by the id of their run."""

REHEARSED = 4000  # digits of MNIST, so that a lesson takes seconds
VALIDATED = 1000  # at its end: all test images follow
SHARE = 0.15  # of the training images that are the drawings to learn, each many times, each time augmented
LESSON: dict[str, Any] = {
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
}


def make_fine_tune_spec(base: str, seed: int = 0) -> RunSpec:
    """The run that teaches a model.

    Args:
        base: SHIPPED_MODEL, or the id of a run that has a model.
        seed: 0..2**31-1.

    Raises:
        RunNotFoundError, RunError: there is no such run, or its files cannot be read.
        ModelError: it has no model.
        SettingError: its model takes digits anywhere in a larger field, and the drawings are 28×28.
    """
    before = _base_spec(base)
    if before.settings.uncentered:
        raise SettingError("This model reads 56×56 fields, and drawings are kept as 28×28. Choose another to teach.")
    drawn = "none" if before.settings.drawings == "none" else "few"
    settings = replace(before.settings, **LESSON, drawings=drawn)
    recipe = RECIPES.get(before.recipe)
    changed = overrides_for(settings, recipe.settings) if recipe else {}
    return RunSpec(before.recipe, settings, before.data, check_seed(seed), changed, base=base)


def _base_spec(base: str) -> RunSpec:
    card = base_card(base)
    asked = card.get("data")
    try:
        return RunSpec.from_json({**card, "data": asked["asked"] if isinstance(asked, dict) else "full"})
    except (RunError, KeyError) as error:
        raise ModelError(f"The card of {base} cannot be read ({error}). Choose another model to teach.") from None


def base_settings(base: str) -> Settings:
    """What a model was trained with. Raises as `make_spec`."""
    return _base_spec(base).settings


def base_card(base: str) -> dict[str, Any]:
    """What is known of a model that can be taught. Raises RunNotFoundError or ModelError where there is none."""
    if base == SHIPPED_MODEL:
        return read_json(DEFAULT_MODEL.with_name("card.json"))
    run = find_run(base)
    if not run.has_model:
        raise ModelError(f"The run {base} has no model: it is {run.status().state}. Choose another to teach.")
    return run.card()


def model_folder(base: str) -> Path:
    """Where its model.keras and model.tflite lie."""
    return DEFAULT_MODEL.parent if base == SHIPPED_MODEL else find_run(base).path


def rehearsal_split(split: Split, seed: int) -> Split:
    """The split with few of its images: those that keep the model from forgetting, and some to validate with."""
    count = min(REHEARSED, len(split.x_train))
    chosen = np.random.default_rng([seed, 2]).choice(len(split.x_train), count, replace=False)
    return replace(
        split,
        x_train=split.x_train[chosen],
        y_train=split.y_train[chosen],
        x_validation=split.x_validation[:VALIDATED],
        y_validation=split.y_validation[:VALIDATED],
    )


def learnable_corrections(kept: Sequence[Correction], outputs: int) -> list[Correction]:
    """The drawings that a model of so many outputs can learn: not all have one for what is no digit."""
    return [drawing for drawing in kept if drawing.label < outputs]


def add_corrections(split: Split, kept: Sequence[Correction]) -> Split:
    """The split with the kept drawings among its training images, all equally often, SHARE of all in the end."""
    wanted = SHARE / (1 - SHARE) * len(split.x_train)
    images, labels = corrections_to_arrays(kept)
    times = max(1, round(wanted / len(labels)))
    return replace(
        split,
        x_train=np.concatenate([split.x_train, np.tile(images, (times, 1, 1))]),
        y_train=np.concatenate([split.y_train, np.tile(labels, times)]),
    )


def corrections_to_arrays(kept: Sequence[Correction]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(N, 28, 28) uint8 images and (N,) uint8 labels of at least one drawing."""
    return np.stack([drawing.image for drawing in kept]), np.array([drawing.label for drawing in kept], np.uint8)


def load_base_weights(model: Any, architecture: Architecture, base: str, non_digits: float) -> None:
    """Gives a Keras model the weights of another.

    Args:
        model: the new one, compiled.
        architecture: of both.
        base: SHIPPED_MODEL, or the id of a run.
        non_digits: their share, 0..1, of what the new one will be trained on.

    Raises:
        ModelError: the file of weights is missing, or is of another network.
    """
    model.set_weights(load_keras_model(architecture, model_folder(base) / "model.keras").get_weights())
    if non_digits:
        adjust_class_prior(model, NOT_A_DIGIT, mixture.ASSUMED_NON_DIGIT_SHARE, non_digits)


def load_keras_model(architecture: Architecture, path: Path) -> Any:
    """The Keras model, not compiled, with the weights of a model.keras, of which nothing else is read.

    Raises:
        ModelError: the file is missing, or is of another network.
    """
    model = build_model(architecture)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        why = " ".join(str(error).split())[:300]
        raise ModelError(f"{path} cannot be used ({why}). Train it again, or choose another model.") from None
    return model
