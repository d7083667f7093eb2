"""The Draw page through AppTest: what is read, Undo and Clear, "not a digit", uploads and the menus of models."""

from __future__ import annotations

import base64
import re
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.testing.v1 import AppTest

from mnist_core.drawing.whole_numbers import DigitPart, WholeNumber
from mnist_core.models.classifier import Prediction
from pages.ui.shared import canvas_edits, model_menu, prediction_view, state, theme
from tests.pages.support import ONE, SEVEN, button, canvas_state, drawing, open_page, page_text

BAR = (20, 20, 260, 20)
SCRIBBLE = [["M", 60, 40], *(["L", 60 + 160 * (step % 2), 40 + 8 * step] for step in range(25))]


@pytest.fixture
def page(app: AppTest) -> AppTest:
    return open_page(app, "pages/draw.py")


def draw(app: AppTest, *lines: tuple[int, int, int, int], key: str = state.CANVAS) -> AppTest:
    """Sends what the canvas sends after strokes. `key`: of its widget, another one after each Undo and Clear."""
    app.session_state[key] = drawing(*lines)
    return app.run()


def scribble(app: AppTest) -> AppTest:
    paper = np.zeros((280, 280, 4), np.uint8)
    paper[..., 3] = 255
    cv2.polylines(paper, [np.array([command[1:] for command in SCRIBBLE])], False, (255, 255, 255, 255), 20)
    app.session_state[state.CANVAS] = canvas_state(paper, SCRIBBLE)
    return app.run()


def bars(app: AppTest) -> dict[str, float]:
    """Output -> length of its bar in percent, as the page shows them."""
    rows = re.findall(
        r"<span>(?:<b>)?([^<]+?)(?:</b>)?</span><span class=\"lab-track\">.*?width:([\d.]+)%", page_text(app)
    )
    return {name: float(width) for name, width in rows}


def test_undo_takes_the_last_stroke_back_and_clear_all_of_them(page: AppTest) -> None:
    assert button(page, "Undo").disabled and button(page, "Clear").disabled
    draw(page, *ONE, BAR)
    button(page, "Undo").click().run()
    assert 'data-digit="1"' in page_text(page)
    button(page, "Clear").click().run()
    assert "data-digit" not in page_text(page) and "Draw a digit" in page.info[0].value
    assert button(page, "Clear").disabled
    assert state.initial_drawing_key(state.CANVAS) not in page.session_state  # it starts clean
    draw(page, *SEVEN, key="canvas_2")
    assert 'data-digit="7"' in page_text(page)
    assert not page.exception


