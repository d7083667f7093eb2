"""The advanced settings: schedule, optimizer, loss and weights, in an expander of the training form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.charts import rates as rate_charts
from mnist_core.fields import Choice, Integer, Number
from mnist_core.networks.bulk_edits import MIXED
from mnist_core.networks.layers import INITIALIZERS
from mnist_core.recipes import schedules
from mnist_core.recipes.overrides import LAYER_SETTINGS, setting_rules
from mnist_core.recipes.relevance import is_relevant
from mnist_core.recipes.settings import LOSSES, SCHEDULES, Settings
from mnist_core.runs import findings
from mnist_core.training import time_model
from mnist_core.training.batches import steps_per_epoch
from pages.ui.shared import custom_network, figure, formatting, guard, state

SCHEDULE_POINTS = 400
"""Most points of the drawn schedule."""

KEYS = (
    state.SCHEDULE,
    state.WARM_UP,
    state.DECAY_FACTOR,
    state.DECAY_EPOCHS,
    state.MOMENTUM,
    state.NESTEROV,
    state.BETA_1,
    state.BETA_2,
    state.WEIGHT_DECAY,
    state.GRADIENT_CLIPPING,
    state.LOSS,
    state.LABEL_SMOOTHING,
    state.WEIGHT_AVERAGING,
    state.KERNEL_INITIALIZER,
    state.NORMALIZATION_MOMENTUM,
)
"""Session keys of the advanced settings. Each is the name of its setting."""
DECIDING_KEYS = (state.OPTIMIZER, state.MOMENTUM, state.SCHEDULE, state.LOSS)
"""Session keys of the settings that decide which others have an effect."""


def to_control_value(key: str, value: Any) -> Any:
    """The value of a setting as its widget takes it. A file or a link may contain 0 instead of 0.0."""
    return float(value) if isinstance(setting_rules()[key], Number) and key != state.LEARNING_RATE else value


def form_values(base: Settings) -> dict[str, Any]:
    """The advanced settings of the form, without those that have no effect. `base`: the recipe's settings."""
    return {key: st.session_state[key] for key in KEYS if _has_effect(key, base)}


def _has_effect(key: str, base: Settings) -> bool:
    if custom_network.is_enabled() and key in LAYER_SETTINGS:
        return False  # each layer of a custom network has its own
    return is_relevant(key, {name: st.session_state[name] for name in DECIDING_KEYS}, base.layers)


def show_advanced_settings(base: Settings, settings: Callable[[], Settings]) -> None:
    """The expander. Its content is created when it is open.

    Args:
        base: the recipe's settings.
        settings: returns the settings of the whole form.
    """
    changed = [key.replace("_", " ") for key, value in form_values(base).items() if value != getattr(base, key)]
    label = f"Advanced settings: {formatting.escape_markdown(', '.join(changed))}" if changed else "Advanced settings"
    expander = st.expander(label, key=state.ADVANCED_OPEN, on_change="rerun")
    if not expander.open:
        return
    with expander:
        _show_schedule(base)
        guard.try_action(lambda: _show_schedule_curve(settings()), True)
        _show_optimizer(base)
        _show_loss(base)
        _show_weights(base)


def _show_schedule(base: Settings) -> None:
    left, right = st.columns(2)
    left.selectbox("Schedule", SCHEDULES, key=state.SCHEDULE, help="How the learning rate changes during training.")
    _show_number(
        right,
        base,
        state.WARM_UP,
        "Warm-up share",
        0.05,
        "Share of all steps during which the learning rate rises to its peak. 0: none; a fifth for one-cycle.",
    )
    _show_number(
        left,
        base,
        state.DECAY_FACTOR,
        "Decay factor",
        0.1,
        "The learning rate is multiplied by this at each decay. For step and exponential.",
    )
    _show_number(
        right, base, state.DECAY_EPOCHS, "Epochs per decay", 1, "How often the rate decays. For step and exponential."
    )


