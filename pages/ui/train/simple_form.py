"""The settings in Simple mode: recipe cards, and sliders for epochs, batch size and learning rate."""

from __future__ import annotations

import streamlit as st

from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.recipes import recipes
from mnist_core.training import expected_time
from pages.ui.shared import caches, formatting, settings_form, state

SIMPLE_RECIPES = ("fast", "lesson08-mlp", "fleming-cnn", "canvas")
"""The recipes with a card: a fast one, without and with convolutions, and one made for drawings."""
SHOWN = ("epochs", "batch_size", "learning_rate")
"""Settings with a slider."""


def show_simple_form() -> None:
    """The cards and the sliders, and a line about all other settings that are not the recipe's."""
    current = st.session_state[state.RECIPE]
    names = [*SIMPLE_RECIPES, *([current] if current not in SIMPLE_RECIPES else [])]
    st.radio(
        "Recipe",
        names,
        format_func=_card_title,
        captions=[_card_text(name) for name in names],
        key=state.RECIPE,
        width="stretch",
        on_change=settings_form.fill_from_recipe,
    )
    settings_form.show_sliders(*st.columns(2))
    _show_hidden_settings()


def _card_title(name: str) -> str:
    return f"**{formatting.escape_markdown(name)}** · {recipes.RECIPES[name].title}"


def _card_text(name: str) -> str:
    """Time and accuracy that a recipe can be expected to reach. Empty for a custom data set: both are about MNIST."""
    recipe, data = recipes.RECIPES[name], st.session_state[state.DATA]
    if data == "full" and caches.custom_dataset():
        return ""
    seconds = expected_time.expected_seconds(name, recipe.settings, data, caches.machine_slowness())
    parts = [f"about {_roughly(seconds)} here"] if seconds else []
    if recipe.test_accuracy and data == "full":
        parts.append(f"reads {recipe.test_accuracy:.1%} of the test digits")
    return ", ".join(parts)


def _roughly(seconds: float) -> str:
    """A duration without false precision: `7 s`, `4 min`, `2 h`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"


def _show_hidden_settings() -> None:
    """Names the settings that have no widget here and differ from the recipe's."""
    hidden = settings_form.form_overrides()
    layers = hidden.pop(LAYERS_KEY, None)
    parts = [f"a network of {len(layers)} layers"] if layers else []
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in hidden.items() if name not in SHOWN]
    parts += [f"seed {st.session_state[state.SEED]}"] if st.session_state[state.SEED] else []
    parts += ["the offline sample of 5,000 digits"] if st.session_state[state.DATA] == "sample" else []
    if parts:
        st.caption(f"Also set: {formatting.escape_markdown(', '.join(parts))}.")
        st.button("Change these in Expert mode", type="tertiary", on_click=_switch_to_expert)


def _switch_to_expert() -> None:
    st.session_state[state.EXPERT] = True
