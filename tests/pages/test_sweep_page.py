"""The Sweep page through AppTest, and its charts: what they are drawn from, by hand-made trials."""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core import owners
from mnist_core.charts import sweep as sweep_charts
from mnist_core.charts import sweep_settings as sweep_settings_charts
from mnist_core.charts.parallel_coordinates import parallel_coordinates
from mnist_core.files.write import write_json
from mnist_core.networks.layers import Dense, Flatten
from mnist_core.networks.library import save_network
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.sweeps import importance, launch
from mnist_core.sweeps.folding import sweep_heads
from mnist_core.sweeps.plan import MEASURES, NETWORK_PREFIX, SweepPlan
from mnist_core.sweeps.space_parser import parse_dimension, parse_space
from mnist_core.sweeps.store import Sweep, create_sweep, list_sweeps
from pages.ui.shared import state
from pages.ui.sweep import form, menu
from tests.pages.support import error_text
from tests.support import ROOT

PAGE = "pages/sweep.py"


@pytest.fixture
def simple() -> AppTest:
    """The app as everybody finds it."""
    st.cache_resource.clear()
    st.cache_data.clear()
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)


@pytest.fixture
def app(simple: AppTest) -> AppTest:
    """In Expert mode, with the form of a custom sweep and typed ranges."""
    simple.session_state[state.EXPERT] = simple.session_state[state.SWEEP_AS_TEXT] = True
    simple.session_state[state.SWEEP_KIND] = form.CUSTOM_SWEEP
    return simple


def opened(app: AppTest, **address: str) -> AppTest:
    for name, value in address.items():
        app.query_params[name] = value
    app.switch_page(PAGE)
    app.run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    elements = [*app.markdown, *app.caption, *app.info, *app.success]
    return "\n".join([*(str(element.value) for element in elements), error_text(app)])


def plan(**how: Any) -> SweepPlan:
    base: RunSpec = make_spec("lesson08-mlp", data="sample")
    varies = parse_space(how.pop("vary", ["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"]))
    return SweepPlan(base, varies, **{"trials": 9, "created": time.time(), **how})


def trial(number: int, rate: float, batch: int, value: float | None, state: str = "finished") -> dict[str, Any]:
    values = [] if value is None else [[1, value - 0.1], [2, value]]
    return {
        "trial": number,
        "settings": {"learning_rate": rate, "batch_size": batch},
        "state": state,
        "value": value,
        "values": values,
        "run": "",
        "began": 100.0 + number,
        "ended": 101.0 + number,
        "seconds": 2.0,
        "message": "",
    }


TRIALS = [
    trial(0, 1e-4, 32, 0.80),
    trial(1, 1e-3, 32, 0.90),
    trial(2, 1e-2, 32, 0.95),
    trial(3, 1e-1, 32, 0.60),
    trial(4, 1e-4, 128, 0.81),
    trial(5, 1e-3, 128, 0.91),
    trial(6, 1e-2, 128, 0.96),
    trial(7, 1e-1, 512, 0.30, "pruned"),
    trial(8, 1e-3, 512, None, "failed"),
]


def made(trials: list[dict[str, Any]], status: Status, **how: Any) -> Sweep:
    sweep = create_sweep(plan(**how))
    write_json(sweep.path / "trials.json", {"sweep": sweep.id, "trials": trials})
    sweep.files.write_status(stamp_status(status))
    return sweep


WINNER = {
    "trial": 6,
    "settings": {"learning_rate": 0.01, "batch_size": 128},
    "of": 3,
    "mean": 0.9512,
    "spread": 0.0031,
    "runs": [{"run": "a", "seed": 1, "value": 0.95}, {"run": "b", "seed": 2, "value": 0.951}],
    "run": "b",
    "test_accuracy": 0.9444,
    "test_loss": 0.2,
}


# the page


