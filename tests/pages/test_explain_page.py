"""The Explain page, through AppTest: each view with models of every kind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from mnist_core.explain.blocks import fold_layers
from mnist_core.explain.counterfactual import Counterfactual
from mnist_core.files.write import write_json
from mnist_core.models import convert
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run
from pages.ui.shared import state
from tests.models.test_activations import randomized_model
from tests.pages.support import APP, SEVEN, chart, click_chart, drawing, open_page, page_text
from tests.support import Trained

SHIPPED_BLOCKS = 12
"""Of the shipped model: seven convolutions and two poolings, and what is before and after them."""
VIEWS = ("layers", "learned", "mind", "neighbours", "beside")


@pytest.fixture
def app() -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.session_state[state.EXPERT] = True  # which offers every view
    return app


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


def block_buttons(app: AppTest) -> list[str]:
    """Titles of the blocks of the layer view, in order."""
    return [button.label for button in app.button if str(button.key).startswith("wall_choose_")]


def test_normalization_and_activation_are_folded_into_their_convolution(app: AppTest) -> None:
    app = at(app, "layers")
    assert not app.error
    first, second, third = (
        [f"Conv {size} · BN · ReLU" for size in sizes] for sizes in ((40, 56), (96, 112, 112), (160, 192))
    )
    expected = ["Rescale", *first, "Max pool", *second, "Max pool", *third, "Flatten", "Dense 11 · softmax"]
    assert block_buttons(app) == expected
    assert page_text(app).count('alt="Layer ') == len(expected)
    assert app.subheader[0].value == "Conv 40 · BN · ReLU", "the first convolution is open"
    app.button(key="wall_choose_2").click().run()
    parts = app.segmented_control(key=state.EXPLAINED_LAYER)
    assert parts.options == ["5 · Conv2D", "6 · BatchNormalization", "7 · ReLU"] and parts.value == "007_ReLU"
    assert not app.error and not app.exception


def test_the_pipeline_shows_three_inputs_with_their_filters_and_each_step(app: AppTest) -> None:
    app = at(app, "layers")
    (first,) = re.findall('<div class="lab-pipeline">.*?$', page_text(app), re.M)
    captions = re.findall(r"<figcaption><b>(.*?)</b>", first)
    assert captions == ["Input", "Filter", "Product", "Sum", "BN", "ReLU"], "the image has one channel"
    app.button(key="wall_choose_2").click().run()
    (second,) = re.findall('<div class="lab-pipeline">.*?$', page_text(app), re.M)
    captions = re.findall(r"<figcaption><b>(.*?)</b>", second)
    assert captions == [*["Input", "Filter", "Product"] * 3, "Sum", "BN", "ReLU"]
    assert "and 37 more input channels" in second


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
    blocks: tuple[tuple[str, int], ...]
    blocks = (("wall_choose_0", 0), ("wall_choose_1", 1), ("wall_choose_1", 2), ("wall_choose_1", 3))
    for key, position in (
        *blocks,
        ("wall_choose_3", 7),
        ("wall_choose_8", 20),
        ("wall_choose_10", 27),
        ("wall_choose_11", 28),
    ):
        name = layers.names[position]
        for index in (state.EXPLAINED_CHANNEL, state.EXPLAINED_ROW, state.EXPLAINED_COLUMN):
            app.session_state[index] = 0 if index == state.EXPLAINED_CHANNEL else 3
        app.button(key=key).click().run()
        if app.session_state[state.EXPLAINED_LAYER] != name:
            app.segmented_control(key=state.EXPLAINED_LAYER).set_value(name).run()
        assert not app.error and not app.exception, name
        values = outputs[name][0]
        at_zero = app.session_state[state.EXPLAINED_ROW] == 3 and values.ndim == 3
        value = values[3, 3, 0] if at_zero else values[app.session_state[state.EXPLAINED_CHANNEL]]
        computed = app.dataframe[0].value["value"].iloc[-1]
        assert float(computed) == pytest.approx(float(value), abs=1e-4, rel=1e-3), name


def test_each_way_to_compute_a_unit_has_its_own_guide() -> None:
    def show() -> None:
        import numpy as np

        from mnist_core.explain.arithmetic import UnitArithmetic
        from pages.ui.explain.arithmetic import show_largest_shares, show_patch

        window = np.ones((3, 3, 1), np.float32)
        show_patch(UnitArithmetic("max pooling", (("maximum", 1.0),), patch=window, box=(0, 0, 3, 3)), (9, 9, 1))
        show_largest_shares(UnitArithmetic("softmax", (("output", 0.9),), terms=((2.0, 0.9), (0.0, 0.1))))

    pooling, softmax = (
        text.value for text in AppTest.from_function(show, default_timeout=30).run().markdown if "\n\n*[" in text.value
    )
    assert "**Max pooling** passes on its largest number" in pooling and "Middle" not in pooling
    assert "sum to 1" in softmax and "weight" not in softmax


def test_a_unit_that_another_layer_lacks_is_moved_inside(app: AppTest) -> None:
    app.session_state[state.EXPLAINED_ROW] = app.session_state[state.EXPLAINED_COLUMN] = 25
    app = at(app, "layers")
    assert app.session_state[state.EXPLAINED_ROW] == 25
    app.button(key="wall_choose_8").click().run()
    assert not app.error and not app.exception
    assert app.session_state[state.EXPLAINED_ROW] == 3


def test_a_unit_that_is_clicked_and_then_left_in_a_field_can_be_clicked_again(app: AppTest) -> None:
    at(app, "layers")
    for figure, row, key in (
        ("channels", {"channel": 5}, state.EXPLAINED_CHANNEL),
        ("channel", {"row": 4, "column": 6}, state.EXPLAINED_ROW),
        ("units", {"unit": 2}, state.EXPLAINED_CHANNEL),
    ):
        if figure == "units":
            app.button(key="wall_choose_11").click().run()
        click_chart(app, figure, "clicked", **row)
        clicked, with_selection = app.session_state[key], chart(app, figure).id
        assert clicked == next(iter(row.values()))
        app.run()
        assert chart(app, figure).id == with_selection
        app.number_input(key=key).set_value(3).run()
        assert chart(app, figure).id != with_selection, "it starts over, without a selection"
        click_chart(app, figure, "clicked", **row)
        assert app.session_state[key] == clicked and not app.error and not app.exception


@pytest.mark.parametrize("recipe", ["lesson08-uncentered-cnn", "lesson08-uncentered-mlp", "singh-mlp", "brownlee-cnn"])
@pytest.mark.usefixtures("keras")
def test_every_view_shows_models_of_other_kinds(app: AppTest, runs_root: Path, recipe: str) -> None:
    """56×56, a hundred outputs, no convolutions, raw pixels: every view."""
    run = made(runs_root, recipe)
    app = at(app, "layers", run.id)
    for view in VIEWS:
        app.segmented_control(key=state.EXPLAIN_VIEW).set_value(view).run()
        assert not app.exception and not app.error, (view, app.error)
    assert app.selectbox(key=state.COMPARED_MODEL).options == ["none", "Digit Lab's model"], "not with itself"
    app.selectbox(key=state.COMPARED_MODEL).set_value("default").run()
    count = len(fold_layers(make_spec(recipe).settings.layers))
    assert page_text(app).count('alt="Layer ') == count + SHIPPED_BLOCKS


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
    assert not app.error and page_text(app).count('alt="Layer ') == len(fold_layers(run.spec().settings.layers))


def test_the_page_starts_with_a_test_digit_or_with_the_drawing(app: AppTest, sample: Any) -> None:
    app = open_page(app, "pages/explain.py")
    assert app.segmented_control(key=state.EXPLAIN_SOURCE).value == "test" and 'alt="Layer ' in page_text(app)
    label = app.pills(key=state.EXPLAINED_LABEL).value
    assert label == sample.y_test[0]
    app.segmented_control(key=state.EXPLAIN_SOURCE).set_value("draw").run()
    assert f"Until then you see test image 0, a {label}" in page_text(app) and 'alt="Layer ' in page_text(app)


def test_what_was_drawn_elsewhere_is_explained_first(app: AppTest) -> None:
    app.session_state[state.drawing_key(state.CANVAS)] = drawing(*SEVEN)["drawing"]["raw"]
    app = open_page(app, "pages/explain.py")
    assert app.segmented_control(key=state.EXPLAIN_SOURCE).value == "draw" and not app.error


def test_the_digits_lead_to_the_next_test_image_of_that_digit(app: AppTest, sample: Any) -> None:
    app = at(app, "layers")
    for digit in (3, 8):
        app.pills(key=state.EXPLAINED_LABEL).set_value(digit).run()
        assert sample.y_test[app.session_state[state.EXPLAINED_INDEX]] == digit
    first = app.session_state[state.EXPLAINED_INDEX]
    app.pills(key=state.EXPLAINED_LABEL).set_value(None).run()
    second = app.session_state[state.EXPLAINED_INDEX]
    assert second > first and sample.y_test[second] == 8, "clicked again: another 8"


def test_explain_and_evaluate_keep_one_model_and_one_digit(app: AppTest, trained_run: Run) -> None:
    app = at(app, "layers")
    app.selectbox(key=state.MODEL).set_value(trained_run.id).run()
    app.pills(key=state.EXPLAINED_LABEL).set_value(3).run()
    index = app.session_state[state.EXPLAINED_INDEX]
    app.switch_page("pages/evaluate.py").run()
    assert app.selectbox(key=state.MODEL).value == trained_run.id
    assert app.pills(key=state.EXPLAINED_LABEL).value == 3
    app.pills(key=state.EXPLAINED_LABEL).set_value(None).run()
    assert app.session_state[state.EXPLAINED_INDEX] > index
    index = app.session_state[state.EXPLAINED_INDEX]
    app.selectbox(key=state.MODEL).set_value("default").run()
    app.switch_page("pages/explain.py").run()
    assert app.selectbox(key=state.MODEL).value == "default" and app.session_state[state.EXPLAINED_INDEX] == index
    assert not app.error and not app.exception


def test_simple_mode_hides_specialist_views_until_they_are_wanted(app: AppTest) -> None:
    app.session_state[state.EXPERT] = False
    app = at(app, "layers")
    assert len(app.segmented_control(key=state.EXPLAIN_VIEW).options) == 4
    app.button(key=f"{state.EXPLAIN_VIEW}_more").click().run()
    assert len(app.segmented_control(key=state.EXPLAIN_VIEW).options) == 7
    app.segmented_control(key=state.EXPLAIN_VIEW).set_value("learned").run()
    assert app.query_params["view"] == "learned" and not app.error and not app.exception


def test_a_link_opens_a_specialist_view_in_simple_mode(app: AppTest) -> None:
    app.session_state[state.EXPERT] = False
    app = open_page(app, "pages/explain.py", view="learned")
    assert app.segmented_control(key=state.EXPLAIN_VIEW).value == "learned" and not app.error
    assert "Weights" in app.segmented_control(key=state.EXPLAIN_VIEW).options


def test_filters_and_weight_distributions_are_shown(app: AppTest) -> None:
    app = at(app, "learned")
    assert not app.error and "Filters of 2 · Conv2D (all 40)" in page_text(app)
    assert "40 pictures of 3 by 3 weights" in page_text(
        app
    ) and "Distribution of the weights of each layer" in page_text(app)


def test_a_counterfactual_is_shown_before_and_after(app: AppTest) -> None:
    app = at(app, "mind")
    assert not app.error
    text = page_text(app)
    assert re.search(r"From \d to (\d|not a digit): \d+ patch", text) or "No counterfactual found" in text


def test_a_search_without_a_counterfactual_does_not_say_how_sure_the_model_is(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be unsure: the search is greedy and its patches are few."""
    blank = np.zeros((28, 28), np.uint8)
    unchanged = Counterfactual("erase", (), blank, blank, (7, 7))
    monkeypatch.setattr("pages.ui.shared.analysis_caches.find_counterfactual", lambda path, image: unchanged)
    (info,) = at(app, "mind").info
    assert "stays 7" in info.value and "sure" not in info.value


