"""The Runs page, who may change a run, and the controls of a running training, through AppTest."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mnist_core import owners
from mnist_core.errors import NotOwnerError
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.handwriting.corrections import list_corrections, save_correction
from mnist_core.jobs.local import LocalBackend
from mnist_core.owners import Visitor
from mnist_core.runs.checkpoints import CHECKPOINT_FILE
from mnist_core.runs.disk_space import disk_bytes
from mnist_core.runs.labels import Label, read_label, run_title, update_label
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import stamp_status
from mnist_core.runs.store import create_run, list_runs
from mnist_core.runs.trash import move_to_trash, trashed_runs
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import Sweep, create_sweep, trial_mark
from pages.ui.shared import caches, guard, state, visitor
from tests.pages.support import ONE, button, drawing, error_text, open_page, page_text, toasts, unescaped
from tests.support import Trained


@pytest.fixture
def two(trained: Trained, runs_root: Path) -> list[Run]:
    """Two finished runs that differ in one setting."""
    made = []
    for name, overrides in (("20260101-000000-fast-aaaa", {"epochs": 2}), ("20260102-000000-fast-bbbb", {"epochs": 3})):
        shutil.copytree(trained.run.path, runs_root / name)
        spec = make_spec("fast", overrides, "sample", 1)
        write_json(runs_root / name / "spec.json", spec.to_json())
        made.append(Run(runs_root / name))
    return made


def tables(app: AppTest) -> list[Any]:
    """The tables of runs, without the leaderboard and the settings."""
    return [frame for frame in app.dataframe if "val_accuracy" in frame.value and "place" not in frame.value]


def names(table: Any) -> list[str]:
    """The names as the column of links shows them."""
    return [unquote(address.partition("#")[2]) for address in table.value["name"]]


def test_without_runs_the_page_invites_to_train_one(app: AppTest) -> None:
    open_page(app, "pages/runs.py")
    assert "No runs yet" in app.info[0].value


def test_the_table_shows_every_run_and_search_filters_it(app: AppTest, two: list[Run]) -> None:
    update_label(two[0], name="the good one")
    open_page(app, "pages/runs.py")
    assert set(tables(app)[0].value["run"]) == {run.id for run in two}
    app.text_input(key=state.SEARCH).set_value("good FAST").run()
    assert list(tables(app)[0].value["run"]) == [two[0].id]
    app.text_input(key=state.SEARCH).set_value("nothing of the kind").run()
    assert "No run matches" in app.info[0].value


def test_a_link_compares_runs_and_shows_the_setting_that_differs(app: AppTest, two: list[Run]) -> None:
    open_page(app, "pages/runs.py", compare=",".join(run.id for run in two))
    assert not app.exception and not app.error
    assert app.multiselect(key=state.COMPARED).value == [run.id for run in two]
    assert list(app.table[0].value["setting"]) == ["epochs"]
    assert "".join(app.query_params["compare"]) == ",".join(run.id for run in two)
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) >= 3
    assert re.search("best validation accuracy, [0-9.]+%", page_text(app).replace("\\", ""))


def test_every_compared_model_classifies_the_drawing(app: AppTest, two: list[Run]) -> None:
    app.session_state[state.COMPARISON_CANVAS] = drawing(*ONE)
    open_page(app, "pages/runs.py", compare=",".join(run.id for run in two))
    assert page_text(app).count("data-digit") == 2


def test_links_to_runs_that_are_gone_are_reported(app: AppTest, two: list[Run]) -> None:
    for linked in ("20260101-000000-fast-0000", "../../etc/passwd"):
        open_page(app, "pages/runs.py", compare=linked)
        assert app.error and not app.exception, linked
        assert app.multiselect(key=state.COMPARED).value == [], linked


def test_link_to_many_runs_that_are_gone_has_few_messages(app: AppTest, two: list[Run]) -> None:
    open_page(app, "pages/runs.py", compare=",".join(["", two[0].id, *(f"gone{index}" for index in range(1500)), ""]))
    assert app.multiselect(key=state.COMPARED).value == [two[0].id] and not app.exception
    assert 1 < len(app.error) < 10
    assert "gone0" in error_text(app) and f"{1500 - (len(app.error) - 1):,} more" in error_text(app)


def test_link_without_a_run_id_is_not_an_error(app: AppTest, two: list[Run]) -> None:
    for linked in ("", ",,,"):
        open_page(app, "pages/runs.py", compare=linked)
        assert not app.error and not app.exception, linked
        assert app.multiselect(key=state.COMPARED).value == [], linked


def choose(app: AppTest, run: Run) -> AppTest:
    open_page(app, "pages/runs.py")
    return app.multiselect(key=state.COMPARED).select(run.id).run()


def test_a_run_is_renamed_starred_and_annotated(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    app.text_input[1].set_value("<b>mine</b>")
    app.checkbox[0].check()
    app.text_area[0].set_value("for the class")
    button(app, "Save").click().run()
    assert read_label(two[0]) == Label("<b>mine</b>", True, "for the class") and toasts(app) == "Saved."
    assert names(tables(app)[0])[0] == "★ <b>mine</b>", "starred ones come first"


def test_a_name_that_is_too_long_is_reported(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    app.text_input[1].set_value("x" * 10_000)
    button(app, "Save").click().run()
    assert "10,000 characters" in error_text(app)


def test_a_run_is_deleted_and_restored(app: AppTest, two: list[Run]) -> None:
    choose(app, two[0])
    button(app, "Delete").click().run()
    assert list(tables(app)[0].value["run"]) == [two[1].id]
    button(app, "Undo").click().run()
    assert set(tables(app)[0].value["run"]) == {run.id for run in two}
    assert not app.error and not app.exception


# visitors and owners


def visit(app: AppTest, token: str, proof: str = "") -> AppTest:
    """As a browser that keeps this token."""
    app.session_state[state.VISITOR] = (token, proof)
    return app


def of(token: str, run: Run) -> Run:
    owners.write_owner(run.path, owners.Visitor(token).owner)
    return run


ANN, BEN = owners.new_token(), owners.new_token()


def test_own_runs_come_first_and_only_mine_hides_the_others(app: AppTest, two: list[Run]) -> None:
    of(ANN, two[0])
    of(BEN, two[1])
    open_page(visit(app, ANN), "pages/runs.py")
    assert [list(table.value["run"]) for table in tables(app)] == [[two[0].id], [two[1].id]]
    assert "Your runs" in page_text(app) and "Other runs" in page_text(app)
    app.toggle(key=state.ONLY_MINE).set_value(True).run()
    assert list(tables(app)[0].value["run"]) == [two[0].id] and "Other runs" not in page_text(app)


def test_filters_of_states_and_recipes(app: AppTest, two: list[Run]) -> None:
    two[1].write_status(replace(two[1].status(), state="failed"))
    open_page(app, "pages/runs.py")
    assert app.multiselect(key=state.STATE_FILTER).options == ["failed", "finished"]
    assert app.multiselect(key=state.RECIPE_FILTER).options == ["fast"]
    app.multiselect(key=state.STATE_FILTER).select("failed").run()
    assert list(tables(app)[0].value["run"]) == [two[1].id]
    shutil.rmtree(two[1].path)
    st.cache_data.clear()
    app.run()
    assert app.multiselect(key=state.STATE_FILTER).value == [], "a state that no run has any more hides nothing"
    assert list(tables(app)[0].value["run"]) == [two[0].id] and not app.exception


@pytest.fixture
def all_buttons(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets a button be pressed that is greyed: a browser may send what it likes."""
    return lambda: monkeypatch.setattr(visitor, "is_locked", lambda run: False)