def test_without_a_sweep_one_button_starts_the_predefined_one(simple: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sweep] = []
    monkeypatch.setattr(form, "launch_sweep", started.append)
    opened(simple)
    assert "No sweeps yet" in shown(simple) and "Batch size × learning rate" in shown(simple)
    assert "20 trials of 2 epochs each · offline sample" in shown(simple)
    widgets = [*simple.text_input, *simple.select_slider, *simple.selectbox, *simple.multiselect, *simple.radio]
    assert widgets == [], "Simple mode asks nothing"
    (button,) = [button for button in simple.button if "tart" in button.label]
    button.click().run()
    assert [sweep.plan().title for sweep in started] == ["Batch size × learning rate"] and not simple.exception


def test_own_and_predefined_sweeps_share_the_button(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sweep] = []
    monkeypatch.setattr(form, "launch_sweep", started.append)
    opened(app)
    for kind in (form.CUSTOM_SWEEP, "batch-size-and-learning-rate"):
        app.radio(key=state.SWEEP_KIND).set_value(kind).run()
        (button,) = [button for button in app.button if "tart" in button.label]
        button.click().run()
    assert [sweep.plan().sampler for sweep in started] == ["tpe", "grid"]


def test_one_sweep_too_many_is_refused_in_words(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "launch_sweep", lambda sweep: None)
    monkeypatch.setenv("DIGITLAB_MAX_SWEEPS_EACH", "1")
    opened(app)
    for _ in range(2):
        {button.label: button for button in app.button}["Start sweep"].click().run()
    assert "1 running sweep" in shown(app) and len(list_sweeps()) == 1 and not app.exception


def test_a_slider_sets_a_range(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sweep] = []
    monkeypatch.setattr(form, "launch_sweep", started.append)
    app.session_state[state.SWEEP_AS_TEXT] = False
    opened(app)
    rates, sizes = (app.select_slider(key=state.sweep_range_key(name)) for name in ("learning_rate", "batch_size"))
    assert (rates.label, rates.value) == ("Learning rate, log scale", (0.0001, 0.1)) and not app.text_input
    assert sizes.value == (32, 512) and "Tries only 32, 128, 512" in shown(app)
    rates.set_range(0.001, 0.03).run()
    app.select_slider(key=state.sweep_range_key("learning_rate")).set_range(0.01, 0.01).run()
    assert "two different ends. It stays 0.001 to 0.03" in shown(app)
    {button.label: button for button in app.button}["Start sweep"].click().run()
    assert [str(vary) for vary in started[0].plan().space] == ["learning_rate=0.001..0.03:log", "batch_size=32,128,512"]
    app.toggle(key=state.SWEEP_AS_TEXT).set_value(True).run()
    assert app.text_input(key=state.sweep_values_key("learning_rate")).value == "0.001..0.03:log"


@pytest.mark.parametrize(
    ("name", "values", "label"),
    [
        ("learning_rate", "0.001..0.05", "Learning rate"),
        ("weight_decay", "0..0.1", "Weight decay"),
        ("weight_decay", "1e-5..0.1:log", "Weight decay, log scale"),
    ],
)
def test_a_slider_says_log_scale_only_if_the_sweep_searches_one(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, name: str, values: str, label: str
) -> None:
    started: list[Sweep] = []
    monkeypatch.setattr(form, "launch_sweep", started.append)
    app.session_state[state.SWEEP_AS_TEXT] = False
    app.session_state[state.SWEEP_VARIED] = [name]
    app.session_state[state.sweep_values_key(name)] = values
    slider = opened(app).select_slider(key=state.sweep_range_key(name))
    assert slider.label == label
    slider.set_range(0.003, 0.03).run()
    {button.label: button for button in app.button}["Start sweep"].click().run()
    assert str(started[0].plan().space[0]) == f"{name}=0.003..0.03{':log' if 'log' in label else ''}"


def test_best_trial_and_heat_map_come_first_and_simple_mode_leaves_out_the_rest(simple: AppTest) -> None:
    sweep = made(TRIALS, Status("finished", "Trial 6 is the best.", step=9, steps=9))
    write_json(sweep.path / "winner.json", {**WINNER, "tested_before": 1})
    text = shown(opened(simple))
    assert "1 other model was tested before" in text and "images, once" not in text
    assert text.index("Best trial: 6") < text.index("Learning rate × batch size") < text.index("##### Trials")
    assert "The best trial has learning rate 0.01 and batch size 128" in text
    assert len(simple.get("vega_lite_chart")) + len(simple.get("arrow_vega_lite_chart")) == 1


