"""What is to be trained: a control for each setting, filled from a recipe, from a run, or from a link."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import streamlit as st

from mnist_core.data.mnist import mnist_available
from mnist_core.errors import RunError, SettingError
from mnist_core.networks import share_link
from mnist_core.networks.architecture import LAYERS_KEY, layers_to_json
from mnist_core.recipes import recipes
from mnist_core.recipes.overrides import LAYER_SETTINGS, apply_overrides, overrides_for, parse_override
from mnist_core.recipes.recipe import Recipe
from mnist_core.recipes.settings import OPTIMIZERS, Settings
from mnist_core.runs.run import MAX_SEED, RunSpec, find_run, make_spec
from pages.ui.shared import advanced_settings, custom_network, state
from pages.ui.shared.advanced_settings import show_advanced_settings
from pages.ui.shared.run_controls import LEARNING_RATES

MOST_EPOCHS = 50
BATCH_SIZES = (8, 16, 32, 64, 100, 128, 200, 256, 512, 1024, 2048)
DATA = {"full": "MNIST, all 70,000 digits", "sample": "offline sample, 5,000 digits"}


CONTROLLED = (
    state.EPOCHS,
    state.BATCH_SIZE,
    state.LEARNING_RATE,
    state.OPTIMIZER,
    state.DROPOUT,
    state.PATIENCE,
    state.TIME_BUDGET,
    state.TARGET_ACCURACY,
)


def fill() -> None:
    """Sets every control to what the chosen recipe says."""
    set_controls(recipes.find_recipe(st.session_state[state.RECIPE]).settings)


def set_controls(settings: Settings) -> None:
    """Sets every control, and carries along what there is no control for."""
    for key in (*CONTROLLED, *advanced_settings.KEYS):
        st.session_state[key] = advanced_settings.of_its_kind(key, getattr(settings, key))
    st.session_state[state.MOST_EPOCHS] = max(MOST_EPOCHS, 2 * settings.epochs)
    st.session_state[state.AUGMENTATION] = settings.augmentation != "none"
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    controlled = (*CONTROLLED, *advanced_settings.KEYS, "augmentation", LAYERS_KEY)  # networks are changed elsewhere
    others = overrides_for(settings, base).items()
    st.session_state[state.CARRIED] = {name: value for name, value in others if name not in controlled}


def like(name: str) -> None:
    """Sets every control to what a run was trained with: `?like=RUN`."""
    spec = find_run(name).spec()
    if spec.recipe not in recipes.RECIPES or spec.base:
        raise RunError(f"The run {name} cannot be trained again here: its recipe is gone, or it was taught.")
    st.session_state[state.RECIPE], st.session_state[state.SEED] = spec.recipe, spec.seed
    st.session_state[state.DATA] = spec.data if spec.data in DATA else "full"
    set_controls(spec.settings)
    custom_network.take(spec.settings, recipes.find_recipe(spec.recipe).settings)


def linked() -> None:
    """Fills the form from the address, once: `?like=RUN`, or `?recipe=NAME` with settings, seed and data beside it."""
    if name := st.query_params.pop("like", None):
        like(name)
    network = st.query_params.pop("net", None)
    if "recipe" in st.query_params:
        given = st.query_params.to_dict()
        st.query_params.clear()
        fill_from(given)
    if network is not None:
        custom_network.put(share_link.decode(network, input_size()))
        st.session_state[state.OWN] = True


def fill_from(given: dict[str, str]) -> None:
    """Sets every control to what a link says. Raises SettingError for what is no recipe, setting or value."""
    recipe, seed, images = given.pop("recipe"), given.pop("seed", "0"), given.pop("data", None)
    overrides = dict(parse_override(f"{name}={value}") for name, value in given.items())
    settings = apply_overrides(recipes.find_recipe(recipe).settings, overrides)
    if not seed.isdecimal() or int(seed) > MAX_SEED or images not in (None, *DATA):
        raise SettingError(
            f"The link asks for seed {seed[:20]!r} and data {images!r}; expected a whole number up to {MAX_SEED:,}, "
            f"and one of {', '.join(DATA)}."
        )
    st.session_state[state.RECIPE], st.session_state[state.SEED] = recipe, int(seed)
    st.session_state[state.DATA] = images or st.session_state[state.DATA]
    st.session_state[state.OWN] = False
    set_controls(settings)


def link() -> None:
    """The address that opens the form as it is now."""
    given = {"recipe": st.session_state[state.RECIPE], **overrides()}
    if given.pop(LAYERS_KEY, None):
        given["net"] = share_link.encode(custom_network.layers())
    given |= {"seed": int(st.session_state[state.SEED]), "data": st.session_state[state.DATA]}
    with st.expander("Link to these settings"):
        st.code(f"{st.context.url or '/train'}?{urlencode(given)}", language=None, wrap_lines=True)


def controls() -> None:
    """The menu of recipes, and a control for each setting."""
    names = list(recipes.RECIPES)
    st.selectbox("Recipe", names, format_func=recipe_title, key=state.RECIPE, on_change=fill)
    recipe = recipes.find_recipe(st.session_state[state.RECIPE])
    about(recipe)
    left, right = st.columns(2)
    left.slider(
        "Epochs", 1, st.session_state[state.MOST_EPOCHS], key=state.EPOCHS, help="Passes over the training images."
    )
    sizes, rates = with_current(BATCH_SIZES, state.BATCH_SIZE), with_current(LEARNING_RATES, state.LEARNING_RATE)
    right.select_slider("Batch size", sizes, key=state.BATCH_SIZE, help="Images in one step.")
    left.select_slider(
        "Learning rate",
        rates,
        key=state.LEARNING_RATE,
        format_func="{:g}".format,
        help="How large the steps are; of a schedule, the peak.",
    )
    right.slider(
        "Dropout",
        0.0,
        0.9,
        step=0.05,
        key=state.DROPOUT,
        help="Share of values left out in each step.",
        disabled=custom_network.is_on(),
    )
    left.selectbox("Optimizer", list(OPTIMIZERS), key=state.OPTIMIZER, on_change=usual_rate)
    right.number_input("Seed", 0, 2**31 - 1, key=state.SEED, help="The same seed and settings give the same model.")
    st.selectbox("Images", list(DATA), format_func=DATA.get, key=state.DATA)
    st.toggle("Augmentation", key=state.AUGMENTATION, help="Train on turned, slanted, stretched, wobbled copies.")
    limits()
    show_advanced_settings(recipe.settings, settings)
    if carried := st.session_state[state.CARRIED]:
        st.caption("As in that run: " + ", ".join(f"{name} {value}" for name, value in carried.items()) + ".")
    if st.session_state[state.DATA] == "full" and not mnist_available():
        st.caption("MNIST is not on this computer yet: 11 MB are downloaded first. Without a network it is the sample.")


def limits() -> None:
    """What ends a training before its last epoch; 0 each for never."""
    on = [key for key in (state.PATIENCE, state.TIME_BUDGET, state.TARGET_ACCURACY) if st.session_state[key]]
    with st.expander(f"Stop by itself{': ' + ', '.join(key.replace('_', ' ') for key in on) if on else ''}"):
        st.number_input(
            "After so many epochs without a lower validation loss",
            0,
            1000,
            key=state.PATIENCE,
            help="0: never. The best epoch is restored.",
        )
        st.number_input(
            "After so many seconds", 0.0, 1e6, step=10.0, format="%.0f", key=state.TIME_BUDGET, help="0: never."
        )
        st.number_input(
            "At a validation accuracy, 0 to 1, of",
            0.0,
            1.0,
            step=0.005,
            format="%.3f",
            key=state.TARGET_ACCURACY,
            help="0: never.",
        )


def with_current(values: tuple[float, ...], key: str) -> list[float]:
    """The values of a slider, and the one that a run was trained with among them."""
    return sorted({*values, st.session_state[key]})


def usual_rate() -> None:
    """Another optimizer starts from the rate that is usual for it."""
    st.session_state[state.LEARNING_RATE] = OPTIMIZERS[st.session_state[state.OPTIMIZER]]


def recipe_title(name: str) -> str:
    return f"{name} · {recipes.RECIPES[name].title}"


def about(recipe: Recipe) -> None:
    """Where a recipe comes from and what it published."""
    published = f"Published: {recipe.published.text}. " if recipe.published else ""
    st.caption(f"{recipe.source}. {published}{recipe.note}")


def overrides() -> dict[str, Any]:
    """The settings that differ from the recipe's."""
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    chosen = {**st.session_state[state.CARRIED], **{key: st.session_state[key] for key in CONTROLLED}}
    chosen |= advanced_settings.chosen(base)
    chosen["augmentation"] = "hand" if st.session_state[state.AUGMENTATION] else "none"
    if custom_network.is_on():
        chosen = {name: value for name, value in chosen.items() if name not in LAYER_SETTINGS}
        return {
            LAYERS_KEY: layers_to_json(custom_network.layers()),
            **overrides_for(apply_overrides(base, chosen), base),
        }
    return overrides_for(apply_overrides(base, chosen), base)


def input_size() -> int:
    """Side in pixels of the images that a network gets, as the form stands."""
    base = recipes.find_recipe(st.session_state[state.RECIPE]).settings
    return 56 if st.session_state[state.CARRIED].get("uncentered", base.uncentered) else 28


def spec() -> RunSpec:
    """What the form says. Raises SettingError or ArchitectureError where that cannot be trained."""
    return make_spec(
        st.session_state[state.RECIPE], overrides(), st.session_state[state.DATA], int(st.session_state[state.SEED])
    )


def settings() -> Settings:
    """The settings that the form says."""
    return apply_overrides(recipes.find_recipe(st.session_state[state.RECIPE]).settings, overrides())
