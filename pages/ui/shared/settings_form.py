"""The training form: a widget for each setting, filled from a recipe or a run, and read as a run spec."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.data.mnist import DATA_SETS, mnist_available
from mnist_core.errors import DigitLabError, RunError
from mnist_core.networks.architecture import LAYERS_KEY, layers_to_json
from mnist_core.recipes import recipes
from mnist_core.recipes.overrides import LAYER_SETTINGS, apply_overrides, overrides_for
from mnist_core.recipes.recipe import Recipe
from mnist_core.recipes.settings import OPTIMIZERS, Settings
from mnist_core.runs.spec import MAX_SEED, RunSpec, make_spec
from mnist_core.runs.store import find_run
from pages.ui.shared import advanced_settings, caches, custom_network, formatting, state
from pages.ui.shared.advanced_settings import show_advanced_settings
from pages.ui.shared.run_controls import LEARNING_RATES, MAX_EPOCHS

MAX_SLIDER_EPOCHS = 50
"""Upper end of the Epochs slider, unless the recipe trains for more than half of it."""
BATCH_SIZES = (8, 16, 32, 64, 100, 128, 200, 256, 512, 1024, 2048)

BASIC_KEYS = (
    state.EPOCHS,
    state.BATCH_SIZE,
    state.LEARNING_RATE,
    state.OPTIMIZER,
    state.DROPOUT,
    state.PATIENCE,
    state.TIME_BUDGET,
    state.TARGET_ACCURACY,
)
"""Session keys of the settings outside the advanced ones. Each is the name of its setting."""


def fill_at_first() -> None:
    """Gives every setting of a new session its value, that of the default recipe."""
    st.session_state.setdefault(state.RECIPE, recipes.DEFAULT_RECIPE)
    st.session_state.setdefault(state.SEED, 0)
    st.session_state.setdefault(state.DATA, "full" if mnist_available() else "sample")
    st.session_state.setdefault(state.PROBES, [])
    if state.EPOCHS not in st.session_state or state.CARRIED_SETTINGS not in st.session_state:
        fill_from_recipe()


def fill_from_recipe() -> None:
    """Sets every widget to the values of the selected recipe."""
    fill_from_settings(recipes.find_recipe(st.session_state[state.RECIPE]).settings)


def fill_from_settings(settings: Settings) -> None:
    """Sets every widget, and carries along the settings that have none."""
    for key in (*BASIC_KEYS, *advanced_settings.KEYS):
        st.session_state[key] = advanced_settings.to_control_value(key, getattr(settings, key))
    st.session_state[state.MAX_EPOCHS] = min(MAX_EPOCHS, max(MAX_SLIDER_EPOCHS, 2 * settings.epochs))
    st.session_state[state.AUGMENTATION] = settings.augmentation != "none"
    st.session_state[state.DATA_REPLACED] = False
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    with_widget = (*BASIC_KEYS, *advanced_settings.KEYS, "augmentation", LAYERS_KEY)  # the builder changes the network
    st.session_state[state.CARRIED_SETTINGS] = {
        name: value for name, value in overrides_for(settings, base).items() if name not in with_widget
    }


def fill_from_run(run_id: str) -> None:
    """Sets every widget to what a run was trained with. Raises RunError if its recipe is gone or it was fine-tuned."""
    spec = find_run(run_id).spec()
    if spec.recipe not in recipes.RECIPES or spec.base:
        raise RunError(
            f"The run {run_id} cannot be trained again from this form: "
            + ("it was fine-tuned." if spec.base else f"there is no recipe {spec.recipe} anymore.")
        )
    st.session_state[state.RECIPE], st.session_state[state.SEED] = spec.recipe, spec.seed
    st.session_state[state.DATA] = spec.data if spec.data in DATA_SETS else "full"
    fill_from_settings(spec.settings)
    st.session_state[state.DATA_REPLACED] = spec.data not in DATA_SETS
    custom_network.take_from_run(spec.settings, recipes.find_recipe(spec.recipe).settings)


def show_settings_form() -> None:
    """The menu of recipes, and a widget for each setting."""
    st.selectbox(
        "Recipe", list(recipes.RECIPES), format_func=recipe_title, key=state.RECIPE, on_change=fill_from_recipe
    )
    recipe = recipes.find_recipe(st.session_state[state.RECIPE])
    _show_recipe_source(recipe)
    left, right = st.columns(2)
    show_sliders(left, right)
    right.slider(
        "Dropout",
        0.0,
        0.95,
        step=0.05,
        key=state.DROPOUT,
        help="Share of values dropped at random in each step.",
        disabled=custom_network.is_enabled(),
    )
    left.selectbox("Optimizer", list(OPTIMIZERS), key=state.OPTIMIZER, on_change=_set_usual_learning_rate)
    right.number_input(
        "Seed",
        0,
        MAX_SEED,
        st.session_state[state.SEED],  # as the default, too: what an emptied input goes back to
        key=state.SEED,
        help="The same seed and settings give the same model.",
    )
    titles = caches.dataset_titles()
    st.selectbox("Data set", list(titles), format_func=titles.__getitem__, key=state.DATA)
    st.toggle("Augmentation", key=state.AUGMENTATION, help="Train on rotated, slanted, stretched and distorted copies.")
    _show_early_stopping()
    show_advanced_settings(recipe.settings, form_settings)
    if carried := st.session_state[state.CARRIED_SETTINGS]:
        also = ", ".join(f"{name} {value}" for name, value in carried.items())
        st.caption(formatting.escape_markdown(f"Also set, as in that run: {also}."))


def show_sliders(left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Sliders for epochs, batch size and learning rate, in two columns."""
    left.slider(
        "Epochs", 1, st.session_state[state.MAX_EPOCHS], key=state.EPOCHS, help="Passes over the training images."
    )
    right.select_slider(
        "Batch size",
        _with_current(BATCH_SIZES, state.BATCH_SIZE),
        key=state.BATCH_SIZE,
        format_func="{:d}".format,
        help="Images per training step.",
    )
    left.select_slider(
        "Learning rate",
        _with_current(LEARNING_RATES, state.LEARNING_RATE),
        key=state.LEARNING_RATE,
        format_func="{:g}".format,
        help="The size of each step. With a schedule: its peak.",
    )


