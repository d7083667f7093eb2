"""Canvas, answer and stages. A stroke reruns only what it changes: most of its cost is what Streamlit sends."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mnist_core.charts.common import encode_png
from pages.ui.draw import results
from pages.ui.draw.results import Reading
from pages.ui.draw.upload import select_drawing
from pages.ui.shared import correction, figure, guard, live_reading, sketchpad, state, theme
from pages.ui.shared.live_reading import LiveModel
from pages.ui.shared.sketchpad import Drawing
from pages.ui.shared.thumbnails import PictureHtml

FRAGMENT, STROKE = "workbench", "stroke"
"""Keys of the fragment of all of the workbench, and of that in it which a stroke reruns."""


@dataclass
class Workbench:
    """What a stroke needs to know.

    Attributes:
        canvas: its key.
        is_number: whether a whole number is drawn.
        upload: the uploaded picture.
        choices: of the models, at least one.
        live_models: those that read while it is drawn; empty if only the server reads.
        reading: of what is drawn now, or None.
    """

    canvas: str
    is_number: bool
    upload: Drawing | None
    choices: list[str]
    live_models: list[LiveModel] = field(default_factory=list)
    reading: Reading | None = None


@dataclass(frozen=True)
class Places:
    """Where a stroke changes something. It writes to each of them every time: Streamlit allows no gaps."""

    paper: DeltaGenerator
    answer: DeltaGenerator
    details: DeltaGenerator
    live: DeltaGenerator


def show_workbench(is_number: bool, upload: Drawing | None, choices: list[str]) -> None:
    """Shows the workbench: a fragment, which has the fragment of the strokes in it."""
    guard.render_fragment(lambda: _show_all(is_number, upload, choices), key=FRAGMENT)


def _show_all(is_number: bool, upload: Drawing | None, choices: list[str]) -> None:
    with st.container(key="number_workbench" if is_number else "digit_workbench"):
        answer = st.container(key="answer")
        pad = st.container(key="pad", width=theme.LARGE_CANVAS_PIXELS)
        details = st.container(key="details")
    heading = st.container(horizontal=True, vertical_alignment="center")
    canvas = state.NUMBER_CANVAS if is_number else state.CANVAS
    bench = Workbench(canvas, is_number, upload, choices)
    with pad:
        paper, buttons = sketchpad.lay_out_pad(canvas, theme.LARGE_CANVAS_PIXELS)
        _show_preparation(is_number)
        if is_number or not st.session_state[state.PLAIN]:
            bench.live_models = live_reading.models_in_browser(choices)
        live = live_reading.show_reader(canvas, is_number)
    with paper if is_number else details:
        live_reading.show_place(canvas, "frames" if is_number else "bars")
    with answer:
        live_reading.show_place(canvas, "answer")
    places = Places(paper, answer, details, live)
    guard.render_fragment(lambda: _show_stroke(bench, places), key=STROKE)
    with buttons:
        sketchpad.show_buttons(canvas, examples=not is_number)
    if bench.reading and not is_number:
        _show_tools(bench, bench.reading, details, heading)


def _show_stroke(bench: Workbench, places: Places) -> None:
    """What a stroke reruns: the canvas, and what is read on it."""
    width = theme.NUMBER_PIXELS if bench.is_number else theme.CANVAS_PIXELS
    with places.paper:
        drawn = sketchpad.show_canvas(bench.canvas, width, lambda: _notice_stroke(bench))
    bench.reading = None
    with places.answer:
        drawing = select_drawing(bench.canvas, drawn, bench.upload, lambda: st.rerun(FRAGMENT))
        guard.render(lambda: _show_answer(bench, drawing))
    with places.details:
        if bench.reading:
            st.html(PictureHtml(bench.reading.details))
        else:
            st.empty()
    if bench.reading and bench.reading.stages:
        st.html(PictureHtml(bench.reading.stages))
    with places.live:
        live_reading.show_state(bench.canvas, bench.live_models)


def _notice_stroke(bench: Workbench) -> None:
    """Reruns all of the workbench if a stroke changes more of it than its answer."""
    if correction.has_label():
        st.rerun(FRAGMENT)  # what is drawn now has none, and is not kept
    sketchpad.rerun_if_emptied_or_begun(bench.canvas, FRAGMENT)


def _show_answer(bench: Workbench, drawing: Drawing | None) -> None:
    """What the models predict, or why they cannot: somebody may have deleted the run of one."""
    if drawing is None:
        results.show_drawing_hint(bench.is_number, bool(bench.live_models))
        return
    read = results.read_number if bench.is_number else results.read_digit
    bench.reading = read(drawing, bench.choices)
    if bench.reading:
        st.html(PictureHtml(bench.reading.answer))
        correction.follow_drawing(bench.reading.image)
    else:
        what = "Write a number" if bench.is_number else "Draw a digit"
        st.info(f"There is no ink. {what}, or upload an image of one.")


def _show_preparation(is_number: bool) -> None:
    """The brush, and the switch for plain resize."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # Quick changes interrupt reruns, which can take the canvas off the page: it comes back with its drawing.
        restore = state.restore_canvases
        what = "In pixels. The canvas is 280 pixels high."
        st.slider("Brush width", 6, 40, key=state.BRUSH, help=what, on_change=restore)
        if not is_number:
            what = "Only shrinks the drawing to 28×28 pixels."
            st.toggle("Plain resize", key=state.PLAIN, help=what, on_change=restore)


def _show_tools(bench: Workbench, reading: Reading, details: DeltaGenerator, heading: DeltaGenerator) -> None:
    """What goes with any reading of a digit: the form to correct it, the guides, and the download."""
    with details, st.container(horizontal=True):
        correction.show_correction_form(reading.drawing, reading.image, reading.prediction)
        figure.show_guide("prediction", "How to read the prediction")
    with heading:
        st.subheader("From your drawing to what the model sees", width="content")
        figure.show_guide("stages", "How a drawing is prepared")
    st.download_button(
        "28×28 as PNG",
        lambda: encode_png((bench.reading or reading).image),  # of the last stroke
        "digit.png",
        "image/png",
        key="digit_download",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
