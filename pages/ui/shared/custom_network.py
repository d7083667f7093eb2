"""One's own network as the session keeps it: its layers, what they were before, and whether it is the one to train."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.networks.layers import Layer
from mnist_core.recipes import recipes
from mnist_core.recipes.overrides import overrides_for
from mnist_core.recipes.settings import Settings
from pages.ui.shared import state

MOST_PAST = 100  # steps back


def is_enabled() -> bool:
    """Whether one's own network is to be trained, and not the recipe's."""
    return bool(st.session_state.get(state.CUSTOM_NETWORK))


def current_layers() -> tuple[Layer, ...]:
    """The network as it stands; at first the recipe's."""
    if state.CUSTOM_LAYERS not in st.session_state:
        st.session_state[state.CUSTOM_LAYERS] = recipes.find_recipe(st.session_state[state.RECIPE]).settings.layers
    return tuple(st.session_state[state.CUSTOM_LAYERS])


def replace_layers(changed: Sequence[Layer], place: int | None = None) -> None:
    """Replaces the network; what it was before can be had back.

    Args:
        changed: the new one.
        place: index of the layer to change next; the same one by default, as far as there are so many.
    """
    before = current_layers() if state.CUSTOM_LAYERS in st.session_state else ()
    if tuple(changed) != before:
        past = st.session_state.get(state.CUSTOM_UNDO, ())
        st.session_state[state.CUSTOM_UNDO] = (*past, before)[-MOST_PAST:] if before else past
        st.session_state[state.CUSTOM_LAYERS] = tuple(changed)
    wanted = st.session_state.get(state.SELECTED_LAYER) if place is None else place
    last = max(0, len(changed) - 1)
    st.session_state[state.SELECTED_LAYER] = min(max(wanted, 0), last) if isinstance(wanted, int) else 0


def can_undo() -> bool:
    """Whether there is a step to take back."""
    return bool(st.session_state.get(state.CUSTOM_UNDO))


def undo() -> None:
    """The network as it was before the last change."""
    past = st.session_state.get(state.CUSTOM_UNDO, ())
    if past:
        replace_layers(past[-1])
        st.session_state[state.CUSTOM_UNDO] = past[:-1]


def take_from_run(settings: Settings, base: Settings) -> None:
    """Trains what a run trained: its network as one's own, where it is not its recipe's."""
    built = LAYERS_KEY in overrides_for(settings, base)
    st.session_state[state.CUSTOM_NETWORK] = built
    if built:
        replace_layers(settings.layers)
