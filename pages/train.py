"""Choose a recipe, change what you like, train it in a process of its own and watch; a link opens the same run."""

from __future__ import annotations

import streamlit as st

from mnist_core import data, jobs, probes, recipes
from mnist_core.runs import Run, find_run
from pages.ui import (
    builder,
    caches,
    cluster_line,
    components,
    monitor,
    navigation,
    own,
    owner,
    rate_search,
    settings_form,
    state,
    watching,
)

GALLERY = 20


def train() -> None:
    """Starts the run and puts it into the address."""
    run = jobs.start(caches.backend(), settings_form.spec(), owner.me())
    st.query_params["run"] = run.id
    probes.write(run, st.session_state[state.PROBES])


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
    components.summary(settings_form.settings().architecture)


def gallery() -> None:
    """Twenty training digits as the augmentation would show them to the network."""
    how = "hand" if st.session_state[state.AUGMENTATION] else "none"
    with st.expander("What it trains on: 20 digits, augmented as set"):
        components.tiles(caches.augmented_digits(how, GALLERY), columns=10)


navigation.through_app()
caches.backend().prepare()
state.default(state.RECIPE, recipes.DEFAULT_RECIPE)
state.default(state.SEED, 0)
state.default(state.DATA, "full" if data.available() else "sample")
state.default(state.PROBES, [])
if state.EPOCHS not in st.session_state or state.CARRIED not in st.session_state:
    settings_form.fill()
components.attempt(settings_form.linked, True)
st.title("Train a network")
st.write("A network learns to read digits before your eyes: choose what it is and how it learns, and watch.")
builder.switch()
if own.is_on():
    builder.show()
left, right = st.columns([1.2, 2], gap="large")
with left:
    settings_form.controls()
    rate_search.show()
    cluster_line.show()
    components.attempt(train, st.button("Train", type="primary", width="stretch"))
    run = components.attempt(shown_run, True)
    watching.pad(run)
    if not own.is_on():  # the builder has it: it changes with the network
        settings_form.link()
with right:
    if run is not None:
        monitor.show(run)
    else:
        st.info("Choose a recipe, move a slider, and press Train. The curves begin to move within seconds.")
    if not own.is_on():
        network()
    gallery()
    monitor.recent()
