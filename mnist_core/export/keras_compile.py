"""The part of the Keras script that compiles the model: learning-rate schedule, optimizer, loss and metrics.

All functions return source code. It does what `training` does with the same settings.
"""

from __future__ import annotations

import textwrap

from mnist_core.recipes.schedules import WARM_UP_START, warm_up_share
from mnist_core.recipes.settings import LOSSES, OPTIMIZERS, Settings

LINE_LENGTH = 79
"""Of PEP 8."""

_COSINE_SCHEDULES = ("cosine", "one-cycle")
_LOSS_NAMES = {
    "cross-entropy": '"categorical_crossentropy"',
    "focal": '"categorical_focal_crossentropy"',
    "squared-error": '"mean_squared_error"',
    "hinge": '"categorical_hinge"',
}

_WARM_UP = '''class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Raises the learning rate linearly, then follows another schedule."""

    def __init__(self, peak, steps, after):
        self.peak, self.steps, self.after = peak, steps, after

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        share = {start:g} + {rest:g} * step / self.steps
        after = self.after(keras.ops.maximum(step - self.steps, 0))
        return keras.ops.where(step < self.steps, self.peak * share, after)


'''


def warm_up_class_source(settings: Settings) -> str:
    """Defines a schedule with warm-up. Empty without warm-up, and for cosine schedules: Keras has one with warm-up."""
    if not warm_up_share(settings) or settings.schedule in _COSINE_SCHEDULES:
        return ""
    return _WARM_UP.format(start=WARM_UP_START, rest=1 - WARM_UP_START).removesuffix("\n")


def schedule_lines(settings: Settings) -> list[str]:
    """Lines that define `rate`, given `steps` per epoch. Empty if the optimizer's default learning rate is used."""
    warm_up, peak = warm_up_share(settings), repr(settings.learning_rate)
    if settings.schedule in _COSINE_SCHEDULES:
        return _cosine_lines(settings, warm_up)
    if settings.schedule == "constant":
        if warm_up:
            return [f"rate = WarmUp({peak}, {warm_up!r} * EPOCHS * steps, lambda step: {peak})"]
        return [f"rate = {peak}"] if _needs_rate(settings) else []
    staircase = ", staircase=True" if settings.schedule == "step" else ""
    decay_steps = "steps" if settings.decay_epochs == 1 else f"{settings.decay_epochs} * steps"
    lines = [
        "rate = keras.optimizers.schedules.ExponentialDecay(",
        f"    {peak}, {decay_steps}, {settings.decay_factor!r}{staircase})",
    ]
    return [*lines, f"rate = WarmUp({peak}, {warm_up!r} * EPOCHS * steps, rate)"] if warm_up else lines


def _cosine_lines(settings: Settings, warm_up: float) -> list[str]:
    total, cosine = "EPOCHS * steps", "rate = keras.optimizers.schedules.CosineDecay("
    if not warm_up:
        return [f"{cosine}{settings.learning_rate!r}, {total})"]
    return [
        cosine + "  # after a linear warm-up",
        f"    {settings.learning_rate * WARM_UP_START:.12g}, {1 - warm_up:.12g} * {total},",
        f"    warmup_target={settings.learning_rate!r}, warmup_steps={warm_up:.12g} * {total})",
    ]


def _needs_rate(settings: Settings) -> bool:
    is_default = settings.learning_rate == OPTIMIZERS[settings.optimizer]
    return settings.schedule != "constant" or settings.warm_up > 0 or not is_default


def optimizer_lines(settings: Settings) -> list[str]:
    """The lines of `model.compile(` for the optimizer, given `rate` as defined by `schedule_lines`."""
    arguments = ", ".join(_optimizer_arguments(settings))
    line = f"    optimizer=keras.optimizers.{settings.optimizer}({arguments}),"
    if len(line) <= LINE_LENGTH:
        return [line]
    wrapped = textwrap.wrap(f"{arguments}),", LINE_LENGTH - 8, break_long_words=False, break_on_hyphens=False)
    return [f"    optimizer=keras.optimizers.{settings.optimizer}(", *("        " + part for part in wrapped)]


def _optimizer_arguments(settings: Settings) -> list[str]:
    """Those that differ from Keras's defaults."""
    arguments = ["rate"] if _needs_rate(settings) else []
    if settings.optimizer == "SGD" and settings.momentum:
        arguments.append(f"momentum={settings.momentum!r}")
        if settings.nesterov:
            arguments.append("nesterov=True")
    if settings.optimizer in ("Adam", "AdamW"):
        for name, default in (("beta_1", 0.9), ("beta_2", 0.999)):
            if getattr(settings, name) != default:
                arguments.append(f"{name}={getattr(settings, name)!r}")
    if settings.weight_decay:
        arguments.append(f"weight_decay={settings.weight_decay!r}")
    if settings.gradient_clipping:
        arguments.append(f"global_clipnorm={settings.gradient_clipping!r}")
    if settings.weight_averaging:
        arguments += ["use_ema=True", f"ema_momentum={settings.weight_averaging!r}"]
    return arguments


def loss_argument(settings: Settings) -> str:
    """The value of `loss=` in `model.compile(`."""
    if settings.label_smoothing:
        return f"keras.losses.{LOSSES[settings.loss]}(label_smoothing={settings.label_smoothing!r})"
    return _LOSS_NAMES[settings.loss] if settings.categorical else '"sparse_categorical_crossentropy"'


def metrics_lines(settings: Settings) -> list[str]:
    """The last lines of `model.compile(`."""
    jit_compile = "jit_compile=False)  # faster on CPUs"
    if not _monitors_cross_entropy(settings):
        return [f'    metrics=["accuracy"], {jit_compile}']
    return ['    metrics=["accuracy", "categorical_crossentropy"],', f"    {jit_compile}"]


def monitor_lines(settings: Settings) -> list[str]:
    """The lines of `EarlyStopping(` that choose the metric. Empty if it is the loss, which is Keras's default."""
    if not _monitors_cross_entropy(settings):
        return []
    return ['    monitor="val_categorical_crossentropy", mode="min",']


def _monitors_cross_entropy(settings: Settings) -> bool:
    """True if early stopping needs a metric: a run monitors the plain cross-entropy, even if it trains another loss."""
    return settings.patience > 0 and (settings.loss != "cross-entropy" or settings.label_smoothing > 0)