def test_a_stroke_sends_only_what_it_changes(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each element costs 0.1 to 0.5 ms of the server's time, which is what fifty people wait for."""
    monkeypatch.setattr(canvas_edits, "undo", lambda key: st.rerun("stroke"))  # the fragment that a stroke reruns
    draw(page, *SEVEN)
    sent, enqueue = list[ForwardMsg](), ScriptRunContext.enqueue
    monkeypatch.setattr(ScriptRunContext, "enqueue", lambda run, message: (sent.append(message), enqueue(run, message)))
    button(page, "Undo").click().run()
    kinds = [message.delta.new_element.WhichOneof("type") for message in sent if message.HasField("delta")]
    assert sorted(filter(None, kinds)) == ["bidi_component", "html", "html", "html", "html"]
    assert kinds.count(None) <= 5, "containers"
    assert sum(message.ByteSize() for message in sent) < 60_000
    assert 'data-digit="7"' in page_text(page) and not page.exception


def test_a_stroke_is_answered_again_after_one_that_was_not(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that a stroke leaves out once is lost to all later ones, says Streamlit."""
    monkeypatch.setattr(canvas_edits, "undo", lambda key: st.rerun("stroke"))
    draw(page, *SEVEN)
    with monkeypatch.context() as broken:
        broken.setattr(model_menu, "model_path", lambda choice: 1 / 0)
        page.run()
        assert "Something went wrong" in page.error[0].value and "data-digit" not in page_text(page)
    button(page, "Undo").click().run()
    assert 'data-digit="7"' in page_text(page) and bars(page) and not page.error and not page.exception


def test_undo_brings_a_cleared_drawing_back(page: AppTest) -> None:
    draw(page, *ONE)
    button(page, "Clear").click().run()
    button(page, "Undo").click().run()
    assert 'data-digit="1"' in page_text(page)


def test_undo_leaves_strokes_of_two_brush_widths(page: AppTest) -> None:
    sent: Any = drawing(*SEVEN, BAR)
    sent["drawing"]["raw"]["objects"][1]["strokeWidth"] = 32
    page.session_state[state.CANVAS] = sent
    page.run()
    button(page, "Undo").click().run()
    assert 'data-digit="7"' in page_text(page)


def test_canvas_that_quick_changes_of_a_setting_remove_comes_back_with_its_drawing(page: AppTest) -> None:
    initial = state.initial_drawing_key(state.CANVAS)
    draw(page, *ONE)
    assert not page.session_state[initial]
    page.slider(key=state.BRUSH).set_value(21).run()
    assert len(page.session_state[initial]["objects"]) == 1
    draw(page, *SEVEN)
    page.toggle(key=state.PLAIN).set_value(True).run()
    assert len(page.session_state[initial]["objects"]) == 2


def test_example_is_read_as_some_digit(page: AppTest) -> None:
    button(page, "Draw one for me").click().run()
    assert "lab-answer" in page_text(page)
    first = page.session_state[state.drawing_key(state.CANVAS)]
    button(page, "Draw one for me").click().run()
    assert page.session_state[state.drawing_key(state.CANVAS)] != first
    assert not page.exception


def test_rejected_drawing_shows_no_digit_and_the_bar_of_not_a_digit(page: AppTest) -> None:
    scribble(page)
    shown = page_text(page)
    assert "That does not look like a digit" in shown and "data-digit" not in shown
    assert f'lab-digit">{prediction_view.NOTHING}<' in shown
    assert list(bars(page)) == [*"0123456789", "not a digit"]
    assert sum(bars(page).values()) == pytest.approx(100, abs=0.6)
    assert max(bars(page), key=lambda name: bars(page)[name]) == "not a digit"


def test_the_answer_says_how_long_it_took(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least a millisecond, the normalization and the prediction, and never the loading of the model."""
    draw(page, *SEVEN)
    assert re.search(r'lab-sure">[^<]+</div><div class="lab-note lab-time">in \d+ ms<', page_text(page))
    ticks = iter([100.0, 100.0203, 200.0, 200.0301])
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr("pages.ui.draw.results.time", clock)
    draw(page, *ONE)
    assert "in 50 ms<" in page_text(page)


def test_model_without_the_eleventh_output_has_ten_bars() -> None:
    uniform = np.full(10, 0.1, np.float32)
    assert "not a digit" not in prediction_view.probability_bars(uniform)
    assert "not a digit" in prediction_view.probability_bars(uniform * 0.5, 0.5)


ONE_DIGIT = WholeNumber(
    (DigitPart((18, 8, 26, 32), np.zeros((28, 28), np.uint8), Prediction(np.eye(10, dtype=np.float32)[1], 0.0)),)
)


def framed(number: WholeNumber, upload: np.ndarray) -> np.ndarray:
    """The picture with frames around the digits, as the page shows it."""
    shown = prediction_view.parts_html(number, upload)
    png = base64.b64decode(re.findall(r'class="lab-boxes".*?base64,([^"]+)"', shown)[0])
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_a_frame_is_drawn_into_a_copy_of_every_type_of_picture(channels: tuple[int, ...]) -> None:
    upload = np.full((40, 60, *channels), 255, np.uint8)
    assert framed(ONE_DIGIT, upload)[7, 20].tolist() == list(theme.FRAME[::-1])
    assert (upload == 255).all()


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_ink_of_a_transparent_upload_is_seen_between_the_frames(ink: int, paper: int) -> None:
    upload = np.zeros((40, 60, 4), np.uint8)
    upload[10:30, 20:24] = ink, ink, ink, 255
    upload[10:30, 24] = ink, ink, ink, 51  # a soft edge
    pixels = framed(ONE_DIGIT, upload)
    assert pixels[20, 22].tolist() == [ink] * 3 and pixels[2, 2].tolist() == [paper] * 3
    assert pixels[20, 24].tolist() == [(ink * 51 + paper * 204) // 255] * 3


def test_prediction_in_words_names_what_it_is() -> None:
    probabilities = np.array([0, 0, 0, 0.7, 0, 0, 0, 0.1, 0, 0], np.float32)
    assert prediction_view.prediction_text(Prediction(probabilities, 0.2)) == "3, 70.0%"
    assert prediction_view.prediction_text(Prediction(np.eye(10)[3], 0.0)) == "3, >99.9%"
    assert prediction_view.prediction_text(Prediction(probabilities * 0.2, 0.84)) == "not a digit, 84.0%"


def upload_a_one(app: AppTest) -> AppTest:
    paper = np.full((300, 300), 255, np.uint8)
    cv2.line(paper, (150, 60), (150, 240), 0, 18)
    app.file_uploader[0].set_value(("one.png", cv2.imencode(".png", paper)[1].tobytes(), "image/png"))
    return app.run()


def test_canvas_and_upload_the_last_used_is_read_and_named(page: AppTest) -> None:
    draw(page, BAR)
    upload_a_one(page)
    assert 'data-digit="1"' in page_text(page)
    assert page.segmented_control(key=state.DRAW_SOURCE).value == "upload"
    draw(page, *SEVEN)
    assert 'data-digit="7"' in page_text(page)
    assert page.segmented_control(key=state.DRAW_SOURCE).value == "canvas"
    page.segmented_control(key=state.DRAW_SOURCE).set_value("upload").run()
    assert 'data-digit="1"' in page_text(page)
    button(page, "Clear").click().run()
    assert page.segmented_control(key=state.DRAW_SOURCE).value == "canvas" and "data-digit" not in page_text(page)
    assert not page.exception
