"""All digits of a data set, a hundred at a time: by part, label, number, and by what a model reads them as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import data as data_charts
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data import browse
from mnist_core.data.browse import DigitFilter
from mnist_core.data.labels import predicted_labels
from pages.ui.shared import caches, components, figure, state

PARTS = {"train": "Training digits", "test": "Test digits"}
ANY = -1  # in the menus: a None there could be cleared away
ANSWERS = [ANY, *range(NOT_A_DIGIT + 1)]
AT_ONCE = 10_000  # digits that a model reads while one waits: 5 seconds at most. For more somebody has to ask
KEY = "wall"


def show_digit_browser() -> None:
    """Menus, a wall of digits, and one of them large."""
    part, choice, wanted = menus()
    images, labels = digits(part)
    path = components.model_path(choice)
    if wanted.needs_predictions and not may_read(choice, part, len(images)):
        return
    read_as = answers(path, part) if wanted.needs_predictions else None
    found = browse.filter_digits(labels, wanted, read_as)
    walls, large = st.columns([3, 2], gap="large")
    with walls:
        wall(part, found, read_as, described(part, wanted, choice))
    with large:
        one(part, choice)


def menus() -> tuple[str, str, DigitFilter]:
    """What to look for: the part, the model that is asked, and what is wanted."""
    state.default(state.BROWSED_PART, "train")
    part = st.segmented_control(
        "Part",
        list(PARTS),
        format_func=PARTS.__getitem__,
        key=state.BROWSED_PART,
        required=True,
        on_change=to_first_page,
        label_visibility="collapsed",
    )
    labels, model, read, wrong = st.columns([1, 1.6, 1, 1], vertical_alignment="bottom")
    label = labels.selectbox(
        "Label",
        ANSWERS[:-1],
        format_func=lambda label: "any" if label == ANY else str(label),
        key=state.BROWSED_LABEL,
        on_change=to_first_page,
    )
    with model:
        choice = components.model_menu("Model", state.MODEL)
    answer = read.selectbox("It reads", ANSWERS, format_func=_answer, key=state.BROWSED_ANSWER, on_change=to_first_page)
    only_wrong = wrong.toggle("Only its mistakes", key=state.BROWSED_WRONG, on_change=to_first_page)
    wanted = DigitFilter(None if label == ANY else label, None if answer == ANY else answer, only_wrong)
    return str(part), choice, wanted


def _answer(answer: int) -> str:
    return "anything" if answer == ANY else data_charts.answer_name(answer)


def to_first_page() -> None:
    """Whenever something else is looked for."""
    st.session_state[state.BROWSED_PAGE] = 1


def digits(part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, 28, 28) uint8 and labels (N,) uint8 of `train` or `test`."""
    found = caches.mnist(caches.at_hand())
    return (found.x_train, found.y_train) if part == "train" else (found.x_test, found.y_test)


def may_read(choice: str, part: str, count: int) -> bool:
    """Whether the model is to read them all: where that takes long, asked first."""
    agreed = st.session_state.setdefault(state.READ_THROUGH, set())
    if count <= AT_ONCE or (choice, part) in agreed:
        return True
    st.info(
        f"To answer this, {components.plain(components.model_name(choice))} has to read all {count:,} digits. "
        "That is done once, and takes 20 seconds, or longer where the computer is busy."
    )
    st.button(f"Read {count:,} digits", type="primary", on_click=lambda: agreed.add((choice, part)))
    return False


def answers(path: Path, part: str) -> NDArray[np.uint8]:
    """(N,) uint8 as predicted_labels gives them."""
    return predicted_labels(caches.predictions(path, caches.at_hand(), part))


def described(part: str, wanted: DigitFilter, choice: str) -> str:
    """What is looked for, in words."""
    words = [PARTS[part]]
    if wanted.label is not None:
        words.append(f"with the label {wanted.label}")
    if wanted.needs_predictions:
        words.append(f"that {components.plain(components.model_name(choice))} reads")
        words.append(
            " ".join(
                [
                    *(["wrong"] if wanted.misclassified else []),
                    *([] if wanted.prediction is None else [f"as {_answer(wanted.prediction)}"]),
                ]
            )
        )
    return " ".join(words)


