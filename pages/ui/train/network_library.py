"""Where networks come from and go to: recipes, runs, one's own library, a link, Keras's JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

import streamlit as st

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import ArchitectureError
from mnist_core.networks import keras_json
from mnist_core.networks.layers import Layer
from mnist_core.networks.library import (
    MAX_NAME,
    SavedNetwork,
    delete_network,
    find_network,
    list_networks,
    rename_network,
    save_network,
)
from mnist_core.recipes import recipes
from mnist_core.runs.store import find_run
from pages.ui.shared import caches, custom_network, formatting, guard, settings_form, settings_link, state, visitor

MOST_RUNS = 50  # to start from: the last ones


def show_starting_point() -> None:
    """A menu of what there is, and a button that begins with it."""
    names = {f"recipe {name}": f"recipe {settings_form.recipe_title(name)}" for name in recipes.RECIPES}
    names |= {f"kept {each.id}": f"kept network {each.name}" for each in list_networks()}
    names |= {f"run {row['run']}": f"run {row['name']}" for row in caches.run_history(runs_dir())[:MOST_RUNS]}
    if st.session_state.get(state.START_NETWORK) not in names:
        st.session_state[state.START_NETWORK] = f"recipe {st.session_state[state.RECIPE]}"
    st.selectbox("Start from the network of", list(names), format_func=names.__getitem__, key=state.START_NETWORK)
    pressed = st.button("Start from it", key="own_start_button")
    if guard.try_action(_begin, pressed):
        st.rerun()


def _begin() -> bool:
    kind, _, name = str(st.session_state[state.START_NETWORK]).partition(" ")
    if kind == "recipe":
        found = recipes.find_recipe(name).settings.layers
    else:
        found = find_network(name).layers if kind == "kept" else find_run(name).spec().settings.layers
    custom_network.replace_layers(found, 0)
    return True


def show_saved_networks(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """One's own networks by name: keep this one, open, rename or delete another."""
    name = st.text_input("Name", key=state.NETWORK_NAME, max_chars=MAX_NAME, placeholder="deep and narrow")
    pressed = st.button("Keep this network", key="own_keep", icon=":material/save:", disabled=broken)
    if network := guard.try_action(lambda: save_network(name, layers, size, visitor.owner_id()), pressed):
        st.session_state[state.SAVED_NETWORK] = network.id
        st.toast(formatting.escape_markdown(f"Kept as {network.name}."), icon=":material/save:")
    kept = {each.id: each for each in list_networks()}
    if not kept:
        st.caption("None is kept yet. Whoever opens this app sees what is kept; only you change what is yours.")
        return
    if st.session_state.get(state.SAVED_NETWORK) not in kept:
        st.session_state[state.SAVED_NETWORK] = next(iter(kept))
    titles = {each.id: _title(each) for each in kept.values()}
    chosen = kept[
        str(st.selectbox("Kept networks", list(kept), format_func=titles.__getitem__, key=state.SAVED_NETWORK))
    ]
    with st.container(horizontal=True):
        st.button(
            "Open",
            key="own_open",
            icon=":material/folder_open:",
            on_click=custom_network.replace_layers,
            args=(chosen.layers, 0),
        )
        locked = not owners.may_change(chosen.owner, visitor.current_visitor())
        over = st.button("Save this one in its place", key="own_over", disabled=locked or broken)
        again = st.button("Give it the name above", key="own_rename", disabled=locked)
        gone = st.button("Delete", key="own_delete", icon=":material/delete:", disabled=locked)
    done = [
        guard.try_action(lambda: _over(chosen, layers, size), over),
        guard.try_action(lambda: _changed(chosen, lambda: rename_network(chosen.id, name)), again),
        guard.try_action(lambda: _changed(chosen, lambda: delete_network(chosen.id)), gone),
    ]
    if any(done):
        st.rerun()


def _title(network: SavedNetwork) -> str:
    """Its name, and what sets it apart from another of that name."""
    mine = " · yours" if network.owner == visitor.owner_id() else ""
    return f"{network.name} · {len(network.layers)} layers{mine}"


def _changed(network: SavedNetwork, change: Callable[[], object]) -> bool:
    """Does something to a kept network. Raises NotOwnerError where it is somebody else's."""
    owners.check_may_change(network.owner, visitor.current_visitor(), f"The network {network.name}")
    change()
    return True


def _over(network: SavedNetwork, layers: tuple[Layer, ...], size: int) -> bool:
    return _changed(network, lambda: save_network(network.name, layers, size, network.owner, network.id))


def show_network_sharing(layers: tuple[Layer, ...], size: int, broken: bool) -> None:
    """A link that holds the network, and Keras's JSON, out and in."""
    if broken:
        st.caption("A network that cannot be built cannot be shared: mend it first.")
    else:
        settings_link.show_settings_link()
        st.download_button(
            "Keras JSON",
            lambda: keras_json.to_keras_json(layers, size),
            "network.json",
            "application/json",
            key="own_json",
            on_click="ignore",
            icon=":material/download:",
        )
        st.caption("`keras.models.model_from_json(open('network.json').read())` builds it.")
    with st.form("own_import", clear_on_submit=True, border=False):
        uploaded = st.file_uploader("A Sequential model as JSON, as `model.to_json()` writes it", ["json"])
        pressed = st.form_submit_button("Bring it in")
    if pressed and uploaded is None:
        st.info("Choose a file first.")
    if guard.try_action(lambda: _brought_in(uploaded, size), pressed and uploaded is not None):
        st.rerun()


def _brought_in(file: IO[bytes], size: int) -> bool:
    """Takes a network out of a file, whether or not its layers fit: what does not can be mended."""
    try:
        text = file.read(keras_json.MAX_CHARACTERS + 1).decode("utf-8")
    except UnicodeDecodeError:
        raise ArchitectureError("The file is no text. Write one in Keras with `model.to_json()`.") from None
    found = keras_json.parse_keras_json(text)
    custom_network.replace_layers(found.layers, 0)
    if found.input_size != size:
        st.toast(f"It was made for {found.input_size}×{found.input_size} pixels; here it reads {size}×{size}.")
    return True
