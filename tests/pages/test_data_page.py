"""The Data page through AppTest: each view, its address, what it shows of each kind of model, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.mnist import Mnist
from mnist_core.explain import pca
from mnist_core.models.activations import ActivationModel, NoActivationsError
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier, Prediction
from pages.ui.shared import analysis_caches, caches, model_menu, state
from tests.pages.support import click_chart, error_text
from tests.support import ROOT

VIEWS = ["browse", "figures", "augmentation", "map", "kept"]


@pytest.fixture(scope="module", autouse=True)
def caches_cleared() -> Iterator[None]:
    """Tests share what is cached by path, such as the predictions of the shipped model."""
    clear_caches()
    yield
    clear_caches()


def clear_caches() -> None:
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)


@pytest.fixture
def uncached() -> Iterator[None]:
    """For tests that replace what is cached."""
    clear_caches()
    yield
    clear_caches()


def opened(app: AppTest, view: str) -> AppTest:
    app.query_params["view"] = view
    app.switch_page("pages/data.py")
    app.run()
    assert not app.exception and not app.error
    return app


@dataclass(frozen=True)
class Chart:
    """What the browser gets of a chart: its alternative text, and its data sets, the largest first."""

    alt: str
    datasets: list[list[dict[str, Any]]]


def charts(app: AppTest) -> list[Chart]:
    """All that are shown."""
    return [Chart(found.proto.alt, datasets(found.proto)) for found in app.get("vega_lite_chart")]


def datasets(proto: Any) -> list[list[dict[str, Any]]]:
    """Streamlit sends them as Arrow."""
    sent = [each.data.data for each in proto.datasets] + [proto.data.data] * bool(proto.data.data)
    tables = [pyarrow.ipc.open_stream(each).read_all() for each in sent]
    return sorted((table.to_pylist() for table in tables), key=len, reverse=True)


def rows(chart: Chart) -> list[dict[str, Any]]:
    """Of its largest data set."""
    return chart.datasets[0]


def address(app: AppTest) -> str:
    """The view that it names."""
    value = app.query_params["view"]
    return value[0] if isinstance(value, list) else value


def titles(app: AppTest) -> str:
    return "\n".join(part.value for part in app.markdown)


def test_every_view_opens_by_its_address(app: AppTest) -> None:
    for view in VIEWS:
        opened(app, view)
        assert address(app) == view
        assert "trained and tested on" in titles(app)
        assert "offline sample, 5,000 digits" in app.caption[0].value
        assert all(chart.alt for chart in charts(app))


def test_an_unknown_view_in_the_address_opens_the_first(app: AppTest) -> None:
    opened(app, "nonsense")
    assert address(app) == "browse"


def test_only_the_chosen_view_is_computed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    monkeypatch.setattr(analysis_caches, "dataset_summary", lambda choice: computed.append(choice))
    opened(app, "browse")
    assert computed == []


def test_a_page_has_a_hundred_digits_in_the_order_of_the_file(app: AppTest, sample: Mnist) -> None:
    opened(app, "browse")
    app.number_input(key=state.BROWSED_PAGE).set_value(40).run()
    shown = rows(charts(app)[0])
    assert [row["number"] for row in shown] == list(range(3900, 4000))
    assert [row["label"] for row in shown] == sample.y_train[3900:].tolist()


def test_filtering_by_label_starts_at_the_first_page(app: AppTest, sample: Mnist) -> None:
    opened(app, "browse")
    app.number_input(key=state.BROWSED_PAGE).set_value(7).run()
    app.selectbox(key=state.BROWSED_LABEL).select(3).run()
    numbers = [row["number"] for row in rows(charts(app)[0])]
    assert numbers == np.flatnonzero(sample.y_train == 3)[:100].tolist()
    assert app.number_input(key=state.BROWSED_PAGE).value == 1


def test_an_index_enlarges_its_digit(app: AppTest, sample: Mnist) -> None:
    opened(app, "browse")
    app.number_input(key=state.BROWSED_INDEX).set_value(999).run()
    assert f"Training digit 999: a {sample.y_train[999]}" in titles(app)
    pixels = rows(charts(app)[1])
    assert sum(row["value"] for row in pixels) == sample.x_train[999].sum(dtype=int)


def test_a_digit_that_was_clicked_can_be_clicked_again_after_another_index(app: AppTest) -> None:
    opened(app, "browse")
    for click, typed in ((5, 7), (5, None)):
        click_chart(app, "wall", "clicked", number=click)
        assert app.number_input(key=state.BROWSED_INDEX).value == click
        if typed is not None:
            app.number_input(key=state.BROWSED_INDEX).set_value(typed).run()


def test_digits_are_filtered_by_the_predictions_of_a_model(
    app: AppTest, sample: Mnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    probabilities = np.eye(12, dtype=np.float32)[sample.y_test]
    for number, answer in ((5, 11), (17, 3), (18, 4)):
        probabilities[number] = np.eye(12)[answer]
    monkeypatch.setattr(caches, "predictions", lambda *_: probabilities)
    opened(app, "browse")
    app.segmented_control(key=state.BROWSED_PART).set_value("test").run()
    app.toggle(key=state.BROWSED_WRONG).set_value(True).run()
    wrong = [number for number, answer in ((5, 11), (17, 3), (18, 4)) if sample.y_test[number] != answer]
    assert [row["number"] for row in rows(charts(app)[0])] == wrong
    app.selectbox(key=state.BROWSED_PREDICTION).select(NOT_A_DIGIT).run()
    assert [row["number"] for row in rows(charts(app)[0])] == [5]
    app.selectbox(key=state.BROWSED_LABEL).select((int(sample.y_test[5]) + 1) % 10).run()
    assert ": none." in app.info[0].value


def test_a_prediction_past_the_tenth_output_is_not_a_digit(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    class Large:
        input_size = 56

        def probabilities(self, images: np.ndarray) -> np.ndarray:
            return np.eye(100, dtype=np.float32)[np.full(len(images), 42)]

        def predict(self, image: np.ndarray) -> Prediction:
            return Prediction(np.zeros(10, np.float32), 1.0)

    monkeypatch.setattr(caches, "classifier", lambda path: Large())
    opened(app, "browse")
    said = "\n".join(caption.value for caption in app.caption)
    assert "not a digit" in said and "56×56 pixels" in said


def test_a_broken_model_leaves_the_digits_visible(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "model.tflite"
    broken.write_bytes(b"nonsense")
    monkeypatch.setattr(model_menu, "model_path", lambda choice: broken)
    app.run()
    app.switch_page("pages/data.py")
    app.run()
    assert "not a LiteRT model" in error_text(app) and not app.exception
    assert len(charts(app)) == 2


def test_many_digits_are_classified_only_on_request(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def predictions(path: Path, choice: str, part: str) -> np.ndarray:
        asked.append(part)
        return np.eye(10, dtype=np.float32)[caches.mnist(choice).y_train]

    monkeypatch.setattr(caches, "predictions", predictions)
    opened(app, "browse")
    monkeypatch.setattr("pages.ui.data.browse.MAX_WITHOUT_ASKING", 3999)
    app.toggle(key=state.BROWSED_WRONG).set_value(True).run()
    assert "4,000" in app.info[0].value and not asked
    next(button for button in app.button if button.label == "Classify 4,000 digits").click().run()
    assert asked == ["train"]
    assert ": none." in app.info[0].value


def test_only_test_digits_open_on_the_explain_page(app: AppTest) -> None:
    opened(app, "browse")
    assert not [button for button in app.button if button.label == "Explain this digit"]
    app.segmented_control(key=state.BROWSED_PART).set_value("test").run()
    app.number_input(key=state.BROWSED_INDEX).set_value(321).run()
    next(button for button in app.button if button.label == "Explain this digit").click().run()
    assert app.title[0].value == "Explain"
    assert app.session_state[state.EXPLAIN_SOURCE] == "test" and app.session_state[state.EXPLAINED_INDEX] == 321


def test_statistics_show_balance_hashes_and_license(app: AppTest, sample: Mnist) -> None:
    opened(app, "figures")
    balance = [row for row in rows(charts(app)[0]) if row["part"] == "training"]
    assert [row["images"] for row in balance] == [400] * 10
    assert app.dataframe[0].value["SHA-256"].tolist() == list(sample.sha256.values())
    assert "CC BY-SA 3.0" in titles(app) and "CC BY 4.0" in titles(app)
    pictures = "\n".join(part.proto.body for part in app.get("html"))
    assert ", ".join(map(str, sample.y_train[:10])) in pictures


def test_statistics_of_a_custom_data_set_name_its_file_only(app: AppTest, custom_data: Path) -> None:
    opened(app, "figures")
    said = "\n".join([titles(app), *(each.value for each in (*app.warning, *app.caption))]).replace("\\", "")
    assert f"Loaded from {custom_data.name}, set by DIGITLAB_MNIST" in said and "1,200 training and 200 test" in said
    assert "downloads" not in said and "comes with the app" not in said and str(custom_data.parent) not in said


def test_a_slider_changes_only_its_own_row(app: AppTest) -> None:
    opened(app, "augmentation")
    before = rows(charts(app)[0])
    app.slider(key=state.augmentation_key("rotation")).set_value(40.0).run()
    after = rows(charts(app)[0])
    changed = {row["change"].split()[0] for row, old in zip(after, before, strict=True) if row["image"] != old["image"]}
    assert changed == {"rotation"}
    assert {row["change"] for row in after if row["change"].startswith("rotation")} == {"rotation ±40°"}


def test_augmentation_sliders_can_return_to_the_strengths_used_in_training(app: AppTest) -> None:
    opened(app, "augmentation")
    for slider in app.slider:
        steps = slider.value / slider.step
        assert steps == pytest.approx(round(steps)), slider.label


def drawn(app: AppTest, *points: tuple[int, int]) -> None:
    """As if somebody had drawn one stroke on the Draw page."""
    path = [["M", *points[0]], *(["L", *point] for point in points[1:])]
    stroke = {"type": "path", "strokeWidth": 20, "path": path}
    app.session_state[state.drawing_key(state.CANVAS)] = {"objects": [stroke]}


def test_the_map_has_5000_digits_and_marks_the_drawing(app: AppTest, sample: Mnist) -> None:
    opened(app, "map")
    assert [row["digit"] for row in rows(charts(app)[0])] == [*sample.y_train, *sample.y_test]
    assert "No drawing of yours" in charts(app)[0].alt
    drawn(app, (140, 40), (140, 240))
    app.run()
    (chart,) = charts(app)
    (own,) = chart.datasets[1]
    ones = np.array([(row["x"], row["y"]) for row in rows(chart) if row["digit"] == 1])
    zeros = np.array([(row["x"], row["y"]) for row in rows(chart) if row["digit"] == 0])
    place = np.array([own["x"], own["y"]])
    assert np.linalg.norm(place - ones.mean(axis=0)) < np.linalg.norm(place - zeros.mean(axis=0))


@pytest.fixture
def fake_layers(monkeypatch: pytest.MonkeyPatch, uncached: None) -> Callable[[int], None]:
    """Replaces a model's last hidden layer by that many sums of rows of pixels."""

    def install(width: int) -> None:
        class FakeModel:
            def features(self, images: np.ndarray) -> np.ndarray:
                return images.reshape(len(images), 28, 28).sum(axis=2)[:, 8 : 8 + width].astype(np.float32)

        monkeypatch.setattr(analysis_caches, "model_layers", lambda path: FakeModel())

    return install


