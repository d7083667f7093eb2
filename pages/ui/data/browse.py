"""The browse view: all digits of a data set, a hundred at a time, filtered by label and by a model's predictions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data import browse, findings
from mnist_core.data.browse import DigitFilter
from mnist_core.data.labels import predicted_labels
from mnist_core.evaluation.mistakes import prediction_label
from mnist_core.explain.findings import output_name
from pages.ui.shared import caches, chart_clicks, digit_picker, figure, formatting, model_menu, state

SPLITS = {"train": "Training digits", "test": "Test digits"}
ANY = -1
"""Option of the menus that filters nothing. Not None, which a user could clear."""
PREDICTIONS = [ANY, *range(NOT_A_DIGIT + 1)]
MAX_WITHOUT_ASKING = 10_000
"""Images that a model classifies right away, in 5 seconds at most. For more, the user has to agree."""
CHART_KEY = "wall"


def show_digit_browser() -> None:
    """Filters, a page of digits, and one of them enlarged."""
    split, choice, digit_filter = filter_menus()
    images, labels = split_digits(split)
    path = model_menu.model_path(choice)
    if digit_filter.needs_predictions and not may_classify(choice, split, len(images)):
        return
    predicted = predict_split(path, split) if digit_filter.needs_predictions else None
    indices = browse.filter_digits(labels, digit_filter, predicted)
    grid, single = st.columns([3, 2], gap="large")
    with grid:
        show_digit_page(split, indices, predicted, filter_in_words(split, digit_filter, choice))
    with single:
        show_digit(split, choice)


def filter_menus() -> tuple[str, str, DigitFilter]:
    """Menus of splits, labels, models and predictions. Returns the split, the choice of a model, and the filter."""
    st.session_state.setdefault(state.BROWSED_PART, "train")
    split = st.segmented_control(
        "Part",
        list(SPLITS),
        format_func=SPLITS.__getitem__,
        key=state.BROWSED_PART,
        required=True,
        on_change=go_to_first_page,
        label_visibility="collapsed",
    )
    columns = st.columns([1, 1.6, 1, 1], vertical_alignment="bottom")
    label = columns[0].selectbox(
        "Label",
        PREDICTIONS[:-1],
        format_func=lambda label: "any" if label == ANY else str(label),
        key=state.BROWSED_LABEL,
        on_change=go_to_first_page,
    )
    with columns[1]:
        choice = model_menu.select_model("Model", state.MODEL)
    prediction = columns[2].selectbox(
        "Prediction",
        PREDICTIONS,
        format_func=lambda prediction: "any" if prediction == ANY else prediction_label(prediction),
        key=state.BROWSED_PREDICTION,
        on_change=go_to_first_page,
    )
    only_mistakes = columns[3].toggle("Only mistakes", key=state.BROWSED_WRONG, on_change=go_to_first_page)
    digit_filter = DigitFilter(
        None if label == ANY else label, None if prediction == ANY else prediction, only_mistakes
    )
    return str(split), choice, digit_filter


def go_to_first_page() -> None:
    """Callback: shows the first page after a filter has changed."""
    st.session_state[state.BROWSED_PAGE] = 1


def split_digits(split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, 28, 28) uint8 and labels (N,) uint8 of `train` or `test`."""
    mnist = caches.mnist(caches.available_dataset())
    return (mnist.x_train, mnist.y_train) if split == "train" else (mnist.x_test, mnist.y_test)


def may_classify(choice: str, split: str, count: int) -> bool:
    """True if the model may classify all images of a split. If that takes long, asks the user first."""
    agreed = st.session_state.setdefault(state.PREDICTIONS_REQUESTED, set())
    if count <= MAX_WITHOUT_ASKING or (choice, split) in agreed:
        return True
    name = formatting.escape_markdown(model_menu.model_name(choice))
    st.info(
        f"{name} has to classify all {count:,} digits first. This takes 20 seconds, or longer on a busy computer, and "
        "happens only once."
    )
    st.button(f"Classify {count:,} digits", type="primary", on_click=lambda: agreed.add((choice, split)))
    return False


def predict_split(path: Path, split: str) -> NDArray[np.uint8]:
    """The predictions of a model for all images of a split, (N,) uint8, as predicted_labels returns them."""
    return predicted_labels(caches.predictions(path, caches.available_dataset(), split))


def filter_in_words(split: str, digit_filter: DigitFilter, choice: str) -> str:
    """`Test digits with the label 7 that fast · 98.50% misclassifies as 4`."""
    words = [SPLITS[split]]
    if digit_filter.label is not None:
        words.append(f"with the label {digit_filter.label}")
    if digit_filter.needs_predictions:
        verb = "misclassifies" if digit_filter.misclassified else "classifies"
        words.append(f"that {model_menu.model_name(choice)} {verb}")
        if digit_filter.prediction is not None:
            words.append(f"as {prediction_label(digit_filter.prediction)}")
    return " ".join(words)


