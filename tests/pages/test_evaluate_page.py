"""The Evaluate page through AppTest: every view, for every kind of model that there may be."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core.data.mnist import load_mnist
from mnist_core.evaluation import mistakes
from mnist_core.evaluation import robustness as distortions
from mnist_core.evaluation.robustness import Distortion
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.runs.labels import update_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from pages.ui.evaluate import evaluated_model, robustness
from pages.ui.shared import analysis_caches, caches, model_menu, state
from tests.pages.support import chart, click_chart, error_text, page_text
from tests.support import ROOT, Trained

PAGE = "pages/evaluate.py"
VIEWS = ("confusion", "worst", "spoilt", "scores", "sure", "other")


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
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state[state.EXPERT] = True  # which offers every view
    return app


@pytest.fixture
def uncached() -> Iterator[None]:
    """For tests that replace what is cached."""
    clear_caches()
    yield
    clear_caches()


@pytest.fixture
def trained_run(trained: Trained, runs_root: Path) -> Run:
    """A finished run among the visitor's."""
    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    return Run(runs_root / trained.run.id)


def opened(app: AppTest, view: str = "scores", **keys: Any) -> AppTest:
    """The page at a view, with values of the session by their keys."""
    for key, value in {state.EVALUATED_VIEW: view, **keys}.items():
        app.session_state[key] = value
    app.switch_page(PAGE)
    app.run()
    assert not app.exception
    return app


def each_view(app: AppTest, **keys: Any) -> Iterator[str]:
    """Opens one view after the other and checks that none fails."""
    opened(app, **keys)
    for view in VIEWS:
        app.segmented_control(key=state.EVALUATED_VIEW).set_value(view).run()
        assert not app.exception, view
        yield view


def shipped() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sample's test images and labels, and what the shipped model reads them as: oracles of the page."""
    sample = load_mnist("sample")
    return sample.x_test, sample.y_test, Classifier(DEFAULT_MODEL).probabilities(sample.x_test)


def test_every_view_opens_and_states_its_caveats(app: AppTest) -> None:
    for view in each_view(app):
        assert not app.error, view
        assert len(app.segmented_control(key=state.EVALUATED_VIEW).options) == len(VIEWS)
        assert "offline sample" in page_text(app) and "training images of the full MNIST" in page_text(app)
        assert "11 outputs" in page_text(app)
        assert "DIGITLAB_PEN" in app.selectbox(key=state.EVALUATED_ON).help


def test_the_page_opens_with_a_headline_and_the_confusion_matrix(app: AppTest) -> None:
    app.session_state[state.EXPERT] = False
    app.switch_page(PAGE)
    app.run()
    _, labels, probabilities = shipped()
    right = int((probabilities.argmax(axis=1) == labels).sum())
    headline = next(text.value for text in app.markdown if text.value.startswith("### "))
    assert headline.startswith(f"### {right / 10:.2f}% of 1,000 test digits are right: {1000 - right} ")
    cells = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert app.segmented_control(key=state.EVALUATED_VIEW).value == "confusion" and cells["layer"]
    assert app.segmented_control(key=state.EVALUATED_VIEW).options == [
        "Confusion matrix",
        "Worst mistakes",
        "Robustness",
    ]
    app.button(key=f"{state.EVALUATED_VIEW}_more").click().run()
    assert len(app.segmented_control(key=state.EVALUATED_VIEW).options) == len(VIEWS) and not app.error


def test_metrics_are_those_of_the_model(app: AppTest) -> None:
    opened(app)
    _, labels, probabilities = shipped()
    right = int((probabilities.argmax(axis=1) == labels).sum())
    told = {metric.label: metric.value for metric in app.metric}
    assert list(told) == ["Accuracy", "95% interval", "Error", "Loss", "Top-2 accuracy", "Calibration error"]
    assert told["Accuracy"] == f"{right / 10:.2f}%" and told["Error"] == f"{100 - right / 10:.2f}%"
    wrong = f"{1000 - right} {'is' if right == 999 else 'are'} wrong"
    assert f"### {right / 10:.2f}% of 1,000 test digits are right: {wrong}" in page_text(app)
    table = app.dataframe[0].value
    assert table["support"].tolist() == [100] * 10
    assert table["recall"].mean() == pytest.approx(right / 10)


def test_a_link_or_the_menu_chooses_the_model(app: AppTest, trained_run: Run) -> None:
    app.query_params["model"] = trained_run.id
    app.query_params["view"] = "scores"
    app.switch_page(PAGE)
    app.run()
    assert app.selectbox(key=state.MODEL).value == trained_run.id
    assert app.metric[0].value == f"{trained_run.card()['test_accuracy']:.2%}"  # the same 1,000 images
    app.selectbox(key=state.MODEL).select("default").run()
    assert app.metric[0].value != f"{trained_run.card()['test_accuracy']:.2%}"
    assert not app.error


