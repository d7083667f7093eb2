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
    # Draw
    "answer": Guide(
        "Ten bars, one for each digit: how the network shares out its belief. They sum to 1, and the longest is its "
        "answer. A long bar is no proof: it is sure of what resembles what it has seen. The shipped model has an "
        "eleventh output, for what is no digit at all.",
        "softmax, class probabilities",
        "https://keras.io/api/layers/activation_layers/softmax/",
    ),
    "stages": Guide(
        "Left to right: from your drawing to the 28×28 pixels that the network gets, made as MNIST's makers made "
        "theirs: cropped to the ink, shrunk to 20×20, placed by its centre of mass. Switch to *plain resize* and see "
        "how the answer suffers when this is left out.",
        "preprocessing, normalisation by size and centre of mass",
        "https://doi.org/10.1109/5.726791",
    ),
    # Train and Runs
    "learning curves": Guide(
        "Left to right the training goes on. The **training** line tells how the network does on images it learns "
        "from, the **validation** dots how it does on images it never learns from. Where the first still rises and "
        "the second falls, it has begun to learn by heart. A dashed line marks where somebody changed a setting.",
        "learning curve, overfitting",
        "https://keras.io/api/models/model_training_apis/",
    ),
    "wall": Guide(
        "Sixty test digits, six of each. A teal frame: the network reads it right. Orange: wrong, with what it takes "
        "it for. Early in a training most are orange; the last ones to turn teal are the hard ones.",
        "test set, generalisation",
        "https://keras.io/examples/vision/mnist_convnet/",
    ),
    "watched drawings": Guide(
        "Each strip is one drawing of yours: a row for each digit, time to the right. The brighter, the surer the "
        "network was then. See the moment at which it made up its mind, and whether it changed it.",
        "class probabilities over the training",
        "https://keras.io/guides/writing_your_own_callbacks/",
    ),
    "accuracy against cost": Guide(
        "Each dot is a run: to the right it cost more, upwards it reads more of the test digits right. The best ones "
        "lie along the upper left edge; the scale to the right is logarithmic, so that each step is ten times more.",
        "accuracy–efficiency trade-off, Pareto front",
        "https://arxiv.org/abs/1905.11946",
    ),
    "confusion matrix": Guide(
        "A row for each true digit, a column for each answer. The diagonal is what was read right. The darker a cell "
        "beside it, the more often that digit is taken for that other one: 4 and 9, 3 and 5 are the usual ones.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
}
"""By the name that `exhibit` is given."""
