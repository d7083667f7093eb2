"""The Evaluate page through AppTest: every view, for every kind of model that there may be."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.data.mnist import load_mnist
from mnist_core.evaluation import mistakes
from mnist_core.evaluation import robustness as distortions
from mnist_core.evaluation.robustness import Distortion
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from pages.ui.evaluate import evaluated_model, robustness
from pages.ui.shared import analysis_caches, caches, model_menu, state
from tests.support import ROOT, Trained

PAGE = "pages/evaluate.py"
VIEWS = ("scores", "confusion", "worst", "sure", "spoilt", "other")


@pytest.fixture
def app() -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)


@pytest.fixture
def trained_run(trained: Trained, runs_root: Path) -> Run:
    """A finished run among the visitor's."""
    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    return Run(runs_root / trained.run.id)


def opened(app: AppTest, view: str = "scores", **keys: Any) -> AppTest:
    for key, value in {state.EVALUATED_VIEW: view, **keys}.items():
        app.session_state[key] = value
    app.run()
    app.switch_page(PAGE)
    app.run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.info, *app.error, *app.get("html")]
    return "\n".join(str(getattr(element, "value", None) or element.proto.body) for element in elements)


def shipped() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sample's test images and labels, and what the shipped model reads them as: oracles of the page."""
    sample = load_mnist("sample")
    return sample.x_test, sample.y_test, Classifier(DEFAULT_MODEL).probabilities(sample.x_test)


@pytest.mark.parametrize("view", VIEWS)
def test_view_opens_without_error_and_says_what_the_data_are(app: AppTest, view: str) -> None:
    opened(app, view)
    assert not app.error
    assert len(app.segmented_control(key=state.EVALUATED_VIEW).options) == len(VIEWS)
    assert "offline sample" in shown(app) and "MNIST's training images" in shown(app)
    assert "11 outputs" in shown(app)
    assert "DIGITLAB_PEN" in shown(app)


def test_headline_is_the_models(app: AppTest) -> None:
    opened(app)
    _, labels, probabilities = shipped()
    right = int((probabilities.argmax(axis=1) == labels).sum())
    told = {metric.label: metric.value for metric in app.metric}
    assert list(told) == ["Accuracy", "95 % interval", "Error", "Loss", "Top-2 accuracy", "Calibration error"]
    assert told["Accuracy"] == f"{right / 10:.2f} %" and told["Error"] == f"{100 - right / 10:.2f} %"
    assert f"{1000 - right} of 1,000 images are misclassified" in shown(app)
    table = app.dataframe[0].value
    assert table["support"].tolist() == [100] * 10
    assert table["recall"].mean() == pytest.approx(right / 10)


def test_link_and_menu_choose_the_model(app: AppTest, trained_run: Run) -> None:
    app.run()
    app.query_params["model"] = trained_run.id
    app.switch_page(PAGE)
    app.run()
    assert app.selectbox(key=state.MODEL).value == trained_run.id
    assert app.metric[0].value == f"{100 * trained_run.card()['test_accuracy']:.2f} %"  # the same 1,000 images
    app.selectbox(key=state.MODEL).select("default").run()
    assert app.metric[0].value != f"{100 * trained_run.card()['test_accuracy']:.2f} %"
    assert not app.error


def test_link_to_no_run_is_said_in_plain_words(app: AppTest) -> None:
    app.run()
    app.query_params["model"] = "20260101-000000-fast-abcd"
    app.switch_page(PAGE)
    app.run()
    assert "There is no run" in app.error[0].value and app.metric


def numbers(app: AppTest) -> list[int]:
    """Of the images shown, in order."""
    return [int(found.replace(",", "")) for found in re.findall(r"image ([\d,]+)<", shown(app))]


