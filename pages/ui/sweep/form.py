"""What is to be searched: the base, what varies, how, how many trials, how long each, by which measure."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.data.mnist import mnist_available
from mnist_core.errors import DigitLabError
from mnist_core.networks.library import list_networks
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.run import MAX_SEED
from mnist_core.sweeps import plans, search_space
from mnist_core.sweeps.plans import HOWS, MEASURES, READY, Plan
from mnist_core.sweeps.store import Sweep, create_sweep, launch_sweep
from pages.ui.shared import caches, cluster_status, components, state, visitor
from pages.ui.shared.settings_form import DATA

RUNS_OFFERED = 30
HOW = {
    "tpe": ("TPE", "Learns from the trials so far where to look next."),
    "random": ("Random", "Anywhere in the ranges: the yardstick for any other."),
    "grid": ("Grid", "Every combination, once."),
}


def show_sweep_form() -> None:
    """The ready sweeps, and the form for one's own."""
    _defaults()
    for name, ready in READY.items():
        with st.container(border=True):
            st.markdown(f"**{ready.title}**")
            st.caption(ready.story)
            pressed = st.button("Start the ready sweep", key=f"ready_{name}", width="stretch", icon=":material/bolt:")
            components.attempt(lambda ready=ready: _start(ready.plan()), pressed)
    _base()
    _what_varies()
    _how()
    _say_size()
    components.attempt(lambda: _start(plan()), st.button("Start the sweep", type="primary", width="stretch"))


def _defaults() -> None:
    state.default(state.SWEEP_BASE, "fast")
    state.default(state.SWEEP_VARIED, ["learning_rate", "batch_size"])
    state.default(state.SWEEP_HOW, HOWS[-1])
    state.default(state.SWEEP_TRIALS, 20)
    state.default(state.SWEEP_EPOCHS, 2)
    state.default(state.SWEEP_DATA, "full" if mnist_available() else "sample")
    state.default(state.SWEEP_MEASURE, "accuracy")
    state.default(state.SWEEP_PRUNE, True)
    state.default(state.SWEEP_SEED, 0)


def _base() -> None:
    """A recipe, or one of the newest runs."""
    names = {name: f"{name} · {recipe.title}" for name, recipe in RECIPES.items()}
    rows = [row for row in caches.history(runs_dir()) if row["recipe"] and not row["sweep"] and not row["taught"]]
    names |= {f"{plans.NETWORK_BASE}{kept.id}": f"your network: {kept.name}" for kept in list_networks()}
    names |= {row["run"]: f"run: {row['name']}" for row in rows[:RUNS_OFFERED]}
    if st.session_state[state.SWEEP_BASE] not in names:
        st.session_state[state.SWEEP_BASE] = "fast"
    st.selectbox("Base: what every trial begins with", list(names), format_func=names.__getitem__, key=state.SWEEP_BASE)
    st.selectbox("Data", list(DATA), format_func=DATA.__getitem__, key=state.SWEEP_DATA)


def _what_varies() -> None:
    chosen = st.multiselect(
        "What varies", search_space.variable(), format_func=lambda name: name.replace("_", " "), key=state.SWEEP_VARIED
    )
    for name in chosen:
        state.default(state.varied(name), search_space.usual(name))
        st.text_input(
            name.replace("_", " "),
            key=state.varied(name),
            help="A list, 32,128,512, or a range, 0..0.6. `:log` behind a range searches by powers of ten, "
            "and a number behind that is how many values a grid takes of it: 1e-4..1e-1:log:4.",
        )


def _how() -> None:
    st.segmented_control("How", list(HOW), format_func=lambda name: HOW[name][0], key=state.SWEEP_HOW, required=True)
    st.caption(HOW[st.session_state[state.SWEEP_HOW]][1])
    trials, epochs = st.columns(2)
    trials.number_input("Trials", 1, plans.MAX_TRIALS, key=state.SWEEP_TRIALS)
    epochs.number_input(
        "Epochs of each",
        1,
        1000,
        key=state.SWEEP_EPOCHS,
        disabled=_epochs_vary(),
        help="They vary." if _epochs_vary() else None,
    )
    measure, seed = st.columns(2)
    measure.selectbox("Measured by", list(MEASURES), format_func=MEASURES.__getitem__, key=state.SWEEP_MEASURE)
    seed.number_input("Seed", 0, MAX_SEED, key=state.SWEEP_SEED)
    st.toggle(
        "End bad trials early",
        key=state.SWEEP_PRUNE,
        help="A trial that is worse than the median of the others at the same epoch is stopped.",
    )
    st.caption("The test images are not looked at, but once for the winner.")


def _epochs_vary() -> bool:
    return "epochs" in st.session_state[state.SWEEP_VARIED]


def _texts() -> list[str]:
    return [f"{name}={st.session_state[state.varied(name)]}" for name in st.session_state[state.SWEEP_VARIED]]


def _say_size() -> None:
    """How many points a grid has, before somebody starts it; what is wrong is said where it is started."""
    if st.session_state[state.SWEEP_HOW] != "grid":
        return
    try:
        size = search_space.grid_size(search_space.parse_all(_texts()))
    except DigitLabError:
        return
    tried = min(size, st.session_state[state.SWEEP_TRIALS])
    how_many = "all of them" if tried == size else f"{tried:,} of them"
    st.caption(f"The grid has {size:,} points. Tried: {how_many}.")


def plan() -> Plan:
    """What the form asks for. Raises DigitLabError where it cannot be searched."""
    kept = st.session_state
    return plans.make_plan(
        kept[state.SWEEP_BASE],
        _texts(),
        trials=int(kept[state.SWEEP_TRIALS]),
        epochs=None if _epochs_vary() else int(kept[state.SWEEP_EPOCHS]),
        data=kept[state.SWEEP_DATA],
        how=kept[state.SWEEP_HOW],
        measure=kept[state.SWEEP_MEASURE],
        prune=bool(kept[state.SWEEP_PRUNE]),
        seed=int(kept[state.SWEEP_SEED]),
    )


def _start(made: Plan) -> Sweep:
    """Starts it in a process of its own, and puts it into the address."""
    sweep = create_sweep(replace(made, backend=cluster_status.chosen()), owner=visitor.me())
    launch_sweep(sweep)
    st.query_params["sweep"] = st.session_state[state.SWEEP] = sweep.id
    return sweep