def test_a_link_to_a_run_that_is_gone_is_reported(app: AppTest) -> None:
    app.query_params["model"] = "20260101-000000-fast-abcd"
    app.switch_page(PAGE)
    app.run()
    assert "20260101-000000-fast-abcd" in error_text(app)
    assert app.selectbox(key=state.MODEL).value == "default" and app.get("vega_lite_chart")


def numbers(app: AppTest) -> list[int]:
    """Of the images shown, in order."""
    return [int(found.replace(",", "")) for found in re.findall(r"image ([\d,]+)<", page_text(app))]


def test_a_cell_of_the_confusion_matrix_shows_its_images(app: AppTest, trained_run: Run) -> None:
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


def framed(app: AppTest) -> list[tuple[str, str]]:
    """The cells with a frame."""
    (rows,) = (dataset.data.data for dataset in chart(app, "confusion_cells").datasets)
    table = pa.ipc.open_stream(rows).read_all().to_pylist()
    return [(row["true"], row["read"]) for row in table if row.get("chosen")]


def test_a_cell_that_is_clicked_and_then_left_in_the_menu_can_be_clicked_again(app: AppTest) -> None:
    opened(app, "confusion")
    menu = app.selectbox(key=state.CONFUSION_CELL)
    assert framed(app) == [menu.value], "the cell whose images are shown"
    click_chart(app, "confusion_cells", "clicked", true="9", read="9")
    assert app.selectbox(key=state.CONFUSION_CELL).value == ("9", "9") and framed(app) == [("9", "9")]
    with_selection = chart(app, "confusion_cells").id
    app.run()
    assert chart(app, "confusion_cells").id == with_selection, "it does not start over for nothing"
    app.selectbox(key=state.CONFUSION_CELL).select(("3", "3")).run()
    assert framed(app) == [("3", "3")]
    assert chart(app, "confusion_cells").id != with_selection, "it starts over, without a selection"
    click_chart(app, "confusion_cells", "clicked", true="9", read="9")
    assert app.selectbox(key=state.CONFUSION_CELL).value == ("9", "9") and not app.error and not app.exception


def test_a_smaller_cell_starts_at_its_first_page(app: AppTest) -> None:
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
    app.number_input(key="cell_page").set_value(5).run()
    app.selectbox(key=state.CONFUSION_CELL).select(("1", "1")).run()
    assert app.number_input(key="cell_page").value == 1, "of a cell with as many pages, too"


def test_the_confusion_matrix_shows_counts_or_percentages(app: AppTest) -> None:
    opened(app, "confusion")
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert '"count"' in json.dumps(spec["layer"][1]["encoding"]["text"])
    app.toggle(key=state.CONFUSION_SHARES).set_value(True).run()
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert '"share"' in json.dumps(spec["layer"][1]["encoding"]["text"])


def test_the_most_confident_mistakes_come_first_and_open_on_the_explain_page(app: AppTest, trained_run: Run) -> None:
    opened(app, "worst", **{state.MODEL: trained_run.id})
    images, labels, _ = shipped()
    probabilities = Classifier(trained_run.model).probabilities(images)
    wrong = [index for index in range(1000) if probabilities[index].argmax() != labels[index]]
    wrong.sort(key=lambda index: -probabilities[index].max())
    assert numbers(app) == wrong[:12]
    app.button(key=f"worst_{wrong[1]}").click().run()
    assert app.session_state[state.EXPLAIN_SOURCE] == "test" and app.session_state[state.EXPLAINED_INDEX] == wrong[1]
    assert app.title[0].value == "Explain"
    assert app.pills(key=state.EXPLAINED_LABEL).value == labels[wrong[1]]
    assert app.selectbox(key=state.MODEL).value == trained_run.id
    assert not app.error and not app.exception


def test_two_models_are_compared_with_mcnemars_test(app: AppTest, trained_run: Run) -> None:
    opened(app, "other", **{state.COMPARED_MODEL: "default"})
    assert len(app.selectbox(key=state.COMPARED_MODEL).options) == 2, "none and the run, but not the model itself"
    assert "Choose a second model" in app.info[0].value
    app.selectbox(key=state.COMPARED_MODEL).select(trained_run.id).run()
    images, labels, first = shipped()
    second = Classifier(trained_run.model).probabilities(images)
    alone = ((first.argmax(1) == labels) & (second.argmax(1) != labels)).sum()
    assert app.dataframe[0].value["only this correct"][0] == alone
    verdict = next(text.value for text in app.markdown if "0.001)" in text.value)
    assert "Digit Lab" in verdict, "the better model"
    assert not app.error and not app.exception


