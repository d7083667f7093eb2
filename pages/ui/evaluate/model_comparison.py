"""Two models on the same images: is one really better, and on which digits do they part?"""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.evaluation import significance
from pages.ui.evaluate import evaluated, mistakes
from pages.ui.evaluate.evaluated import Measured
from pages.ui.shared import components, figure, state


def show_model_comparison(found: Measured) -> None:
    """A menu of the other model, McNemar's test, and the images on which just one of the two is right."""
    choice = components.model_menu("Compare with", state.OTHER_MODEL, optional=True)
    if choice in (components.NOBODY, found.choice):
        st.info("Choose another model to compare it with.")
        return
    other = evaluated.of(choice, found.source)
    first, second = (significance.right(each.probabilities, each.labels) for each in (found, other))
    test = significance.mcnemar(first, second)
    names = [components.plain(each.name) for each in (found, other)]
    st.markdown(f"##### Is one really better?\n\n**{test.sentence(*names)}**")
    how = "exact binomial" if test.exact else "chi-square with continuity correction"
    parting = test.only_first + test.only_second
    st.caption(f"McNemar's test, {how}, on the {parting:,} images that only one of the two reads right.")
    figures(found, other, test)
    parted(first & ~second, names, other, "first")
    parted(second & ~first, names[::-1], found, "second")


def figures(found: Measured, other: Measured, test: significance.Comparison) -> None:
    """Both models' figures, side by side."""
    rows = []
    for each, alone in ((found, test.only_first), (other, test.only_second)):
        told, (low, high) = each.figures, each.figures.interval
        rows.append(
            {
                "model": each.name,
                "accuracy": f"{100 * told.accuracy:.2f} %",
                "95 % interval": f"{100 * low:.2f} – {100 * high:.2f} %",
                "loss": f"{told.loss:.4f}",
                "top-2 accuracy": f"{100 * told.top2_accuracy:.2f} %",
                "calibration error": f"{100 * told.calibration_error:.2f} %",
                "right alone": alone,
                "both right": test.both,
                "both wrong": test.neither,
            }
        )
    figure.table(rows, "Side by side", "mcnemar", "side_by_side")


def parted(where: NDArray[np.bool_], names: list[str], wrong: Measured, key: str) -> None:
    """The images that one model alone reads right, as the other reads them.

    Args:
        where: (N,) which.
        names: of the model that is right, and of the other.
        wrong: the other.
        key: of its widgets.
    """
    with st.expander(f"Only {names[0]} is right: {int(where.sum()):,} images"):
        st.caption(f"What {names[1]} makes of them:")
        mistakes.gallery(wrong, np.flatnonzero(where), key)
