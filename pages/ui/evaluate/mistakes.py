"""Where a model errs: which digits it takes for which, and the mistakes that it is surest of, as pictures."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import evaluation as charts
from mnist_core.charts.common import encode_csv, format_percent
from mnist_core.evaluation import mistakes
from pages.ui.evaluate.evaluated import Measured
from pages.ui.shared import components, figure, state

PER_PAGE = 12
CHART = "confusion_cells"

Cell = tuple[str, str]


def confusions(found: Measured) -> None:
    """The heat map, and the digits of the cell that was clicked or chosen."""
    table = mistakes.table(found.probabilities, found.labels)
    shares = st.toggle("Shares of each digit, in place of counts", key=state.SHARES)
    cells = _cells(table)
    if st.session_state.get(state.CELL) not in cells:
        st.session_state[state.CELL] = next(iter(cells))
    wrong = int(table.sum() - np.trace(table))
    told = f"{wrong} of {table.sum()} images are read wrong, most often {_worst(cells)}"
    alt = f"Confusion matrix of {found.name}: {told}."
    figure.chart(
        charts.clickable_confusion_matrix(table, shares),
        "What is taken for what: click a cell to see its digits",
        alt,
        "confusion cells",
        CHART,
        on_select=lambda: _clicked(cells),
    )
    chosen = st.selectbox("Digits of the cell", list(cells), key=state.CELL, format_func=cells.get)
    true, read = (mistakes.number(name) for name in chosen)
    gallery(found, mistakes.in_cell(found.probabilities, found.labels, true, read), "cell")


def _cells(table: NDArray[np.int64]) -> dict[Cell, str]:
    """All cells with an image, the most frequent mistake first and what is right last, each with its name.

    Without the count: the browser keeps a choice by this text, which has to be the same for another model.
    """
    filled = [(int(true), int(read)) for true, read in np.argwhere(table)]
    filled.sort(key=lambda cell: (cell[0] == cell[1], -table[cell]))
    names = {cell: (mistakes.name(cell[0]), mistakes.name(cell[1])) for cell in filled}
    return {names[cell]: f"{names[cell][0]} read as {names[cell][1]}" for cell in filled}


def _worst(cells: dict[Cell, str]) -> str:
    return next((text for (true, read), text in cells.items() if true != read), "nothing")


def _clicked(cells: dict[Cell, str]) -> None:
    """Takes the click over into the menu, which who has no mouse uses instead."""
    points = st.session_state[CHART].selection.get(charts.CELL_SELECTION) or []
    for point in points:
        cell = str(point.get("true")), str(point.get("read"))
        if cell in cells:
            st.session_state[state.CELL] = cell


def worst(found: Measured) -> None:
    """The mistakes, the surest first."""
    wrong = mistakes.worst(found.probabilities, found.labels)
    st.markdown("##### The mistakes that it was surest of")
    figure.how_to_read("worst mistakes")
    gallery(found, wrong, "worst")


def gallery(found: Measured, indices: NDArray[np.int64], key: str) -> None:
    """Digits with all ten probabilities, a page of them.

    Args:
        found: whose images they are.
        indices: (K,) which; none is said in a sentence.
        key: of its widgets.
    """
    if not len(indices):
        st.info("There is none.")
        return
    pages = -(-len(indices) // PER_PAGE)
    if st.session_state.get(f"{key}_page", 1) > pages:  # of another cell, or another model
        st.session_state[f"{key}_page"] = 1
    page = st.number_input(f"Page, 1 to {pages:,}", 1, pages, key=f"{key}_page", width=160) if pages > 1 else 1
    st.download_button(
        "CSV",
        lambda: encode_csv([_row(found, index) for index in indices.tolist()]),
        f"{key}.csv",
        "text/csv",
        key=f"{key}_download",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )
    with st.container(horizontal=True, gap="large"):
        for index in indices[PER_PAGE * (page - 1) : PER_PAGE * page].tolist():
            with st.container(width=220, gap="small"):
                _tile(found, index, key)


def _row(found: Measured, index: int) -> dict[str, object]:
    """One image as a row of the CSV."""
    outputs = {f"p{digit}": round(float(value), 6) for digit, value in enumerate(found.probabilities[index, :10])}
    ((read, _),) = mistakes.likeliest(found.probabilities[index], 1)
    return {"number": index, "digit": int(found.labels[index]), "read_as": read, **outputs}


def _tile(found: Measured, index: int, key: str) -> None:
    """One image, what it is and is read as, the probabilities, and the way to the Explain page."""
    true, row = int(found.labels[index]), found.probabilities[index]
    (first, sure), *_ = mistakes.likeliest(row)
    text = f"a {true}, read as {first}"
    st.html(
        f'<div class="lab-note">number {index:,}</div>'
        f"{components.picture(found.images[index], f'Image {index}: {text}', 96)}"
        f"<b>{html.escape(text)}</b>, {html.escape(format_percent(sure))}"
        f"{components.bars(row[:10])}"
    )
    if found.of_mnist and st.button("Look inside", key=f"{key}_{index}", type="tertiary", icon=":material/visibility:"):
        st.session_state[state.EXPLAINED] = "test"
        st.session_state[state.EXPLAINED_INDEX] = index
        st.switch_page("pages/explain.py")
