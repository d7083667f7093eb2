"""The custom network of this session: its layers, the undo history, and whether it is used instead of the recipe's."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.networks.layers import Layer
from mnist_core.recipes import recipes
from mnist_core.recipes.overrides import overrides_for
from mnist_core.recipes.settings import Settings
from pages.ui.shared import state

MAX_UNDO = 100


def is_enabled() -> bool:
    """Whether the custom network is trained instead of the recipe's."""
    return bool(st.session_state.get(state.CUSTOM_NETWORK))


def current_layers() -> tuple[Layer, ...]:
    """The layers of the custom network, which starts as the recipe's."""
    if state.CUSTOM_LAYERS not in st.session_state:
        st.session_state[state.CUSTOM_LAYERS] = recipes.find_recipe(st.session_state[state.RECIPE]).settings.layers
    return tuple(st.session_state[state.CUSTOM_LAYERS])


def replace_layers(layers: Sequence[Layer], selected: int | None = None) -> None:
    """Replaces the layers and adds the old ones to the undo history.

    Args:
        layers: the new ones.
        selected: index of the layer to select; by default the selection stays, as far as there is such a layer.
    """
    before = current_layers() if state.CUSTOM_LAYERS in st.session_state else None
    if tuple(layers) != before:
        history = st.session_state.get(state.CUSTOM_UNDO, ())
        st.session_state[state.CUSTOM_UNDO] = history if before is None else (*history, before)[-MAX_UNDO:]
        st.session_state[state.CUSTOM_LAYERS] = tuple(layers)
    wanted = st.session_state.get(state.SELECTED_LAYER) if selected is None else selected
    last = max(0, len(layers) - 1)
    st.session_state[state.SELECTED_LAYER] = min(max(wanted, 0), last) if isinstance(wanted, int) else 0


def can_undo() -> bool:
    """Whether there is a change to undo."""
    return bool(st.session_state.get(state.CUSTOM_UNDO))


def undo() -> None:
    """Undoes the last change of the layers."""
    history = st.session_state.get(state.CUSTOM_UNDO, ())
    if history:
        replace_layers(history[-1])
        st.session_state[state.CUSTOM_UNDO] = history[:-1]


def take_from_run(settings: Settings, base: Settings) -> None:
    """Enables the custom network, with a run's layers, if these differ from its recipe's; otherwise disables it.

    Args:
        settings: of the run.
        base: of its recipe.
    """
    differs = LAYERS_KEY in overrides_for(settings, base)
    st.session_state[state.CUSTOM_NETWORK] = differs
    if differs:
        replace_layers(settings.layers)