def test_the_run_of_another_visitor_cannot_be_changed(
    app: AppTest, two: list[Run], all_buttons: Callable[[], None]
) -> None:
    of(ANN, two[0])
    choose(visit(app, BEN), two[0])
    assert button(app, "Delete").disabled and button(app, "Save").disabled
    assert "This run belongs to someone else" in page_text(app)
    all_buttons()
    app.run()
    button(app, "Delete").click().run()
    assert two[0].path.is_dir() and trashed_runs() == {}
    assert any(two[0].id in toast.value.replace("\\", "") for toast in app.toast)
    app.text_input[1].set_value("stolen")
    button(app, "Save").click().run()
    assert read_label(two[0]) == Label()
    assert two[0].id in error_text(app) and not app.exception


def test_the_owner_deletes_and_restores_a_run(app: AppTest, two: list[Run]) -> None:
    of(ANN, two[0])
    choose(visit(app, ANN), two[0])
    button(app, "Delete").click().run()
    assert list(trashed_runs()) == [two[0].id] and "1 run deleted." in toasts(app)
    button(app, "Undo").click().run()
    assert two[0].path.is_dir() and toasts(app) == "1 run restored."


def test_a_run_deleted_by_another_visitor_cannot_be_restored(app: AppTest, two: list[Run]) -> None:
    move_to_trash(of(ANN, two[0]))
    open_page(visit(app, BEN), "pages/runs.py")
    app.multiselect(key=state.RESTORED).select(two[0].id).run()
    button(app, "Restore").click().run()
    assert list(trashed_runs()) == [two[0].id]
    assert two[0].id in app.toast[0].value.replace("\\", "")