def show_digit_page(split: str, indices: NDArray[np.int64], predicted: NDArray[np.uint8] | None, title: str) -> None:
    """One page of the digits that passed the filter.

    Args:
        split: `train` or `test`.
        indices: (K,), of these digits in their split.
        predicted: (N,) predictions for the whole split; None if the filter needs none.
        title: the filter in words.
    """
    if not len(indices):
        st.info(f"{formatting.escape_markdown(title)}: none. Choose another label, prediction or model.")
        return
    pages = browse.page_count(len(indices))
    st.session_state[state.BROWSED_PAGE] = min(st.session_state.get(state.BROWSED_PAGE, 1), pages)
    page = int(st.number_input(f"Page (1 to {pages:,})", 1, pages, key=state.BROWSED_PAGE)) if pages > 1 else 1
    images, labels = split_digits(split)
    on_page = browse.digits_on_page(indices, page)
    first = browse.DIGITS_PER_PAGE * (page - 1) + 1
    key = chart_clicks.widget_key(CHART_KEY, {"number": st.session_state.get(state.BROWSED_INDEX, 0)})
    figure.show_chart(
        data_charts.clickable_digits(
            images[on_page], on_page, labels[on_page], None if predicted is None else predicted[on_page]
        ),
        f"{title}: {len(indices):,}",
        f"{title}, {first:,} to {first + len(on_page) - 1:,} of {len(indices):,}. Labels, row by row: "
        f"{' '.join(map(str, labels[on_page]))}.",
        "digit grid",
        CHART_KEY,
        rows=lambda: csv_rows(indices, labels, predicted),
        on_select=partial(select_clicked_digit, key),
        widget_key=key,
        finding=findings.misread_digits(labels[on_page], None if predicted is None else predicted[on_page]),
    )


def csv_rows(
    indices: NDArray[np.int64], labels: NDArray[np.uint8], predicted: NDArray[np.uint8] | None
) -> list[dict[str, object]]:
    """A row for each digit that passed the filter, on all pages."""
    rows: list[dict[str, object]] = [{"number": int(index), "label": int(labels[index])} for index in indices]
    if predicted is not None:
        for row, index in zip(rows, indices, strict=True):
            row["read as"] = prediction_label(int(predicted[index]))
    return rows


def select_clicked_digit(key: str) -> None:
    """Callback: enlarges the digit that was clicked. `key`: of the chart."""
    if row := chart_clicks.clicked_row(key):
        st.session_state[state.BROWSED_INDEX] = int(row["number"])


def show_digit(split: str, choice: str) -> None:
    """One digit enlarged, its prediction, and a link to the Explain page."""
    images, labels = split_digits(split)
    last = len(images) - 1
    st.session_state[state.BROWSED_INDEX] = min(st.session_state.get(state.BROWSED_INDEX, 0), last)
    index = int(st.number_input(f"Index of the digit (0 to {last:,})", 0, last, key=state.BROWSED_INDEX))
    image = images[index]
    name = f"{SPLITS[split][:-1]} {index:,}: {output_name(int(labels[index]))}"
    figure.show_chart(
        caches.rendered_chart(f"pixels {image.tobytes().hex()}", lambda: data_charts.pixel_heatmap(image).to_dict()),
        name,
        f"{name}, enlarged; {np.count_nonzero(image)} of 784 pixels have ink.",
        "pixels of a digit",
        "pixels",
        finding=findings.ink(image),
    )
    st.caption(prediction_in_words(choice, image))
    show_explain_button(split, index)


def prediction_in_words(choice: str, image: NDArray[np.uint8]) -> str:
    """What the model classifies a (28, 28) uint8 image as, and how the image fits its input if that is larger."""
    model = caches.classifier(model_menu.model_path(choice))
    name = formatting.escape_markdown(model_menu.model_name(choice))
    sentence = f"{name} classifies it as {prediction_label(model.predict(image).label)}."
    size = model.input_size
    if size == len(image):
        return sentence
    return f"{sentence} The model's input has {size:d}×{size:d} pixels: the digit is placed in the middle."


def show_explain_button(split: str, index: int) -> None:
    """A button that opens a test digit on the Explain page."""
    if split != "test":
        st.caption("Only test digits can be opened on the Explain page: models are trained on the training digits.")
        return
    if st.button("Explain this digit", icon=":material/visibility:"):
        digit_picker.pick_test_digit(index)
        st.switch_page("pages/explain.py")
