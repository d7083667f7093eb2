"""Home through AppTest: the canvas reads, each card opens its page, and the bar shows the training on every page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.runs.run import Run
from mnist_core.runs.status import Status, stamp_status
from pages.ui.shared import state
from tests.pages.support import APP, DRAW, SEVEN, drawing, open_page, page_text, toasts


def bar_links(app: AppTest) -> list[str]:
    """Labels of the links to a run in the bar."""
    return [link.proto.label for link in app.get("page_link") if "run=" in link.proto.query_string]


def test_drawing_is_recognized_at_once(app: AppTest) -> None:
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    assert app.title[0].value == "Digit Lab"
    assert 'data-digit="7"' in page_text(app) and not app.error and not app.exception


def test_a_broken_model_leaves_the_cards(app: AppTest, trained_run: Run) -> None:
    trained_run.model.write_bytes(b"nonsense")
    app.session_state[state.MODEL] = trained_run.id
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    assert app.error and app.button(key="card_train") is not None and not app.exception


def test_first_card_starts_a_run_that_the_bar_follows(app: AppTest, started: list[Run]) -> None:
    app.run()
    assert not bar_links(app)
    app.button(key="card_train").click().run()
    assert not app.exception and not app.error
    (run,) = started
    assert (run.spec().kind, run.spec().settings.epochs, run.spec().data) == ("fast", 10, "sample")
    assert app.title[0].value == "Train a network" and "".join(app.query_params["run"]) == run.id
    running = Status(state="running", message="Training.", step=42, steps=100, epochs=10, seconds_left=4.2)
    for status, shown in (
        (run.status(), "fast · starting"),  # nothing waits before it
        (replace(running, step=0, seconds_left=None), "fast · starting"),
        (running, "fast · 42% · 4 s left"),
        (replace(running, state="paused"), "fast · paused"),
        (replace(running, step=100, seconds_left=0.0), "fast · finishing"),  # evaluates and saves
    ):
        run.write_status(stamp_status(status))
        open_page(app, "pages/data.py")
        assert bar_links(app) == [shown]
    run.write_status(stamp_status(replace(running, state="finished")))
    app.run()
    assert bar_links(app) == [] and toasts(app).endswith("Training.")  # its message, with the run's name


def test_bar_shows_no_training_of_others(app: AppTest, started: list[Run]) -> None:
    app.run()
    app.button(key="card_train").click().run()
    open_page(app, "pages/home.py")
    stranger = AppTest.from_file(str(APP), default_timeout=60).run()
    assert bar_links(app) == ["fast · starting"] and bar_links(stranger) == []


def test_second_card_opens_explain_with_the_drawing_or_a_test_image(app: AppTest) -> None:
    app.run()
    app.button(key="card_look").click().run()
    assert app.title[0].value == "Explain" and "".join(app.query_params["view"]) == "layers"
    assert app.session_state[state.EXPLAIN_SOURCE] == "test"
    assert not app.error and not app.exception
    app.switch_page("pages/home.py")
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    app.button(key="card_look").click().run()
    assert app.session_state[state.EXPLAIN_SOURCE] == "draw"


def test_third_card_shows_what_fools_the_model(app: AppTest) -> None:
    app.run()
    app.button(key="card_fool").click().run()
    assert "this is test image 0, a" in page_text(app) and not app.error and not app.exception
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    app.button(key="card_fool").click().run()
    assert "Nothing is drawn" not in page_text(app) and not app.error and not app.exception
    assert "From 7 to" in "\n".join([*(each.value for each in app.subheader), page_text(app)])


def bar_text(app: AppTest) -> str:
    """What the bar shows of model and drawing."""
    return page_text(app).partition('class="lab-current"')[2].partition("\n")[0]


def test_bar_shows_the_drawing_where_no_canvas_does(app: AppTest) -> None:
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    assert 'alt="your drawing"' not in bar_text(app)
    open_page(app, "pages/data.py", view="kept")
    assert 'alt="your drawing"' in bar_text(app)


@pytest.mark.parametrize("page", [DRAW, "pages/explain.py"])
def test_bar_follows_a_link_to_a_model_and_the_menu(app: AppTest, trained_run: Run, page: str) -> None:
    open_page(app, page, model=trained_run.id)
    assert "· fast ·" in bar_text(app)
    app.selectbox(key=state.MODEL).select("default").run()
    assert "Digit Lab&#x27;s model" in bar_text(app)