def test_a_finished_sweep_shows_its_best_trial_and_its_charts(app: AppTest) -> None:
    sweep = made(TRIALS, Status("finished", "Trial 6 is the best.", step=9, steps=9))
    assert {metric.label: metric.value for metric in opened(app).metric} == {"Best validation accuracy": "96.00%"}
    write_json(sweep.path / "winner.json", WINNER)
    app.run()
    text = shown(app)
    assert not app.error
    assert "Trial 6 is the best" in text and "Best trial: 6" in text
    metrics = {metric.label: metric.value for metric in app.metric}
    spreads = {metric.label: metric.delta for metric in app.metric}
    assert metrics["Validation accuracy, mean of 2 seeds"] == "95.12%"
    assert spreads["Validation accuracy, mean of 2 seeds"] == "± 0.31%"
    assert metrics["Test accuracy of the best seed"] == "94.44%"
    for title in (
        "All settings at once",
        "Importance of the settings",
        "Best so far by trials",
        "Best so far by seconds of training",
        "Learning rate × batch size",
        "By learning rate",
        "Validation accuracy by epoch",
        "Trials",
    ):
        assert title in text
    frame = next(frame for frame in app.dataframe if "trial" in frame.value)
    assert list(frame.value["trial"]) == list(range(8, -1, -1)) and frame.value["value"].max() == 0.96
    column = json.loads(frame.proto.columns)["value"]["type_config"]
    assert (column["format"], column["step"]) == ("percent", 1e-4), "two decimals: 94.30%, not 94.3%"
    assert app.query_params["sweep"] in (sweep.id, [sweep.id])


def test_a_better_trial_of_an_extension_comes_before_the_one_that_was_retrained(simple: AppTest) -> None:
    sweep = made([*TRIALS, trial(9, 1e-2, 512, 0.99)], Status("stopped", "Stopped.", step=10, steps=20))
    write_json(sweep.path / "winner.json", WINNER)
    text = shown(opened(simple))
    assert "Trial 9: **learning rate 0.01, batch size 512**" in text and "Best trial:" not in text
    assert text.index("Trial 9") < text.index("Retrained earlier: trial 6")
    assert {metric.label: metric.value for metric in simple.metric}["Best validation accuracy"] == "99.00%"
    assert sweep_heads(sweep.root)[sweep.id].settings == "learning rate 0.01, batch size 512"


def test_a_running_sweep_is_paused_extended_and_stopped(app: AppTest) -> None:
    sweep = made(TRIALS[:4], Status("running", "Trying.", step=4, steps=9, seconds_left=125.0))
    opened(app)
    assert any(
        "4 of 9 trials" in str(bar.proto.text) and "2 min 05 s left" in str(bar.proto.text)
        for bar in app.get("progress")
    )
    {button.label: button for button in app.button}["Pause"].click().run()
    assert sweep.files.control() == {"paused": True}
    {button.label: button for button in app.button}["Extend"].click().run()
    assert sweep.files.control() == {"paused": False, "stop": False, "trials": 19}
    app.number_input(key=f"more_{sweep.id}").set_value(50)
    {button.label: button for button in app.button}["Extend"].click()
    app.run()
    assert sweep.files.control()["trials"] == 59, "typed just before the click"
    {button.label: button for button in app.button}["Stop"].click().run()
    assert sweep.files.control()["stop"] is True
    assert not app.exception


def test_the_analysis_of_a_running_sweep_can_be_refreshed_before_it_has_charts(app: AppTest) -> None:
    made(TRIALS[:1], Status("running", "Trying.", step=1, steps=9))
    opened(app)
    assert "Analysis of 1 trial" in shown(app) and "The charts need" in shown(app)
    assert "Refresh" in {button.label for button in app.button}


