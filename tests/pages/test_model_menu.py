"""The menu of models: own runs first, a sweep only by its best model, and never a test score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core import owners
from mnist_core.files.write import write_json
from mnist_core.runs.names import memorable_name
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import Sweep, create_sweep, trial_mark
from pages.ui.shared import model_menu, state
from tests.pages.support import open_page

ME = owners.new_token()


def run_with_model(accuracy: float, token: str = "", mark: dict[str, Any] | None = None) -> Run:
    """A finished run whose model is an empty file, tested as earlier versions tested every run."""
    owner = owners.Visitor(token).owner if token else owners.NOBODY
    run = create_run(make_spec("fast", data="sample"), owner=owner, mark=mark)
    run.append_metrics({"step": 5, "epoch": 1, "val_loss": 1.0, "val_accuracy": accuracy})
    run.write_card({"test_accuracy": 0.4321})
    run.model.write_bytes(b"-")
    return run


def sweep_of_five_trials() -> tuple[Sweep, list[Run]]:
    sweep = create_sweep(make_plan("fast", ["learning_rate=0.001,0.01"], data="sample"))
    runs = [run_with_model(0.9 + index / 100, mark=trial_mark(sweep, index)) for index in range(5)]
    rows = [
        {
            "trial": index,
            "state": "finished",
            "value": 0.9 + index / 100,
            "settings": {"learning_rate": 0.01},
            "values": [],
            "run": run.id,
        }
        for index, run in enumerate(runs)
    ]
    write_json(sweep.path / "trials.json", {"trials": rows})
    return sweep, runs


@pytest.fixture
def mine() -> Run:
    return run_with_model(0.5, ME)


def test_a_sweep_is_one_entry_after_the_runs_that_people_trained(app: AppTest, mine: Run, runs_root: Path) -> None:
    others = run_with_model(0.6)
    _, trials = sweep_of_five_trials()
    app.session_state[state.VISITOR] = (ME, "")
    open_page(app, "pages/draw.py")
    options = app.selectbox(key=state.MODEL).options
    assert options == [
        "Digit Lab's model",
        f"{memorable_name(mine.id)} · fast · 50.00%",
        f"{memorable_name(others.id)} · fast · 60.00%",
        f"{memorable_name(trials[4].id)} · best of the sweep fast: learning rate · 94.00%",
    ]
    assert "43.21" not in str(options), "nothing is chosen by its test accuracy"


def test_a_link_opens_any_trial(app: AppTest, mine: Run) -> None:
    _, trials = sweep_of_five_trials()
    open_page(app, "pages/draw.py", model=trials[0].id)
    menu = app.selectbox(key=state.MODEL)
    assert menu.value == trials[0].id and "trial of the sweep" in menu.options[-1] and len(menu.options) == 4


def show_two_menus() -> None:
    from pages.ui.shared import model_menu

    first = model_menu.select_model("Model", "first")
    model_menu.select_model("Compare with", "second", optional=True, exclude=first)


def test_a_comparison_does_not_offer_the_same_model(mine: Run) -> None:
    st.cache_resource.clear()
    st.cache_data.clear()
    app = AppTest.from_function(show_two_menus)
    app.session_state["second"] = mine.id
    app.run()
    assert app.selectbox(key="second").value == mine.id and len(app.selectbox(key="second").options) == 2
    app.selectbox(key="first").select(mine.id).run()
    assert app.selectbox(key="second").value == model_menu.NO_MODEL
    assert app.selectbox(key="second").options == ["none", "Digit Lab's model"]
