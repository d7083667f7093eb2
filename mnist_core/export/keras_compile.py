"""Optimizer, schedule and loss of a training as Keras source: what `training` makes of the same settings."""

from __future__ import annotations

import textwrap

from mnist_core.recipes.schedules import WARM_UP_START, warm_up_share
from mnist_core.recipes.settings import LOSSES, OPTIMIZERS, Settings

LINE_LENGTH = 79  # PEP 8

_COSINES = ("cosine", "one-cycle")
_LOSS_NAMES = {
    "cross-entropy": '"categorical_crossentropy"',
    "focal": '"categorical_focal_crossentropy"',
    "squared-error": '"mean_squared_error"',
    "hinge": '"categorical_hinge"',
}

_WARM_UP = '''class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to a learning rate, then what comes after it."""

    def __init__(self, peak, steps, after):
        self.peak, self.steps, self.after = peak, steps, after

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        share = {begin:g} + {rest:g} * step / self.steps
        after = self.after(keras.ops.maximum(step - self.steps, 0))
        return keras.ops.where(step < self.steps, self.peak * share, after)


'''


def warm_up_class_source(settings: Settings) -> str:
    """A schedule that rises first; empty where none is wanted, and for the cosine, of which Keras has one."""
    if not warm_up_share(settings) or settings.schedule in _COSINES:
        return ""
    return _WARM_UP.format(begin=WARM_UP_START, rest=1 - WARM_UP_START).removesuffix("\n")


def schedule_lines(settings: Settings) -> list[str]:
    """Lines that make `rate`, with `steps` those of an epoch; none where the optimizer's own default will do."""
    rising, peak = warm_up_share(settings), repr(settings.learning_rate)
    if settings.schedule in _COSINES:
        return _cosine(settings, rising)
    if settings.schedule == "constant":
        if rising:
            return [f"rate = WarmUp({peak}, {rising!r} * EPOCHS * steps, lambda step: {peak})"]
        return [f"rate = {peak}"] if _needs_rate(settings) else []
    staircase = ", staircase=True" if settings.schedule == "step" else ""
    every = "steps" if settings.decay_epochs == 1 else f"{settings.decay_epochs} * steps"
    lines = [
        "rate = keras.optimizers.schedules.ExponentialDecay(",
        f"    {peak}, {every}, {settings.decay_factor!r}{staircase})",
    ]
    return [*lines, f"rate = WarmUp({peak}, {rising!r} * EPOCHS * steps, rate)"] if rising else lines


def _cosine(settings: Settings, rising: float) -> list[str]:
    steps, cosine = "EPOCHS * steps", "rate = keras.optimizers.schedules.CosineDecay("
    if not rising:
        return [f"{cosine}{settings.learning_rate!r}, {steps})"]
    return [
        cosine + "  # a linear rise, then a cosine",
        f"    {settings.learning_rate * WARM_UP_START:.12g}, {1 - rising:.12g} * {steps},",
        f"    warmup_target={settings.learning_rate!r}, warmup_steps={rising:.12g} * {steps})",
    ]


def _needs_rate(settings: Settings) -> bool:
    usual = settings.learning_rate == OPTIMIZERS[settings.optimizer]
    return settings.schedule != "constant" or settings.warm_up > 0 or not usual


def optimizer_lines(settings: Settings) -> list[str]:
    """Lines of `model.compile(`, with `rate` as `schedule` makes it."""
    given = _optimizer_arguments(settings)
    whole = f"    optimizer=keras.optimizers.{settings.optimizer}({', '.join(given)}),"
    if len(whole) <= LINE_LENGTH:
        return [whole]
    lines = textwrap.wrap(f"{', '.join(given)}),", LINE_LENGTH - 8, break_long_words=False, break_on_hyphens=False)
    return [f"    optimizer=keras.optimizers.{settings.optimizer}(", *("        " + line for line in lines)]


def _optimizer_arguments(settings: Settings) -> list[str]:
    """Less what is Keras's default."""
    given = ["rate"] if _needs_rate(settings) else []
    if settings.optimizer == "SGD" and settings.momentum:
        given += [f"momentum={settings.momentum!r}", *["nesterov=True"] * settings.nesterov]
    if settings.optimizer in ("Adam", "AdamW"):
        usual = (("beta_1", 0.9), ("beta_2", 0.999))
        given += [f"{name}={getattr(settings, name)!r}" for name, value in usual if getattr(settings, name) != value]
    if settings.weight_decay:
        given.append(f"weight_decay={settings.weight_decay!r}")
    if settings.gradient_clipping:
        given.append(f"global_clipnorm={settings.gradient_clipping!r}")
    if settings.weight_averaging:
        given += ["use_ema=True", f"ema_momentum={settings.weight_averaging!r}"]
    return given


def loss_argument(settings: Settings) -> str:
    """For `model.compile(loss=`."""
    if settings.label_smoothing:
        return f"keras.losses.{LOSSES[settings.loss]}(label_smoothing={settings.label_smoothing!r})"
    return _LOSS_NAMES[settings.loss] if settings.categorical else '"sparse_categorical_crossentropy"'


def metrics_lines(settings: Settings) -> list[str]:
    """The last lines of `model.compile(`."""
    faster = "jit_compile=False)  # on a CPU that is faster"
    if not _waits_for_another(settings):
        return [f'    metrics=["accuracy"], {faster}']
    return ['    metrics=["accuracy", "categorical_crossentropy"],', f"    {faster}"]


def monitor_lines(settings: Settings) -> list[str]:
    """Lines of `EarlyStopping(`."""
    return ['    monitor="val_categorical_crossentropy", mode="min",'] if _waits_for_another(settings) else []


def _waits_for_another(settings: Settings) -> bool:
    """Whether Keras's patience would go by the loss that is trained: that of a run goes by the plain cross-entropy."""
    return settings.patience > 0 and (settings.loss != "cross-entropy" or settings.label_smoothing > 0)
