"""Networks to start from, and the library of saved networks."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.networks.layers import Layer
from mnist_core.networks.library import (
    MAX_NAME_LENGTH,
    SavedNetwork,
    delete_network,
    find_network,
    list_networks,
    rename_network,
    save_network,
)
from mnist_core.recipes import recipes
from mnist_core.runs.store import find_run
from pages.ui.shared import caches, custom_network, feedback, formatting, guard, settings_form, state, visitor

MAX_RUNS = 50
"""Latest runs whose networks the menu offers."""


def show_starting_point() -> None:
    """A menu of the networks of recipes, saved networks and runs, and a button that loads one into the builder."""
    names = {f"recipe {name}": f"recipe {settings_form.recipe_title(name)}" for name in recipes.RECIPES}
    names |= {f"saved {network.id}": f"saved network {network.name}" for network in list_networks()}
    rows = [row for row in caches.run_history(runs_dir()) if not row["sweep"]]  # trials would bury them
    names |= {f"run {row['run']}": f"run {row['name']}" for row in rows[:MAX_RUNS]}
    names = formatting.distinct(names)
    if st.session_state.get(state.START_NETWORK) not in names:
        st.session_state[state.START_NETWORK] = f"recipe {st.session_state[state.RECIPE]}"
    st.selectbox("Start from", list(names), format_func=names.__getitem__, key=state.START_NETWORK)
    pressed = st.button("Load", key="network_start")
    if guard.try_action(_load_starting_point, pressed):
        st.rerun()


def _load_starting_point() -> bool:
    kind, _, name = str(st.session_state[state.START_NETWORK]).partition(" ")
    if kind == "recipe":
        layers = recipes.find_recipe(name).settings.layers
    elif kind == "saved":
        layers = find_network(name).layers
    else:
        layers = find_run(name).spec().settings.layers
    custom_network.replace_layers(layers, 0)
    return True


def show_saved_networks(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """Saves the network under a name; opens, overwrites, renames and deletes saved ones.

    Args:
        layers: the network in the builder.
        size: side of its input in pixels.
        broken: whether it has an error.
    """
    name = st.text_input("Name", key=state.NETWORK_NAME, max_chars=MAX_NAME_LENGTH, placeholder="deep and narrow")
    pressed = st.button("Save network", key="network_save", icon=":material/save:", disabled=broken)
    if network := guard.try_action(lambda: save_network(name, layers, size, visitor.owner_id()), pressed):
        st.session_state[state.SAVED_NETWORK] = network.id
        feedback.confirm(f"Saved as {network.name}.", ":material/save:")
    saved = {network.id: network for network in list_networks()}
    if not saved:
        st.caption("No saved networks yet. Everyone who opens this app sees saved networks; only you can change yours.")
        return
    if st.session_state.get(state.SAVED_NETWORK) not in saved:
        st.session_state[state.SAVED_NETWORK] = next(iter(saved))
    titles = formatting.distinct({network.id: _network_title(network) for network in saved.values()})
    selected = saved[
        str(st.selectbox("Saved networks", list(saved), format_func=titles.__getitem__, key=state.SAVED_NETWORK))
    ]
    _show_actions(selected, name, layers, size, broken)


def _show_actions(selected: SavedNetwork, name: str, layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """Buttons that open or change the selected network. `name`: its next one. The others are as above."""
    with st.container(horizontal=True):
        st.button(
            "Open",
            key="network_open",
            icon=":material/folder_open:",
            on_click=custom_network.replace_layers,
            args=(selected.layers, 0),
        )
        locked = not owners.may_change(selected.owner, visitor.current_visitor())
        overwrite = st.button(
            "Overwrite",
            key="network_overwrite",
            disabled=locked or broken,
            help="Replaces the saved network with the one in the builder.",
        )
        rename = st.button("Rename", key="network_rename", disabled=locked, help="Gives it the name above.")
        delete = st.button("Delete", key="network_delete", icon=":material/delete:", disabled=locked)

    def overwrite_network() -> None:
        save_network(selected.name, layers, size, selected.owner, selected.id)

    done = {
        "overwritten": guard.try_action(lambda: _change_network(selected, overwrite_network), overwrite),
        f"renamed to {name}": guard.try_action(
            lambda: _change_network(selected, lambda: rename_network(selected.id, name)), rename
        ),
        "deleted": guard.try_action(lambda: _change_network(selected, lambda: delete_network(selected.id)), delete),
    }
    for what, is_done in done.items():
        if is_done:
            feedback.confirm(f"{selected.name} {what}.")
            st.rerun()


def _network_title(network: SavedNetwork) -> str:
    """Its name, and what sets it apart from others of that name."""
    mine = " · yours" if network.owner == visitor.owner_id() else ""
    return f"{network.name} · {formatting.plural(len(network.layers), 'layer')}{mine}"


def _change_network(network: SavedNetwork, change: Callable[[], object]) -> bool:
    """Changes a saved network. Raises NotOwnerError if it is someone else's."""
    owners.check_may_change(network.owner, visitor.current_visitor(), f"The network {network.name}")
    change()
    return True
