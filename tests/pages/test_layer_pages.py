"""Why this answer, and before and after training: the two views of the Explain page that ask the helper."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.charts import attribution as attribution_charts
from mnist_core.charts import growth as growth_charts
from mnist_core.explain.gradient_client import GradientClient, SnapshotHistory
from mnist_core.models.classifier import Classifier
from mnist_core.runs.run import Run
from mnist_core.runs.snapshots import Moment, snapshot_moments, write_snapshot
from pages.ui.explain import attribution, growth
from pages.ui.shared import analysis_caches, caches, state
from tests.support import Trained

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(scope="module")
def helper() -> Iterator[GradientClient]:
    """One for all these tests: it takes seconds to start."""
    made = GradientClient(2)
    yield made
    made.close()


@pytest.fixture
def app(helper: GradientClient, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The Explain page on the first test image."""
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(analysis_caches, "gradient_helper", lambda: helper)
    monkeypatch.setattr(growth, "SECONDS_PER_MOMENT", 0.0)
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.session_state[state.EXPLAIN_SOURCE] = "test"
    app.session_state[state.ATTRIBUTION_METHOD] = "integrated"
    return app


@pytest.fixture
def run(trained: Trained, runs_root: Path) -> Run:
    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    return Run(runs_root / trained.run.id)


def opened(app: AppTest, view: str, model: str = "default") -> AppTest:
    app.session_state[state.EXPLAIN_VIEW] = view
    app.session_state[state.MODEL] = model
    app.run()
    app.switch_page("pages/explain.py")
    app.run()
    assert not app.exception and not app.error, [each.value for each in app.error]
    return app


def shown(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.info, *app.get("html")]
    return "\n".join(str(getattr(element, "value", None) or element.proto.body) for element in elements)


def choose(app: AppTest, key: str, value: Any) -> AppTest:
    app.session_state[key] = value
    app.run()
    assert not app.exception and not app.error, [each.value for each in app.error]
    return app


# why this answer


@pytest.mark.slow
def test_every_method_shows_a_picture_of_the_shipped_model(app: AppTest) -> None:
    opened(app, "reasons")
    assert "**Completeness:** the attributions sum to" in shown(app) and "at most 1% is accepted" in shown(app)
    for name, method in attribution.METHODS.items():
        page = shown(choose(app, state.ATTRIBUTION_METHOD, name))
        assert f"##### {method.title}: what speaks for a" in page
        assert f'alt="{method.title} over the digit' in page


def test_another_digit_or_all_ten_can_be_explained(app: AppTest, run: Run) -> None:
    opened(app, "reasons", run.id)
    assert "what speaks for a 3" in shown(choose(app, state.ATTRIBUTION_DIGIT, 3))
    page = shown(choose(app, state.ATTRIBUTION_ALL, True))
    assert "what speaks for each digit" in page and page.count("strongest for a") == 10
    rows = app.dataframe[0].value
    assert rows["digit"].tolist() == list(range(10))
    gaps = (rows["sum of attributions"] - rows["difference of logits"]).abs()
    assert (gaps <= 0.0101 * rows["difference of logits"].abs() + 0.002).sum() >= 9


def test_the_eleventh_output_is_explained_under_its_name(app: AppTest) -> None:
    app.session_state[state.ATTRIBUTION_METHOD] = "occlusion"
    opened(app, "reasons")
    menu = app.selectbox(key=state.ATTRIBUTION_DIGIT)
    assert menu.options[0].startswith("the prediction, ") and menu.options[-1] == "not a digit"
    menu.set_value(10).run()
    assert "what speaks for “not a digit”" in shown(app) and not app.error and not app.exception


class TwoRejections:
    """Stands in for a model of 12 outputs: an image of an odd sum is output 10, another output 11."""

    input_size = 28
    predict, predict_all = Classifier.predict, Classifier.predict_all

    def __init__(self, path: Path, threads: int = 1) -> None:
        pass

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return np.eye(12, dtype=np.float32)[11 - images.sum(axis=(1, 2)) % 2]