def test_several_runs_are_deleted_and_restored_together(app: AppTest, two: list[Run]) -> None:
    open_page(app, "pages/runs.py", compare=",".join(run.id for run in two))
    button(app, "Delete 2 runs").click().run()
    assert set(trashed_runs()) == {run.id for run in two}
    assert "2 runs deleted" in app.info[0].value and "compare" not in app.query_params
    button(app, "Undo").click().run()
    assert set(tables(app)[0].value["run"]) == {run.id for run in two}
    move_to_trash(two[0])
    st.cache_data.clear()
    app.run()
    app.multiselect(key=state.RESTORED).select(two[0].id).run()
    button(app, "Restore").click().run()
    assert trashed_runs() == {} and not app.exception and not app.error


def test_of_several_runs_only_own_ones_are_deleted(app: AppTest, two: list[Run]) -> None:
    of(ANN, two[0])
    of(BEN, two[1])
    open_page(visit(app, ANN), "pages/runs.py", compare=",".join(run.id for run in two))
    button(app, "Delete my runs (1 of 2)").click().run()
    assert list(trashed_runs()) == [two[0].id]
    assert app.multiselect(key=state.COMPARED).value == [two[1].id]


def test_a_running_run_is_not_deleted_with_the_others(app: AppTest, two: list[Run]) -> None:
    status = two[1].status()
    two[1].write_status(stamp_status(replace(status, state="running")))
    open_page(app, "pages/runs.py", compare=",".join(run.id for run in two))
    button(app, "Delete 2 runs").click().run()
    assert list(trashed_runs()) == [two[0].id] and "Stop it before" in app.toast[0].value.replace("\\", "")
    two[1].write_status(status)


