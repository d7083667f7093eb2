"""Choose a recipe, change what you like, train it in a process of its own and watch; a link opens the same run."""

from __future__ import annotations

import streamlit as st

from mnist_core.data.mnist import mnist_available
from mnist_core.jobs.lifecycle import start_run
from mnist_core.recipes import recipes
from mnist_core.runs import probes
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run
from pages.ui.shared import (
    caches,
    custom_network,
    guard,
    navigation,
    settings_form,
    settings_link,
    state,
    thumbnails,
    visitor,
)
from pages.ui.shared.cluster_status import show_cluster_status
from pages.ui.train import builder, monitor, network_plan, probe_panel
from pages.ui.train.builder import show_builder
from pages.ui.train.monitor import show_run
from pages.ui.train.rate_finder import show_rate_finder

GALLERY = 20


def train() -> None:
    """Starts the run and puts it into the address."""
    run = start_run(caches.backend(), settings_form.form_spec(), visitor.owner_id())
    st.query_params["run"] = run.id
    probes.write_probes(run, st.session_state[state.PROBES])


def shown_run() -> Run | None:
    """The run that the address names, or the last one shown in this session."""
    if "run" not in st.query_params and st.session_state.get(state.RUN):
        st.query_params["run"] = st.session_state[state.RUN]
    name = st.query_params.get("run")
    st.session_state[state.RUN] = None  # one that cannot be opened is not tried again
    run = find_run(name) if name else None
    st.session_state[state.RUN] = name
    return run


def network() -> None:
    """The summary table of the network as it would be trained."""
    network_plan.show_network_summary(settings_form.form_settings().architecture)


def gallery() -> None:
    """Twenty training digits as the augmentation would show them to the network."""
    how = "hand" if st.session_state[state.AUGMENTATION] else "none"
    with st.expander("What it trains on: 20 digits, augmented as set"):
        thumbnails.show_tiles(caches.augmented_digits(how, GALLERY), columns=10)


navigation.ensure_app_ran()
caches.backend().prepare()
st.session_state.setdefault(state.RECIPE, recipes.DEFAULT_RECIPE)
st.session_state.setdefault(state.SEED, 0)
st.session_state.setdefault(state.DATA, "full" if mnist_available() else "sample")
st.session_state.setdefault(state.PROBES, [])
if state.EPOCHS not in st.session_state or state.CARRIED_SETTINGS not in st.session_state:
    settings_form.fill_from_recipe()
guard.try_action(settings_link.fill_from_address, True)
st.title("Train a network")
st.write("A network learns to read digits before your eyes: choose what it is and how it learns, and watch.")
builder.show_network_switch()
if custom_network.is_enabled():
    show_builder()
left, right = st.columns([1.2, 2], gap="large")
with left:
    settings_form.show_settings_form()
    show_rate_finder()
    show_cluster_status()
    guard.try_action(train, st.button("Train", type="primary", width="stretch"))
    run = guard.try_action(shown_run, True)
    probe_panel.show_probe_pad(run)
    if not custom_network.is_enabled():  # the builder has it: it changes with the network
        settings_link.show_settings_link()
with right:
    if run is not None:
        show_run(run)
    else:
        st.info("Choose a recipe, move a slider, and press Train. The curves begin to move within seconds.")
    if not custom_network.is_enabled():
        network()
    gallery()
    monitor.show_recent_runs()
