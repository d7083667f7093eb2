"""The guided tour through AppTest: the page and state of each step, leaving, resuming, and links."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.config import runs_dir
from mnist_core.drawing.normalize import normalize_drawing, plain_resize
from mnist_core.drawing.strokes import render_strokes
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.owners import Visitor, read_owner
from mnist_core.runs.store import find_run, list_runs
from pages.ui.shared import caches, navigation, state
from pages.ui.tour import steps
from tests.pages.support import APP, DRAW, open_page, page_text
from tests.support import Trained

TITLES = ["Draw a digit", "Draw a digit", "Train a network", "Runs", "Explain", "Data"]


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception and not app.error


def at_step(app: AppTest, number: int) -> None:
    """By the buttons, from the first."""
    open_page(app, DRAW)
    press(app, "tour_begin")
    for _ in range(number - 1):
        press(app, "tour_next")
    assert bar(app).startswith(f"**Guided tour, {number} of 6: {steps.STEPS[number - 1].title}.**")


def bar(app: AppTest) -> str:
    return next((part.value for part in app.markdown if part.value.startswith("**Guided tour")), "")


def address(app: AppTest) -> str:
    value = app.query_params["tour"]
    return value[0] if isinstance(value, list) else value


def has(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def test_every_step_opens_its_page_and_is_in_the_address(app: AppTest) -> None:
    open_page(app, DRAW)
    press(app, "tour_begin")
    for number in range(1, 7):
        assert bar(app).startswith(f"**Guided tour, {number} of 6: {steps.STEPS[number - 1].title}.**")
        assert app.title[0].value == TITLES[number - 1]
        assert address(app) == str(number)
        assert has(app, "tour_next") == (number < 6) and has(app, "tour_back") == (number > 1)
        assert not has(app, "tour_here") and not has(app, "tour_begin")
        if number < 6:
            press(app, "tour_next")


def test_link_opens_a_step_from_the_first_page() -> None:
    for number in range(1, 7):
        app = AppTest.from_file(str(APP), default_timeout=60)
        app.query_params["tour"] = str(number)
        app.run()
        assert app.title[0].value == TITLES[number - 1]
        assert bar(app).startswith(f"**Guided tour, {number} of 6")


def test_link_to_an_unknown_step_starts_no_tour(app: AppTest) -> None:
    for value in ("0", "7", "x", "", "1.5", "-1"):
        app.query_params["tour"] = value
        app.run()
        assert not bar(app) and not app.exception and not app.error, value
        assert "tour" not in app.query_params, value


def test_pages_outside_the_tour_show_no_bar(app: AppTest) -> None:
    for page in navigation.PAGES:
        open_page(app, page)
        assert not bar(app), page


def test_second_step_shows_what_plain_resize_loses(app: AppTest) -> None:
    at_step(app, 2)
    assert app.toggle(key=state.PLAIN).value is True
    assert app.session_state[state.initial_drawing_key(state.CANVAS)]["objects"][0]["path"][0] == [
        "M",
        *steps.SMALL_THREE[0],
    ]
    points = np.array(steps.SMALL_THREE, np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    drawn = render_strokes((points,), steps.BRUSH, float((high - low).max()), tuple((low + high) / 2))
    model = Classifier(DEFAULT_MODEL)
    plain = model.predict(plain_resize(drawn).image)
    assert plain.rejected or plain.digit != 3
    reading = model.predict(normalize_drawing(drawn, steps.BRUSH).image)
    assert reading.digit == 3 and not reading.rejected and reading.confidence > 0.9


def test_third_step_has_the_quick_recipe_and_few_epochs_set(app: AppTest) -> None:
    at_step(app, 3)
    assert app.selectbox(key=state.RECIPE).value == "fast"
    assert app.slider(key=state.EPOCHS).value == 3


def test_fourth_step_brings_two_example_runs_for_a_visitor_who_has_none(app: AppTest) -> None:
    app.query_params["tour"] = "4"
    app.run()
    assert "Two example runs" in bar(app) and not app.error and not app.exception
    compared = app.multiselect(key=state.COMPARED).value
    names = {row["name"] for row in caches.run_history(runs_dir()) if row["run"] in compared}
    assert names == {"Example: small steps", "Example: large steps"}
    assert all(
        read_owner(find_run(run_id).path) == Visitor(*app.session_state[state.VISITOR]).owner for run_id in compared
    )
    app.query_params["tour"] = "4"
    app.run()
    assert len(list_runs()) == 2  # they are not brought twice


def test_fourth_step_compares_the_two_latest(app: AppTest, trained: Trained, runs_root: Path) -> None:
    ids = [f"{trained.run.id[:-1]}{end}" for end in "xyz"]
    for name in ids:
        shutil.copytree(trained.run.path, runs_root / name)
    at_step(app, 4)
    assert sorted(app.multiselect(key=state.COMPARED).value) == ids[1:]
    assert "The two latest runs" in bar(app)


def test_fifth_step_explains_the_drawing(app: AppTest) -> None:
    app.run()
    own = {"objects": [{"type": "path", "strokeWidth": 20, "path": [["M", 140, 40], ["L", 140, 240]]}]}
    app.session_state[state.drawing_key(state.CANVAS)] = own
    app.query_params["tour"] = "5"
    app.run()
    assert app.session_state[state.EXPLAIN_SOURCE] == "draw"
    assert app.session_state[state.initial_drawing_key(state.CANVAS)] == own


def test_sixth_step_shows_fine_tuning(app: AppTest) -> None:
    at_step(app, 6)
    assert "Fine-tune" in [part.value for part in app.subheader]


def test_previous_goes_back(app: AppTest) -> None:
    at_step(app, 3)
    press(app, "tour_back")
    assert bar(app).startswith("**Guided tour, 2 of 6") and app.title[0].value == "Draw a digit"


def test_other_page_leads_back_to_the_step(app: AppTest) -> None:
    at_step(app, 4)
    app.switch_page("pages/data.py")
    app.run()
    assert app.title[0].value == "Data" and bar(app).startswith("**Guided tour, 4 of 6")
    press(app, "tour_here")
    assert app.title[0].value == "Runs"


def test_tour_that_was_left_resumes_at_its_step(app: AppTest) -> None:
    at_step(app, 3)
    press(app, "tour_leave")
    assert not bar(app) and "tour" not in app.query_params
    app.switch_page("pages/draw.py")
    app.run()
    assert app.button(key="tour_begin").label == "Resume the tour at step 3"
    press(app, "tour_begin")
    assert app.title[0].value == "Train a network"


def test_tour_that_was_finished_starts_from_the_beginning(app: AppTest) -> None:
    at_step(app, 6)
    press(app, "tour_leave")
    app.switch_page("pages/draw.py")
    app.run()
    assert app.button(key="tour_begin").label == "Take the tour"


def test_link_to_settings_works_during_the_tour(app: AppTest) -> None:
    at_step(app, 3)
    app.switch_page("pages/train.py")
    app.query_params["recipe"], app.query_params["epochs"] = "canvas", "2"
    app.run()
    assert not app.error and not app.exception
    assert app.selectbox(key=state.RECIPE).value == "canvas" and bar(app)


@pytest.mark.parametrize("page", ["pages/draw.py", "pages/explain.py"])
def test_drawing_of_the_tour_is_recognized_before_the_canvas_is_touched(app: AppTest, page: str) -> None:
    at_step(app, 2)
    app.toggle(key=state.PLAIN).set_value(False).run()
    app.switch_page(page)
    app.run()
    assert any('data-digit="3"' in part.proto.body for part in app.get("html"))


@pytest.mark.parametrize("way", ["tour_next", "tour_leave"])
def test_plain_resize_ends_with_its_step(app: AppTest, way: str) -> None:
    at_step(app, 2)
    press(app, way)
    assert app.session_state[state.PLAIN] is False


def test_drawing_of_the_tour_is_rejected_with_plain_resize(app: AppTest) -> None:
    at_step(app, 2)
    assert any("not look like a digit" in part.proto.body for part in app.get("html"))


def test_presenter_mode_hides_menu_and_bar_and_goes_through_the_tour(app: AppTest) -> None:
    app.query_params["present"] = "1"
    app.run()
    for number in range(1, 7):
        assert bar(app).startswith(f"**Guided tour, {number} of 6")
        assert "".join(app.query_params["present"]) == "1"
        assert "lab-presenting" in page_text(app) and 'class="lab-current"' not in page_text(app)
        assert not any(toggle.key == state.EXPERT for toggle in app.toggle)
        if number < 6:
            press(app, "tour_next")
    press(app, "tour_leave")
    assert not bar(app) and "present" not in app.query_params and "tour" not in app.query_params
    assert "lab-presenting" not in page_text(app) and 'class="lab-current"' in page_text(app)


def test_tour_becomes_a_presentation(app: AppTest) -> None:
    at_step(app, 2)
    assert "lab-presenting" not in page_text(app)
    press(app, "tour_present")
    assert "lab-presenting" in page_text(app) and bar(app).startswith("**Guided tour, 2 of 6")


def test_other_values_of_present_are_removed_from_the_address(app: AppTest) -> None:
    app.query_params["present"] = "yes"
    app.run()
    assert "present" not in app.query_params and "lab-presenting" not in page_text(app)
