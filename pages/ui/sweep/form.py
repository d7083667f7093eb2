"""The form that starts a sweep: a predefined one, or in Expert mode one with its own base, settings and sampler."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from mnist_core.config import runs_dir
from mnist_core.data.mnist import mnist_available
from mnist_core.errors import DigitLabError
from mnist_core.networks.library import list_networks
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.spec import MAX_SEED
from mnist_core.sweeps import search_space, slider_ticks
from mnist_core.sweeps.ineffective import ineffective_settings
from mnist_core.sweeps.launch import launch_sweep
from mnist_core.sweeps.plan import MAX_TRIALS, MEASURES, NETWORK_PREFIX, SweepPlan, make_plan
from mnist_core.sweeps.presets import PRESETS, Preset
from mnist_core.sweeps.search_space import Dimension, Values
from mnist_core.sweeps.space_parser import parse_dimension, parse_space
from mnist_core.sweeps.store import Sweep, create_sweep
from pages.ui.shared import caches, cluster_status, formatting, guard, mode, state, visitor

MAX_RUNS_OFFERED = 30
"""The number of newest runs to offer as a base."""
CUSTOM_SWEEP = "own"
"""The choice of a sweep that the visitor puts together."""
SAMPLERS = {
    "tpe": ("TPE", "Tree-structured Parzen estimator: uses finished trials to choose the next settings."),
    "random": ("Random", "Draws settings at random from the ranges. The baseline for any other sampler."),
    "grid": ("Grid", "Tries every combination once."),
}
"""Sampler -> its title and what it does."""
RANGE_HELP = (
    "A list such as 32,128,512 or a range such as 0..0.6. Append `:log` to search a range on a logarithmic scale, and "
    "another number to set how many values of it a grid uses: 1e-4..1e-1:log:4."
)


def show_sweep_form() -> None:
    """The choice of a sweep, its description or its settings, and the button that starts it."""
    _set_defaults()
    kind = _sweep_menu()
    if kind == CUSTOM_SWEEP:
        show_base_menus()
        show_search_space()
        show_search_settings()
        show_grid_size()
        show_ineffective_settings()
    else:
        _show_preset(PRESETS[kind])
    pressed = st.button("Start sweep", type="primary", width="stretch", icon=":material/play_arrow:")
    guard.try_action(lambda: _start_sweep(plan_from_form() if kind == CUSTOM_SWEEP else PRESETS[kind].plan()), pressed)


def _sweep_menu() -> str:
    """Returns the name of a predefined sweep, or CUSTOM_SWEEP. There is a menu only if there is a choice."""
    kinds = [*PRESETS, CUSTOM_SWEEP] if mode.is_expert() else list(PRESETS)
    if st.session_state.get(state.SWEEP_KIND) not in kinds:
        st.session_state[state.SWEEP_KIND] = kinds[0]
    if len(kinds) == 1:
        return kinds[0]
    titles = {**{name: preset.title for name, preset in PRESETS.items()}, CUSTOM_SWEEP: "Custom sweep"}
    return str(st.radio("New sweep", kinds, format_func=titles.__getitem__, key=state.SWEEP_KIND))


def _show_preset(preset: Preset) -> None:
    with st.container(border=True):
        st.markdown(f"**{preset.title}**")
        st.write(preset.story)
        plan = preset.plan()
        data = formatting.escape_markdown(caches.dataset_titles()[plan.base.data])
        st.caption(f"{plan.trials:,} trials of {plan.base.settings.epochs:,} epochs each · {data}")


def _set_defaults() -> None:
    st.session_state.setdefault(state.SWEEP_BASE, "fast")
    st.session_state.setdefault(state.SWEEP_VARIED, ["learning_rate", "batch_size"])
    st.session_state.setdefault(state.SWEEP_SAMPLER, SweepPlan.sampler)
    st.session_state.setdefault(state.SWEEP_TRIALS, 20)
    st.session_state.setdefault(state.SWEEP_EPOCHS, 2)
    st.session_state.setdefault(state.SWEEP_DATA, "full" if mnist_available() else "sample")
    st.session_state.setdefault(state.SWEEP_MEASURE, "accuracy")
    st.session_state.setdefault(state.SWEEP_PRUNE, True)
    st.session_state.setdefault(state.SWEEP_SEED, 0)


def show_base_menus() -> None:
    """What all trials have in common: the settings of a recipe, a saved network or a recent run; and the data."""
    titles = {name: f"{name} · {recipe.title}" for name, recipe in RECIPES.items()}
    titles |= {f"{NETWORK_PREFIX}{network.id}": f"saved network: {network.name}" for network in list_networks()}
    rows = [row for row in caches.run_history(runs_dir()) if row["recipe"] and not row["sweep"] and not row["taught"]]
    titles |= {row["run"]: f"run: {row['name']}" for row in rows[:MAX_RUNS_OFFERED]}
    titles = formatting.distinct(titles)
    if st.session_state[state.SWEEP_BASE] not in titles:
        st.session_state[state.SWEEP_BASE] = "fast"
    st.selectbox("Base: recipe, network or run", list(titles), format_func=titles.__getitem__, key=state.SWEEP_BASE)
    data = caches.dataset_titles()
    st.selectbox("Data set", list(data), format_func=data.__getitem__, key=state.SWEEP_DATA)


def show_search_space() -> None:
    """The settings that vary, and for each a slider for its range or a field for its values."""
    varied = st.multiselect(
        "Settings to vary", search_space.searchable_settings(), format_func=setting_title, key=state.SWEEP_VARIED
    )
    for name in varied:
        st.session_state.setdefault(state.sweep_values_key(name), search_space.typical_values(name))
        dimension = _dimension(name) if slider_ticks.is_numeric(name) else None
        if dimension is None or st.session_state.get(state.SWEEP_AS_TEXT):
            st.text_input(
                formatting.escape_markdown(setting_title(name)), key=state.sweep_values_key(name), help=RANGE_HELP
            )
        else:
            _show_range_slider(dimension)
    st.toggle("Type ranges as text", key=state.SWEEP_AS_TEXT, help=RANGE_HELP)


def _dimension(name: str) -> Dimension | None:
    """The values of a setting; None if they cannot be parsed, which is reported when the sweep is started."""
    try:
        return parse_dimension(f"{name}={st.session_state[state.sweep_values_key(name)]}")
    except DigitLabError:
        return None


def _show_range_slider(dimension: Dimension) -> None:
    """A slider with two ends. Moving it writes the text that the plan is made from."""
    name, key, ends = dimension.name, state.sweep_range_key(dimension.name), slider_ticks.range_ends(dimension)

    def write_text() -> None:
        low, high = st.session_state[key]
        if low < high:
            st.session_state[state.sweep_values_key(name)] = slider_ticks.range_text(dimension, low, high)

    scale = ", log scale" if slider_ticks.is_log(dimension) else ""
    chosen = st.select_slider(
        f"{formatting.escape_markdown(setting_title(name)).capitalize()}{scale}",
        slider_ticks.slider_ticks(dimension),
        ends,  # as the default: only then it has two ends
        key=key,
        format_func=lambda value: formatting.escape_markdown(search_space.value_text(value)),
        on_change=write_text,
    )
    if chosen != ends:
        low, high = map(search_space.value_text, ends)
        st.caption(formatting.escape_markdown(f"A range needs two different ends. It stays {low} to {high}."))
    elif isinstance(dimension, Values):
        listed = ", ".join(map(search_space.value_text, dimension.values))
        st.caption(formatting.escape_markdown(f"Tries only {listed}. Move the slider to search the whole range."))


def setting_title(name: str) -> str:
    """`learning rate` for `learning_rate`."""
    return name.replace("_", " ")


def show_search_settings() -> None:
    """Sampler, number and length of the trials, metric, seed, pruning."""
    st.segmented_control(
        "Sampler", list(SAMPLERS), format_func=lambda name: SAMPLERS[name][0], key=state.SWEEP_SAMPLER, required=True
    )
    st.caption(SAMPLERS[st.session_state[state.SWEEP_SAMPLER]][1])
    trials, epochs = st.columns(2)
    # The values are the defaults, too: what an emptied input goes back to.
    trials.number_input("Trials", 1, MAX_TRIALS, st.session_state[state.SWEEP_TRIALS], key=state.SWEEP_TRIALS)
    epochs.number_input(
        "Epochs per trial",
        1,
        1000,
        st.session_state[state.SWEEP_EPOCHS],
        key=state.SWEEP_EPOCHS,
        disabled=_epochs_vary(),
        help="The number of epochs is one of the settings to vary." if _epochs_vary() else None,
    )
    metric, seed = st.columns(2)
    metric.selectbox("Metric", list(MEASURES), format_func=MEASURES.__getitem__, key=state.SWEEP_MEASURE)
    seed.number_input("Seed", 0, MAX_SEED, st.session_state[state.SWEEP_SEED], key=state.SWEEP_SEED)
    st.toggle(
        "Prune bad trials",
        key=state.SWEEP_PRUNE,
        help="Stops a trial that is worse than the median of the other trials at the same epoch.",
    )
    st.caption("Trials are compared on validation images. The test images are used once, for the best retrained model.")


def _epochs_vary() -> bool:
    return "epochs" in st.session_state[state.SWEEP_VARIED]


def _search_space_texts() -> list[str]:
    """`batch_size=16,64` for each setting that varies."""
    return [f"{name}={st.session_state[state.sweep_values_key(name)]}" for name in st.session_state[state.SWEEP_VARIED]]


def show_grid_size() -> None:
    """How many points a grid has. Values that cannot be parsed are reported when the sweep is started."""
    if st.session_state[state.SWEEP_SAMPLER] != "grid":
        return
    try:
        points = search_space.grid_size(parse_space(_search_space_texts()))
    except DigitLabError:
        return
    if points > (limit := search_space.MAX_GRID):
        too_many = f"The grid has {points:,} points, more than the limit of {limit:,}."
        st.caption(f"{too_many} Give fewer values, or use the TPE sampler.")
        return
    tried = min(points, st.session_state[state.SWEEP_TRIALS])
    count = "all of them" if tried == points else f"{tried:,} of them"
    st.caption(f"The grid has {points:,} points. The sweep tries {count}.")


def show_ineffective_settings() -> None:
    """Which settings vary without an effect. Values that cannot be parsed are reported when the sweep is started."""
    try:
        plan = plan_from_form()
    except DigitLabError:
        return
    for sentence in ineffective_settings(plan.space, plan.base.settings):
        st.caption(f":material/warning: {formatting.escape_markdown(sentence)}")


def plan_from_form() -> SweepPlan:
    """The plan of the sweep that is filled in. Raises DigitLabError if it cannot be searched."""
    values = st.session_state
    return make_plan(
        values[state.SWEEP_BASE],
        _search_space_texts(),
        trials=int(values[state.SWEEP_TRIALS]),
        epochs=None if _epochs_vary() else int(values[state.SWEEP_EPOCHS]),
        data=values[state.SWEEP_DATA],
        sampler=values[state.SWEEP_SAMPLER],
        measure=values[state.SWEEP_MEASURE],
        prune=bool(values[state.SWEEP_PRUNE]),
        seed=int(values[state.SWEEP_SEED]),
    )


def _start_sweep(plan: SweepPlan) -> Sweep:
    """Starts the sweep in a process of its own and opens it."""
    sweep = create_sweep(replace(plan, backend=cluster_status.chosen_backend()), owner=visitor.owner_id())
    launch_sweep(sweep)
    st.query_params["sweep"] = st.session_state[state.SWEEP] = sweep.id
    return sweep
