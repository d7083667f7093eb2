"""The Explain page, through AppTest: each view with models of every kind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.files import write_json
from mnist_core.models import convert
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run
from pages.ui.shared import state
from tests.models.test_activations import randomized_model
from tests.pages.support import APP, SEVEN, drawing, open_page, page_text
from tests.support import Trained

VIEWS = ("layers", "learned", "mind", "neighbours", "beside")


@pytest.fixture
def app() -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    return AppTest.from_file(str(APP), default_timeout=60)


def made(root: Path, recipe: str, files: tuple[str, ...] = ("model.keras", "model.tflite")) -> Run:
    """A run of a recipe that was never trained, with the files that are named."""
    spec = make_spec(recipe)
    run = create_run(spec, root)
    model = randomized_model(spec.settings.architecture)
    if "model.keras" in files:
        model.save(run.path / "model.keras")
    run.model.write_bytes(convert.convert(model, spec.settings.architecture))
    card = {**spec.to_json(), "data": {"asked": "full", "name": "full", "source": "-"}, "test_accuracy": 0.5}
    write_json(run.path / "card.json", card)
    run.write_status(Status("finished"))
    return run


def at(app: AppTest, view: str, model: str = "default") -> AppTest:
    """The page at a view, with a test image."""
    app.session_state[state.EXPLAIN_SOURCE] = "test"
    app.session_state[state.EXPLAIN_VIEW] = view
    app.session_state[state.MODEL] = model
    app = open_page(app, "pages/explain.py")
    assert not app.exception
    return app


def test_every_layer_of_the_shipped_model_is_shown(app: AppTest) -> None:
    app = at(app, "layers")
    assert not app.error
    text = page_text(app)
    assert text.count('alt="Layer ') == len(ActivationModel(DEFAULT_MODEL).names) == 27
    assert "27 · Dense" in text


def test_another_drawing_changes_the_activations(app: AppTest) -> None:
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.session_state[state.EXPLAIN_SOURCE] = "draw"
    app = open_page(app, "pages/explain.py")
    before = page_text(app)
    assert not app.error and 'alt="Layer ' in before
    app.session_state[state.CANVAS] = drawing((140, 50, 140, 230))
    app.run()
    assert not app.error and 'alt="Layer ' in page_text(app) and page_text(app) != before


def test_the_computation_of_a_value_ends_in_that_value(app: AppTest, sample: Any) -> None:
    """For each kind of layer of the shipped model, at row 3, column 3 of channel 0, or unit 0."""
    layers = ActivationModel(DEFAULT_MODEL)
    at(app, "layers")
    outputs = layers.outputs(sample.x_test[int(app.session_state[state.EXPLAINED_INDEX])][None])
    for position in (0, 1, 2, 3, 10, 17, 24, 26):
        name = layers.names[position]
        app.session_state[state.EXPLAINED_LAYER] = name
        app.session_state[state.EXPLAINED_CHANNEL] = 0
        app.session_state[state.EXPLAINED_ROW] = app.session_state[state.EXPLAINED_COLUMN] = 3
        app.run()
        assert not app.error and not app.exception, name
        values = outputs[name][0]
        value = values[3, 3, 0] if values.ndim == 3 else values[0]
        computed = app.dataframe[0].value["value"].iloc[-1]
        assert float(computed) == pytest.approx(float(value), abs=1e-4, rel=1e-3), name


def test_a_unit_that_another_layer_lacks_is_moved_inside(app: AppTest) -> None:
    app.session_state[state.EXPLAINED_ROW] = app.session_state[state.EXPLAINED_COLUMN] = 25
    app = at(app, "layers")
    assert app.session_state[state.EXPLAINED_ROW] == 25
    app.selectbox(key=state.EXPLAINED_LAYER).set_value("018_Conv2D").run()
    assert not app.error and not app.exception
    assert app.session_state[state.EXPLAINED_ROW] == 3


@pytest.mark.parametrize("recipe", ["lesson08-uncentered-cnn", "lesson08-uncentered-mlp", "singh-mlp", "brownlee-cnn"])
@pytest.mark.usefixtures("keras")
def test_every_view_shows_models_of_other_kinds(app: AppTest, runs_root: Path, recipe: str) -> None:
    """56×56, a hundred outputs, no convolutions, raw pixels: every view."""
    run = made(runs_root, recipe)
    app = at(app, "layers", run.id)
    for view in VIEWS:
        app.segmented_control(key=state.EXPLAIN_VIEW).set_value(view).run()
        assert not app.exception and not app.error, (view, app.error)
    count = len(make_spec(recipe).settings.layers)
    app.selectbox(key=state.COMPARED_MODEL).set_value(run.id).run()
    assert page_text(app).count('alt="Layer ') == 2 * count


@pytest.mark.usefixtures("keras")
def test_a_run_without_weights_shows_its_activations(app: AppTest, runs_root: Path) -> None:
    run = made(runs_root, "fast", ("model.tflite",))
    app = at(app, "layers", run.id)
    assert not app.error and 'alt="Layer ' in page_text(app)
    assert any("single values cannot be shown" in info.value for info in app.info)


@pytest.mark.usefixtures("keras")
def test_a_model_without_activations_is_converted_again(app: AppTest, trained: Trained, runs_root: Path) -> None:
    import tensorflow as tf

    from mnist_core.training import fine_tune

    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    run = Run(runs_root / trained.run.id)
    model = fine_tune.load_keras_model(fine_tune.base_spec(run.id).settings.architecture, run.path / "model.keras")
    run.model.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    app = at(app, "layers", run.id)
    assert not app.error and any("converted again" in info.value for info in app.info)
    assert 'alt="Layer ' not in page_text(app)
    app.button(key="convert_layers").click().run(timeout=300)
    assert not app.error and page_text(app).count('alt="Layer ') == 10


def test_filters_and_weight_distributions_are_shown(app: AppTest) -> None:
    app = at(app, "learned")
    assert not app.error and "Filters of 2 · Conv2D (all 32)" in page_text(app)
    assert "32 pictures of 3 by 3 weights" in page_text(
        app
    ) and "Distribution of the weights of each layer" in page_text(app)


def test_a_counterfactual_is_shown_before_and_after(app: AppTest) -> None:
    app = at(app, "mind")
    assert not app.error
    text = page_text(app)
    assert re.search(r"From \d to (\d|not a digit): \d+ patch", text) or "No counterfactual found" in text


def test_ten_nearest_neighbors_are_listed_and_their_descriptors_saved(app: AppTest, runs_root: Path) -> None:
    app = at(app, "neighbours")
    assert not app.error
    table = app.dataframe[0].value
    assert list(table["rank"]) == list(range(1, 11)) and table["similarity"].is_monotonic_decreasing
    (kept,) = (runs_root / ".neighbours").iterdir()
    made_at = kept.stat().st_mtime_ns
    st.cache_resource.clear()
    app.run()
    assert not app.error and kept.stat().st_mtime_ns == made_at and np.load(kept).shape == (4000, 192)


VIEWS_OF = {
    "explain": (state.EXPLAIN_VIEW, ("layers", "beside", "mind")),
    "evaluate": (state.EVALUATED_VIEW, ("scores", "sure", "worst")),
    "data": (state.DATA_VIEW, ("browse", "kept", "augmentation")),
}
"""Page -> session key of its view, and three views, the first of the page first."""


@pytest.mark.parametrize("page", VIEWS_OF)
def test_the_address_names_the_view(page: str, app: AppTest) -> None:
    key, (first, second, third) = VIEWS_OF[page]
    app.session_state[state.EXPLAIN_SOURCE] = "test"
    app.query_params["view"] = "nonsense"
    app.switch_page(f"pages/{page}.py")
    app.run()
    assert app.session_state[key] == first and not app.error, "an unknown view"
    app.query_params["view"] = second
    app.run()
    assert app.session_state[key] == second and not app.error
    app.segmented_control(key=key).set_value(third).run()
    assert app.query_params["view"] == third and app.session_state[key] == third
    app.query_params["view"] = first
    app.run()
    assert app.session_state[key] == first