def test_a_sweep_that_ended_without_a_trial_promises_none(app: AppTest) -> None:
    made([], Status("stopped", "Stopped."))
    opened(app)
    assert "The sweep ended before its first trial." in shown(app) and "in a few seconds" not in shown(app)
    assert "Extend" in {button.label for button in app.button}


def test_a_complete_grid_cannot_be_extended(app: AppTest) -> None:
    made(
        TRIALS[:4],
        Status("finished", "Trial 2 is the best.", step=4, steps=4),
        sampler="grid",
        vary=["learning_rate=0.001,0.01", "batch_size=32,128"],
    )
    opened(app)
    assert "Extend" not in [button.label for button in app.button]


def test_the_sweep_of_another_visitor_cannot_be_changed(app: AppTest) -> None:
    sweep = made(TRIALS[:4], Status("running", "Trying.", step=4, steps=9))
    owners.write_owner(sweep.path, "0" * 64)
    opened(app)
    buttons = {button.label: button for button in app.button}
    assert buttons["Pause"].disabled and buttons["Stop"].disabled and buttons["Extend"].disabled


def test_an_ended_sweep_says_why_and_can_be_resumed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[str] = []
    monkeypatch.setattr(launch, "launch_sweep", lambda sweep: resumed.append(sweep.id))
    for name in ("failed", "paused", "stopped"):
        sweep = made(TRIALS[:3], Status(name, "study.db is locked by another program.", step=3, steps=9))
        opened(app, sweep=sweep.id)
        assert "locked by another program" in shown(app).replace("\\", "")
        {button.label: button for button in app.button}["Resume"].click().run()
        assert resumed[-1] == sweep.id and sweep.status().state == "queued", name
        shutil.rmtree(sweep.path)


def test_the_form_becomes_the_plan_of_the_sweep(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Sweep] = []
    monkeypatch.setattr(form, "launch_sweep", started.append)
    app.session_state[state.SWEEP_BASE] = "lesson08-mlp"
    app.session_state[state.SWEEP_SAMPLER] = "random"
    app.session_state[state.SWEEP_TRIALS] = 7
    app.session_state[state.sweep_values_key("batch_size")] = "16,64"
    opened(app)
    for key in (state.SWEEP_TRIALS, state.SWEEP_EPOCHS):
        app.number_input(key=key).set_value(None).run()  # emptied: it keeps its value
    {button.label: button for button in app.button}["Start sweep"].click().run()
    assert not app.error and not app.exception
    (sweep,) = started
    found = sweep.plan()
    assert (found.base.recipe, found.sampler, found.trials) == ("lesson08-mlp", "random", 7)
    assert [str(vary) for vary in found.space] == ["learning_rate=0.0001..0.1:log", "batch_size=16,64"]
    assert found.base.data == "sample" and found.base.settings.epochs == 2


def test_custom_data_set_is_named(app: AppTest, custom_data: Path) -> None:
    opened(app)
    assert app.selectbox(key=state.SWEEP_DATA).options[0] == f"{custom_data.name}, set by DIGITLAB_MNIST"


def test_bad_values_are_reported_when_the_sweep_is_started(app: AppTest) -> None:
    opened(app)
    for values, expected in (
        ("5..1", "5..1"),
        ("0..1:log", "learning_rate"),
        ("nonsense", "nonsense"),
        ("", "learning_rate"),
    ):
        app.text_input(key=state.sweep_values_key("learning_rate")).set_value(values).run()
        {button.label: button for button in app.button}["Start sweep"].click().run()
        assert expected in error_text(app), values
        assert not app.exception and list_sweeps() == []


def test_values_survive_a_change_of_page(app: AppTest) -> None:
    opened(app)
    app.text_input(key=state.sweep_values_key("batch_size")).set_value("8,16").run()
    app.switch_page("pages/train.py").run()
    app.switch_page(PAGE).run()
    assert app.text_input(key=state.sweep_values_key("batch_size")).value == "8,16" and not app.exception


