"""Train a network: settings on the left, on the right the stage: the network, or a run. A link opens the same run."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs.lifecycle import start_run
from mnist_core.runs import probes
from mnist_core.runs.run import Run
from mnist_core.runs.store import find_run
from pages.ui.shared import (
    caches,
    custom_network,
    formatting,
    guard,
    mode,
    navigation,
    settings_form,
    settings_link,
    state,
    thumbnails,
    visitor,
)
from pages.ui.shared.cluster_status import show_cluster_status
from pages.ui.train.builder import select_stage, show_builder, show_network_switch
from pages.ui.train.example import show_example
from pages.ui.train.monitor import show_run
from pages.ui.train.network_plan import show_network_summary
from pages.ui.train.probe_panel import show_probe_pad
from pages.ui.train.rate_finder import show_rate_finder
from pages.ui.train.recent_runs import show_recent_runs
from pages.ui.train.simple_form import show_simple_form

EXAMPLES = 20
"""Training digits that the page shows."""


def train() -> None:
    """Starts a run and puts it into the address."""
    run = start_run(caches.backend(), settings_form.form_spec(), visitor.owner_id())
    st.query_params["run"] = run.id
    st.session_state[state.STAGE] = "run"
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


def show_train_button() -> None:
    """The button, disabled while the form cannot be trained, and why."""
    problem = settings_form.find_problem()
    if problem:
        st.caption(f":red[{formatting.escape_markdown(problem)}]")
    pressed = st.button("Train", type="primary", width="stretch", disabled=bool(problem), key="train")
    guard.try_action(train, pressed)


def show_settings() -> None:
    """The left side: the settings, and the button that stays in sight under them."""
    if mode.is_expert():
        show_network_switch()
        settings_form.show_settings_form()
        show_rate_finder()
    else:
        show_simple_form()
    settings_form.show_data_note()
    show_cluster_status()
    show_train_button()


def show_stage(run: Run | None) -> None:
    """The right side: the network builder, the run, or an example while there is neither."""
    builds = custom_network.is_enabled() and mode.is_expert()
    if builds and select_stage(run) == "network":
        show_builder()
    elif run is not None:
        show_run(run)
    else:
        show_example()
    show_probe_pad(run)
    if mode.is_expert():
        if run is None and not builds and (settings := guard.try_action(settings_form.form_settings, True)):
            show_network_summary(settings.architecture)
        show_examples()
        if not builds:  # otherwise the builder shows the link, since it changes with the network
            settings_link.show_settings_link()
    show_recent_runs()


def show_examples() -> None:
    """Training digits, augmented as the form says."""
    augmentation = "hand" if st.session_state[state.AUGMENTATION] else "none"
    with st.expander(f"Training data: {EXAMPLES} examples with this augmentation"):
        thumbnails.show_tiles(caches.augmented_digits(augmentation, EXAMPLES), columns=10)


navigation.ensure_app_ran()
caches.backend().prepare()
settings_form.fill_at_first()
guard.try_action(settings_link.fill_from_address, True)
st.title("Train a network")
left, right = st.columns([1.1, 2], gap="large")
with left, st.container(key="train_panel"):
    show_settings()
    run = guard.try_action(find_shown_run, True)
with right, st.container(key="running" if run is not None else "not_running"):
    show_stage(run)