def show_data_note() -> None:
    """Says that the data set replaces that of the run whose settings these are, and that it will be downloaded."""
    if st.session_state[state.DATA] != "full":
        return
    if st.session_state[state.DATA_REPLACED]:
        title = formatting.escape_markdown(caches.dataset_titles()["full"])
        st.caption(f"That run was trained on its own data, which this form cannot open. Data set here: {title}.")
    if not mnist_available():
        st.caption(
            "MNIST is not on this computer yet, so it is downloaded first (11 MB). Without a network connection, the "
            "offline sample is used."
        )


def _show_recipe_source(recipe: Recipe) -> None:
    published = f"Published: {recipe.published.text}. " if recipe.published else ""
    st.caption(formatting.escape_markdown(f"{recipe.source}. {published}{recipe.note}"))


def _show_early_stopping() -> None:
    """What ends a training before its last epoch. 0 switches each of them off."""
    keys = (state.PATIENCE, state.TIME_BUDGET, state.TARGET_ACCURACY)
    names = ", ".join(key.replace("_", " ") for key in keys if st.session_state[key])
    label = f"Early stopping: {names}" if names else "Early stopping"
    with st.expander(label, key=state.EARLY_STOPPING_OPEN, on_change="rerun"):  # else each new label would close it
        st.number_input(
            "Patience: epochs without a lower validation loss",
            0,
            1000,
            key=state.PATIENCE,
            help="Then training stops and the best epoch is restored. 0: off.",
        )
        st.number_input(
            "Time budget in seconds", 0.0, 1e6, step=10.0, format="%g", key=state.TIME_BUDGET, help="0: no limit."
        )
        st.number_input(
            "Target validation accuracy, 0 to 1",
            0.0,
            1.0,
            step=0.005,
            format="%g",
            key=state.TARGET_ACCURACY,
            help="Training stops once it is reached. 0: off.",
        )


def _with_current(values: tuple[float, ...], key: str) -> list[float]:
    """The values of a slider, and among them the current one, which may come from a run."""
    return sorted({*values, st.session_state[key]})


def _set_usual_learning_rate() -> None:
    """Sets the usual learning rate of the selected optimizer; for the recipe's optimizer that of the recipe."""
    base, optimizer = recipes.find_recipe(st.session_state[state.RECIPE]).settings, st.session_state[state.OPTIMIZER]
    rate = base.learning_rate if optimizer == base.optimizer else OPTIMIZERS[optimizer]
    st.session_state[state.LEARNING_RATE] = rate


def recipe_title(name: str) -> str:
    """A recipe's name and title, as the menu shows them."""
    return f"{name} · {recipes.RECIPES[name].title}"


def form_overrides() -> dict[str, Any]:
    """The settings that differ from the recipe's."""
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    values = {**st.session_state[state.CARRIED_SETTINGS], **{key: st.session_state[key] for key in BASIC_KEYS}}
    values |= advanced_settings.form_values(base)
    values["augmentation"] = "hand" if st.session_state[state.AUGMENTATION] else "none"
    if custom_network.is_enabled():
        values = {name: value for name, value in values.items() if name not in LAYER_SETTINGS}
        network = {LAYERS_KEY: layers_to_json(custom_network.current_layers())}
        return network | overrides_for(apply_overrides(base, values), base)
    return overrides_for(apply_overrides(base, values), base)


def input_size() -> int:
    """Side in pixels of the images that the network reads."""
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    return 56 if st.session_state[state.CARRIED_SETTINGS].get("uncentered", base.uncentered) else 28


def form_spec() -> RunSpec:
    """The run spec that the form describes. Raises SettingError or ArchitectureError if it cannot be trained."""
    return make_spec(
        st.session_state[state.RECIPE],
        form_overrides(),
        st.session_state[state.DATA],
        int(st.session_state[state.SEED]),
    )


def find_problem() -> str:
    """Why the form cannot be trained as it is; empty if it can."""
    try:
        form_spec()
    except DigitLabError as error:
        return str(error)
    return ""


def form_settings() -> Settings:
    """The settings that the form describes. Raises SettingError or ArchitectureError as `form_spec` does."""
    return apply_overrides(recipes.find_recipe(st.session_state[state.RECIPE]).settings, form_overrides())