def _show_schedule_curve(settings: Settings) -> None:
    images = time_model.training_images(settings, st.session_state[state.DATA])
    steps = settings.epochs * steps_per_epoch(images, settings)
    first, peak, last = schedules.rate_extremes(settings, steps)
    alt = (
        f"Learning rate by epoch, {settings.schedule} schedule: starts at {first:.2g}, peaks at {peak:.2g} "
        f"and ends at {last:.2g} after epoch {settings.epochs}"
    )
    rates = schedules.learning_rates(settings, min(steps, SCHEDULE_POINTS))
    chart = rate_charts.schedule_curve(rates, settings.epochs)
    finding = findings.learning_rates(first, peak, last, schedules.warm_up_share(settings) * settings.epochs)
    figure.show_chart(chart, "Learning rate by epoch", alt, "schedule", "schedule_chart", finding=finding)


def _show_optimizer(base: Settings) -> None:
    left, right = st.columns(2)
    _show_number(
        left, base, state.MOMENTUM, "Momentum", 0.05, "Share of the last step that is added to the next. For SGD."
    )
    right.toggle(
        "Nesterov",
        key=state.NESTEROV,
        disabled=not _has_effect(state.NESTEROV, base),
        help="Computes the gradient where the momentum leads. For SGD with momentum.",
    )
    left, right = st.columns(2)
    _show_number(
        left, base, state.BETA_1, "Beta 1", 0.05, "Decay rate of the mean of past gradients. For Adam and AdamW."
    )
    _show_number(
        right, base, state.BETA_2, "Beta 2", 0.001, "Decay rate of the mean of squared gradients. For Adam and AdamW."
    )
    _show_number(
        left,
        base,
        state.WEIGHT_DECAY,
        "Weight decay",
        0.001,
        "Pulls the weights toward 0 in each step. 0: the optimizer's default, 0.004 for AdamW and none otherwise.",
    )
    _show_number(
        right,
        base,
        state.GRADIENT_CLIPPING,
        "Gradient clipping",
        0.5,
        "Largest norm of the gradient of all weights together. 0: no limit.",
    )


def _show_loss(base: Settings) -> None:
    left, right = st.columns(2)
    left.selectbox(
        "Loss",
        list(LOSSES),
        key=state.LOSS,
        help="What training minimizes. Validation and test loss are always cross-entropy, so runs stay comparable.",
    )
    _show_number(
        right,
        base,
        state.LABEL_SMOOTHING,
        "Label smoothing",
        0.05,
        "Share of the target that is spread over all digits. For cross-entropy and focal.",
    )


def _show_weights(base: Settings) -> None:
    left, right = st.columns(2)
    mixed = [MIXED] if MIXED in (base.kernel_initializer, st.session_state[state.KERNEL_INITIALIZER]) else []
    left.selectbox(
        "Initializer",
        [*INITIALIZERS, *mixed],
        key=state.KERNEL_INITIALIZER,
        disabled=custom_network.is_enabled(),
        help="Distribution of the initial weights of all layers.",
    )
    _show_number(
        right,
        base,
        state.WEIGHT_AVERAGING,
        "Weight averaging",
        0.1,
        "Momentum of a moving average of the weights. The model ends up with the average. 0: none.",
    )
    _show_number(
        left,
        base,
        state.NORMALIZATION_MOMENTUM,
        "Normalization momentum",
        0.01,
        "Momentum of the moving averages in batch normalization. For networks that have it.",
    )


def _show_number(column: DeltaGenerator, base: Settings, key: str, label: str, step: float, help_text: str) -> None:
    """An input with the limits of its setting, disabled while the setting has no effect."""
    rule = setting_rules()[key]
    if isinstance(rule, Choice):
        raise TypeError(f"{key} is a choice, not a number: show it as a menu.")
    kind = int if isinstance(rule, Integer) else float
    column.number_input(
        label,
        kind(rule.low),
        kind(rule.high),
        st.session_state[key],  # as the default, too: what an emptied input goes back to
        step=kind(step),
        format="%d" if kind is int else "%g",
        key=key,
        help=help_text,
        disabled=not _has_effect(key, base),
    )
