"""The statistics view: class balance, brightness, mean digits, what tutorials print, source and hashes of the data."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.charts import data as data_charts
from mnist_core.data import findings, summary
from mnist_core.data.mnist import Mnist, locate_mnist
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.data.summary import DatasetSummary
from mnist_core.handwriting.pen_digits import locate_pen_digits
from pages.ui.shared import analysis_caches, caches, figure, formatting

ROW_WIDTH = 840
"""Width of a row of ten digits on the page, in pixels."""
UNCENTERED_COUNT = 5
"""Digits shown centered and uncentered."""


def show_dataset_summary() -> None:
    """The whole view."""
    choice = caches.available_dataset()
    dataset, mnist = analysis_caches.dataset_summary(choice), caches.mnist(choice)
    left, right = st.columns(2, gap="large")
    with left:
        show_class_balance(dataset)
    with right:
        show_brightness(dataset)
    figure.show_picture(
        summary.image_row(dataset.means),
        "The mean of each digit, 0 to 9",
        "The mean image of each digit from 0 to 9, all readable and blurred; the 1 is the sharpest in the middle.",
        "mean digits",
        "means",
        ROW_WIDTH,
        findings.mean_digits(dataset),
    )
    show_tutorial_pictures(mnist)
    show_source(mnist)


def show_class_balance(dataset: DatasetSummary) -> None:
    """How many images of each digit there are."""
    finding, tests = findings.class_balance(dataset), dataset.test
    figure.show_chart(
        data_charts.class_balance(dataset),
        "Images of each digit",
        f"{finding} The {tests.sum():,} test digits have {tests.min():,} to {tests.max():,} of each.",
        "class balance",
        "balance",
        finding=finding,
    )


def show_brightness(dataset: DatasetSummary) -> None:
    """How often each pixel value occurs."""
    figure.show_chart(
        data_charts.intensity_histogram(dataset),
        "Pixel values of the training images",
        f"Pixels by value on a logarithmic scale: {dataset.black:.0%} are black, {dataset.white:.1%} are pure white, "
        "and the values in between are about equally frequent.",
        "pixel intensities",
        "intensities",
        finding=findings.pixel_values(dataset),
    )


def show_tutorial_pictures(mnist: Mnist) -> None:
    """What tutorials print of MNIST: ten digits in a row, four in a square; and the uncentered fields of Lesson 08."""
    images, labels = mnist.x_train[: summary.ROW_LENGTH], mnist.y_train[: summary.ROW_LENGTH].tolist()
    in_words = ", ".join(map(str, labels))
    figure.show_picture(
        summary.image_row(images),
        f"The first ten training digits: {in_words}",
        f"The first ten training digits in a row: {in_words}.",
        "tutorial figure",
        "row",
        ROW_WIDTH,
    )
    square, fields = st.columns([1, 3], gap="large")
    with square:
        figure.show_picture(
            summary.image_square(images),
            "The first four",
            f"Two by two: {', '.join(map(str, labels[: summary.SQUARE_LENGTH]))}.",
            "tutorial figure",
            "plate",
            4 * 56,
        )
    with fields:
        both = summary.centered_and_uncentered(images[:UNCENTERED_COUNT])
        figure.show_picture(
            both,
            "Centered (above) and uncentered (below)",
            f"{', '.join(map(str, labels[:UNCENTERED_COUNT]))}: above in the middle of fields of 56×56 pixels, below "
            "at random positions.",
            "uncentered",
            "uncentered",
            2 * both.shape[1],
        )


def show_source(mnist: Mnist) -> None:
    """Source, license and hashes of the images."""
    st.markdown("##### Sources and licenses")
    file = locate_mnist()
    if mnist.name == "custom":
        location = f"Loaded from {formatting.escape_markdown(caches.custom_dataset())}, set by DIGITLAB_MNIST."
    elif file:
        location = f"Loaded from {formatting.escape_markdown(file.name)}."
    else:
        location = (
            "The full data set is not on this server yet; the first run downloads it (11 MB). This page shows the "
            f"{formatting.escape_markdown(mnist.source)}, which comes with the app."
        )
    st.markdown(
        "**MNIST** by Y. LeCun, C. Cortes and C. Burges, "
        "[CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/): 60,000 training and 10,000 test digits. "
        f"{location}"
    )
    if mnist.notice:
        st.warning(formatting.escape_markdown(mnist.notice))
    show_pen_digits_source()
    rows = [
        {
            "array": key,
            "shape": "×".join(map(str, np.shape(getattr(mnist, key)))),
            "type": "uint8",
            "SHA-256": mnist.sha256[key],
        }
        for key in MNIST_KEYS
    ]
    figure.show_table(rows, "Hashes of the arrays", "hashes", "hashes")


def show_pen_digits_source() -> None:
    """Source and license of the pen strokes that the recipes with drawings are trained on."""
    file = locate_pen_digits()
    location = "Not on this server yet; downloaded when a recipe needs them"
    if file:
        location = f"Loaded from {formatting.escape_markdown(file.name)}"
    st.markdown(
        "**Pen digits** by E. Alpaydın and F. Alimoğlu, UCI data set 81, "
        f"[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/): the pen strokes of 30 people. {location}."
    )