def test_a_saved_network_can_be_the_base(app: AppTest) -> None:
    kept = save_network("seven", (Flatten(), Dense(7, "relu"), Dense(10, "softmax")))
    opened(app)
    base = app.selectbox(key=state.SWEEP_BASE)
    assert "saved network: seven" in base.options
    base.set_value(f"{NETWORK_PREFIX}{kept.id}").run()
    assert not app.exception and app.selectbox(key=state.SWEEP_BASE).value == f"{NETWORK_PREFIX}{kept.id}"


def test_a_grid_that_is_too_large_is_reported(app: AppTest) -> None:
    app.session_state[state.SWEEP_SAMPLER] = "grid"
    app.session_state[state.SWEEP_VARIED] = ["batch_size", "epochs"]
    app.session_state[state.sweep_values_key("batch_size")] = "1..1000"
    app.session_state[state.sweep_values_key("epochs")] = "1..1000"
    opened(app)
    assert "The grid has 1,000,000 points, more than the limit of 1,000" in shown(app)
    {button.label: button for button in app.button}["Start sweep"].click().run()
    assert "1,000,000" in error_text(app) and list_sweeps() == []


def test_a_setting_without_effect_is_named_before_the_sweep_starts(app: AppTest) -> None:
    app.session_state[state.SWEEP_VARIED] = ["momentum"]
    assert "Momentum has no effect with Adam" in shown(opened(app))
    app.multiselect(key=state.SWEEP_VARIED).set_value(["momentum", "optimizer"]).run()
    assert "no effect" not in shown(app) and not app.exception


def test_damaged_files_are_reported(app: AppTest) -> None:
    sweep = made(TRIALS, Status("finished", "", step=9, steps=9))
    (sweep.path / "sweep.json").write_text("[1, 2]")
    (sweep.path / "trials.json").write_text("nonsense")
    opened(app)
    assert "cannot be read" in error_text(app)
    opened(app, sweep="nonsense")
    assert "There is no sweep" in error_text(app)


def test_two_sweeps_are_compared(app: AppTest) -> None:
    first = made(TRIALS, Status("finished", "", step=9, steps=9))
    other = made(TRIALS[:3], Status("finished", "", step=3, steps=3))
    app.session_state[state.SWEEP_BESIDE] = other.id
    opened(app, sweep=first.id)
    assert "Both sweeps" in shown(app)
    (table,) = [table.value for table in app.table]
    assert list(table["trials"]) == ["9", "3"] and list(table["best"]) == ["0.9600", "0.9500"]


# the charts


def test_progress_is_the_running_best_in_the_order_of_endings() -> None:
    found = sweep_charts.best_so_far([TRIALS[3], TRIALS[1], TRIALS[2], TRIALS[8], TRIALS[7]], plan())
    assert [point["trial"] for point in found] == [1, 2, 3, 7, 8]
    assert [point["best"] for point in found] == [0.90, 0.95, 0.95, 0.95, 0.95]
    assert [point["seconds"] for point in found] == [2, 4, 6, 8, 10]
    found = sweep_charts.best_so_far(TRIALS[:3], plan(measure="loss"))
    assert [point["best"] for point in found] == [0.8, 0.8, 0.8], "of a loss the smallest"


def test_a_pruned_trial_is_never_the_best() -> None:
    rows = [trial(0, 0.01, 32, 0.5), trial(1, 0.01, 32, 0.99, "pruned")]
    assert [point["best"] for point in sweep_charts.best_so_far(rows, plan())] == [0.5, 0.5]


@pytest.mark.parametrize("measure", list(MEASURES))
def test_every_chart_can_be_drawn(measure: str) -> None:
    searched = plan(measure=measure)
    charts = [
        sweep_charts.best_so_far_curve(sweep_charts.best_so_far(TRIALS, searched), searched, "seconds"),
        sweep_charts.trial_curves(TRIALS, searched),
        parallel_coordinates(TRIALS, searched),
        *(sweep_settings_charts.slice_plot(TRIALS, searched, vary) for vary in searched.space),
        sweep_settings_charts.contour_plot(TRIALS, searched, *searched.space),
        sweep_settings_charts.contour_plot(TRIALS, searched, *searched.space[::-1]),
        sweep_settings_charts.importance_bars([{"setting": "a", "share": 0.7, "low": 0.6, "high": 0.8}]),
    ]
    for chart in charts:
        assert json.dumps(chart.to_dict())


