"""The Draw page, and what all pages do, through AppTest: app.py first, then switch_page, as a visitor does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.errors import DrawingError
from mnist_core.handwriting.corrections import list_corrections, save_correction
from mnist_core.jobs import worker_pool
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run, find_run, list_runs
from pages.ui.shared import caches, navigation, state
from tests.pages.support import (
    APP,
    DRAW,
    ONE,
    SEVEN,
    button,
    canvas_state,
    drawing,
    error_text,
    open_page,
    page_text,
    toasts,
)


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def test_every_page_opens_without_error(app: AppTest) -> None:
    for page in navigation.PAGES:
        open_page(app, page)
        assert not app.exception and not app.error, page
        assert app.title, page


def test_draw_opens_on_an_empty_canvas_with_a_hint(app: AppTest) -> None:
    open_page(app, DRAW)
    assert app.title[0].value == "Draw a digit"
    assert "Draw a digit" in app.info[0].value


def test_drawing_is_recognized_with_its_stages(app: AppTest) -> None:
    app.switch_page(DRAW)
    for strokes, digit in ((SEVEN, 7), (ONE, 1)):
        app.session_state[state.CANVAS] = drawing(*strokes)
        app.run()
        assert f'data-digit="{digit}"' in page_text(app)
        assert ">100.0%<" not in page_text(app)
        assert page_text(app).count("<img") >= 4  # the stages and the 28×28 image


def test_plain_resize_switch_changes_the_stages(app: AppTest) -> None:
    app.switch_page(DRAW)
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    before = page_text(app)
    app.toggle(key=state.PLAIN).set_value(True).run()
    assert page_text(app) != before
    assert not app.error


def test_cleared_canvas_shows_the_hint_again(app: AppTest) -> None:
    app.switch_page(DRAW)
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    app.session_state[state.CANVAS] = drawing()
    app.run()
    assert app.info and "data-digit" not in page_text(app)


def test_finished_run_can_be_chosen_and_compared(app: AppTest, trained_run: Run) -> None:
    app.switch_page(DRAW)
    app.session_state[state.CANVAS] = drawing(*ONE)
    app.run()
    app.selectbox(key=state.MODEL).select(trained_run.id).run()
    assert page_text(app).count("data-digit") == 1
    app.selectbox(key=state.SECOND_MODEL).select("default").run()
    assert page_text(app).count("data-digit") == 2
    assert app.selectbox(key=state.SECOND_MODEL).options == ["none", "Digit Lab's model"]  # not the run itself
    app.selectbox(key=state.MODEL).select("default").run()
    assert app.selectbox(key=state.SECOND_MODEL).value == "none"
    assert page_text(app).count("data-digit") == 1
    assert not app.error


def test_link_opens_a_model(app: AppTest, trained_run: Run) -> None:
    app.query_params["model"] = trained_run.id
    app.run()
    assert app.selectbox(key=state.MODEL).value == trained_run.id


def test_link_to_the_model_of_a_deleted_run_shows_an_error(app: AppTest) -> None:
    app.query_params["model"] = "20260101-000000-fast-abcd"
    app.run()
    assert "There is no run" in error_text(app)
    assert app.selectbox(key=state.MODEL).value == "default"


def test_link_cannot_put_markdown_into_an_error(app: AppTest) -> None:
    open_page(app, "pages/train.py", run="[sign in](https://evil.example)")
    assert "\\[sign in\\]" in app.error[0].value and "[sign in](https://evil.example)" in error_text(app)


def upload(app: AppTest, name: str, content: bytes) -> AppTest:
    open_page(app, DRAW)
    app.file_uploader[0].set_value((name, content, "image/png"))
    return app.run()


def test_upload_dark_on_light_is_recognized(app: AppTest) -> None:
    paper = np.full((300, 300), 255, np.uint8)
    cv2.line(paper, (150, 60), (150, 240), 0, 18)
    upload(app, "one.png", cv2.imencode(".png", paper)[1].tobytes())
    assert 'data-digit="1"' in page_text(app)


def test_upload_that_is_not_an_image_shows_an_error(app: AppTest) -> None:
    upload(app, "notes.png", b"milk, eggs, bread")
    assert len(app.error) == 1
    assert not app.exception


def test_link_to_an_unknown_run_shows_an_error_on_a_whole_page(app: AppTest) -> None:
    for name in ("20260101-000000-fast-abcd", "../../etc", "x" * 300):
        open_page(app, "pages/train.py", run=name)
        assert len(app.error) == 1 and "run" in error_text(app), name
        assert app.button, name


def test_run_with_a_broken_spec_shows_an_error(app: AppTest) -> None:
    run = create_run(make_spec("fast", data="sample"))
    (run.path / "spec.json").write_text("{")
    open_page(app, "pages/train.py", run=run.id)
    assert "spec.json cannot be read" in error_text(app)
    assert not app.exception


def test_selecting_a_recipe_fills_the_form(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    app.selectbox(key=state.RECIPE).select("zepeda-cnn").run()
    assert app.slider(key=state.EPOCHS).value == 5
    assert app.select_slider(key=state.BATCH_SIZE).value == 200
    assert app.slider(key=state.DROPOUT).value == 0.2
    assert app.toggle(key=state.AUGMENTATION).value is False
    assert "99.06" in page_text(app)  # both published figures, which contradict each other
    assert "0.74" in page_text(app)


def test_every_recipe_can_be_chosen(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    for name in app.selectbox(key=state.RECIPE).options:
        app.selectbox(key=state.RECIPE).select(name.split(" ")[0]).run()
        assert not app.exception and not app.error, name


def test_settings_survive_a_change_of_page(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    app.slider(key=state.EPOCHS).set_value(17).run()
    app.switch_page("pages/draw.py").run()
    app.switch_page("pages/train.py").run()
    assert app.slider(key=state.EPOCHS).value == 17


def test_full_queue_shows_an_error_and_creates_no_run(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITLAB_MAX_RUNNING", "1")
    monkeypatch.setenv("DIGITLAB_MAX_QUEUED", "1")
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    started: list[subprocess.Popen[bytes]] = []

    def start(run: Run, threads: int) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(sleeper))
        return started[-1]

    monkeypatch.setattr(worker_pool, "start_worker", start)
    try:
        open_page(app, "pages/train.py")
        app.selectbox(key=state.DATA).select("sample")
        for place in ("", "Number 1 in the queue. It starts in about", "Number 1 in the queue."):
            button(app, "Train").click().run()
            wait_for(lambda: bool(started))
            assert place in app.get("progress")[0].proto.text
        assert "waiting run" in error_text(app)
        assert len(list_runs()) == 2
    finally:
        for run in list_runs():  # the one that waits first: its turn would come, and a real worker
            caches.backend().request_stop(run)
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("worker_in_thread")
def test_training_from_the_page_to_the_result(app: AppTest) -> None:
    open_page(app, "pages/train.py")
    app.selectbox(key=state.RECIPE).select("fast").run()
    app.selectbox(key=state.DATA).select("sample").run()
    app.slider(key=state.EPOCHS).set_value(2).run()
    next(button for button in app.button if button.label == "Train").click().run()
    run = find_run("".join(app.query_params["run"]))
    assert run.spec().overrides == {"epochs": 2}
    wait_for(lambda: run.status().final)
    app.run()
    assert run.status().state == "finished", run.status().message
    assert "offline sample, 5,000 digits" in page_text(app)
    assert [metric.label for metric in app.metric] == ["Test accuracy", "Error", "Test loss", "Training time"]
    app.number_input(key=state.TEST_INDEX).set_value(999).run()
    assert "index 999" in page_text(app)
    assert not app.error and not app.exception


def test_interrupted_run_shows_its_message(app: AppTest, trained_run: Run) -> None:
    status = trained_run.status()
    trained_run.write_status(replace(status, state="interrupted", message="Its process is gone after 0 of 1 epochs."))
    try:
        open_page(app, "pages/train.py", run=trained_run.id)
        assert "interrupted" in page_text(app)
        assert "Its process is gone" in error_text(app)
    finally:
        trained_run.write_status(status)


@pytest.mark.slow
def test_web_process_never_imports_tensorflow() -> None:
    code = (
        "import json, sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(APP)!r}, default_timeout=30).run()\n"
        f"for page in {list(navigation.PAGES)!r}:\n"
        "    app.switch_page(page).run()\n"
        "    assert not app.exception, page\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(json.dumps(sorted(loaded & {'tensorflow', 'keras', 'torch', 'jax'})))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=APP.parent, check=True)
    assert json.loads(result.stdout.splitlines()[-1]) == []


def test_link_to_the_model_of_a_run_without_one_shows_an_error(app: AppTest) -> None:
    app.query_params["model"] = create_run(make_spec("fast", data="sample")).id
    app.run()
    assert "has no model" in error_text(app)


def shifted(lines: tuple[tuple[int, int, int, int], ...], right: int) -> tuple[tuple[int, int, int, int], ...]:
    return tuple((x1 + right, y1, x2 + right, y2) for x1, y1, x2, y2 in lines)


def test_whole_number_is_recognized_digit_by_digit(app: AppTest) -> None:
    app.switch_page(DRAW)
    app.session_state[state.DRAW_KIND] = "number"
    app.session_state[state.NUMBER_CANVAS] = drawing(*SEVEN, *shifted(ONE, 120), *shifted(SEVEN, 280), width=560)
    app.run()
    assert not app.exception and not app.error
    assert 'data-number="717"' in page_text(app)
    assert re.search(r"in \d+ ms<", page_text(app))
    assert page_text(app).count("<figure") == 3  # a crop of each
    assert ">100.0%<" not in page_text(app)


def test_mode_switches_between_the_canvases(app: AppTest) -> None:
    app.switch_page(DRAW)
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    app.segmented_control(key=state.DRAW_KIND).set_value("number").run()
    assert "Write a whole number" in app.info[0].value
    app.segmented_control(key=state.DRAW_KIND).set_value("digit").run()
    assert not app.exception


def corrected(app: AppTest, truth: int, agreed: bool = True) -> AppTest:
    app.switch_page(DRAW)
    app.session_state[state.CANVAS] = drawing(*SEVEN)
    app.run()
    app.segmented_control(key=state.CORRECT_LABEL).set_value(truth).run()
    if agreed:
        app.checkbox(key=state.CONSENT).check().run()
    return app


def test_correction_is_saved_once_with_its_strokes(app: AppTest) -> None:
    corrected(app, 4)
    button(app, "Keep drawing").click().run()
    assert toasts(app) == "Kept as 4 on the Data page."
    button(app, "Keep drawing").click().run()
    (found,) = list_corrections()
    assert (found.label, found.predicted, found.width) == (4, 7, 20.0)
    assert [stroke.tolist() for stroke in found.strokes] == [[[80, 60], [200, 60]], [[200, 60], [130, 220]]]
    assert found.image.max() == 255
    assert "Kept as 4" in app.success[0].value


def test_another_label_for_a_kept_drawing_replaces_the_first(app: AppTest) -> None:
    corrected(app, 3)
    for label in (3, 7, 3):
        app.segmented_control(key=state.CORRECT_LABEL).set_value(label).run()
        button(app, "Keep drawing").click().run()
        assert [kept.label for kept in list_corrections()] == [label]
    assert "Kept as 3" in app.success[0].value


def test_another_drawing_has_no_label_yet(app: AppTest) -> None:
    corrected(app, 4)
    assert not button(app, "Keep drawing").disabled
    app.session_state[state.CANVAS] = drawing(*ONE)
    app.run()
    assert app.segmented_control(key=state.CORRECT_LABEL).value is None and button(app, "Keep drawing").disabled


def test_correction_is_not_saved_without_consent(app: AppTest) -> None:
    corrected(app, 4, agreed=False)
    assert button(app, "Keep drawing").disabled
    assert list_corrections() == []


def test_correction_that_cannot_be_saved_shows_an_error(app: AppTest, runs_root: Path) -> None:
    runs_root.mkdir(parents=True)
    (runs_root / "drawings").write_text("a file in its place")
    corrected(app, 4)
    button(app, "Keep drawing").click().run()
    assert str(runs_root / "drawings") in error_text(app)
    assert not app.success


def keep_some(count: int) -> None:
    for label in range(count):
        save_correction(np.full((28, 28), label, np.uint8), label % 11, 7)


def test_kept_drawings_are_listed_and_deleted_one_by_one(app: AppTest) -> None:
    keep_some(3)
    open_page(app, "pages/data.py", view="kept")
    assert "Kept drawings: 3" in app.subheader[0].value
    gone = list_corrections()[1].name
    app.button(key=f"delete-{gone}").click().run()
    assert toasts(app) == "1 drawing deleted."
    assert gone not in {drawing.name for drawing in list_corrections()}
    assert "Kept drawings: 2" in app.subheader[0].value


@pytest.mark.parametrize("label", ["Delete", "Delete them"])
def test_a_kept_drawing_that_cannot_be_deleted_says_why(
    label: str, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise DrawingError("The disk is on fire.")

    keep_some(2)
    open_page(app, "pages/data.py", view="kept")
    monkeypatch.setattr("pages.ui.data.kept_drawings.delete_correction", refuse)
    button(app, label).click().run()
    assert "on fire" in error_text(app) and len(list_corrections()) == 2


def test_all_kept_drawings_are_deleted(app: AppTest) -> None:
    keep_some(3)
    open_page(app, "pages/data.py", view="kept")
    button(app, "Delete them").click().run()
    assert list_corrections() == [] and toasts(app) == "3 drawings deleted."
    assert "None yet" in app.info[0].value


def test_many_kept_drawings_come_page_by_page(app: AppTest) -> None:
    keep_some(30)
    open_page(app, "pages/data.py", view="kept")
    assert page_text(app).count("<figure") == 24
    app.number_input(key=state.CORRECTIONS_PAGE).set_value(2).run()
    assert page_text(app).count("<figure") == 6


def test_fine_tune_starts_a_run(app: AppTest, trained_run: Run, started: list[Run]) -> None:
    keep_some(1)
    open_page(app, "pages/data.py", view="kept")
    app.selectbox(key=state.FINE_TUNED_MODEL).select(trained_run.id).run()
    button(app, "Fine-tune").click().run()
    (run,) = started
    assert run.spec().base == trained_run.id
    assert not app.exception and not app.error


def test_fine_tune_is_disabled_without_drawings(app: AppTest) -> None:
    open_page(app, "pages/data.py", view="kept")
    assert button(app, "Fine-tune").disabled


def test_fine_tuned_run_shows_what_it_learned_and_forgot(app: AppTest, trained_run: Run) -> None:
    taught = {"base": "default", "drawings": 5, "right_before": 1, "right_after": 4, "test_accuracy_before": 0.9}
    trained_run.write_card({**trained_run.card(), "taught": taught, "test_accuracy": 0.89})
    open_page(app, "pages/train.py", run=trained_run.id)
    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert metrics["Kept drawings read correctly"] == ("4 of 5", "+3 by fine-tuning")
    assert metrics["Test accuracy after fine-tuning"] == ("89.00%", "-1.00 points")


def one_pixel() -> np.ndarray:
    paper = np.zeros((280, 280), np.uint8)
    paper[100, 100] = 255
    return paper


ODD = {
    "one pixel": canvas_state(one_pixel(), [["M", 100, 100]]),
    "all ink": canvas_state(np.full((280, 280), 255, np.uint8), [["M", 0, 0], ["L", 280, 280]]),
    "10,000 points": canvas_state(one_pixel(), [["M", 0, 0], *(["L", i % 280, i // 40] for i in range(10_000))]),
    "outside": canvas_state(one_pixel(), [["M", -500, -500], ["L", 9000, 9000]]),
    "nowhere": canvas_state(one_pixel(), [["M", float("nan"), 1], ["L", None, "2"]], width=float("nan")),
    "no brush": canvas_state(one_pixel(), [["M", 1, 1]], width=0),
}


@pytest.mark.parametrize(("mode", "canvas"), [("digit", state.CANVAS), ("number", state.NUMBER_CANVAS)])
def test_odd_drawing_gets_a_prediction_or_a_hint(app: AppTest, mode: str, canvas: str) -> None:
    app.switch_page(DRAW)
    app.session_state[state.DRAW_KIND] = mode
    for name, sent in ODD.items():
        app.session_state[canvas] = sent
        app.run()
        assert not app.exception and not app.error, name
        assert "lab-answer" in page_text(app) or app.info, name
    app.session_state[canvas] = canvas_state(np.zeros((5000, 5000), np.uint8), [["M", 1, 1]])
    app.run()
    assert not app.exception
    (error,) = app.error
    assert "a picture of 5000 x 5000 pixels" in error_text(app)
