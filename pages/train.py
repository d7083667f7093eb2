"""Train a network: choose a recipe, change settings, start a run, and watch it. A link opens the same run."""

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
from pages.ui.train.builder import show_builder, show_network_switch
from pages.ui.train.monitor import show_recent_runs, show_run
from pages.ui.train.network_plan import show_network_summary
from pages.ui.train.probe_panel import show_probe_pad
from pages.ui.train.rate_finder import show_rate_finder

EXAMPLES = 20
"""Training digits that the page shows."""


def train() -> None:
    """Starts a run and puts it into the address."""
    run = start_run(caches.backend(), settings_form.form_spec(), visitor.owner_id())
    st.query_params["run"] = run.id
    probes.write_probes(run, st.session_state[state.PROBES])


def find_shown_run() -> Run | None:
    """The run that the address names, else the last one that this session showed. Raises RunNotFoundError."""
    if "run" not in st.query_params and st.session_state.get(state.RUN):
        st.query_params["run"] = st.session_state[state.RUN]
    run_id = st.query_params.get("run")
    st.session_state[state.RUN] = None  # if it cannot be opened, it is not tried again
    run = find_run(run_id) if run_id else None
    st.session_state[state.RUN] = run_id
    return run


def show_examples() -> None:
    """Training digits, augmented as the form says."""
    augmentation = "hand" if st.session_state[state.AUGMENTATION] else "none"
    with st.expander(f"Training data: {EXAMPLES} examples with this augmentation"):
        thumbnails.show_tiles(caches.augmented_digits(augmentation, EXAMPLES), columns=10)


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
st.write("Choose a network and how it is trained, and watch it learn to read digits.")
show_network_switch()
if custom_network.is_enabled():
    show_builder()
left, right = st.columns([1.2, 2], gap="large")
with left:
    settings_form.show_settings_form()
    show_rate_finder()
    show_cluster_status()
    guard.try_action(train, st.button("Train", type="primary", width="stretch"))
    run = guard.try_action(find_shown_run, True)
    show_probe_pad(run)
    if not custom_network.is_enabled():  # otherwise the builder shows the link, since it changes with the network
        settings_link.show_settings_link()
with right:
    if run is not None:
        show_run(run)
    else:
        st.info("Choose a recipe, move a slider, and press Train. The first curves appear within seconds.")
    if not custom_network.is_enabled():
        show_network_summary(settings_form.form_settings().architecture)
    show_examples()
    show_recent_runs()
