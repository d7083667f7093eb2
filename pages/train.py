"""Choose a recipe, change what you like, train it in a process of its own and watch; a link opens the same run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mnist_core import data, jobs, recipes
from mnist_core.errors import RunError
from mnist_core.runs import Run, find_run, make_spec
from pages.ui import caches, components, monitor, navigation, owner, state
from pages.ui.steering import LEARNING_RATES

MOST_EPOCHS = 50
BATCH_SIZES = (8, 16, 32, 64, 100, 128, 200, 256, 512, 1024, 2048)
GALLERY = 20
DATA = {"full": "MNIST, all 70,000 digits", "sample": "offline sample, 5,000 digits"}


CONTROLLED = (state.EPOCHS, state.BATCH_SIZE, state.LEARNING_RATE, state.OPTIMIZER, state.DROPOUT)


def fill() -> None:
    """Sets every control to what the chosen recipe says."""
    set_controls(recipes.find(st.session_state[state.RECIPE]).settings)


def set_controls(settings: recipes.Settings) -> None:
    """Sets every control, and carries along what there is no control for."""
    for key in CONTROLLED:
        st.session_state[key] = getattr(settings, key)
    st.session_state[state.MOST_EPOCHS] = max(MOST_EPOCHS, 2 * settings.epochs)
    st.session_state[state.AUGMENTATION] = settings.augmentation != "none"
    base = recipes.find(st.session_state[state.RECIPE]).settings
    controlled = (*CONTROLLED, "augmentation")
    others = recipes.differences(settings, base).items()
    st.session_state[state.CARRIED] = {name: value for name, value in others if name not in controlled}


def like(name: str) -> None:
    """Sets every control to what a run was trained with: `?like=RUN`."""
    spec = find_run(name).spec()
    if spec.recipe not in recipes.RECIPES or spec.base:
        raise RunError(f"The run {name} cannot be trained again here: its recipe is gone, or it was taught.")
    st.session_state[state.RECIPE], st.session_state[state.SEED] = spec.recipe, spec.seed
    st.session_state[state.DATA] = spec.data if spec.data in DATA else "full"
    set_controls(spec.settings)


def controls() -> None:
    """The menu of recipes, and a control for each setting."""
    names = list(recipes.RECIPES)
    st.selectbox("Recipe", names, format_func=recipe_title, key=state.RECIPE, on_change=fill)
    recipe = recipes.find(st.session_state[state.RECIPE])
    about(recipe)
    left, right = st.columns(2)
    left.slider(
        "Epochs", 1, st.session_state[state.MOST_EPOCHS], key=state.EPOCHS, help="Passes over the training images."
    )
    sizes, rates = with_current(BATCH_SIZES, state.BATCH_SIZE), with_current(LEARNING_RATES, state.LEARNING_RATE)
    right.select_slider("Batch size", sizes, key=state.BATCH_SIZE, help="Images in one step.")
    schedule = f"Schedule of this recipe: {recipe.settings.schedule}."
    left.select_slider("Learning rate", rates, key=state.LEARNING_RATE, format_func="{:g}".format, help=schedule)
    right.slider("Dropout", 0.0, 0.9, step=0.05, key=state.DROPOUT, help="Share of values left out in each step.")
    left.selectbox("Optimizer", list(recipes.OPTIMIZERS), key=state.OPTIMIZER, on_change=usual_rate)
    right.number_input("Seed", 0, 2**31 - 1, key=state.SEED, help="The same seed and settings give the same model.")
    st.selectbox("Images", list(DATA), format_func=DATA.get, key=state.DATA)
    st.toggle("Augmentation", key=state.AUGMENTATION, help="Train on turned, slanted, stretched, wobbled copies.")
    if carried := st.session_state[state.CARRIED]:
        st.caption("As in that run: " + ", ".join(f"{name} {value}" for name, value in carried.items()) + ".")
    if st.session_state[state.DATA] == "full" and not data.available():
        st.caption("MNIST is not on this computer yet: 11 MB are downloaded first. Without a network it is the sample.")


def with_current(values: tuple[float, ...], key: str) -> list[float]:
    """The values of a slider, and the one that a run was trained with among them."""
    return sorted({*values, st.session_state[key]})


def usual_rate() -> None:
    """Another optimizer starts from the rate that is usual for it."""
    st.session_state[state.LEARNING_RATE] = recipes.OPTIMIZERS[st.session_state[state.OPTIMIZER]]


def recipe_title(name: str) -> str:
    return f"{name} · {recipes.RECIPES[name].title}"


def about(recipe: recipes.Recipe) -> None:
    """Where a recipe comes from and what it published."""
    published = f"Published: {recipe.published.text}. " if recipe.published else ""
    st.caption(f"{recipe.source}. {published}{recipe.note}")


def overrides() -> dict[str, Any]:
    """The settings that differ from the recipe's."""
    base = recipes.find(st.session_state[state.RECIPE]).settings
    chosen = {**st.session_state[state.CARRIED], **{key: st.session_state[key] for key in CONTROLLED}}
    chosen["augmentation"] = "hand" if st.session_state[state.AUGMENTATION] else "none"
    return recipes.differences(recipes.override(base, chosen), base)


def train() -> None:
    """Starts the run and puts it into the address."""
    spec = make_spec(
        st.session_state[state.RECIPE], overrides(), st.session_state[state.DATA], int(st.session_state[state.SEED])
    )
    st.query_params["run"] = jobs.start(caches.backend(), spec, owner.me()).id


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
    settings = recipes.override(recipes.find(st.session_state[state.RECIPE]).settings, overrides())
    components.summary(settings.architecture)


def gallery() -> None:
    """Twenty training digits as the augmentation would show them to the network."""
    how = "hand" if st.session_state[state.AUGMENTATION] else "none"
    with st.expander("What it trains on: 20 digits, augmented as set"):
        components.tiles(caches.augmented_digits(how, GALLERY), columns=10)


navigation.through_app()
state.default(state.RECIPE, recipes.DEFAULT_RECIPE)
state.default(state.SEED, 0)
state.default(state.DATA, "full" if data.available() else "sample")
if state.EPOCHS not in st.session_state or state.CARRIED not in st.session_state:
    fill()
if linked := st.query_params.pop("like", None):
    components.attempt(lambda: like(linked), True)
st.title("Train a network")
left, right = st.columns([1.2, 2], gap="large")
with left:
    controls()
    components.attempt(train, st.button("Train", type="primary", width="stretch"))
with right:
    run = components.attempt(shown_run, True)
    if run is not None:
        monitor.show(run)
    else:
        st.info("Choose a recipe, move a slider, and press Train. The curves begin to move within seconds.")
    network()
    gallery()
    monitor.recent()
