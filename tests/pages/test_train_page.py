"""The Train page through AppTest: links to settings, limits, and what a training is watched by."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.data.mnist import load_mnist
from mnist_core.errors import DataError
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.runs import probes
from mnist_core.runs.examples import EXAMPLES
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import stamp_status
from mnist_core.runs.store import create_run, find_run
from pages.ui.shared import caches, state
from tests.pages.support import SEVEN, button, drawing, error_text, open_page, page_text


def test_link_fills_the_form_with_its_settings(app: AppTest, started: list[Run]) -> None:
    given = {"recipe": "brownlee-cnn", "epochs": "3", "dropout": "0.5", "patience": "2", "weight_averaging": "0.9"}
    open_page(app, "pages/train.py", **given, seed="7", data="sample")
    assert app.slider(key=state.EPOCHS).value == 3
    assert app.slider(key=state.DROPOUT).value == 0.5
    assert app.number_input(key=state.PATIENCE).value == 2
    button(app, "Train").click().run()
    spec = started[0].spec()
    assert (spec.recipe, spec.seed, spec.data) == ("brownlee-cnn", 7, "sample")
    changed = {"epochs": 3, "dropout": 0.5, "patience": 2, "weight_averaging": 0.9}
    assert dict(spec.overrides) == changed, "what has no control is carried along"
    assert set(app.query_params) == {"run"}


def test_page_shows_the_link_to_its_settings(app: AppTest, started: list[Run]) -> None:
    open_page(app, "pages/train.py")
    app.selectbox(key=state.RECIPE).select("fast").run()
    app.slider(key=state.EPOCHS).set_value(4).run()
    app.number_input(key=state.TARGET_ACCURACY).set_value(0.95).run()
    (link,) = [block.value for block in app.code]
    given = {name: value[0] for name, value in parse_qs(urlparse(link).query).items()}
    assert given["recipe"] == "fast" and given["epochs"] == "4"
    open_page(app, "pages/train.py", **given)
    button(app, "Train").click().run()
    assert dict(started[0].spec().overrides) == {"epochs": 4, "target_accuracy": 0.95}


@pytest.fixture
def simple(app: AppTest) -> AppTest:
    """The app in Simple mode."""
    app.session_state[state.EXPERT] = False
    return app


def test_simple_mode_has_recipe_cards_and_three_sliders(simple: AppTest, started: list[Run]) -> None:
    open_page(simple, "pages/train.py")
    (cards,) = simple.radio
    assert cards.value == "fast" and any("fleming-cnn" in card for card in cards.options)
    assert {slider.label for slider in (*simple.slider, *simple.select_slider)} == {
        "Epochs",
        "Batch size",
        "Learning rate",
    }
    assert not simple.selectbox and not simple.number_input
    assert not any("Network" in each.label or "Link" in each.label for each in simple.expander)
    cards.set_value("lesson08-mlp").run()
    assert simple.slider(key=state.EPOCHS).value == 20
    button(simple, "Train").click().run()
    assert (started[0].spec().recipe, dict(started[0].spec().overrides)) == ("lesson08-mlp", {})
    assert [each.label for each in simple.button if each.label in ("Pause", "Stop", "One batch")] == ["Pause", "Stop"]


def test_simple_mode_names_the_settings_of_a_link_that_it_does_not_show(simple: AppTest, started: list[Run]) -> None:
    open_page(simple, "pages/train.py", recipe="singh-mlp", batch_size="64", label_smoothing="0.1", seed="7")
    assert simple.radio[0].value == "singh-mlp", "a recipe of a link gets a card, too"
    assert "Also set: label smoothing 0.1, seed 7" in page_text(simple)
    button(simple, "Train").click().run()
    spec = started[0].spec()
    assert (dict(spec.overrides), spec.seed) == ({"batch_size": 64, "label_smoothing": 0.1}, 7)
    button(simple, "Change these in Expert mode").click().run()
    assert simple.number_input(key=state.SEED).value == 7 and not simple.radio


def test_custom_data_set_is_named_and_nothing_is_promised_for_it(app: AppTest, custom_data: Path) -> None:
    open_page(app, "pages/train.py")
    menu = app.selectbox(key=state.DATA)
    assert menu.value == "full" and menu.options[0] == f"{custom_data.name}, set by DIGITLAB_MNIST"
    app.session_state[state.EXPERT] = False
    app.run()
    assert not any(app.radio[0].proto.captions)
    app.session_state[state.DATA] = "sample"
    app.run()
    assert any("about" in caption for caption in app.radio[0].proto.captions)


def test_data_that_the_form_cannot_open_is_replaced_with_a_note(app: AppTest, started: list[Run]) -> None:
    run = create_run(make_spec("fast", {"epochs": 2}, "/data/letters.npz"))
    open_page(app, "pages/train.py", like=run.id)
    note = "trained on its own data, which this form cannot open"
    assert app.selectbox(key=state.DATA).value == "full" and note in page_text(app)
    app.selectbox(key=state.DATA).select("sample").run()
    assert note not in page_text(app)
    open_page(app, "pages/train.py", like=create_run(make_spec("fast", {}, "full")).id)
    assert app.selectbox(key=state.DATA).value == "full" and note not in page_text(app)


def test_link_without_a_recipe_changes_the_default_one(app: AppTest, started: list[Run]) -> None:
    open_page(app, "pages/train.py", data="sample", epochs="4")
    assert (app.selectbox(key=state.RECIPE).value, app.slider(key=state.EPOCHS).value) == ("fast", 4)
    button(app, "Train").click().run()
    spec = started[0].spec()
    assert (spec.recipe, spec.data, dict(spec.overrides)) == ("fast", "sample", {"epochs": 4})
    assert set(app.query_params) == {"run"}


def test_link_to_a_run_fills_the_form_and_shows_the_network_of_the_run(app: AppTest) -> None:
    run = create_run(make_spec("lesson08-mlp", {"epochs": 3, "dropout": 0.2}, "sample", seed=4))
    run.write_status(replace(run.status(), state="stopped", message="Stopped before its turn came."))
    open_page(app, "pages/train.py", run=run.id)
    assert (app.selectbox(key=state.RECIPE).value, app.slider(key=state.EPOCHS).value) == ("lesson08-mlp", 3)
    assert (app.number_input(key=state.SEED).value, app.selectbox(key=state.DATA).value) == (4, "sample")
    (network,) = [each.label for each in app.expander if "parameters" in each.label]
    assert "535,818 parameters" in network
    app.selectbox(key=state.RECIPE).select("fleming-cnn").run()
    (network,) = [each.label for each in app.expander if "parameters" in each.label]
    assert "535,818 parameters" in network, "the run's, not the form's"
    assert app.selectbox(key=state.RECIPE).value == "fleming-cnn", "the link is followed once"


@pytest.mark.parametrize("link", [{"epochs": "600"}, {"epochs": "1000"}, {"recipe": "brownlee-cnn", "dropout": "0.95"}])
def test_the_largest_values_of_a_link_fit_into_the_form(app: AppTest, link: dict[str, str]) -> None:
    open_page(app, "pages/train.py", **{"recipe": "fast"} | link)
    assert app.slider(key=state.EPOCHS).max <= 1000 and not app.error
    assert app.slider(key=state.DROPOUT).value == float(link.get("dropout", 0))


def test_run_that_has_trained_all_epochs_that_are_allowed_opens(app: AppTest) -> None:
    run = create_run(make_spec("fast", {"epochs": 1000}, "sample"))
    run.write_status(replace(run.status(), state="stopped", epoch=1000, epochs=1000, message="Done."))
    open_page(app, "pages/train.py", run=run.id)
    assert not app.error and "continue" not in {each.key for each in app.button}


def test_link_to_a_run_with_a_network_of_its_own_shows_the_run(app: AppTest) -> None:
    layers = layers_to_json((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")))
    run = create_run(make_spec("fast", {"layers": layers}, "sample"))
    run.write_status(replace(run.status(), state="stopped", message="Stopped before its turn came."))
    open_page(app, "pages/train.py", run=run.id)
    assert app.session_state[state.CUSTOM_NETWORK] and app.session_state[state.STAGE] == "run"
    assert "Stopped before its turn came." in page_text(app)


def test_run_without_reports_promises_curves_only_while_it_can_have_some(app: AppTest, started: list[Run]) -> None:
    open_page(app, "pages/train.py")
    assert len(app.get("vega_lite_chart")) == 2, "the example"
    button(app, "Train").click().run()
    assert "The curves begin with the first batch" in page_text(app)
    status = replace(started[0].status(), state="stopped", message="Stopped before its turn came.")
    started[0].write_status(status)
    app.run()
    assert "there are no curves" in page_text(app) and "begin with" not in page_text(app)
    assert not app.get("vega_lite_chart")


def test_learning_rate_changed_while_training_is_shown_with_the_run(app: AppTest, trained_run: Run) -> None:
    trained_run.append_metrics({**trained_run.metrics().rows[-1], "changed": {"learning_rate": 0.0003}})
    app.session_state[state.RUN_SETTINGS_OPEN] = True
    open_page(app, "pages/train.py", run=trained_run.id)
    assert "learning\\_rate 0.0003 while training" in page_text(app)
    settings = next(each.value for each in app.dataframe if "setting" in each.value.columns)
    assert settings.set_index("setting")["value"]["learning rate"] == "0.01, then 0.0003"


def test_step_counter_stays_while_paused_and_while_the_model_is_saved(app: AppTest, trained_run: Run) -> None:
    for state_name, message in (("running", "Training."), ("paused", "Paused."), ("running", "Saving the model.")):
        status = replace(trained_run.status(), state=state_name, message=message, step=12, steps=50, seconds_left=None)
        trained_run.write_status(stamp_status(status))
        open_page(app, "pages/train.py", run=trained_run.id)
        assert "Step <b>12</b> of 50" in page_text(app)
        assert app.get("progress")[0].proto.text == message


def test_recent_runs_are_listed_and_redrawn_only_while_the_list_is_open(app: AppTest, trained_run: Run) -> None:
    trained_run.write_status(stamp_status(replace(trained_run.status(), state="running")))

    def listed() -> list[str]:
        return [each.proto.query_string for each in app.get("page_link") if "· running" in each.proto.label]

    open_page(app, "pages/train.py")
    assert "Recent runs" in [each.label for each in app.expander] and not listed()
    app.session_state[state.RECENT_RUNS_OPEN] = True
    app.run()
    assert listed() == [f"run={trained_run.id}"]


def test_an_earlier_result_is_not_shown_while_a_run_trains_on(app: AppTest, trained_run: Run) -> None:
    open_page(app, "pages/train.py", run=trained_run.id)
    assert "Test accuracy" in [metric.label for metric in app.metric]
    trained_run.write_status(stamp_status(replace(trained_run.status(), state="running")))
    open_page(app, "pages/train.py", run=trained_run.id)
    assert "Test accuracy" not in [metric.label for metric in app.metric] and not app.error


def test_next_steps_of_an_ended_run_lead_to_its_model(app: AppTest, trained_run: Run) -> None:
    open_page(app, "pages/train.py", run=trained_run.id)
    links = {each.proto.label: (each.proto.page, each.proto.query_string) for each in app.get("page_link")}
    assert links["Draw a digit for it"][1] == links["See inside"][1] == f"model={trained_run.id}"
    assert links["Try again with one change"] == ("train", f"like={trained_run.id}")


BAD_LINKS = [
    ({"recipe": "none such"}, "none such"),
    ({"recipe": "fast", "epochs": "many"}, "epochs is 'many'"),
    ({"recipe": "fast", "colour": "red"}, "KEY=VALUE"),
    ({"recipe": "fast", "seed": "-1"}, "'-1'"),
    ({"recipe": "fast", "data": "/etc/passwd"}, "/etc/passwd"),
    ({"recipe": "fast", "epochs": "9" * 5000}, "epochs"),
    ({"recipe": "fast", "seed": "9" * 5000}, "Expected a whole number from 0 to"),
]


def test_bad_link_shows_an_error_and_changes_nothing(app: AppTest) -> None:
    for query, word in BAD_LINKS:
        open_page(app, "pages/train.py", **query)
        assert not app.exception
        assert word in error_text(app), query
        assert app.selectbox(key=state.RECIPE).value == "fast", "the form is as it was"


def test_probes_go_into_the_next_run(app: AppTest, started: list[Run]) -> None:
    open_page(app, "pages/train.py")
    app.session_state[state.PROBE_CANVAS] = drawing(*SEVEN)
    app.run()
    button(app, "Add this digit").click().run()
    assert len(app.session_state[state.PROBES]) == 1
    button(app, "Train").click().run()
    (seen,) = probes.read_probes(started[0])
    assert seen.image.shape == (28, 28) and seen.image.max() == 255
    rows, columns = np.nonzero(seen.image > 100)
    assert max(np.ptp(rows), np.ptp(columns)) in range(17, 21), "normalized as MNIST was"


def test_probes_are_added_to_a_training_run_and_removed(app: AppTest, started: list[Run]) -> None:
    open_page(app, "pages/train.py")
    button(app, "Train").click().run()
    app.session_state[state.PROBE_CANVAS] = drawing(*SEVEN)
    app.run()
    button(app, "Add this digit").click().run()
    assert len(probes.read_probes(started[0])) == 1
    button(app, "Remove the last digit").click().run()
    assert probes.read_probes(started[0]) == ()
    assert button(app, "Remove the last digit").disabled


def test_six_probes_are_the_limit(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    app.session_state[state.PROBES] = [probes.new_probe(np.zeros((28, 28), np.uint8))] * 6
    app.session_state[state.PROBE_CANVAS] = drawing(*SEVEN)
    app.run()
    assert button(app, "Add this digit").disabled


def test_probe_grid_of_an_ended_run_goes_back_in_time(app: AppTest, trained_run: Run) -> None:
    open_page(app, "pages/train.py", run=trained_run.id)
    wall = probes.read_probe_grid(trained_run)
    assert wall is not None
    seen = probes.grid_history(trained_run.metrics().rows, 60)
    slider = next(each for each in app.select_slider if each.label == "After this many batches")
    for step, read_as in (seen[-1], seen[0]):
        slider.set_value(step).run()
        right = sum(str(label) == read for label, read in zip(wall.labels.tolist(), read_as, strict=True))
        text = page_text(app)
        assert "##### Test digits" in text and f"{right} of 60 test digits are read correctly after {step:,}" in text
        assert ("framed in orange" in text) == (right < 60)
        slider = next(each for each in app.select_slider if each.label == "After this many batches")


def test_run_without_a_probe_grid_opens(app: AppTest, trained_run: Run) -> None:
    (trained_run.path / "wall.npz").unlink()
    open_page(app, "pages/train.py", run=trained_run.id)
    assert not app.exception and not app.error
    assert "test digits are read correctly" not in page_text(app)
    assert find_run(trained_run.id).has_model


@pytest.mark.skipif(os.name == "nt", reason="Windows has no /dev/zero")
@pytest.mark.parametrize("data", ["/dev/zero", "/etc/hostname", "/nowhere/mnist.npz"])
def test_no_page_opens_a_path_that_a_run_names(
    app: AppTest, runs_root: Path, monkeypatch: pytest.MonkeyPatch, data: str
) -> None:
    """A run that anybody may have made: neither memory nor an answer to which files exist."""
    run = Run(shutil.copytree(EXAMPLES / "1-small-steps", runs_root / "20260101-000000-own-00000000"))
    write_json(run.path / "spec.json", {**run.spec().to_json(), "data": data})
    card = read_json(run.path / "card.json")
    write_json(run.path / "card.json", {**card, "data": {**card["data"], "asked": data, "name": "custom"}})
    opened: list[str] = []
    monkeypatch.setattr(caches, "load_mnist", lambda choice: opened.append(choice) or load_mnist(choice))
    app.session_state[state.EXPERT] = False  # Expert mode opens a network that somebody built in the builder
    open_page(app, "pages/train.py", run=run.id)
    assert set(opened) <= {"full", "sample"} and not app.error and not app.exception
    assert "its own data file, which pages cannot open" in page_text(app)
    with pytest.raises(DataError, match="pages cannot open"):
        caches.mnist(data)