def by_layer(app: AppTest) -> None:
    opened(app, "map")
    app.segmented_control(key=state.MAP_FEATURES).set_value("layer").run()


def test_the_map_by_a_layer(app: AppTest, fake_layers: Callable[[int], None]) -> None:
    fake_layers(2)
    by_layer(app)
    assert not app.error and not app.exception
    (chart,) = charts(app)
    assert "100% of the variance" in chart.alt  # two values have no third direction


def test_a_layer_too_narrow_for_a_map_is_reported(app: AppTest, fake_layers: Callable[[int], None]) -> None:
    fake_layers(1)
    by_layer(app)
    assert "(5000, 1)" in error_text(app)
    assert not charts(app)


def test_a_model_without_activations_can_be_converted(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def answers_only(path: Path) -> None:
        raise NoActivationsError(f"{path} gives answers only.")

    monkeypatch.setattr(analysis_caches, "model_layers", answers_only)
    by_layer(app)
    assert not app.error and "converted again" in app.info[0].value and not charts(app)
    assert any(button.label == "Convert again" for button in app.button)


def test_the_map_of_the_shipped_model_is_the_pca_of_its_layer(
    app: AppTest, sample: Mnist, monkeypatch: pytest.MonkeyPatch, uncached: None
) -> None:
    monkeypatch.setattr(analysis_caches, "MAPPED_DIGITS", 500)
    by_layer(app)
    assert not app.error and not app.exception
    values = ActivationModel(DEFAULT_MODEL).penultimate(sample.x_train[:500])
    points = pca.principal_plane(values).project(values)
    found = np.array([(row["x"], row["y"]) for row in rows(charts(app)[0])])
    assert found == pytest.approx(points, abs=1e-2)


def test_the_mistakes_of_the_shipped_model_are_listed(app: AppTest, sample: Mnist) -> None:
    """Its outputs past the tenth count as no digit."""
    opened(app, "browse")
    app.segmented_control(key=state.BROWSED_PART).set_value("test").run()
    app.toggle(key=state.BROWSED_WRONG).set_value(True).run()
    read = Classifier(DEFAULT_MODEL).probabilities(sample.x_test).argmax(axis=1)
    wrong = np.flatnonzero(read != sample.y_test).tolist()
    shown = [row["number"] for row in rows(charts(app)[0])]
    assert wrong and shown == wrong