def test_not_a_digit_stays_chosen_when_another_of_several_outputs_rejects(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, sample: Any
) -> None:
    monkeypatch.setattr(caches, "Classifier", TwoRejections)
    app.session_state[state.ATTRIBUTION_METHOD] = "occlusion"
    odd = sample.x_test.sum(axis=(1, 2)) % 2 == 1
    app.session_state[state.EXPLAINED_INDEX] = int(odd.argmax())
    opened(app, "reasons")
    app.selectbox(key=state.ATTRIBUTION_DIGIT).set_value(10).run()
    app.session_state[state.EXPLAINED_INDEX] = int(odd.argmin())
    app.run()
    assert app.selectbox(key=state.ATTRIBUTION_DIGIT).value == 10 and not app.error and not app.exception
    assert "what speaks for “not a digit”" in shown(app)


def test_grad_cam_works_for_any_convolution(app: AppTest) -> None:
    opened(app, "reasons")
    choose(app, state.ATTRIBUTION_METHOD, "grad_cam")
    menu = next(each for each in app.selectbox if each.key == state.ATTRIBUTION_LAYER)
    assert len(menu.options) == 7 and menu.value == 20
    for layer in (1, 23):
        choose(app, state.ATTRIBUTION_LAYER, layer)


def without(run: Run, layers: tuple[Any, ...], keras: Any, uncentered: bool = False) -> None:
    """Makes the run one of another network, whose weights nobody has trained."""
    from mnist_core.networks.keras_model import build_model

    spec = run.spec()
    changed = replace(spec, settings=replace(spec.settings, layers=layers, uncentered=uncentered))
    (run.path / "spec.json").write_text(json.dumps(changed.to_json()), encoding="utf-8")
    model = build_model(changed.settings.architecture)
    model.save(run.path / "model.keras")
    import tensorflow as tf

    run.model.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    shutil.rmtree(run.path / "snapshots")
    write_snapshot(run.path, Moment(0), model.get_weights())
    write_snapshot(run.path, Moment(1), [value * 1.1 for value in model.get_weights()])


def test_a_network_without_convolutions_says_so(app: AppTest, run: Run, keras: Any) -> None:
    from mnist_core.networks.layers import Dense, Flatten, Rescaling

    without(run, (Rescaling(1 / 255), Flatten(), Dense(12, "relu"), Dense(100, "softmax")), keras)
    opened(app, "reasons", run.id)
    assert "Completeness" in shown(app)
    assert "this network has none" in shown(choose(app, state.ATTRIBUTION_METHOD, "grad_cam"))
    page = shown(choose(app, state.EXPLAIN_VIEW, "growth"))
    assert "layer 3: Dense, 12 values" in page and "Filters of the first layer" in page


def test_a_network_for_larger_images_shows_their_middle(app: AppTest, run: Run, keras: Any) -> None:
    from mnist_core.networks.layers import Conv2D, Dense, Flatten, MaxPooling2D, Rescaling

    layers = (Rescaling(1 / 255), Conv2D(3, 5), MaxPooling2D(4), Flatten(), Dense(10, "softmax"))
    without(run, layers, keras, uncentered=True)
    opened(app, "reasons", run.id)
    assert "takes 56×56 pixels" in shown(app)
    assert "Prediction after 1 epoch" in shown(choose(app, state.EXPLAIN_VIEW, "growth"))


def test_a_run_without_its_keras_model_says_so(app: AppTest, run: Run) -> None:
    (run.path / "model.keras").unlink()
    assert "has no `model.keras`" in shown(opened(app, "reasons", run.id))


def test_a_blank_map_can_be_drawn() -> None:
    sheet = attribution_charts.attribution_sheet(
        np.zeros((1, 28, 28), np.float32), np.zeros((28, 28), np.uint8), ["x"], "u", 4, 1
    )
    assert sheet.dtype == np.uint8 and sheet.ndim == 3