@pytest.fixture
def few_levels(monkeypatch: pytest.MonkeyPatch, uncached: None) -> None:
    """Two distortions of two levels each, on fifty digits."""
    few = {
        "shift": Distortion("Shift", "pixels", (0, 8), 0, distortions.shift),
        "contrast": Distortion("Contrast", "times as bright", (0.5, 1), 1, distortions.contrast),
    }
    for module in (distortions, robustness):
        monkeypatch.setattr(module, "DISTORTIONS", few)
    monkeypatch.setattr(distortions.balanced_subset, "__defaults__", (50,))


def button(app: AppTest, label: str) -> Any:
    return next(each for each in app.button if each.label == label)


def test_accuracy_on_distorted_digits_is_measured_and_drawn(app: AppTest, trained_run: Run, few_levels: None) -> None:
    opened(app, "spoilt")
    assert app.multiselect(key=state.ROBUSTNESS_MODELS).value == ["default", trained_run.id]
    assert "No run with augmentation has a model yet" in page_text(app)
    assert "Not measured yet" in app.info[0].value and not app.get("vega_lite_chart")
    button(app, "Measure this one").click().run()
    curves = {key[0]: curve for key, curve in app.session_state[state.ROBUSTNESS_CURVES].items() if key[3] == "shift"}
    images, labels, _ = shipped()
    chosen = distortions.balanced_subset(labels, 50)
    for choice, path in (("default", DEFAULT_MODEL), (trained_run.id, trained_run.model)):
        read = Classifier(path).probabilities(images[chosen]).argmax(axis=1)
        assert curves[choice][0] == pytest.approx((read == labels[chosen]).mean())
        assert curves[choice][8] < curves[choice][0]
    finding = next(text.value for text in app.markdown if text.value.startswith("At "))
    assert "Digit Lab's model" in finding and "\\\\" not in finding, "escaped once, or backslashes would show"
    assert len(app.get("vega_lite_chart")) == 1
    button(app, "Measure all 2").click().run()
    assert {key[3] for key in app.session_state[state.ROBUSTNESS_CURVES]} >= {"shift", "contrast"}
    app.selectbox(key=state.DISTORTION).select("contrast").run()
    assert len(app.get("vega_lite_chart")) == 1 and not app.info
    assert not app.error and not app.exception


@pytest.fixture
def namesakes() -> list[str]:
    """Ids of two runs with the same name, recipe and validation accuracy."""
    runs = [create_run(make_spec("fast", data="sample")) for _ in range(2)]
    for run in runs:
        run.append_metrics({"step": 5, "epoch": 1, "val_loss": 1.0, "val_accuracy": 0.9})
        run.write_card({})
        run.model.write_bytes(DEFAULT_MODEL.read_bytes())
        update_label(run, name="lesson")
    return [run.id for run in runs]


def test_models_of_the_same_name_have_a_curve_and_a_row_each(
    app: AppTest, namesakes: list[str], few_levels: None
) -> None:
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: namesakes})
    button(app, "Measure this one").click().run()
    (finding,) = [text.value for text in app.markdown if text.value.startswith("At ")]
    assert all(re.search(f"lesson · .*% · {run_id[-4:]} keeps", finding) for run_id in namesakes)
    button(app, "Test on uncentered digits").click().run()
    assert app.dataframe[0].value["model"].nunique() == 2
    opened(app, "other", **{state.MODEL: namesakes[0], state.COMPARED_MODEL: namesakes[1]})
    assert app.dataframe[0].value["model"].nunique() == 2 and not app.error and not app.exception


def test_a_stopped_measurement_keeps_what_it_has_measured(app: AppTest, few_levels: None, monkeypatch: Any) -> None:
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


def test_a_measurement_shows_its_progress_and_can_be_stopped(app: AppTest, few_levels: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(robustness, "measure_slice", lambda steps: None)
    going = robustness.Measurement(["shift", "contrast"], time.monotonic() - 3630, done=4)
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: ["default"], state.ROBUSTNESS_JOB: going})
    assert app.get("progress")[0].proto.text == "Shift: 4 of 8, about 1 h 00 min left"
    button(app, "Stop measuring").click().run()
    assert not app.get("progress") and "Not measured yet" in app.info[0].value


