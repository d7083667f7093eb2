"""The settings beyond the first ones: schedule, optimizer, loss and weights, each a control in one fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_core.charts import rates as rate_charts
from mnist_core.fields import Choice, Integer, Number
from mnist_core.networks.bulk_edits import MIXED
from mnist_core.networks.layers import INITIALIZERS
from mnist_core.recipes import schedules
from mnist_core.recipes.overrides import LAYER_SETTINGS, setting_rules
from mnist_core.recipes.relevance import is_relevant
from mnist_core.recipes.settings import LOSSES, SCHEDULES, Settings
from pages.ui.shared import custom_network, figure, guard, state

PLACES = 400  # of the drawn schedule

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
"""Of the session, each the name of its setting."""

_NEEDED = (state.OPTIMIZER, state.MOMENTUM, state.SCHEDULE, state.LOSS)  # by what applies


def to_control_value(key: str, value: Any) -> Any:
    """The value as its control takes it: a file or a link may say 0 where 0.0 is meant."""
    return float(value) if isinstance(setting_rules()[key], Number) and key != state.LEARNING_RATE else value


def form_values(base: Settings) -> dict[str, Any]:
    """The settings as the controls say, less those that change nothing; `base`: of the recipe."""
    return {key: st.session_state[key] for key in KEYS if _applies(key, base)}


def _applies(key: str, base: Settings) -> bool:
    if custom_network.is_enabled() and key in LAYER_SETTINGS:
        return False  # its layers say that, each for itself
    return is_relevant(key, {name: st.session_state[name] for name in _NEEDED}, base.layers)


def show_advanced_settings(base: Settings, settings: Callable[[], Settings]) -> None:
    """The fold. What is in it is made when it is open.

    Args:
        base: of the recipe.
        settings: gives those that the whole form says.
    """
    changed = [key for key, value in form_values(base).items() if value != getattr(base, key)]
    names = f": {', '.join(key.replace('_', ' ') for key in changed)}" if changed else ""
    fold = st.expander(f"More settings{names}", key=state.ADVANCED_OPEN, on_change="rerun")
    if not fold.open:
        return
    with fold:
        _schedule(base)
        guard.try_action(lambda: curve(settings()), True)
        _optimizer(base)
        _loss(base)
        _weights(base)


def curve(settings: Settings) -> None:
    """The schedule, drawn before it is trained."""
    rates = schedules.learning_rates(settings, PLACES)
    alt = (
        f"Learning rate by epoch, schedule {settings.schedule}: from {rates[0]:.2g} over at most {rates.max():.2g} to "
        f"{rates[-1]:.2g} at the end of epoch {settings.epochs}"
    )
    drawn = rate_charts.schedule_curve(rates, settings.epochs)
    figure.show_chart(drawn, "The learning rate, epoch by epoch", alt, "schedule", "schedule_chart")


def _schedule(base: Settings) -> None:
    left, right = st.columns(2)
    left.selectbox("Schedule", SCHEDULES, key=state.SCHEDULE, help="How the learning rate changes while it trains.")
    _number(
        right,
        base,
        state.WARM_UP,
        "Warm-up share",
        0.05,
        "Share of all steps in which the rate first rises. 0: none; of one-cycle, a fifth.",
    )
    _number(left, base, state.DECAY_FACTOR, "Decay factor", 0.1, "What is left of the rate. For step and exponential.")
    _number(right, base, state.DECAY_EPOCHS, "Epochs for each decay", 1, "For step and exponential.")


def _optimizer(base: Settings) -> None:
    left, right = st.columns(2)
    _number(left, base, state.MOMENTUM, "Momentum", 0.05, "Share of the last step that is taken once more. For SGD.")
    right.toggle(
        "Nesterov",
        key=state.NESTEROV,
        disabled=not _applies(state.NESTEROV, base),
        help="Looks ahead along the momentum. For SGD with momentum.",
    )
    left, right = st.columns(2)
    _number(left, base, state.BETA_1, "Beta 1", 0.05, "How long Adam and AdamW remember gradients.")
    _number(right, base, state.BETA_2, "Beta 2", 0.001, "How long they remember squared gradients.")
    _number(
        left,
        base,
        state.WEIGHT_DECAY,
        "Weight decay",
        0.001,
        "Draws weights towards 0 in each step. 0: as the optimizer has it, 0.004 for AdamW, else none.",
    )
    _number(
        right,
        base,
        state.GRADIENT_CLIPPING,
        "Gradient clipping",
        0.5,
        "The longest a gradient may be, all weights together. 0: any length.",
    )


def _loss(base: Settings) -> None:
    left, right = st.columns(2)
    left.selectbox(
        "Loss",
        list(LOSSES),
        key=state.LOSS,
        help="What the training makes small. Validation and test always tell the cross-entropy, so that "
        "runs can be compared.",
    )
    _number(
        right,
        base,
        state.LABEL_SMOOTHING,
        "Label smoothing",
        0.05,
        "Share of the target spread over all digits. For cross-entropy and focal.",
    )


def _weights(base: Settings) -> None:
    left, right = st.columns(2)
    mixed = [MIXED] if MIXED in (base.kernel_initializer, st.session_state[state.KERNEL_INITIALIZER]) else []
    left.selectbox(
        "Initialiser",
        [*INITIALIZERS, *mixed],
        key=state.KERNEL_INITIALIZER,
        disabled=custom_network.is_enabled(),
        help="How the first weights of all layers are drawn.",
    )
    _number(
        right,
        base,
        state.WEIGHT_AVERAGING,
        "Weight averaging",
        0.1,
        "Momentum of a moving average of the weights, which is kept in their stead. 0: none.",
    )
    _number(
        left,
        base,
        state.NORMALIZATION_MOMENTUM,
        "Normalisation memory",
        0.01,
        "Momentum of batch normalisation: how slowly its means follow. For networks that have one.",
    )


def _number(column: Any, base: Settings, key: str, label: str, step: float, about: str) -> None:
    """A field that takes what the setting may hold, and can be used where it makes a difference."""
    rule = setting_rules()[key]
    if isinstance(rule, Choice):
        raise TypeError(f"{key} is chosen from a menu: give it one.")
    kind = int if isinstance(rule, Integer) else float
    column.number_input(
        label,
        kind(rule.low),
        kind(rule.high),
        step=kind(step),
        format="%d" if kind is int else "%g",
        key=key,
        help=about,
        disabled=not _applies(key, base),
    )
