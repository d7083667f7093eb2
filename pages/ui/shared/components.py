"""Pieces of a page: an answer, a strip of pictures, a model menu, an error in plain words."""

from __future__ import annotations

import html
import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts.common import data_url, format_percent
from mnist_core.config import runs_dir
from mnist_core.drawing.whole_numbers import WholeNumber
from mnist_core.errors import DigitLabError, ModelError
from mnist_core.models.classifier import DEFAULT_MODEL, Prediction
from mnist_core.networks.architecture import LAYERS_KEY, Architecture
from mnist_core.networks.layers import format_shape
from mnist_core.runs.run import OWN, Run, find_run
from pages.ui.shared import caches, gc_freeze, theme

SHIPPED = "default"
NOBODY = "nobody"

log = logging.getLogger("digitlab.pages")


def guarded(run: Callable[[], None]) -> None:
    """Runs a page or a part of it; what goes wrong is said in plain words, and no page ever shows a traceback."""
    try:
        run()
    except DigitLabError as error:
        st.error(str(error))
    except Exception as error:  # Streamlit's own control flow is no Exception
        log.exception("A page failed")
        st.error(f"Something went wrong here ({type(error).__name__}); the server's log says what. Reload the page.")
    gc_freeze.set_aside_modules()


def fragment(run: Callable[[], None], every: float | None = None) -> None:
    """A part of a page that runs again by itself: at its own widgets, and each `every` seconds."""

    def part() -> None:
        guarded(run)

    st.fragment(part, run_every=every)()


def attempt(action: Callable[[], Any], wanted: bool) -> Any:
    """Does what is `wanted`, and says on the spot what was wrong with it. Returns its value, or None."""
    if not wanted:
        return None
    try:
        return action()
    except DigitLabError as error:
        st.error(str(error))
        return None


