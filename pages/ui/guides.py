"""How to read each figure: a few words for people, the term of art, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guide:
    """The fold under a figure.

    Attributes:
        text: at most 80 words, Markdown.
        term: what the field calls it.
        link: the paper, or the page of Keras or scikit-learn, that it comes from.
    """

    text: str
    term: str
    link: str


GUIDES = {
    # Train and Runs
    "learning curves": Guide(
        "Left to right the training goes on. The **training** line tells how the network does on images it learns "
        "from, the **validation** dots how it does on images it never learns from. Where the first still rises and "
        "the second falls, it has begun to learn by heart. A dashed line marks where somebody changed a setting.",
        "learning curve, overfitting",
        "https://keras.io/api/models/model_training_apis/",
    ),
    "confusion matrix": Guide(
        "A row for each true digit, a column for each answer. The diagonal is what was read right. The darker a cell "
        "beside it, the more often that digit is taken for that other one: 4 and 9, 3 and 5 are the usual ones.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
}
"""By the name that `exhibit` is given."""