def test_failed_trials_are_in_no_curve_and_no_surface_is_drawn_without_a_finished_trial() -> None:
    searched, diverged = plan(), {**trial(9, 0.01, 32, 0.5, "failed"), "values": [[1, 0.1]]}
    chart = sweep_charts.trial_curves([*TRIALS, diverged], searched)
    assert {row["trial"] for row in chart.data["values"]} == {row["trial"] for row in TRIALS if row["values"]}
    pruned = [{**row, "state": "pruned"} for row in TRIALS]
    surface = sweep_settings_charts.contour_plot(pruned, searched, *searched.space).layer[0]
    assert surface.data["values"] == []


def test_the_legend_of_the_curves_fits_next_to_a_wide_axis_on_a_phone() -> None:
    encodings = [layer["encoding"] for layer in sweep_charts.trial_curves(TRIALS, plan()).to_dict()["layer"]]
    assert {encoding["color"]["legend"]["columns"] for encoding in encodings} == {2}


def test_losses_that_hardly_differ_have_labels_that_differ() -> None:
    rows = [trial(0, 0.01, 32, 0.00040), trial(1, 0.02, 32, 0.00045)]
    labels = parallel_coordinates(rows, plan(measure="loss")).to_dict()
    texts = {row.get("text") for row in layers_data(labels) if "text" in row}
    assert "0.00040" in texts and "0.00045" in texts


@pytest.mark.parametrize(
    "vary",
    [
        ["learning_rate=1e-4..1e-1:log", "batch_size=32,128"],
        ["learning_rate=1e-4..1e-1:log", "batch_size=32,128", "dropout=0..0.6", "epochs=1..5", "momentum=0.5..0.9"],
    ],
)
def test_no_name_of_an_axis_is_left_out_and_names_are_angled_where_there_are_many(vary: list[str]) -> None:
    encoding = parallel_coordinates([], plan(vary=vary)).to_dict()["layer"][0]["encoding"]
    axis = encoding["x"]["axis"]
    assert axis["labelOverlap"] is False and (axis["labelAngle"] != 0) == (len(vary) > 3)
    assert encoding["color"]["condition"]["legend"] is None, "the last axis says it"


