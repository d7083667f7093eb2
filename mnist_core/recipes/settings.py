"""The settings of a training and their allowed values."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.splits import SPLITS
from mnist_core.errors import SettingError
from mnist_core.fields import Choice, Integer, Number, allowed, rule_of, rule_violations
from mnist_core.handwriting.mixture import MIXTURES
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.bulk_edits import dropout_rate, normalization_momentum, shared_initializer
from mnist_core.networks.layers import Layer

OPTIMIZERS = {"SGD": 0.01, "RMSprop": 0.001, "Adam": 0.001, "AdamW": 0.001}
"""Default learning rate by optimizer."""

SCHEDULES = ("constant", "step", "exponential", "cosine", "one-cycle")
"""Learning-rate schedules; formulas in `schedules`."""
LOSSES = {
    "cross-entropy": "CategoricalCrossentropy",
    "focal": "CategoricalFocalCrossentropy",
    "squared-error": "MeanSquaredError",
    "hinge": "CategoricalHinge",
}
"""Keras class by training loss. Validation and test always report cross-entropy, so that runs can be compared."""
SMOOTHED_LOSSES = ("cross-entropy", "focal")
"""Losses that support label smoothing."""
SPLIT_NAMES = tuple(SPLITS)
"""Names of the splits of the data."""


@dataclass(frozen=True)
class Settings:
    """Everything that determines how a model is trained, except the data and the seed.

    Attributes:
        layers: the network.
        batch_size: images per step.
        epochs: passes over the training images.
        optimizer: one of OPTIMIZERS.
        learning_rate: learning rate; the peak of a schedule.
        schedule: `constant`; `step` and `exponential`: multiply by `decay_factor` every `decay_epochs` epochs, at
            once or smoothly; `cosine`: decay to zero; `one-cycle`: linear rise over the first fifth of all steps, then
            cosine decay to zero.
        warm_up: share of all steps, 0..0.9, in which the rate first rises linearly from 1/25 of its peak; the schedule
            starts after it. 0 means none, or one fifth for `one-cycle`.
        decay_factor: 0.001..1; for `step` and `exponential`.
        decay_epochs: epochs per decay; for `step` and `exponential`.
        momentum: 0..0.9999; for SGD.
        nesterov: use Nesterov momentum (Nesterov, 1983); for SGD with momentum.
        beta_1: decay of the first moment, for Adam and AdamW.
        beta_2: decay of the second moment, for Adam and AdamW.
        weight_decay: decoupled weight decay (Loshchilov and Hutter, 2019). 0 means the optimizer's default: 0.004 for
            AdamW, none for the others.
        gradient_clipping: largest global norm of the gradient, or 0 for no clipping.
        weight_averaging: momentum, per step, of an exponential moving average that replaces the weights; 0 for none.
        loss: one of LOSSES.
        label_smoothing: share of the target that is spread over all classes; for SMOOTHED_LOSSES.
        augmentation: one of AUGMENTATIONS.
        drawings: one of MIXTURES: drawings that are added to MNIST.
        patience: epochs without a lower validation loss after which training stops and restores the best; 0 for none.
        time_budget: seconds after which training stops; 0 for no limit.
        target_accuracy: validation accuracy, 0..1, at which training stops; 0 for none.
        split: one of SPLIT_NAMES.
        uncentered: each digit is at a random position in a 56×56 image.
        one_hot: use one-hot labels (categorical cross-entropy) instead of integers (sparse); the loss is the same.
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
        for violation in rule_violations(self):
            raise SettingError(f"Invalid settings: {violation}.")
        for declared in fields(self):
            if isinstance(rule_of(declared), Number):  # Keras refuses a learning rate of 1, but not of 1.0
                object.__setattr__(self, declared.name, float(getattr(self, declared.name)))
        if self.uncentered and self.drawings != "none":
            raise SettingError("drawings are 28×28 and cannot be mixed with uncentered digits: set drawings to none.")
        if self.label_smoothing and self.loss not in SMOOTHED_LOSSES:
            raise SettingError(
                f"label_smoothing is {self.label_smoothing:g}, but the loss {self.loss} does not support it: "
                f"set it to 0, or the loss to {' or '.join(SMOOTHED_LOSSES)}."
            )
        _ = self.architecture

    @property
    def architecture(self) -> Architecture:
        """The network. Raises ArchitectureError if it cannot be built."""
        return Architecture(self.layers, 56 if self.uncentered else 28)

    @property
    def dropout(self) -> float:
        """The rate of the first Dropout, or 0 without one."""
        return dropout_rate(self.layers)

    @property
    def kernel_initializer(self) -> str:
        """The initializer that every Conv2D and Dense has, or MIXED."""
        return shared_initializer(self.layers)

    @property
    def batch_normalization_momentum(self) -> float:
        """The momentum of the first BatchNormalization."""
        return normalization_momentum(self.layers)

    @property
    def categorical(self) -> bool:
        """True if labels are one-hot, because of `one_hot` or because the loss needs it."""
        return self.one_hot or self.label_smoothing > 0 or self.loss != "cross-entropy"
