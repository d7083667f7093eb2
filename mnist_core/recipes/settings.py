"""x"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.splits import SPLITS
from mnist_core.errors import SettingError
from mnist_core.fields import Choice, Integer, Number, allowed, rule_violations
from mnist_core.handwriting.mixture import MIXTURES
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.bulk_edits import (
    dropout_rate,
    normalization_momentum,
    shared_initializer,
)
from mnist_core.networks.layers import (
    Layer,
)

OPTIMIZERS = {"SGD": 0.01, "RMSprop": 0.001, "Adam": 0.001, "AdamW": 0.001}
"""Optimizer -> learning rate to begin with."""

SCHEDULES = ("constant", "step", "exponential", "cosine", "one-cycle")
LOSSES = {
    "cross-entropy": "CategoricalCrossentropy",
    "focal": "CategoricalFocalCrossentropy",
    "squared-error": "MeanSquaredError",
    "hinge": "CategoricalHinge",
}
"""Loss that is trained -> Keras's class. Validation and test always tell the cross-entropy, so that runs compare."""
SMOOTHED_LOSSES = ("cross-entropy", "focal")
SPLIT_NAMES = tuple(SPLITS)


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a model is trained, but for the data and the seed.

    Attributes:
        layers: the network.
        batch_size: images a step.
        epochs: passes over the training images.
        optimizer: one of OPTIMIZERS.
        learning_rate: of the optimizer; the peak of a schedule.
        schedule: `constant`; `step` and `exponential`: times `decay_factor` in every `decay_epochs` epochs, at once or
            little by little; `cosine`: from the full rate to zero; `one-cycle`: a linear rise over the first fifth of
            all steps, then a cosine to zero.
        warm_up: share of all steps, 0..0.9, in which the rate first rises linearly from a twenty-fifth of its peak;
            0 for none, and for the fifth of `one-cycle`. The schedule begins where it ends.
        decay_factor: what is left of the rate, 0.001..1; for `step` and `exponential`.
        decay_epochs: after so many epochs each; for `step` and `exponential`.
        momentum: share of the last step that is taken once more, 0..0.9999; for SGD.
        nesterov: the gradient is taken where the momentum will lead (Nesterov, 1983); for SGD with momentum.
        beta_1: decay of the first moment, for Adam and AdamW.
        beta_2: decay of the second moment, for Adam and AdamW.
        weight_decay: share of each weight that is taken away in each step, times the learning rate (Loshchilov and
            Hutter, 2019); 0 for the optimizer's own, which is 0.004 for AdamW and none for the others.
        gradient_clipping: 0, or the length to which the gradient of all weights together is cut where it is longer.
        weight_averaging: 0, or the momentum a step of the moving average of the weights that is kept in their stead.
        loss: what is made small; one of LOSSES.
        label_smoothing: share of the target spread over all classes; for SMOOTHED_LOSSES.
        augmentation: one of AUGMENTATIONS.
        drawings: one of MIXTURES: what is drawn to train on beside MNIST.
        patience: 0, or after how many epochs without a lower validation loss it stops, and restores the best one.
        time_budget: 0, or seconds after which it stops.
        target_accuracy: 0, or the validation accuracy, 0..1, at which it stops.
        split: which images train, validate and test; one of SPLIT_NAMES.
        uncentered: each digit somewhere in a 56×56 field.
        one_hot: labels as ten numbers (categorical cross-entropy) and not as one (sparse); the loss is the same.
    """

    layers: tuple[Layer, ...]
    batch_size: int = allowed(Integer(1, 60_000))
    epochs: int = allowed(Integer(1, 1000))
    optimizer: str = allowed(Choice(tuple(OPTIMIZERS)), "Adam")
    learning_rate: float = allowed(Number(0, 10, above=True), 0.001)
    schedule: str = allowed(Choice(SCHEDULES), "constant")
    warm_up: float = allowed(Number(0, 0.9), 0.0)
    decay_factor: float = allowed(Number(0.001, 1), 0.5)
    decay_epochs: int = allowed(Integer(1, 1000), 1)
    momentum: float = allowed(Number(0, 0.9999), 0.9)
    nesterov: bool = allowed(Choice((True, False)), False)
    beta_1: float = allowed(Number(0, 0.9999), 0.9)
    beta_2: float = allowed(Number(0, 0.99999), 0.999)
    weight_decay: float = allowed(Number(0, 1), 0.0)
    gradient_clipping: float = allowed(Number(0, 1000), 0.0)
    weight_averaging: float = allowed(Number(0, 0.99999), 0.0)
    loss: str = allowed(Choice(tuple(LOSSES)), "cross-entropy")
    label_smoothing: float = allowed(Number(0, 0.5), 0.0)
    augmentation: str = allowed(Choice(tuple(AUGMENTATIONS)), "none")
    drawings: str = allowed(Choice(tuple(MIXTURES)), "none")
    patience: int = allowed(Integer(0, 1000), 0)
    time_budget: float = allowed(Number(0, 1e6), 0.0)
    target_accuracy: float = allowed(Number(0, 1), 0.0)
    split: str = allowed(Choice(SPLIT_NAMES), "last-sixth")
    uncentered: bool = allowed(Choice((True, False)), False)
    one_hot: bool = allowed(Choice((True, False)), False)

    def __post_init__(self) -> None:
        for complaint in rule_violations(self):
            raise SettingError(f"This cannot be trained: {complaint}.")
        if self.uncentered and self.drawings != "none":
            raise SettingError("drawings are 28×28 and cannot be mixed with uncentered digits: set drawings to none.")
        if self.label_smoothing and self.loss not in SMOOTHED_LOSSES:
            raise SettingError(
                f"label_smoothing is {self.label_smoothing:g}, but the loss {self.loss} takes none: set it to 0, or "
                f"the loss to {' or '.join(SMOOTHED_LOSSES)}."
            )
        _ = self.architecture

    @property
    def architecture(self) -> Architecture:
        """The network, checked: raises ArchitectureError where it cannot work."""
        return Architecture(self.layers, 56 if self.uncentered else 28)

    @property
    def dropout(self) -> float:
        """The rate of the network's dropout, 0 where it has none."""
        return dropout_rate(self.layers)

    @property
    def kernel_initializer(self) -> str:
        """How the weights of all convolutions and dense layers are drawn, or MIXED."""
        return shared_initializer(self.layers)

    @property
    def batch_normalization_momentum(self) -> float:
        """The momentum a step of the means and variances that the first batch normalisation keeps."""
        return normalization_momentum(self.layers)

    @property
    def categorical(self) -> bool:
        """Whether labels are ten numbers: asked for, or because the loss needs them."""
        return self.one_hot or self.label_smoothing > 0 or self.loss != "cross-entropy"
