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
    # Evaluate
    "headline figures": Guide(
        "**Accuracy** is the share read right. On other images of this kind it would lie in the **interval** 95 times "
        "in 100: two models whose intervals overlap widely may be equally good. **Loss** also punishes being sure and "
        "wrong. **Top-2**: the truth is among the two likeliest answers. **Calibration error**: how far the confidence "
        "is from the share that is right.",
        "Wilson score interval",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
    "class figures": Guide(
        "**Precision**: of the images read as this digit, how many are it. **Recall**: of the images of this digit, "
        "how many are read as it. **F1** is high only where both are. **Support**: how many images of it there are.",
        "precision, recall, F1, support",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.precision_recall_fscore_support.html",
    ),
    "confusion cells": Guide(
        "A row for each true digit, a column for each answer. The faint teal diagonal is what was read right. The "
        "stronger the orange of a cell beside it, the more often that digit is taken for that other one. Click a cell, "
        "or choose it in the menu, and its digits are shown.",
        "confusion matrix",
        "https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html",
    ),
    "worst mistakes": Guide(
        "The digits read wrong, the surest mistake first. Would you have read them right? Some are smudged, and some "
        "bear a label that people dispute: no model reaches 100 %, and one that does has learned the test.",
        "label errors in test sets (Northcutt, Athalye and Mueller, 2021)",
        "https://arxiv.org/abs/2103.14749",
    ),
    "reliability diagram": Guide(
        "Each bar stands for the images of which the model was so sure, to the right the surer. Its height: how many "
        "of them it read right. Orange: how sure it was. A bar below the orange line means too sure of itself, one "
        "above it too modest. Bars of few images mean little.",
        "reliability diagram, expected calibration error (Guo et al., 2017)",
        "https://arxiv.org/abs/1706.04599",
    ),
    "accuracy by threshold": Guide(
        "To the right the model may answer only where it is surer; the rest is left to a person. **Answered**: how "
        "many images are left to the model. **Right**: how many of these it reads right. A good model gives up few "
        "answers for the last mistakes.",
        "selective classification, risk and coverage (Geifman and El-Yaniv, 2017)",
        "https://arxiv.org/abs/1705.08500",
    ),
    "mcnemar": Guide(
        "Two models read the same images. Where both are right, or both wrong, nothing is learned; what counts is how "
        "often just one of them is right. Were they equally good, each would be that one about equally often. **p** "
        "tells how often chance alone makes such a difference: below 0.05 it is called real.",
        "McNemar's test (Dietterich, 1998)",
        "https://doi.org/10.1162/089976698300017197",
    ),
    "robustness": Guide(
        "To the right the digits are spoilt more; the dashed rule is where nothing is changed. A curve that stays high "
        "belongs to a model that has seen such digits, or is built so that they do not matter. Augmentation shows in "
        "training what the test would otherwise bring as a surprise.",
        "robustness to corruptions (Mu and Gilmer, MNIST-C, 2019)",
        "https://arxiv.org/abs/1906.02337",
    ),
    "placed anywhere": Guide(
        "A dense network has learned each digit at one place, and fails where it lies elsewhere. Convolutions find it "
        "in more places. Cropping and centring the digit first, as the Draw page does, saves also those that were "
        "never made for it.",
        "translation invariance",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
}
"""By the name that `exhibit` is given."""