def test_the_administrator_signs_in_and_changes_everything(
    app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    of(ANN, two[0])  # the other one is nobody's: only the administrator's now
    open_page(visit(app, BEN), "pages/runs.py", compare=",".join(run.id for run in two))
    assert button(app, "Delete my runs (0 of 2)").disabled
    given = next(field for field in app.text_input if "Administrator" in field.label)
    given.set_value("a guess")
    button(app, "Sign in as administrator").click().run()
    assert "not the administrator's token" in error_text(app)
    for _ in range(4):
        with pytest.raises(NotOwnerError):
            owners.admin_proof(BEN, "another guess")
    button(app, "Sign in as administrator").click().run()
    assert "Wait 10 minutes" in error_text(app)
    owners.GUESSES.forgive(None)
    next(field for field in app.text_input if "Administrator" in field.label).set_value("secret")
    button(app, "Sign in as administrator").click().run()
    assert "secret" not in str(app.session_state[state.VISITOR])
    button(app, "Delete 2 runs").click().run()
    assert set(trashed_runs()) == {run.id for run in two}
    button(app, "Undo").click().run()
    button(app, "Sign out as administrator").click().run()
    app.multiselect(key=state.COMPARED).set_value([two[0].id]).run()
    assert button(app, "Delete").disabled


def test_without_an_administrator_nobody_can_sign_in(app: AppTest, two: list[Run]) -> None:
    open_page(app, "pages/runs.py")
    assert not any("Administrator" in field.label for field in app.text_input)


def test_the_training_of_another_visitor_cannot_be_controlled(
    app: AppTest, live: Run, all_buttons: Callable[[], None]
) -> None:
    app.session_state[state.LIVE_SETTINGS_OPEN] = True
    of(ANN, live)
    open_page(visit(app, BEN), "pages/train.py", run=live.id)
    names = ("Pause", "One batch", "One epoch", "Stop")
    assert all(button(app, name).disabled for name in names) and "This run belongs to someone else" in page_text(app)
    all_buttons()
    for name in names:
        live.write_status(stamp_status(replace(live.status(), state="running" if name == "Pause" else "paused")))
        app.run()
        button(app, name).click().run()
    app.select_slider(key=f"rate-{live.id}").set_value(0.0003).run()
    app.number_input(key=f"epochs-{live.id}").set_value(9).run()
    assert live.control() == {} and not app.exception
    assert live.id in app.toast[0].value.replace("\\", "")


@pytest.mark.parametrize("label", ["Start over", "Resume"])
def test_a_run_that_was_interrupted_is_resumed_or_started_over_if_it_has_no_checkpoint(
    label: str, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: started.append(run))
    run = create_run(make_spec("fast", {"epochs": 5}, "sample"))
    run.write_status(replace(run.status(), state="interrupted", message="Its worker is gone."))
    if label == "Resume":
        (run.path / CHECKPOINT_FILE).parent.mkdir()
        (run.path / CHECKPOINT_FILE).touch()
    open_page(app, "pages/train.py", run=run.id)
    button(app, label).click().run()
    assert [each.id for each in started] == [run.id] and run.status().state == "queued"
    assert not app.error and not app.exception


def test_any_page_continues_the_queue_of_an_earlier_server(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[Run] = []
    monkeypatch.setattr(LocalBackend, "adopt", lambda _, runs: adopted.extend(runs))
    run = create_run(make_spec("fast", {"epochs": 5}, "sample"))
    open_page(app, "pages/data.py")
    assert adopted == [run] and not app.exception


def test_the_run_of_another_visitor_cannot_be_resumed(
    app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch, all_buttons: Callable[[], None]
) -> None:
    started: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: started.append(run))
    open_page(visit(app, BEN), "pages/train.py", run=of(ANN, two[0]).id)
    assert button(app, "Train longer").disabled
    all_buttons()
    app.run()
    button(app, "Train longer").click().run()
    assert not started and two[0].id in error_text(app)


def test_a_run_started_on_the_page_belongs_to_the_visitor(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: started.append(run))
    open_page(visit(app, ANN), "pages/train.py")
    button(app, "Train").click().run()
    assert owners.read_owner(started[0].path) == owners.Visitor(ANN).owner
    assert ANN not in str(app.query_params) and ANN not in started[0].path.joinpath("owner.json").read_text()


def test_a_session_without_cookies_gets_one_token(app: AppTest) -> None:
    app.run()
    token, proof = app.session_state[state.VISITOR]
    assert owners.is_token(token) and proof == ""
    open_page(app, "pages/runs.py")
    assert app.session_state[state.VISITOR] == (token, "")
    assert any(f"digitlab_owner={token}; path=/" in html.proto.body for html in app.get("html"))


COOKIES = {
    "a token": ANN,
    "none": "",
    "short": "short",
    "long": "x" * 5000,
    "no ASCII": "é" * 43,
    "cut": ANN[:-1] + ";",
}


@pytest.mark.parametrize("sent", COOKIES.values(), ids=COOKIES.keys())
def test_a_valid_cookie_identifies_the_browser(sent: str, app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "sent_cookie", lambda name: {visitor.COOKIE: sent}.get(name, ""))
    app.run()
    token, _ = app.session_state[state.VISITOR]
    assert owners.is_token(token) and (token == ANN) is (sent == ANN)
    given = [html.proto.body for html in app.get("html") if "document.cookie" in html.proto.body]
    assert sum(visitor.COOKIE in body for body in given) == (sent != ANN), "what it has already is not given again"


def test_kept_drawings_are_deleted_only_by_their_owner(
    app: AppTest, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.full((28, 28), 9, np.uint8)
    mine, others = (
        save_correction(image, 1, 7, owner=owners.Visitor(ANN).owner),
        save_correction(image, 2, 7, owner="b" * 64),
    )
    open_page(visit(app, ANN), "pages/data.py", view="kept")
    assert not app.button(key=f"delete-{mine.name}").disabled and app.button(key=f"delete-{others.name}").disabled
    with monkeypatch.context() as patch:  # a browser may send what it likes
        patch.setattr(owners, "may_change", lambda *_: True)
        app.run()
    app.button(key=f"delete-{others.name}").click().run()
    assert len(list_corrections()) == 2 and not app.exception
    button(app, "Delete them").click().run()
    assert [drawing.name for drawing in list_corrections()] == [others.name]


# leaderboard


def test_the_leaderboard_ranks_by_validation_accuracy_with_links_and_only_what_can_be_compared(
    app: AppTest, two: list[Run], runs_root: Path
) -> None:
    best, other = Run(runs_root / "20260103-000000-fast-cccc"), Run(runs_root / "20260104-000000-fast-dddd")
    shutil.copytree(two[0].path, best.path)
    shutil.copytree(two[0].path, other.path)
    best.write_card({**best.card(), "val_accuracy": 0.999, "test_accuracy": 0.1})
    best.write_status(replace(best.status(), state="stopped"))
    other.write_card({**other.card(), "data": {**other.card()["data"], "name": "full"}})
    open_page(app, "pages/runs.py")
    board = app.dataframe[0].value
    assert list(board["place"]) == [1, 2, 3] and other.id not in set(board["run"]), "nothing to compare it with"
    assert board["name"][0] == f"train?run={best.id}#{run_title(best)}" and board["val_accuracy"][0] == 99.9
    assert list(board["mark"]) == ["stopped", "", ""]
    assert "test_accuracy" not in app.dataframe[0].proto.column_order
    assert f"{run_title(best)}** has the highest validation accuracy on the offline sample: 99.90%" in page_text(
        app
    ).replace("\\", "")


# sweeps


def add_sweep(two: list[Run], runs_root: Path) -> tuple[Sweep, list[Run]]:
    """A sweep with four trials, tested as earlier versions tested all of them."""
    sweep = create_sweep(make_plan("fast", ["learning_rate=0.001,0.01"], data="sample"))
    trials = [Run(runs_root / f"2026020{day}-000000-fast-aaaa") for day in range(1, 5)]
    for number, run in enumerate(trials):
        shutil.copytree(two[0].path, run.path)
        write_json(run.path / "sweep.json", trial_mark(sweep, number))
        run.append_metrics({"step": 99, "epoch": 3, "val_loss": 0.1, "val_accuracy": 0.9 + number / 100})
        card = read_json(run.path / "card.json")
        del card["val_accuracy"]  # earlier versions did not write it
        write_json(run.path / "card.json", card)
    row = {"trial": 3, "state": "finished", "value": 0.93, "settings": {"learning_rate": 0.01}, "values": []}
    write_json(sweep.path / "trials.json", {"trials": [{**row, "run": trials[3].id}]})
    return sweep, trials


def test_a_sweep_is_one_row_of_five_columns_and_ticking_it_lists_its_runs(
    app: AppTest, two: list[Run], runs_root: Path
) -> None:
    sweep, trials = add_sweep(two, runs_root)
    app.session_state[state.EXPERT] = False
    open_page(app, "pages/runs.py")
    (table,) = tables(app)
    assert list(table.proto.column_order) == ["name", "val_accuracy", "what", "train_seconds", "created"]
    assert list(table.value["run"]) == [sweep.id, two[1].id, two[0].id]
    assert table.value["name"][0] == f"sweep?sweep={sweep.id}#fast%3A%20learning%20rate"
    assert table.value["what"][0].startswith("4 runs · best: learning rate 0.01")
    assert table.value["val_accuracy"][0] == pytest.approx(93) and table.value["what"][1] == "fast · epochs 3, seed 1"
    assert len(app.multiselect(key=state.COMPARED).options) == 2, "its trials are not in the menu either"
    app.session_state[state.OPENED_SWEEPS] = [sweep.id]  # what ticking does: see the test in the browser
    app.run()
    assert list(tables(app)[1].value["run"]) == [run.id for run in reversed(trials)]
    assert tables(app)[1].value["what"][0].startswith("trial 3 · ")
    assert len(app.multiselect(key=state.COMPARED).options) == 6


def test_a_trial_has_no_test_accuracy(app: AppTest, two: list[Run], runs_root: Path) -> None:
    _, trials = add_sweep(two, runs_root)
    open_page(app, "pages/runs.py", compare=trials[0].id)
    assert [metric.label for metric in app.metric[:2]] == ["Validation accuracy", "Training time"]
    assert "not evaluated on the test images" in page_text(app) and "Confusion matrix" not in page_text(app)
    app.multiselect(key=state.COMPARED).set_value([two[0].id]).run()
    assert [metric.label for metric in app.metric[:2]] == ["Validation accuracy", "Test accuracy"]
    assert "This recipe validates on the test images" in page_text(app)


def test_curves_are_redrawn_while_a_run_trains(
    app: AppTest, two: list[Run], live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[float | None] = []
    render = guard.render_fragment
    monkeypatch.setattr(guard, "render_fragment", lambda part, every=None: timers.append(every) or render(part, every))
    live.append_metrics({"step": 3, "epoch": 1, "val_loss": 0.5, "val_accuracy": 0.95, "loss": 0.4, "elapsed": 1.0})
    open_page(app, "pages/runs.py", compare=f"{two[0].id},{live.id}")
    assert timers[0] is not None and not app.exception
    timers.clear()
    live.write_status(replace(live.status(), state="finished"))
    app.run()
    assert timers[0] is None


# links and selection


def test_a_link_does_not_undo_later_selections(app: AppTest, two: list[Run]) -> None:
    open_page(app, "pages/runs.py", compare=two[0].id)
    app.multiselect(key=state.COMPARED).select(two[1].id).run()
    assert app.multiselect(key=state.COMPARED).value == [two[0].id, two[1].id]
    assert "".join(app.query_params["compare"]) == f"{two[0].id},{two[1].id}"
    app.multiselect(key=state.COMPARED).set_value([]).run()
    assert "compare" not in app.query_params and app.multiselect(key=state.COMPARED).value == []


def test_a_link_to_a_deleted_run_says_how_to_restore_it(app: AppTest, two: list[Run]) -> None:
    move_to_trash(two[0])
    open_page(app, "pages/runs.py", compare=f"{two[0].id},{two[1].id}")
    assert "was deleted" in error_text(app) and "trash" in error_text(app)
    assert app.multiselect(key=state.COMPARED).value == [two[1].id]


def test_ticks_follow_their_runs_when_rows_are_inserted(app: AppTest, two: list[Run], runs_root: Path) -> None:
    open_page(app, "pages/runs.py", compare=two[1].id)
    assert list(tables(app)[0].value["run"]).index(two[1].id) == 0
    assert app.session_state["table-others"]["selection"]["rows"] == [0]
    newer = runs_root / "20260103-000000-fast-cccc"
    shutil.copytree(two[0].path, newer)
    st.cache_data.clear()
    app.run()
    assert list(tables(app)[0].value["run"]).index(two[1].id) == 1
    assert app.session_state["table-others"]["selection"]["rows"] == [1]
    assert app.multiselect(key=state.COMPARED).value == [two[1].id]


def test_reports_are_read_again_only_when_there_are_more(
    app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`app`: for empty caches."""
    read: list[str] = []
    metrics = Run.sampled_metrics

    def noticed(run: Run, *seen: Any) -> Any:
        read.append(run.id)
        return metrics(run, *seen)

    monkeypatch.setattr(Run, "sampled_metrics", noticed)
    first = caches.comparable_reports(two[0])
    assert caches.comparable_reports(two[0]) is first and read == [two[0].id]
    two[0].append_metrics({"step": 10_000, "loss": 0.25})
    assert len(caches.comparable_reports(two[0])) == len(first) + 1 and len(read) == 2
    two[1].path.joinpath("metrics.jsonl").unlink()
    assert caches.comparable_reports(two[1]) == []


# disk space


def test_scarce_disk_space_offers_the_oldest_runs_and_one_click_deletes_them(
    app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(app, "pages/runs.py")
    assert "Disk space" not in {each.label for each in app.expander}, "there is enough"
    for run in two:
        owners.write_owner(run.path, Visitor(app.session_state[state.VISITOR][0]).owner)
    size = sum(disk_bytes(run.path) for run in two)
    monkeypatch.setenv("DIGITLAB_RUNS_MB_EACH", str(max(1, int(size / 1e6))))
    oldest = min(two, key=lambda run: run.id)
    (oldest.path / "log.txt").write_bytes(bytes(2_000_000))
    st.cache_resource.clear()
    open_page(app, "pages/runs.py")
    assert [each.label for each in app.expander][0] == "Disk space"
    assert len(list_runs()) == 2, "nothing is deleted without a click"
    delete = app.button(key="delete_oldest")
    assert "this run" in delete.label and "MB" in delete.label
    delete.click().run()
    assert not app.exception and not app.error
    assert [run.id for run in list_runs()] == [run.id for run in two if run.id != oldest.id]
    assert list(trashed_runs()) == [oldest.id]


@pytest.mark.parametrize(
    ("limit", "offered"), [("DIGITLAB_RUNS_MB_EACH", "Your oldest"), ("DIGITLAB_RUNS_MB", "Everybody's oldest")]
)
def test_an_administrator_is_offered_the_runs_of_others_only_where_all_runs_take_too_much(
    limit: str, offered: str, app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGITLAB_ADMIN_TOKEN", "secret")
    admin = Visitor(BEN, owners.admin_proof(BEN, "secret"))
    older, newer = sorted(two, key=lambda run: run.id)
    owners.write_owner(older.path, Visitor(ANN).owner)
    owners.write_owner(newer.path, admin.owner)
    (newer.path / "log.txt").write_bytes(bytes(2_000_000))
    monkeypatch.setenv(limit, "2")
    st.cache_resource.clear()
    app.session_state[state.VISITOR] = (admin.token, admin.proof)
    open_page(app, "pages/runs.py")
    assert any(each.value.startswith(offered) for each in app.caption)
    app.button(key="delete_oldest").click().run()
    assert not app.exception and not app.error
    own_only = limit == "DIGITLAB_RUNS_MB_EACH"
    assert list(trashed_runs()) == [newer.id] if own_only else older.id in trashed_runs()


# bad input


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "![x](http://127.0.0.1/x.png) :red[y] $z$", "   "])
def test_markup_in_a_name_is_shown_literally(name: str, app: AppTest, two: list[Run]) -> None:
    for run in two:
        update_label(run, name=name)
    open_page(app, "pages/runs.py", compare=",".join(run.id for run in two))
    assert not app.exception and not app.error
    expected = name if name.strip() else run_title(two[1])
    assert names(tables(app)[0])[0] == expected
    assert not any(name in html.proto.body for html in app.get("html") if name.strip())
    titles = [each.value.removeprefix("##### ") for each in app.markdown if each.value.startswith("#####")]
    titles = [title for title in titles if "%" in title]
    assert len(titles) == 2, "over the confusion matrices, and titles are Markdown"
    if name.strip():
        assert all(unescaped(title).startswith(name) for title in titles)
        assert not any(re.search(r"(?<!\\)[<\[\]$]", title) for title in titles), "all of it is escaped"


def test_a_broken_run_that_is_selected_leaves_the_rest_of_the_page(
    app: AppTest, two: list[Run], runs_root: Path
) -> None:
    (two[0].path / "spec.json").write_text("[1]")
    open_page(app, "pages/runs.py", compare=two[0].id)
    assert "spec.json cannot be read" in error_text(app) and "Import a run" in [each.label for each in app.expander]


def test_a_broken_run_does_not_break_the_page(app: AppTest, two: list[Run], runs_root: Path) -> None:
    broken = runs_root / "20260103-000000-fast-cccc"
    shutil.copytree(two[0].path, broken)
    for name in ("spec.json", "status.json", "card.json", "label.json", "owner.json"):
        (broken / name).write_text("[1]")
    (broken / "metrics.jsonl").write_bytes(b'{"step": "x"}\n[]\n{"step": 1, "loss": "low"}\n\xff\n')
    open_page(app, "pages/runs.py")
    assert set(tables(app)[0].value["run"]) == {*(run.id for run in two), broken.name}
    open_page(app, "pages/runs.py", compare=f"{broken.name},{two[0].id}")
    assert not app.exception
    assert "spec.json cannot be read" in error_text(app)
    assert button(app, "Delete my runs (1 of 2)")


def test_retraining_fills_every_control(app: AppTest, runs_root: Path) -> None:
    overrides = {"epochs": 77, "batch_size": 96, "learning_rate": 0.007, "schedule": "cosine", "optimizer": "AdamW"}
    run = create_run(make_spec("fast", overrides, "sample", 5))
    open_page(app, "pages/train.py", like=run.id)
    assert not app.exception and not app.error
    assert app.slider(key=state.EPOCHS).value == 77
    assert app.select_slider(key=state.BATCH_SIZE).value == 96
    assert app.select_slider(key=state.LEARNING_RATE).value == 0.007
    assert (app.selectbox(key=state.RECIPE).value, app.number_input(key=state.SEED).value) == ("fast", 5)
    assert app.session_state[state.SCHEDULE] == "cosine"
    assert any("schedule" in fold.label for fold in app.expander), "the fold says what is changed in it"
    started: list[Run] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalBackend, "submit", lambda _, run: started.append(run))
        app.slider(key=state.EPOCHS).set_value(78).run()
        button(app, "Train").click().run()
    assert started[0].spec().overrides == {**overrides, "epochs": 78}
    assert started[0].spec().seed == 5


def test_retraining_a_run_that_is_gone_is_reported(app: AppTest) -> None:
    open_page(app, "pages/train.py", like="20260101-000000-fast-0000")
    assert "There is no run" in error_text(app)
    assert app.button


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that says it goes on."""
    run = create_run(make_spec("fast", {"epochs": 5}, "sample"))
    status = stamp_status(replace(run.status(), state="running", step=3, steps=80, epochs=5, message="Training."))
    run.write_status(status)
    monkeypatch.setattr(LocalBackend, "adopt", lambda *_: None)
    return run


def press(app: AppTest, label: str, run: Run, state_name: str = "paused") -> dict[str, Any]:
    run.write_status(stamp_status(replace(run.status(), state=state_name)))
    app.run()
    button(app, label).click().run()
    return run.control()


def test_buttons_write_their_request_to_control_json(app: AppTest, live: Run) -> None:
    open_page(app, "pages/train.py", run=live.id)
    assert button(app, "One batch").disabled and button(app, "One epoch").disabled
    assert press(app, "Pause", live, "running")["paused"] is True
    assert press(app, "One batch", live)["batches"] == 1
    assert press(app, "One batch", live)["batches"] == 2
    assert press(app, "One epoch", live)["whole_epochs"] == 1
    assert press(app, "Resume", live)["paused"] is False
    assert press(app, "Stop", live)["stop"] is True
    assert not app.error and not app.exception


def test_learning_rate_and_epochs_change_during_training(app: AppTest, live: Run) -> None:
    app.session_state[state.LIVE_SETTINGS_OPEN] = True
    open_page(app, "pages/train.py", run=live.id)
    app.select_slider(key=f"rate-{live.id}").set_value(0.0003).run()
    app.number_input(key=f"epochs-{live.id}").set_value(9).run()
    assert ["9 epochs in all" in toast.value for toast in app.toast] == [True]
    assert (live.control()["learning_rate"], live.control()["epochs"]) == (0.0003, 9)


def test_a_finished_run_is_continued(app: AppTest, two: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Run] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda _, run: started.append(run))
    open_page(app, "pages/train.py", run=two[0].id)
    app.number_input(key=f"more-{two[0].id}").set_value(6).run()
    button(app, "Train longer").click().run()
    assert [run.id for run in started] == [two[0].id]
    assert two[0].control()["epochs"] == 6 and two[0].status().state == "queued"


def test_controls_have_the_current_values_as_their_defaults(app: AppTest, live: Run) -> None:
    """A slow browser shows the default and reports it: as a minimum it would end the run."""
    app.session_state[state.LIVE_SETTINGS_OPEN] = True
    open_page(app, "pages/train.py", run=live.id)
    epochs, rate = app.number_input(key=f"epochs-{live.id}"), app.select_slider(key=f"rate-{live.id}")
    assert epochs.proto.default == epochs.value == live.status().epochs > epochs.min
    assert [rate.options[int(index)] for index in rate.proto.default] == [f"{rate.value:g}"]
    assert rate.value == live.spec().settings.learning_rate


def test_controls_stay_while_a_run_whose_epochs_are_all_trained_is_saved(app: AppTest, live: Run) -> None:
    live.write_status(stamp_status(replace(live.status(), epoch=5)))
    app.session_state[state.LIVE_SETTINGS_OPEN] = True
    open_page(app, "pages/train.py", run=live.id)
    assert app.number_input(key=f"epochs-{live.id}").value == 5
    assert not app.error and not app.exception