def test_ten_nearest_neighbors_are_listed_and_their_descriptors_saved(
    app: AppTest, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, update = list[float](), DeltaGenerator.progress
    monkeypatch.setattr(
        DeltaGenerator, "progress", lambda bar, share, text: shown.append(share) or update(bar, share, text)
    )
    app = at(app, "neighbours")
    assert not app.error
    assert len(shown) > 2 and shown == sorted(shown) and shown[-1] == 1, "five seconds of work, seen by who waits"
    table = app.dataframe[0].value
    assert list(table["rank"]) == list(range(1, 11)) and table["similarity"].is_monotonic_decreasing
    (kept,) = (runs_root / ".neighbours").iterdir()
    made_at = kept.stat().st_mtime_ns
    st.cache_resource.clear()
    app.run()
    assert not app.error and kept.stat().st_mtime_ns == made_at and np.load(kept).shape == (4000, 768)


def test_a_digit_for_which_the_last_hidden_layer_is_all_zeros_has_no_neighbors(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ActivationModel, "penultimate", lambda model, images: np.zeros((len(images), 9), np.float32))
    app = at(app, "neighbours")
    assert "all zeros" in app.info[0].value and not app.dataframe and not app.error


VIEWS_OF = {
    "explain": (state.EXPLAIN_VIEW, ("layers", "beside", "mind")),
    "evaluate": (state.EVALUATED_VIEW, ("confusion", "sure", "worst")),
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