def test_uncentered_digits_need_centering(app: AppTest, few_levels: None) -> None:
    opened(app, "spoilt", **{state.ROBUSTNESS_MODELS: ["default"]})
    button(app, "Test on uncentered digits").click().run()
    rows = app.dataframe[0].value
    assert rows["images"].tolist() == [50, 50]
    centered, shrunk = (float(accuracy.rstrip("%")) for accuracy in rows["accuracy"])
    assert centered > 90 > shrunk
    assert rows["input"].tolist() == [title for title, _ in robustness.PREPARATIONS.values()][1:]
    app.selectbox(key=state.DISTORTION).select("contrast").run()
    assert len(app.dataframe) == 1  # it stays
    assert not app.error and not app.exception


# What may be odd about a model


class Odd:
    """Stands in for a model of 56×56 inputs and 100 outputs, which is unsure of everything and takes 3 for no digit."""

    input_size = 56

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path

    predict, predict_all = Classifier.predict, Classifier.predict_all

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[1:] in ((28, 28), (56, 56))
        found = np.full((len(images), 100), 0.005, np.float32)
        found[np.arange(len(images)), np.where(images.sum(axis=(1, 2)) % 10 == 3, 57, 4)] = 0.505
        return found


def test_a_model_with_large_inputs_and_a_hundred_outputs(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, few_levels: None
) -> None:
    monkeypatch.setattr(caches, "Classifier", Odd)
    for view in each_view(app, **{state.ROBUSTNESS_MODELS: ["default"]}):
        assert "56×56 pixels" in page_text(app) and "100 outputs" in page_text(app), view
        if view == "confusion":
            rejected = next(each for each in app.selectbox(key=state.CONFUSION_CELL).options if "not a digit" in each)
            app.selectbox(key=state.CONFUSION_CELL).select((rejected[0], "not a digit")).run()
            assert page_text(app).count("classified as not a digit</b>") == len(numbers(app))
        if view == "worst":
            rejections = page_text(app).count("classified as not a digit</b>")
            assert page_text(app).count("<b>not a digit</b>") == rejections > 0, "its bar is the longest"
        if view == "spoilt":
            button(app, "Test on uncentered digits").click().run()
            as_it_is, _ = next(iter(robustness.PREPARATIONS.values()))
            assert app.dataframe[0].value["input"].tolist() == [as_it_is]
        assert not app.error and not app.exception, view


@pytest.mark.parametrize("card", [{}, {"test_accuracy": None, "data": "?", "pen": 3, "settings": [], "split": 1}])
def test_a_run_with_an_incomplete_card_can_be_evaluated(app: AppTest, trained_run: Run, card: dict[str, Any]) -> None:
    """Such as an imported run of an older Digit Lab."""
    (trained_run.path / "card.json").write_text(json.dumps(card))
    for view in each_view(app, **{state.MODEL: trained_run.id}):
        assert not app.error, view


def test_a_run_without_a_model_is_not_offered(app: AppTest) -> None:
    run = create_run(make_spec("fast", data="sample"))
    opened(app)
    assert model_menu.model_name(run.id) not in app.selectbox(key=state.MODEL).options


def test_a_broken_model_is_reported(app: AppTest, trained_run: Run) -> None:
    trained_run.model.write_bytes(b"no model")
    for view in each_view(app, **{state.MODEL: trained_run.id}):
        assert str(trained_run.model) in error_text(app), view


def test_a_perfect_model_has_no_mistakes(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_pen_digits_are_evaluated_if_they_are_available(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_levels: None
) -> None:
    monkeypatch.setenv("DIGITLAB_PEN", str(write_pen(tmp_path)))
    opened(app)
    app.selectbox(key=state.EVALUATED_ON).select("thin").run()
    assert app.metric[0].value == "100.00%"
    assert app.dataframe[0].value["support"].tolist() == [0, 6, 0, 0, 0, 0, 0, 0, 0, 0]
    for view in each_view(app):
        assert not app.error, view
        assert "6 people" in page_text(app), view
        assert not [each for each in app.button if each.label == "Explain"], "the Explain page has only MNIST's digits"


def test_without_pen_digits_the_page_returns_to_mnist(app: AppTest) -> None:
    opened(app, **{state.EVALUATED_ON: "thin"})
    assert app.selectbox(key=state.EVALUATED_ON).value == evaluated_model.MNIST and not app.error


def test_labels_of_cells_convert_back_to_predictions() -> None:
    """The chart sends texts; mistakes.prediction_from_label turns them back."""
    assert [mistakes.prediction_from_label(mistakes.prediction_label(answer)) for answer in range(11)] == list(
        range(11)
    )
