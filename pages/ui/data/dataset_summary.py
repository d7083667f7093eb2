"""A data set in figures: balance, means, brightness, what tutorials print of it, and where it came from."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.charts import data as data_charts
from mnist_core.data import summary
from mnist_core.data.mnist import MNIST_KEYS, Mnist, locate_mnist
from mnist_core.handwriting.pen_digits import locate_pen_digits
from pages.ui.shared import analysis_caches, caches, figure

SCALE = 3  # pixels on the page for each of a small picture
FIELDS = 5  # digits shown centred and not


def show_dataset_summary() -> None:
    """All of it."""
    choice = caches.at_hand()
    found, mnist = analysis_caches.portrait(choice), caches.mnist(choice)
    left, right = st.columns(2, gap="large")
    with left:
        balance(found)
    with right:
        brightness(found)
    means(found)
    prints(mnist)
    provenance(mnist)


def balance(found: summary.DatasetSummary) -> None:
    """How many of each digit."""
    total, most, fewest = found.training.sum(), found.training.argmax(), found.training.argmin()
    alt = (
        f"Of {total:,} training digits {found.training[most]:,} are a {most}, the most frequent, and "
        f"{found.training[fewest]:,} a {fewest}, the rarest. Of {found.test.sum():,} test digits "
        f"{found.test.min():,} to {found.test.max():,} are of one kind."
    )
    figure.chart(data_charts.class_balance(found), "How many of each digit there are", alt, "class balance", "balance")


def brightness(found: summary.DatasetSummary) -> None:
    """How often each pixel value occurs."""
    alt = (
        f"Pixels by value on a logarithmic scale: {found.black:.0%} are black, {found.white:.1%} are pure white, "
        "the others lie about evenly between."
    )
    figure.chart(
        data_charts.intensity_histogram(found),
        "How bright the training pixels are",
        alt,
        "pixel intensities",
        "intensities",
    )


def means(found: summary.DatasetSummary) -> None:
    """The mean of each digit."""
    figure.image(
        summary.image_row(found.means),
        "The mean of each digit, 0 to 9",
        "The mean image of each digit from 0 to 9, all readable and blurred; the 1 is the sharpest in the middle.",
        "mean digits",
        "means",
        SCALE * 280,
    )


def prints(mnist: Mnist) -> None:
    """What tutorials print, and the uncentered fields of Lesson 08."""
    ten, labels = mnist.x_train[: summary.ROW_LENGTH], mnist.y_train[: summary.ROW_LENGTH].tolist()
    told = ", ".join(map(str, labels))
    figure.image(
        summary.image_row(ten),
        f"The first ten training digits: {told}",
        f"The first ten training digits in a row: {told}.",
        "as tutorials print them",
        "row",
        SCALE * 280,
    )
    plate, fields = st.columns([1, 3], gap="large")
    with plate:
        four = ", ".join(map(str, labels[: summary.SQUARE_LENGTH]))
        figure.image(
            summary.image_square(ten),
            "The first four as a plate",
            f"Two by two: {four}.",
            "as tutorials print them",
            "plate",
            4 * 56,
        )
    with fields:
        both = summary.centered_and_uncentered(ten[:FIELDS])
        figure.image(
            both,
            "Centred above, uncentered below",
            f"{', '.join(map(str, labels[:FIELDS]))}: in the middle of fields of 56×56, and below somewhere in them.",
            "uncentered",
            "uncentered",
            2 * both.shape[1],
        )


def provenance(mnist: Mnist) -> None:
    """Where the images came from, their licence and their hashes."""
    st.markdown("##### Where they come from")
    found = locate_mnist()
    where = (
        f"Read from `{found.name}`."
        if found
        else (
            "It is not on this computer yet: 11 MB are downloaded at the first run. Shown is what comes with the app, "
            "the "
            f"{mnist.source}."
        )
    )
    st.markdown(
        f"**MNIST** by Y. LeCun, C. Cortes and C. Burges, [CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/)"
        f": 60,000 digits to train on and 10,000 to test with. {where}"
    )
    if mnist.notice:
        st.warning(mnist.notice)
    pens()
    rows = [
        {
            "array": key,
            "shape": "×".join(map(str, np.shape(getattr(mnist, key)))),
            "type": "uint8",
            "SHA-256": mnist.sha256[key],
        }
        for key in MNIST_KEYS
    ]
    figure.table(rows, "Hashes of the arrays", "hashes", "hashes")


def pens() -> None:
    """The strokes that the recipes with drawings learn from."""
    found = locate_pen_digits()
    where = f"Read from `{found.name}`" if found else "Not on this computer yet: fetched when a recipe wants them"
    st.markdown(
        "**Pen digits** by E. Alpaydın and F. Alimoğlu, UCI data set 81, "
        f"[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/): the strokes of 30 people. {where}."
    )