def wall(part: str, found: NDArray[np.int64], read_as: NDArray[np.uint8] | None, what: str) -> None:
    """A page of what was found."""
    if not len(found):
        st.info(f"{what}: there are none. Choose another label, answer or model.")
        return
    pages = browse.page_count(len(found))
    st.session_state[state.BROWSED_PAGE] = min(st.session_state.get(state.BROWSED_PAGE, 1), pages)
    page = int(st.number_input(f"Page, 1 to {pages:,}", 1, pages, key=state.BROWSED_PAGE)) if pages > 1 else 1
    images, labels = digits(part)
    numbers = browse.digits_on_page(found, page)
    shown = None if read_as is None else read_as[numbers]
    first = browse.DIGITS_PER_PAGE * (page - 1) + 1
    alt = (
        f"{what}, {first:,} to {first + len(numbers) - 1:,} of {len(found):,}. Labels, row by row: "
        f"{' '.join(map(str, labels[numbers]))}."
    )
    figure.chart(
        data_charts.clickable_digits(images[numbers], numbers, labels[numbers], shown),
        f"{what}: {len(found):,}",
        alt,
        "wall of digits",
        KEY,
        rows=lambda: listed(found, labels, read_as),
        on_select=pick,
    )


def listed(
    found: NDArray[np.int64], labels: NDArray[np.uint8], read_as: NDArray[np.uint8] | None
) -> list[dict[str, object]]:
    """A row for each digit that was found, on whatever page."""
    rows: list[dict[str, object]] = [{"number": int(number), "label": int(labels[number])} for number in found]
    if read_as is None:
        return rows
    return [row | {"read as": _answer(int(read_as[number]))} for row, number in zip(rows, found, strict=True)]


def pick() -> None:
    """Shows the digit that was clicked."""
    clicked = st.session_state[KEY].selection.get(data_charts.DIGIT_SELECTION) or []
    if clicked:
        st.session_state[state.BROWSED_INDEX] = int(clicked[0]["number"])


def one(part: str, choice: str) -> None:
    """One digit large, and the way to where it is looked into."""
    images, labels = digits(part)
    last = len(images) - 1
    st.session_state[state.BROWSED_INDEX] = min(st.session_state.get(state.BROWSED_INDEX, 0), last)
    number = int(st.number_input(f"Number of the digit, 0 to {last:,}", 0, last, key=state.BROWSED_INDEX))
    label = int(labels[number])
    name = f"{PARTS[part][:-1]} {number:,}: a {label}"
    ink = f"{np.count_nonzero(images[number])} of 784 pixels hold ink"
    chart = caches.drawn(f"pixels {images[number].tobytes().hex()}", lambda: data_charts.pixel_heatmap(images[number]))
    figure.chart(chart, name, f"{name}, large; {ink}.", "pixels of a digit", "pixels")
    st.caption(told(choice, images[number]))
    look_inside(part, number)


def told(choice: str, image: NDArray[np.uint8]) -> str:
    """What the model reads a digit as, and how it came to see it."""
    model = caches.classifier(components.model_path(choice))
    answer = int(predicted_labels(model.probabilities(image[None]))[0])
    said = f"{components.plain(components.model_name(choice))} reads it as {_answer(answer)}."
    if model.input_size == len(image):
        return said
    return f"{said} It takes {model.input_size}×{model.input_size} pixels: the digit was put in the middle of as many."


def look_inside(part: str, number: int) -> None:
    """To the Explain page, which knows test digits."""
    if part != "test":
        st.caption("The Explain page looks at test digits: a network has learned the training digits by heart.")
        return
    if st.button("Look inside the model on this digit", icon=":material/visibility:"):
        st.session_state[state.EXPLAINED], st.session_state[state.EXPLAINED_INDEX] = "test", number
        st.switch_page("pages/explain.py")
