"""Links to the training form: the address fills it, and the form gives its own address."""

from __future__ import annotations

import contextlib
from urllib.parse import urlencode

import streamlit as st

from mnist_core.data.mnist import DATA_SETS
from mnist_core.errors import DigitLabError, SettingError
from mnist_core.networks import share_link
from mnist_core.networks.architecture import LAYERS_KEY
from mnist_core.recipes import recipes
from mnist_core.recipes.overrides import apply_overrides, parse_override, setting_rules
from mnist_core.runs.spec import MAX_SEED
from pages.ui.shared import custom_network, settings_form, state

APP_PARAMETERS = {"run", "tour", "present", "mode"}
"""Parameters of the address that are not settings."""


def fill_from_address() -> None:
    """Fills the form from the address, once, and removes that part of the address.

    `?like=RUN_ID` takes the settings of a run, and so does a link to a run, `?run=RUN_ID`, when it is opened;
    `?recipe=NAME` with settings, `seed` and `data` takes these, without a recipe those of the default recipe;
    `net=` adds a network. Raises DigitLabError for a run, a setting or a network that cannot be opened.
    """
    if run_id := st.query_params.pop("like", None):
        st.session_state[state.STAGE] = "network"
        settings_form.fill_from_run(run_id)
    network = st.query_params.pop("net", None)
    if parameters := _pop_settings():
        fill_from_link(parameters)
    elif not run_id:
        _fill_from_linked_run()
    if network is not None:
        custom_network.replace_layers(share_link.decode(network, settings_form.input_size()))
        st.session_state[state.CUSTOM_NETWORK] = True
        st.session_state[state.STAGE] = "network"


def _pop_settings() -> dict[str, str]:
    """Removes the settings from the address and returns them.

    Next to a recipe, every parameter that is not one of APP_PARAMETERS counts, so that a misspelled setting is noticed.
    """
    given = st.query_params.to_dict()
    settings = {"seed", "data", *setting_rules()}
    taken = given.keys() - APP_PARAMETERS if "recipe" in given else given.keys() & settings
    for name in taken:
        del st.query_params[name]
    return {name: value for name, value in given.items() if name in taken}


def _fill_from_linked_run() -> None:
    """Takes the settings of the run in the address, unless the session shows that run already."""
    run_id = st.query_params.get("run")
    if run_id and run_id != st.session_state.get(state.RUN):
        st.session_state[state.STAGE] = "run"
        with contextlib.suppress(DigitLabError):  # a fine-tuned run, for example: the form stays as it is
            settings_form.fill_from_run(run_id)


def fill_from_link(parameters: dict[str, str]) -> None:
    """Fills the form from the parameters of a link: any setting, and optionally `recipe`, `seed` and `data`.

    Raises SettingError for an unknown recipe, setting or value.
    """
    settings = dict(parameters)
    recipe = settings.pop("recipe", recipes.DEFAULT_RECIPE)
    seed, data = settings.pop("seed", "0"), settings.pop("data", None)
    overrides = dict(parse_override(f"{name}={value}") for name, value in settings.items())
    filled = apply_overrides(recipes.find_recipe(recipe).settings, overrides)
    if not seed.isdecimal() or len(seed) > 20 or int(seed) > MAX_SEED:
        raise SettingError(f"The link's seed is {seed[:20]!r}. Expected a whole number from 0 to {MAX_SEED:,}.")
    if data is not None and data not in DATA_SETS:
        raise SettingError(f"The link's data is {data!r}. Expected one of {', '.join(DATA_SETS)}.")
    st.session_state[state.RECIPE], st.session_state[state.SEED] = recipe, int(seed)
    if data is not None:
        st.session_state[state.DATA] = data
    st.session_state[state.CUSTOM_NETWORK] = False
    settings_form.fill_from_settings(filled)


def show_settings_link() -> None:
    """The address that opens the form as it is now."""
    parameters = {"recipe": st.session_state[state.RECIPE], **settings_form.form_overrides()}
    if parameters.pop(LAYERS_KEY, None):
        parameters["net"] = share_link.encode(custom_network.current_layers())
    parameters |= {"seed": int(st.session_state[state.SEED]), "data": st.session_state[state.DATA]}
    with st.expander("Link to these settings"):
        st.code(f"{st.context.url or '/train'}?{urlencode(parameters)}", language=None, wrap_lines=True)