def plain(text: str) -> str:
    """The text for where Streamlit reads Markdown: shown as it stands, with no link, picture or colour made of it."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def answer(reading: Prediction, title: str = "", seen: NDArray[np.uint8] | None = None) -> None:
    """The digit, how sure the model is, the image it saw, and a bar for each of the ten.

    Args:
        reading: what the model makes of the image.
        title: whose answer it is.
        seen: (28, 28) uint8.
    """
    heading = f'<div class="lab-note">{html.escape(title)}</div>' if title else ""
    beside = "" if seen is None else _captioned(seen, "as the model sees it", "28×28 pixels")
    unsure = " unsure" if reading.rejected or reading.confidence < 0.5 else ""
    sure = "That does not look like a digit" if reading.rejected else format_percent(reading.confidence)
    st.html(
        f'{heading}<div class="lab-answer" role="status" data-digit="{reading.digit}">'
        f'<div class="lab-digit{unsure}">{reading.digit}</div><div class="lab-sure">{sure}</div>{beside}</div>'
        f"{bars(reading.probabilities)}"
    )


def number(found: WholeNumber, drawing: NDArray[np.uint8], title: str = "") -> None:
    """A whole number, where each digit was found, and what the model saw of it.

    Args:
        found: of at least one part.
        drawing: (H, W), (H, W, 3) or (H, W, 4) uint8: what it was found in.
        title: whose answer it is.
    """
    heading = f'<div class="lab-note">{html.escape(title)}</div>' if title else ""
    sure = "That does not look like a number" if found.rejected else format_percent(found.confidence)
    unsure = " unsure" if found.rejected or found.confidence < 0.5 else ""
    st.html(
        f'{heading}<div class="lab-answer" role="status" data-number="{found.text}">'
        f'<div class="lab-digit{unsure}">{found.text}</div><div class="lab-sure">{sure}</div></div>'
        f'<img class="lab-boxes" alt="where each digit was found" src="{data_url(_boxed(found, drawing))}">'
    )
    readings = [(part.image, part.prediction) for part in found.parts]
    strip([(image, str(reading.digit), _how_sure(reading)) for image, reading in readings], 84)


def _how_sure(reading: Prediction) -> str:
    return "not a digit" if reading.rejected else format_percent(reading.confidence)


def _boxed(found: WholeNumber, drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the drawing with a frame around each digit."""
    picture = np.ascontiguousarray(np.broadcast_to(np.atleast_3d(drawing)[..., :3], (*drawing.shape[:2], 3)))
    width = max(1, drawing.shape[0] // 140)
    for part in found.parts:
        left, top, right, bottom = part.box
        colour = theme.REJECTED if part.prediction.rejected else theme.FRAME
        cv2.rectangle(picture, (left - width, top - width), (right - 1 + width, bottom - 1 + width), colour, width)
    return picture


def bars(probabilities: NDArray[np.float32]) -> str:
    """HTML: ten bars. `probabilities`: (10,) float32."""
    first = int(probabilities.argmax())
    rows = []
    for digit, value in enumerate(probabilities.tolist()):
        name = f"<b>{digit}</b>" if digit == first else str(digit)
        mark = " first" if digit == first else ""
        rows.append(
            f'<span>{name}</span><span class="lab-track"><span class="lab-bar{mark}" style="width:{100 * value:.1f}%">'
            f'</span></span><span class="lab-value">{html.escape(format_percent(value))}</span>'
        )
    return f'<div class="lab-bars">{"".join(rows)}</div>'


def picture(image: NDArray[np.uint8], alt: str, pixels: int) -> str:
    """HTML: an (H, W) uint8 image, its pixels kept square."""
    return (
        f'<img class="lab-picture" width="{pixels}" height="{pixels}" alt="{html.escape(alt)}" src="{data_url(image)}">'
    )


def strip(pictures: Sequence[tuple[NDArray[np.uint8], str, str]], pixels: int = 112) -> None:
    """Pictures in a row, each (image, name, explanation)."""
    shown = "".join(_captioned(image, name, text, pixels) for image, name, text in pictures)
    st.html(f'<div class="lab-strip">{shown}</div>')


def tiles(images: NDArray[np.uint8], columns: int) -> None:
    """(N, H, W) uint8 images in one picture, so many in a row; N is a multiple of `columns`."""
    count, height, width = images.shape
    rows = images.reshape(count // columns, columns, height, width).transpose(0, 2, 1, 3)  # rows, H, columns, W
    shown = rows.reshape(-1, columns * width)
    st.html(f'<img class="lab-picture lab-tiles" alt="{count} digits" src="{data_url(shown)}">')


def _captioned(image: NDArray[np.uint8], name: str, text: str, pixels: int = 112) -> str:
    caption = f"<figcaption><b>{html.escape(name)}</b><br>{html.escape(text)}</figcaption>"
    return f'<figure class="lab-figure" style="width:{pixels}px">{picture(image, name, pixels)}{caption}</figure>'


def model_menu(label: str, key: str, optional: bool = False) -> str:
    """A menu of the shipped model and of every run that has one. Returns its choice: SHIPPED, a run id, or NOBODY."""
    cards = caches.models(runs_dir())
    choices = [*([NOBODY] if optional else []), SHIPPED, *cards]
    if st.session_state.get(key) not in choices:
        st.session_state[key] = choices[0]

    names = {choice: _name(choice, cards) for choice in choices}  # once: each look into the cache copies all cards
    return str(st.selectbox(label, choices, format_func=names.__getitem__, key=key))


def model_name(choice: str) -> str:
    """A choice of `model_menu` for people."""
    return _name(choice, caches.models(runs_dir()))


def _name(choice: str, cards: dict[str, dict[str, object]]) -> str:
    if choice == NOBODY:
        return "no other"
    if choice == SHIPPED:
        return "Digit Lab's own"
    card = cards.get(choice, {})
    accuracy = card.get("test_accuracy")
    reached = f"{100 * accuracy:.2f} %" if isinstance(accuracy, float) else "no score"
    overridden = card.get("overrides")
    own = isinstance(overridden, dict) and LAYERS_KEY in overridden
    return f"{OWN if own else card.get('recipe', choice)} · {reached} · {when(choice)}"


def when(run_id: str) -> str:
    """When a run was made, from its id: `21 Nov 06:15`."""
    try:
        return time.strftime("%d %b %H:%M:%S", time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:
        return run_id


def choose_from_link(key: str) -> None:
    """Opens the model that the address names, `?model=RUN`, once."""
    name = st.query_params.pop("model", None)
    if name is not None and attempt(lambda: _with_model(name), True):
        st.session_state[key] = name


def _with_model(name: str) -> Run:
    run = find_run(name)
    if not run.has_model:
        raise ModelError(f"The run {name} has no model: it is {run.status().state}. Choose another from the menu.")
    return run


def model_path(choice: str) -> Path:
    """The file of a choice of `model_menu`. Raises RunNotFoundError where the run is gone."""
    return DEFAULT_MODEL if choice == SHIPPED else find_run(choice).model


def summary(architecture: Architecture) -> None:
    """The table of layers: name, output shape, parameters."""
    rows = [
        {"layer": row.layer, "output shape": format_shape(row.output_shape), "parameters": f"{row.parameters:,}"}
        for row in architecture.summary()
    ]
    with st.expander(f"Network: {len(rows)} layers, {architecture.parameters:,} parameters"):
        st.table(rows)


def data_note(card: dict[str, object]) -> str:
    """A plain word where a model was not trained on the full MNIST; empty where it was."""
    data = card.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return "Trained on the offline sample, 5,000 digits." if name == "sample" else ""
