"""The views of mistakes: the confusion matrix with the images of each cell, and the most confident mistakes."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import evaluation as evaluation_charts
from mnist_core.charts.common import encode_csv, format_percent
from mnist_core.constants import NUM_CLASSES
from mnist_core.data.labels import predicted_labels
from mnist_core.evaluation import findings, mistakes
from pages.ui.evaluate.evaluated_model import EvaluatedModel
from pages.ui.shared import chart_clicks, digit_picker, figure, formatting, prediction_view, state, thumbnails

PER_PAGE = 12
"""Images on a page of a gallery."""
Cell = tuple[str, str]
"""True digit and prediction, as the chart names them."""
CELL_FIELDS = ("true", "read")
"""The chart's fields of a cell."""


def show_confusion_matrix(model: EvaluatedModel) -> None:
    """The confusion matrix, and the images of the cell that is clicked or chosen in the menu."""
    counts = model.counts
    titles = _cell_titles(counts)
    if st.session_state.get(state.CONFUSION_CELL) not in titles:
        st.session_state[state.CONFUSION_CELL] = next(iter(titles))
    wrong = int(counts.sum() - np.trace(counts))
    cell: Cell = st.session_state[state.CONFUSION_CELL]
    key = chart_clicks.widget_key("confusion_cells", dict(zip(CELL_FIELDS, cell, strict=True)))
    most_frequent = next((title for (true, predicted), title in titles.items() if true != predicted), "none")
    matrix, images = st.columns([3, 2], gap="medium")
    with matrix:
        figure.show_chart(
            evaluation_charts.clickable_confusion_matrix(
                counts, bool(st.session_state.get(state.CONFUSION_SHARES)), cell
            ),
            "Confusion matrix: click a cell to see its images",
            f"Confusion matrix of {model.name}: {wrong} of {counts.sum()} images are misclassified, most often "
            f"{most_frequent}.",
            "confusion cells",
            "confusion_cells",
            on_select=lambda: _choose_clicked_cell(key, titles),
            finding=findings.confusion(counts),
            widget_key=key,
        )
        st.toggle("Show percentages of each digit", key=state.CONFUSION_SHARES)
    with images:
        st.selectbox("Images of a cell", list(titles), key=state.CONFUSION_CELL, format_func=titles.__getitem__)
        true, predicted = (mistakes.prediction_from_label(name) for name in cell)
        indices = mistakes.cell_indices(model.probabilities, model.labels, true, predicted)
        show_gallery(model, indices, "cell", bars=False)


def _cell_titles(counts: NDArray[np.int64]) -> dict[Cell, str]:
    """Titles of the cells that are not empty, the most frequent mistake first and correct predictions last.

    A title has no count: the browser remembers a choice by its title, which must be the same for another model.

    Args:
        counts: (10, 11), row = true digit, column = prediction.
    """
    cells = [(int(true), int(predicted)) for true, predicted in np.argwhere(counts)]
    cells.sort(key=lambda cell: (cell[0] == cell[1], -counts[cell]))
    names = [(mistakes.prediction_label(true), mistakes.prediction_label(predicted)) for true, predicted in cells]
    return {(true, predicted): f"{true} classified as {predicted}" for true, predicted in names}


def _choose_clicked_cell(key: str, titles: dict[Cell, str]) -> None:
    """Callback: chooses the clicked cell in the menu, which works without a mouse, too. `key`: of the chart."""
    row = chart_clicks.clicked_row(key)
    cell = str(row.get("true")), str(row.get("read"))
    if cell in titles:
        st.session_state[state.CONFUSION_CELL] = cell


def show_worst_mistakes(model: EvaluatedModel) -> None:
    """All mistakes, the most confident first."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        st.markdown("##### The most confident mistakes")
        figure.show_guide("worst mistakes")
    st.markdown(formatting.escape_markdown(findings.worst_mistake(model.probabilities, model.labels)))
    show_gallery(model, mistakes.worst_mistakes(model.probabilities, model.labels), "worst")


def show_gallery(model: EvaluatedModel, indices: NDArray[np.int64], key: str, bars: bool = True) -> None:
    """Images with their predictions, page by page, and a CSV of all of them.

    Args:
        model: its images and predictions are shown.
        indices: (K,), of the images to show.
        key: prefix of the widgets' keys.
        bars: whether to show the probabilities of all outputs, too.
    """
    if not len(indices):
        st.info("No such images.")
        return
    pages = -(-len(indices) // PER_PAGE)
    shown = indices.tobytes()
    if st.session_state.get(f"{key}_shown") != shown:  # another cell or model: its first page
        st.session_state[f"{key}_shown"], st.session_state[f"{key}_page"] = shown, 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        page = st.number_input(f"Page (1 to {pages:,})", 1, pages, key=f"{key}_page", width=160) if pages > 1 else 1
        st.download_button(
            "CSV",
            lambda: encode_csv([_csv_row(model, index) for index in indices.tolist()]),
            f"{key}.csv",
            "text/csv",
            key=f"{key}_download",
            on_click="ignore",
            type="tertiary",
            icon=":material/download:",
        )
    with st.container(horizontal=True, gap="large" if bars else "small"):
        for index in indices[PER_PAGE * (page - 1) : PER_PAGE * page].tolist():
            with st.container(width=220 if bars else 112, gap=None, key=f"{key}_clickable_{index}"):
                _show_image(model, index, key, bars)


def _csv_row(model: EvaluatedModel, index: int) -> dict[str, object]:
    probabilities = model.probabilities[index]
    row: dict[str, object] = {"number": index, "digit": int(model.labels[index]), "read_as": _prediction(probabilities)}
    row |= {f"p{digit}": round(float(value), 6) for digit, value in enumerate(probabilities[:NUM_CLASSES])}
    if len(probabilities) > NUM_CLASSES:
        row["p_not_a_digit"] = round(float(probabilities[NUM_CLASSES:].sum()), 6)
    return row


def _prediction(probabilities: NDArray[np.float32]) -> str:
    """What the confusion matrix counts one image as: the name of its most probable output."""
    return mistakes.prediction_label(int(predicted_labels(probabilities[None])[0]))


def _show_image(model: EvaluatedModel, index: int, key: str, bars: bool) -> None:
    """One image with its label and prediction, a bar for each output if wanted, and a link to the Explain page."""
    probabilities = model.probabilities[index]
    predicted, confidence = _prediction(probabilities), float(probabilities.max())
    text = f"{model.labels[index]} classified as {predicted}"
    is_wrong = predicted != str(model.labels[index])
    digits, not_a_digit = probabilities[:NUM_CLASSES], float(probabilities[NUM_CLASSES:].sum())
    st.html(
        f'<div class="{"lab-wrong" if is_wrong else ""}"><div class="lab-note">image {index:,}</div>'
        f"{thumbnails.image_html(model.images[index], f'Image {index}: {text}', 96)}"
        f"<b>{html.escape(text)}</b>, {html.escape(format_percent(confidence))}"
        f"{prediction_view.probability_bars(digits, not_a_digit) if bars else ''}</div>"
    )
    if model.on_mnist and st.button(
        "Explain",
        key=f"{key}_{index}",
        type="tertiary",
        icon=":material/visibility:",
        on_click=digit_picker.pick_test_digit,
        args=(index,),
    ):
        st.switch_page("pages/explain.py")