def test_occlusion_is_the_default_and_needs_no_tensorflow(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(analysis_caches, "gradient_helper")
    app.session_state[state.ATTRIBUTION_METHOD] = next(iter(attribution.METHODS))
    page = shown(opened(app, "reasons"))
    assert "Occlusion: what speaks for a " in page


def test_one_reading_of_the_occluded_images_serves_every_digit_and_rerun(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, whole = list[int](), Classifier.probabilities
    monkeypatch.setattr(
        Classifier, "probabilities", lambda model, images: read.append(len(images)) or whole(model, images)
    )
    app.session_state[state.ATTRIBUTION_METHOD] = "occlusion"
    opened(app, "reasons")
    choose(app, state.ATTRIBUTION_DIGIT, 3)
    assert shown(choose(app, state.ATTRIBUTION_ALL, True)).count("strongest for a") == 10
    assert [count for count in read if count > 1] == [170], "the image and 169 with an erased patch"


def test_teal_speaks_for_and_orange_against() -> None:
    maps = np.zeros((28, 28), np.float32)
    maps[3, 4], maps[5, 6], maps[7, 8] = 2.0, -2.0, 1.0
    picture = attribution_charts.attribution_overlay(maps, np.zeros((28, 28), np.uint8), 2.0)
    red, green, blue = picture[3, 4].tolist()
    assert green == 255 and blue > red, "teal"
    red, green, blue = picture[5, 6].tolist()
    assert red == 255 and green > blue, "orange"
    assert picture[7, 8][1] < picture[3, 4][1]
    assert len(set(picture[0, 0].tolist())) == 1  # grey where nothing speaks


# before and after training


def test_the_slider_selects_an_epoch(app: AppTest, run: Run) -> None:
    page = shown(opened(app, "growth", run.id))
    assert "Prediction after 2 epochs" in page and "Filters of the first layer, before and after training" in page
    assert "Prediction during training" in page
    page = shown(choose(app, state.GROWTH_MOMENT, "before training"))
    assert "Prediction before training" in page
    assert "Prediction after 2 steps" in shown(choose(app, state.GROWTH_MOMENT, "after 2 steps"))
    next(button for button in app.button if button.label == "Play").click().run()
    assert not app.exception and "Prediction after 2 epochs" in shown(app)


def test_gaps_are_counted_by_epochs_and_by_the_channels_of_the_layer() -> None:
    from mnist_core.networks.architecture import Architecture
    from mnist_core.networks.layers import Dense, Flatten

    network = Architecture((Flatten(), Dense(64), Dense(65), Dense(10, "softmax")), 28)
    nothing = np.zeros(0, np.float32)
    moments = (Moment(0), *(Moment(epoch) for epoch in range(2, 27, 2)))
    history = SnapshotHistory(moments, nothing, np.zeros((14, 64), np.float32), nothing, nothing)
    (epochs,) = growth.sentences_on_gaps(history, network, 1)
    assert "Of 26 epochs, 13 have a snapshot" in epochs, "before training is no epoch"
    _, channels = growth.sentences_on_gaps(history, network, 2)
    assert "first 64 of 65" in channels


def test_the_last_snapshot_predicts_as_the_model_does(helper: GradientClient, trained: Trained, sample: Any) -> None:
    from mnist_core.models.classifier import Classifier

    found = helper.snapshot_history(trained.run.path, sample.x_test[7], 1)
    assert found.moments == tuple(snapshot_moments(trained.run.path)) and len(found.activations) == len(found.moments)
    expected = Classifier(trained.run.model).digit_probabilities(sample.x_test[7:8])[0]
    assert found.probabilities[-1] == pytest.approx(expected, abs=5e-3)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(len(found.moments)), abs=1e-5)
    assert found.before.shape == found.after.shape and (found.before != found.after).any()


def test_the_shipped_model_and_older_runs_say_why_there_is_nothing(app: AppTest, run: Run) -> None:
    assert "comes without snapshots" in shown(opened(app, "growth"))
    shutil.rmtree(run.path / "snapshots")
    assert "This run has no snapshots" in shown(choose(app, state.MODEL, run.id))


def test_snapshots_of_another_network_raise(helper: GradientClient, trained: Trained, tmp_path: Path) -> None:
    from mnist_core.errors import ModelError

    folder = shutil.copytree(trained.run.path, tmp_path / "run")
    write_snapshot(folder, Moment(3), [np.zeros(3, np.float32)])
    with pytest.raises(ModelError, match="another network"):
        helper.snapshot_history(folder, np.zeros((28, 28), np.uint8), 1)


def test_layer_pictures_have_a_tile_for_each_channel() -> None:
    wall = growth_charts.activation_grid(np.ones((7, 7, 10), np.float32), 0.0, 1.0)
    assert wall.shape == (2 * 60, 8 * 60)
    assert growth_charts.activation_grid(np.arange(20, dtype=np.float32), 0, 19).shape == (2 * 24, 16 * 24)
    chart = growth_charts.probability_curves(["before", "after"], np.eye(10, dtype=np.float32)[[3, 7]], 1)
    names = {row["digit"]: row["what"] for row in chart.data["values"]}
    assert names[7] == "7, most probable at the end" and names[3] == "3, closest rival" and names[0] == "other digits"
