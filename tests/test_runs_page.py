"""The Runs page, and the hand on a run on the Train page, through AppTest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from support import Trained
from test_pages import ONE, button, drawing, opened, shown

from mnist_core import history, jobs, runs
from mnist_core.runs import Run
from pages.ui import state

APP = Path(__file__).parent.parent / "app.py"


@pytest.fixture
def app() -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    return AppTest.from_file(str(APP), default_timeout=30)


@pytest.fixture
def two(trained: Trained, runs_root: Path) -> list[Run]:
    """Two finished runs that differ in one setting."""
    made = []
    for name, overrides in (("20260101-000000-fast-aaaa", {"epochs": 2}), ("20260102-000000-fast-bbbb", {"epochs": 3})):
        shutil.copytree(trained.run.path, runs_root / name)
        spec = runs.make_spec("fast", overrides, "sample", 1)
        runs.write_json(runs_root / name / "spec.json", spec.to_json())
        made.append(Run(runs_root / name))
    return made


def at(app: AppTest, page: str, **query: str) -> AppTest:
    app.run()
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(page)
    return app.run()


def test_empty_history_invites(app: AppTest) -> None:
    opened(app, "pages/runs.py")
    assert "No run yet" in app.info[0].value


def test_history_shows_every_run_and_search_narrows_it(app: AppTest, two: list[Run]) -> None:
    history.relabel(two[0], name="the good one")
    opened(app, "pages/runs.py")
    assert set(app.dataframe[0].value["run"]) == {run.id for run in two}
    app.text_input(key=state.SEARCH).set_value("good FAST").run()
    assert list(app.dataframe[0].value["run"]) == [two[0].id]
    app.text_input(key=state.SEARCH).set_value("nothing of the kind").run()
    assert "none that fits" in app.info[0].value


def test_comparison_by_link_marks_the_one_setting_that_differs(app: AppTest, two: list[Run]) -> None:
    at(app, "pages/runs.py", compare=",".join(run.id for run in two))
    assert not app.exception and not app.error
    assert app.multiselect(key=state.COMPARED).value == [run.id for run in two]
    assert list(app.table[0].value["setting"]) == ["epochs"]
    assert "".join(app.query_params["compare"]) == ",".join(run.id for run in two)
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) >= 3


def test_same_drawing_is_read_by_each(app: AppTest, two: list[Run]) -> None:
    app.session_state[state.COMPARISON_CANVAS] = drawing(*ONE)
    at(app, "pages/runs.py", compare=",".join(run.id for run in two))
    assert shown(app).count("data-digit") == 2


@pytest.mark.parametrize("linked", ["20260101-000000-fast-0000", "../../etc/passwd", ",,,"])
def test_link_to_runs_that_are_gone_is_said(app: AppTest, two: list[Run], linked: str) -> None:
    at(app, "pages/runs.py", compare=linked)
    assert app.error and not app.exception
    assert app.multiselect(key=state.COMPARED).value == []


def choose(app: AppTest, run: Run) -> AppTest:
    opened(app, "pages/runs.py")
    return app.multiselect(key=state.COMPARED).select(run.id).run()


def test_run_is_renamed_starred_and_annotated(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    app.text_input[1].set_value("<b>mine</b>")
    app.checkbox[0].check()
    app.text_area[0].set_value("for the class")
    button(app, "Save").click().run()
    assert history.label(two[0]) == history.Label("<b>mine</b>", True, "for the class")
    assert app.dataframe[0].value["name"][0] == "<b>mine</b>", "starred ones come first"


def test_name_that_is_too_long_is_said(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    app.text_input[1].set_value("x" * 10_000)
    button(app, "Save").click().run()
    assert "10,000 characters" in app.error[0].value


def test_run_is_deleted_and_had_back(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    button(app, "Delete").click().run()
    assert list(app.dataframe[0].value["run"]) == [two[1].id]
    button(app, "Undo").click().run()
    assert set(app.dataframe[0].value["run"]) == {run.id for run in two}
    assert not app.error and not app.exception


def test_train_again_fills_every_control(app: AppTest, runs_root: Path) -> None:
    overrides = {"epochs": 77, "batch_size": 96, "learning_rate": 0.007, "schedule": "cosine", "optimizer": "AdamW"}
    run = runs.create(runs.make_spec("fast", overrides, "sample", 5))
    at(app, "pages/train.py", like=run.id)
    assert not app.exception and not app.error
    assert app.slider(key=state.EPOCHS).value == 77
    assert app.select_slider(key=state.BATCH_SIZE).value == 96
    assert app.select_slider(key=state.LEARNING_RATE).value == 0.007
    assert (app.selectbox(key=state.RECIPE).value, app.number_input(key=state.SEED).value) == ("fast", 5)
    assert "schedule cosine" in shown(app)
    started: list[Run] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs.LocalBackend, "submit", lambda _, run: started.append(run))
        app.slider(key=state.EPOCHS).set_value(78).run()
        button(app, "Train").click().run()
    assert started[0].spec().overrides == {**overrides, "epochs": 78}
    assert started[0].spec().seed == 5


def test_like_a_run_that_is_gone_is_said(app: AppTest) -> None:
    at(app, "pages/train.py", like="20260101-000000-fast-0000")
    assert "There is no run" in app.error[0].value
    assert app.button


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that says it goes on."""
    run = runs.create(runs.make_spec("fast", {"epochs": 5}, "sample"))
    status = runs.owned(replace(run.status(), state="running", step=3, steps=80, epochs=5, message="Training."))
    run.write_status(status)
    monkeypatch.setattr(jobs.LocalBackend, "adopt", lambda *_: None)
    return run


def press(app: AppTest, label: str, run: Run, state_name: str = "paused") -> dict[str, Any]:
    run.write_status(runs.owned(replace(run.status(), state=state_name)))
    app.run()
    button(app, label).click().run()
    return run.control()


def test_buttons_ask_for_what_they_say(app: AppTest, live: Run) -> None:
    at(app, "pages/train.py", run=live.id)
    assert button(app, "One batch").disabled and button(app, "One epoch").disabled
    assert press(app, "Pause", live, "running")["paused"] is True
    assert press(app, "One batch", live)["batches"] == 1
    assert press(app, "One batch", live)["batches"] == 2
    assert press(app, "One epoch", live)["whole_epochs"] == 1
    assert press(app, "Resume", live)["paused"] is False
    assert press(app, "Stop", live)["stop"] is True
    assert not app.error and not app.exception


def test_rate_and_epochs_are_changed_while_it_runs(app: AppTest, live: Run) -> None:
    at(app, "pages/train.py", run=live.id)
    app.select_slider(key=f"rate-{live.id}").set_value(0.0003).run()
    app.number_input(key=f"epochs-{live.id}").set_value(9).run()
    assert (live.control()["learning_rate"], live.control()["epochs"]) == (0.0003, 9)


def test_ended_run_is_taken_up(app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Run] = []
    monkeypatch.setattr(jobs.LocalBackend, "submit", lambda _, run: started.append(run))
    at(app, "pages/train.py", run=two[0].id)
    app.number_input(key=f"more-{two[0].id}").set_value(6).run()
    button(app, "Train on").click().run()
    assert [run.id for run in started] == [two[0].id]
    assert two[0].control()["epochs"] == 6 and two[0].status().state == "queued"