def test_cell_shows_its_digits(app: AppTest, trained_run: Run) -> None:
    opened(app, "confusion", **{state.MODEL: trained_run.id})
    images, labels, _ = shipped()
    read = Classifier(trained_run.model).probabilities(images).argmax(axis=1)
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (labels, read), 1)
    np.fill_diagonal(counts, 0)
    most = [f"{true} classified as {answer}" for true, answer in np.argwhere(counts == counts.max())]
    assert app.selectbox(key=state.CONFUSION_CELL).options[0] in most  # the most frequent mistake, at first
    assert set(numbers(app)) <= set(np.flatnonzero(labels != read).tolist()) and len(numbers(app)) == counts.max()
    for true, answer in (divmod(int(counts.argmax()), 10), (7, 7)):
        expected = set(np.flatnonzero((labels == true) & (read == answer)).tolist())
        app.selectbox(key=state.CONFUSION_CELL).select((str(true), str(answer))).run()
        assert set(numbers(app)) <= expected and len(numbers(app)) == min(12, len(expected))
    assert app.number_input(key="cell_page").max == -(-len(expected) // 12)
    assert not app.error and not app.exception


def test_later_page_of_one_cell_is_not_asked_of_a_smaller_one(app: AppTest) -> None:
    opened(app, "confusion")
    small = app.selectbox(key=state.CONFUSION_CELL).value
    app.selectbox(key=state.CONFUSION_CELL).select(("7", "7")).run()
    before = numbers(app)
    app.number_input(key="cell_page").set_value(5).run()
    assert len(numbers(app)) == 12 and not set(numbers(app)) & set(before)
    app.selectbox(key=state.CONFUSION_CELL).select(small).run()
    assert 0 < len(numbers(app)) < 12 and not app.error and not app.exception
    app.selectbox(key=state.CONFUSION_CELL).select(("7", "7")).run()
    assert numbers(app) == before


def test_shares_in_place_of_counts(app: AppTest) -> None:
    opened(app, "confusion")
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert '"count"' in json.dumps(spec["layer"][1]["encoding"]["text"])
    app.toggle(key=state.CONFUSION_SHARES).set_value(True).run()
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert '"share"' in json.dumps(spec["layer"][1]["encoding"]["text"])


def test_worst_mistakes_come_first_and_lead_inside(app: AppTest, trained_run: Run) -> None:
    opened(app, "worst", **{state.MODEL: trained_run.id})
    images, labels, _ = shipped()
    probabilities = Classifier(trained_run.model).probabilities(images)
    wrong = [index for index in range(1000) if probabilities[index].argmax() != labels[index]]
    wrong.sort(key=lambda index: -probabilities[index].max())
    assert numbers(app) == wrong[:12]
    app.button(key=f"worst_{wrong[1]}").click().run()
    assert app.session_state[state.EXPLAIN_SOURCE] == "test" and app.session_state[state.EXPLAINED_INDEX] == wrong[1]
    assert app.title[0].value == "Explain"
    assert f"It is a {labels[wrong[1]]}." in shown(app)
    assert not app.error and not app.exception


def test_against_another_with_mcnemar(app: AppTest, trained_run: Run) -> None:
    opened(app, "other")
    assert "Choose another model" in app.info[0].value
    app.selectbox(key=state.SECOND_MODEL).select(trained_run.id).run()
    images, labels, first = shipped()
    second = Classifier(trained_run.model).probabilities(images)
    alone = ((first.argmax(1) == labels) & (second.argmax(1) != labels)).sum()
    assert app.dataframe[0].value["only this correct"][0] == alone
    assert "really better (p < 0.001)" in shown(app)
    assert "Digit Lab" in next(text.value for text in app.markdown if "really better (" in text.value)
    assert not app.error and not app.exception


def test_against_itself_is_not_compared(app: AppTest) -> None:
    opened(app, "other", **{state.SECOND_MODEL: "default"})
    assert "Choose another model" in app.info[0].value


@pytest.fixture
def few_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two distortions of two levels each, on fifty digits: the page is tested, not the patience."""
    few = {
        "shift": Distortion("Shift", "pixels", (0, 8), 0, distortions.shift),
        "contrast": Distortion("Contrast", "times as bright", (0.5, 1), 1, distortions.contrast),
    }
    for module in (distortions, robustness):
        monkeypatch.setattr(module, "DISTORTIONS", few)
    monkeypatch.setattr(distortions.balanced_subset, "__defaults__", (50,))


def button(app: AppTest, label: str) -> Any:
    return next(each for each in app.button if each.label == label)


def test_spoilt_digits_are_measured_and_drawn(app: AppTest, trained_run: Run, few_levels: None) -> None:
    opened(app, "spoilt")
    assert app.multiselect(key=state.ROBUSTNESS_MODELS).value == ["default", trained_run.id]
    assert "No run with augmentation has a model yet" in shown(app)
    assert "Not measured yet" in app.info[0].value and not app.get("vega_lite_chart")
    button(app, "Measure this one").click().run()
    curves = {key[0]: curve for key, curve in app.session_state[state.ROBUSTNESS_CURVES].items() if key[3] == "shift"}
    images, labels, _ = shipped()
    chosen = distortions.balanced_subset(labels, 50)
    for choice, path in (("default", DEFAULT_MODEL), (trained_run.id, trained_run.model)):
        read = Classifier(path).probabilities(images[chosen]).argmax(axis=1)
        assert curves[choice][0] == pytest.approx((read == labels[chosen]).mean())
        assert curves[choice][8] < curves[choice][0]
    assert len(app.get("vega_lite_chart")) == 1
    button(app, "Measure all 2").click().run()
    assert {key[3] for key in app.session_state[state.ROBUSTNESS_CURVES]} >= {"shift", "contrast"}
    app.selectbox(key=state.DISTORTION).select("contrast").run()
    assert len(app.get("vega_lite_chart")) == 1 and not app.info
    assert not app.error and not app.exception


def test_measuring_that_was_stopped_keeps_what_it_has(app: AppTest, few_levels: None, monkeypatch: Any) -> None:
    """Stop is heard between two slices, each of one step here: it is pressed while the first step is on."""
    whole, done = analysis_caches.robustness_accuracy, []

    def pressed(*arguments: Any) -> float:
        done.append(arguments)
        if len(done) == 1:
            robustness.stop_measuring()
        return whole(*arguments)

    monkeypatch.setattr(analysis_caches, "robustness_accuracy", pressed)
    monkeypatch.setattr(robustness, "SLICE_SECONDS", -1.0)
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: ["default"]})
    button(app, "Measure this one").click().run()
    assert [arguments[3] for arguments in done] == [0]
    assert len(app.get("vega_lite_chart")) == 1  # of the one point
    assert state.ROBUSTNESS_JOB not in app.session_state
    button(app, "Measure this one").click().run()
    assert [arguments[3] for arguments in done] == [0, 8]
    assert not app.error and not app.exception


def test_bar_tells_how_far_it_is_and_offers_to_stop(app: AppTest, few_levels: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(robustness, "measure_slice", lambda steps: None)
    going = robustness.Measurement(["shift", "contrast"], time.monotonic() - 3630, done=4)
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: ["default"], state.ROBUSTNESS_JOB: going})
    assert app.get("progress")[0].proto.text == "Shift: 4 of 8, about 1 h 00 min left"
    button(app, "Stop measuring").click().run()
    assert not app.get("progress") and "Not measured yet" in app.info[0].value


def test_digits_placed_anywhere(app: AppTest, few_levels: None) -> None:
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: ["default"]})
    button(app, "Test on uncentered digits").click().run()
    rows = app.dataframe[0].value
    assert rows["images"].tolist() == [50, 50]
    found = {row["input"]: float(row["accuracy"].rstrip(" %")) for _, row in rows.iterrows()}
    assert found[robustness.WAYS["normalised"][0]] > 90 > found[robustness.WAYS["resized"][0]]
    app.selectbox(key=state.DISTORTION).select("contrast").run()
    assert len(app.dataframe) == 1  # it stays
    assert not app.error and not app.exception


# What may be odd about a model


class Odd:
    """Stands in for a model of 56×56 inputs and 100 outputs, which is unsure of everything and takes 3 for no digit."""

    input_size = 56

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[1:] in ((28, 28), (56, 56))
        found = np.full((len(images), 100), 0.005, np.float32)
        found[np.arange(len(images)), np.where(images.sum(axis=(1, 2)) % 10 == 3, 57, 4)] = 0.505
        return found


@pytest.mark.parametrize("view", VIEWS)
def test_large_inputs_and_a_hundred_outputs(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, few_levels: None, view: str
) -> None:
    monkeypatch.setattr(caches, "Classifier", Odd)
    opened(app, view, **{state.ROBUSTNESS_MODELS: ["default"]})
    assert "56×56 pixels" in shown(app) and "100 outputs" in shown(app)
    if view == "confusion":
        assert any("no digit" in option for option in app.selectbox(key=state.CONFUSION_CELL).options)
    if view == "spoilt":
        button(app, "Test on uncentered digits").click().run()
        assert app.dataframe[0].value["input"].tolist() == [robustness.WAYS["as it is"][0]]
    assert not app.error and not app.exception


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("card", [{}, {"test_accuracy": None, "data": "?", "pen": 3, "settings": [], "split": 1}])
def test_run_whose_card_lacks_everything(app: AppTest, trained_run: Run, view: str, card: dict[str, Any]) -> None:
    """As of an imported run of an older Digit Lab."""
    (trained_run.path / "card.json").write_text(json.dumps(card))
    opened(app, view, **{state.MODEL: trained_run.id})
    assert not app.error


def test_run_without_a_model_is_not_offered(app: AppTest) -> None:
    run = create_run(make_spec("fast", data="sample"))
    opened(app)
    assert model_menu.model_name(run.id) not in app.selectbox(key=state.MODEL).options


@pytest.mark.parametrize("view", VIEWS)
def test_broken_model_is_said_in_plain_words(app: AppTest, trained_run: Run, view: str) -> None:
    trained_run.model.write_bytes(b"no model")
    opened(app, view, **{state.MODEL: trained_run.id})
    assert "is not a LiteRT model" in app.error[0].value


def test_perfect_model_has_no_mistakes_to_show(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = load_mnist("sample")
    monkeypatch.setattr(caches, "predictions", lambda *_: np.eye(10, dtype=np.float32)[sample.y_test])
    opened(app, "worst")
    assert "No such images." in app.info[0].value
    opened(app, "confusion")
    assert not app.error


# Pen digits


def write_pen(folder: Path) -> Path:
    """Twelve writers' ones: a line each."""
    path = folder / "pen.jsonl"
    strokes = [[[500, 0], [500, 1000]]]
    lines = [json.dumps({"label": 1, "writer": f"w{number}", "strokes": strokes}) for number in range(12)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("view", VIEWS)
def test_pen_digits_where_they_are_at_hand(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_levels: None, view: str
) -> None:
    monkeypatch.setenv("DIGITLAB_PEN", str(write_pen(tmp_path)))
    opened(app, view)
    app.selectbox(key=state.EVALUATED_ON).select("thin").run()
    assert not app.error and not app.exception
    assert "Written by 6 people" in shown(app)
    if view == "scores":
        assert app.metric[0].value == "100.00 %"
        assert app.dataframe[0].value["support"].tolist() == [0, 6, 0, 0, 0, 0, 0, 0, 0, 0]
    assert not [each for each in app.button if each.label == "Explain"]  # the Explain page has none of them


def test_pen_digits_that_are_gone_fall_back(app: AppTest) -> None:
    opened(app, **{state.EVALUATED_ON: "thin"})
    assert app.selectbox(key=state.EVALUATED_ON).value == evaluated_model.MNIST and not app.error


def test_names_that_a_click_sends_are_those_of_the_menu() -> None:
    """The chart sends texts; mistakes.prediction_from_label turns them back."""
    assert [mistakes.prediction_from_label(mistakes.prediction_label(answer)) for answer in range(11)] == list(
        range(11)
    )
