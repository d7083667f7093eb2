"""The Train page's advanced settings and learning-rate finder, through AppTest."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qs, urlparse

from streamlit.testing.v1 import AppTest

from mnist_core.recipes.overrides import setting_rules
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.run import Run
from mnist_core.runs.status import Status
from mnist_core.runs.store import list_runs
from mnist_core.training import rate_finder
from mnist_core.training.rate_finder import Point
from pages.ui.shared import advanced_settings, state
from tests.pages.support import button, error_text, open_page, page_text, toasts

OTHER: dict[str, Any] = {
    "schedule": "step",
    "warm_up": 0.1,
    "decay_factor": 0.25,
    "decay_epochs": 3,
    "momentum": 0.5,
    "nesterov": True,
    "weight_decay": 0.01,
    "gradient_clipping": 1.5,
    "loss": "focal",
    "label_smoothing": 0.1,
    "weight_averaging": 0.95,
    "kernel_initializer": "he_normal",
    "batch_normalization_momentum": 0.9,
}


def open_advanced(app: AppTest, **query: str) -> AppTest:
    """The Train page with the advanced settings open."""
    app.session_state[state.ADVANCED_OPEN] = True
    return open_page(app, "pages/train.py", **query)


def control(app: AppTest, key: str) -> Any:
    for kind in (app.number_input, app.selectbox, app.toggle):
        for widget in kind:
            if widget.key == key:
                return widget
    raise KeyError(key)


def test_every_setting_has_a_widget_with_the_value_of_the_recipe(app: AppTest) -> None:
    open_advanced(app, recipe="canvas")
    base = RECIPES["canvas"].settings
    for key in advanced_settings.KEYS:
        assert control(app, key).value == getattr(base, key), key
    assert not app.exception and not app.error
    assert {*OTHER, "beta_1", "beta_2"} == set(advanced_settings.KEYS) <= set(setting_rules())


def test_settings_go_into_the_run(app: AppTest, started: list[Run]) -> None:
    open_advanced(app, recipe="canvas")
    app.selectbox(key=state.OPTIMIZER).select("SGD").run()
    for key, value in OTHER.items():
        control(app, key).set_value(value).run()
        assert not app.exception and not app.error, key
    button(app, "Train").click().run()
    expected = {"optimizer": "SGD", "learning_rate": 0.01, **OTHER}
    assert dict(started[0].spec().overrides) == expected
    assert {key: getattr(started[0].spec().settings, key) for key in expected} == expected


def test_link_contains_them(app: AppTest, started: list[Run]) -> None:
    given = {"recipe": "canvas", "optimizer": "SGD", **{key: str(value) for key, value in OTHER.items()}}
    open_page(app, "pages/train.py", **given)
    (link,) = [block.value for block in app.code]
    told = {name: value[0] for name, value in parse_qs(urlparse(link).query).items()}
    assert given.items() <= told.items()
    button(app, "Train").click().run()
    assert dict(started[0].spec().overrides) == {"optimizer": "SGD", **OTHER}


def test_whole_numbers_in_a_link_are_accepted_for_decimals(app: AppTest) -> None:
    given = {"gradient_clipping": "1", "weight_decay": "0", "dropout": "0", "batch_normalization_momentum": "1"}
    open_advanced(app, recipe="canvas", **given)
    assert not app.exception and not app.error
    assert control(app, state.GRADIENT_CLIPPING).value == 1.0


OPTIMIZER_SETTINGS = [
    ("SGD", {"momentum", "nesterov"}, {"beta_1", "beta_2"}),
    ("RMSprop", set(), {"momentum", "nesterov", "beta_1", "beta_2"}),
    ("AdamW", {"beta_1", "beta_2"}, {"momentum", "nesterov"}),
]


def test_settings_without_effect_are_disabled(app: AppTest) -> None:
    always = {"schedule", "warm_up", "weight_decay", "gradient_clipping", "loss", "label_smoothing", "weight_averaging"}
    never = {"decay_factor", "decay_epochs", "batch_normalization_momentum"}  # constant rate, no normalization
    for optimizer, enabled, disabled in OPTIMIZER_SETTINGS:
        open_advanced(app, recipe="fleming-cnn", optimizer=optimizer)
        assert {key for key in advanced_settings.KEYS if control(app, key).disabled} == disabled | never, optimizer
        assert all(not control(app, key).disabled for key in enabled | always), optimizer
    control(app, state.SCHEDULE).select("exponential").run()
    assert not control(app, state.DECAY_FACTOR).disabled
    control(app, state.LOSS).select("hinge").run()
    assert control(app, state.LABEL_SMOOTHING).disabled


def test_settings_without_effect_are_not_in_the_run(app: AppTest, started: list[Run]) -> None:
    open_advanced(app, recipe="fast", optimizer="SGD", momentum="0.5", label_smoothing="0.1")
    app.selectbox(key=state.OPTIMIZER).select("Adam").run()
    control(app, state.LOSS).select("squared-error").run()
    assert not app.error
    button(app, "Train").click().run()
    assert dict(started[0].spec().overrides) == {"loss": "squared-error"}


def test_optimizer_brings_its_usual_learning_rate_and_that_of_the_recipe_the_recipes(app: AppTest) -> None:
    open_page(app, "pages/train.py", recipe="fast")
    for optimizer, rate in (("SGD", 0.01), ("RMSprop", 0.001), ("Adam", 0.01), ("AdamW", 0.001)):
        app.selectbox(key=state.OPTIMIZER).select(optimizer).run()
        assert app.select_slider(key=state.LEARNING_RATE).value == rate, optimizer


def test_they_survive_a_change_of_page_and_a_closed_expander(app: AppTest, started: list[Run]) -> None:
    open_advanced(app, recipe="fast")
    control(app, state.GRADIENT_CLIPPING).set_value(2.0).run()
    app.session_state[state.ADVANCED_OPEN] = False
    app.run()
    assert not [widget for widget in app.number_input if widget.key == state.GRADIENT_CLIPPING]
    app.switch_page("pages/draw.py").run()
    app.switch_page("pages/train.py").run()
    button(app, "Train").click().run()
    assert dict(started[0].spec().overrides) == {"gradient_clipping": 2.0}


def test_emptied_fields_keep_their_values(app: AppTest) -> None:
    given = {
        state.GRADIENT_CLIPPING: "1.5",
        state.DECAY_EPOCHS: "3",
        state.DECAY_FACTOR: "0.123456789",
        state.SEED: "7",
    }
    open_advanced(app, schedule="step", **given)
    for key, value in given.items():
        control(app, key).set_value(None).run()
        assert app.session_state[key] == control(app, key).value == float(value)
    control(app, state.SEED).set_value(8).run()
    control(app, state.SEED).set_value(None).run()
    assert app.session_state[state.SEED] == 8


def test_expander_names_the_changed_settings(app: AppTest) -> None:
    open_page(app, "pages/train.py", recipe="fast", weight_averaging="0.9", warm_up="0.1")
    assert any(fold.label == "Advanced settings: warm up, weight averaging" for fold in app.expander)


def test_early_stopping_shows_all_digits(app: AppTest) -> None:
    app.session_state[state.EARLY_STOPPING_OPEN] = True
    open_page(app, "pages/train.py", time_budget="0.4", target_accuracy="0.9925")
    for key, shown in ((state.TIME_BUDGET, "0.4"), (state.TARGET_ACCURACY, "0.9925")):
        assert control(app, key).proto.format % control(app, key).value == shown


def test_schedule_is_drawn(app: AppTest) -> None:
    open_advanced(app, recipe="fleming-cnn", schedule="step", decay_epochs="2", decay_factor="0.1")
    assert "Learning rate by epoch" in page_text(app)
    assert any(chart.proto.alt.startswith("Learning rate by epoch") for chart in app.get("vega_lite_chart"))


def test_schedule_is_described_by_the_steps_of_the_training(app: AppTest) -> None:
    open_advanced(app, recipe="fast", data="sample")
    (alt,) = [chart.proto.alt for chart in app.get("vega_lite_chart") if "schedule" in chart.proto.alt]
    assert "peaks at 0.0099 and ends at 0.00015" in alt
    assert "rises to 0.0099 in the first 0.2 epochs and ends at 0.00015" in page_text(app)


# the learning-rate finder

CURVE = [2.3] * 60 + [2.0 - 0.09 * step for step in range(20)] + [0.3 + 0.5 * step for step in range(10)]


def run_range_test(app: AppTest, started: list[Run], state_: str = "finished") -> Run:
    """A test that was asked for on the page, and has ended."""
    app.session_state[state.RATE_FINDER_OPEN] = True
    open_page(app, "pages/train.py", recipe="fleming-cnn", data="sample")
    button(app, "Find a learning rate").click().run()
    (test,) = started
    points = [
        Point(step, float(rate), loss, loss)
        for step, (rate, loss) in enumerate(zip(rate_finder.learning_rate_ramp(), CURVE, strict=False), 1)
    ]
    for point in points:
        test.append_metrics(asdict(point))
    test.write_status(Status(state_, rate_finder.describe_result(points), data="offline sample"))
    app.run()
    return test


def test_range_test_uses_the_settings_of_the_form_and_is_not_a_run(app: AppTest, started: list[Run]) -> None:
    app.session_state[state.RATE_FINDER_OPEN] = True
    open_page(app, "pages/train.py", recipe="fleming-cnn", data="sample", batch_size="32")
    button(app, "Find a learning rate").click().run()
    (test,) = started
    assert test.path.parent == rate_finder.tests_folder() and dict(test.spec().overrides) == {"batch_size": 32}
    assert list_runs() == [] and "run" not in app.query_params
    assert button(app, "Find a learning rate").disabled, "one at a time"
    button(app, "Stop").click().run()
    assert test.control() == {"stop": True}


def test_suggested_rate_is_shown_and_used(app: AppTest, started: list[Run]) -> None:
    run_range_test(app, started)
    suggestion = rate_finder.suggest_rate(rate_finder.read_points(started[0]))
    assert suggestion is not None and not app.exception and not app.error
    assert f"a tenth of that: {suggestion.rate:g}" in page_text(app)
    button(app, f"Use {suggestion.rate:g}").click().run()
    assert app.select_slider(key=state.LEARNING_RATE).value == suggestion.rate
    assert f"a learning rate of {suggestion.rate:g}." in toasts(app)
    button(app, "Train").click().run()
    assert dict(started[-1].spec().overrides) == {"learning_rate": suggestion.rate}


def test_changes_of_the_form_since_the_range_test_are_named(app: AppTest, started: list[Run]) -> None:
    run_range_test(app, started)
    assert "Changed since this test" not in page_text(app)
    app.selectbox(key=state.OPTIMIZER).select("SGD").run()
    assert "Changed since this test: optimizer" in page_text(app)


def test_every_change_that_affects_the_range_test_is_named(app: AppTest, started: list[Run]) -> None:
    run_range_test(app, started)
    app.session_state[state.GRADIENT_CLIPPING] = 1.0
    app.session_state[state.AUGMENTATION] = True
    app.session_state[state.DATA] = "full"
    for key, value in ((state.EPOCHS, 7), (state.LEARNING_RATE, 0.03), (state.SCHEDULE, "cosine"), (state.PATIENCE, 2)):
        app.session_state[key] = value
    app.run()
    assert "Changed since this test: gradient clipping, augmentation, data set. " in page_text(app)


def test_failed_range_test_shows_its_error(app: AppTest, started: list[Run]) -> None:
    test = run_range_test(app, started)
    test.write_status(replace(test.status(), state="failed", message="The disk is full."))
    app.run()
    assert "The disk is full." in error_text(app)


def test_deleted_range_test_is_forgotten(app: AppTest, started: list[Run]) -> None:
    import shutil

    shutil.rmtree(run_range_test(app, started).path)
    open_page(app, "pages/train.py")
    assert not app.exception and not app.error