def layers_data(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of the layers of a chart."""
    found = [each.get("data", {}) for each in (chart, *chart["layer"])]
    rows = [row for data in found for row in data.get("values", [])]
    return rows + [row for data in chart.get("datasets", {}).values() for row in data]


def test_places_on_an_axis() -> None:
    assert sweep_settings_charts.axis_position(parse_dimension("learning_rate=1e-4..1e-2:log"), 1e-3) == pytest.approx(
        0.5
    )
    assert sweep_settings_charts.axis_position(parse_dimension("dropout=0..0.5"), 0.125) == pytest.approx(0.25)
    assert [
        sweep_settings_charts.axis_position(parse_dimension("batch_size=32,128,512"), size) for size in (32, 128, 512)
    ] == [
        0,
        0.5,
        1,
    ]


def test_the_map_between_trials_is_theirs_at_the_trials() -> None:
    """Shepard's mean: near a trial its own value, everywhere between the smallest and the largest."""
    across, up = parse_dimension("dropout=0..0.9"), parse_dimension("learning_rate=1e-4..1e-2:log")
    rows = [
        {"settings": {"dropout": 0.1, "learning_rate": 1e-3}, "value": 0.2},
        {"settings": {"dropout": 0.8, "learning_rate": 1e-3}, "value": 0.8},
    ]
    cells = sweep_settings_charts.interpolate_surface(rows, across, up)
    assert len(cells) == sweep_settings_charts.CELLS**2
    assert all(0.2 <= cell["value"] <= 0.8 for cell in cells)

    def at(dropout: float, rate: float) -> float:
        return next(
            cell["value"]
            for cell in cells
            if cell["across"] <= dropout <= cell["across2"] and cell["up"] <= rate <= cell["up2"]
        )

    assert at(0.1, 1e-3) == pytest.approx(0.2, abs=0.02) and at(0.8, 1e-3) == pytest.approx(0.8, abs=0.02)
    assert at(0.45, 1e-3) == pytest.approx(0.5, abs=0.05)


def test_the_map_between_equal_trials_has_a_single_value() -> None:
    dimensions = parse_space(["learning_rate=1e-4..1e-1:log", "dropout=0..0.6"])
    rates = [10 ** (-4 + 3 * number / 8) for number in range(8)]
    rows = [{"settings": {"learning_rate": rate, "dropout": 0.6 - rate}, "value": 0.9} for rate in rates]
    assert {cell["value"] for cell in sweep_settings_charts.interpolate_surface(rows, *dimensions)} == {0.9}


def test_titles_in_the_menu_follow_each_sweep(runs_root: Path) -> None:
    """A finished sweep is read once; what is extended, deleted or still running is read again."""
    first, second = (made(TRIALS, Status(state="finished", step=9, steps=9), title=title) for title in ("one", "two"))
    summaries = menu.summaries_by_id()
    assert list(summaries) == [sweep.id for sweep in list_sweeps()] and summaries[first.id]["best"] == 0.96
    assert menu.sweep_title(summaries[first.id]).endswith("9 of 9 trials · finished")
    first.files.write_status(stamp_status(Status(state="running", step=9, steps=20)))
    assert menu.sweep_title(menu.summaries_by_id()[first.id]).endswith("· running")
    better = trial(9, 1e-2, 512, 0.99)
    write_json(first.path / "trials.json", {"sweep": first.id, "trials": [*TRIALS, better]})
    first.files.write_status(stamp_status(Status(state="stopped", step=10, steps=20)))
    assert menu.sweep_title(menu.summaries_by_id()[first.id]).endswith("10 of 20 trials · stopped")
    assert menu.summaries_by_id()[first.id]["best"] == 0.99
    shutil.rmtree(second.path)
    assert list(menu.summaries_by_id()) == [first.id]


def test_importance_finds_the_setting_that_was_built_in() -> None:
    """The measure is made of the learning rate's power of ten alone; the batch size is noise that does nothing."""
    varies = parse_space(["learning_rate=1e-4..1e-1:log", "batch_size=32,128,512"])
    rows = [
        trial(number, 10 ** (-4 + 3 * number / 29), (32, 128, 512)[number % 3], number / 29) for number in range(30)
    ]
    found = importance.importances(rows, varies)
    assert [row["setting"] for row in found] == ["learning_rate", "batch_size"]
    assert found[0]["share"] > 0.9 and sum(row["share"] for row in found) == pytest.approx(1, abs=0.02)
    assert all(0 <= row["low"] <= row["share"] <= row["high"] <= 1 for row in found)
    assert found[0]["low"] < found[0]["high"], "forests disagree a little"


def test_importance_leaves_out_what_only_the_combination_of_settings_explains() -> None:
    """The measure is 1 where exactly one setting is high: each setting by itself explains nothing."""
    varies = parse_space(["learning_rate=0.001,0.01", "batch_size=32,128"])
    combinations = [(rate, batch) for rate in (0.001, 0.01) for batch in (32, 128)] * 5
    rows = [
        trial(n, rate, batch, float((rate == 0.01) != (batch == 128))) for n, (rate, batch) in enumerate(combinations)
    ]
    found = importance.importances(rows, varies)
    assert sum(row["share"] for row in found) < 0.3


def test_importance_says_nothing_of_too_few_or_of_equals() -> None:
    varies = plan().space
    assert importance.importances(TRIALS[:5], varies) == []
    assert importance.importances([{**row, "value": 0.5} for row in TRIALS], varies) == []
    nearly = [{**row, "value": 0.5 + 1e-9 * (row["trial"] == 0)} for row in TRIALS]
    assert importance.importances(nearly, varies) == [], "Optuna's forests see no variance"
    assert importance.importances([replace_value(row) for row in TRIALS[:7]], varies) != []


def replace_value(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "value": math.log10(row["settings"]["learning_rate"])}
