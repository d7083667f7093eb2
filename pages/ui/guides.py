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
    # Explain
    "layer wall": Guide(
        "From the image to the answer, layer by layer. Each small picture is one **channel**: what one filter found, "
        "and where. Teal is above zero, orange below, black is zero; the brightest colour is the largest number of "
        "that layer. Early layers still look like the digit, later ones are small and stand for whole parts of it. A "
        "layer that gives a list of numbers is shown as rows of squares.",
        "activations, feature maps",
        "https://arxiv.org/abs/1311.2901",
    ),
    "channels": Guide(
        "All channels of the chosen layer, on one scale. Click one to see it large. Channels that stay black found "
        "nothing of what they look for in this digit.",
        "feature map",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "channel": Guide(
        "Each square is one **unit**. Click one, and below stands how its number comes about: which part of the layer "
        "before it sees, and what it reckons with that.",
        "unit, receptive field",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "units": Guide(
        "A bar for each number that the layer gives. Click one, and below stands how it comes about.",
        "dense layer",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "patch and filter": Guide(
        "Left what the unit sees, in the middle its **filter**, the weights it has learned, right both multiplied, "
        "pixel by pixel. All pixels of the right picture added up, over all channels, make the sum. Teal is above "
        "zero, orange below; each picture has its own scale.",
        "convolution",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "contributions": Guide(
        "The inputs that move this unit most: each number that comes in, times the weight that the unit gives it. "
        "Above zero it speaks for the unit, below zero against it. All of them and the bias make the sum.",
        "weighted sum",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
    "arithmetic": Guide(
        "Read from top to bottom: each line is reckoned from those above it, and the last is the number that the layer "
        "hands on.",
        "forward pass",
        "https://keras.io/api/layers/activations/",
    ),
    "first filters": Guide(
        "What the first layer looks for: weights above zero (teal) want ink there, those below (orange) want none. "
        "Edges and strokes in several directions are usual; noise means that a filter has learned little.",
        "filters, kernels",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
    "weight histograms": Guide(
        "How the weights of each layer are spread, biases left out. Wide means strong weights, a sharp peak at zero "
        "means that most of them do little. A layer whose weights run far from zero may have been trained at too large "
        "a learning rate.",
        "weight distribution, initialisation",
        "https://keras.io/api/layers/initializers/",
    ),
    "change of mind": Guide(
        "Left your digit, right the nearest found that the model reads otherwise; in the middle, in orange, what was "
        "rubbed out or, in teal, drawn. Step by step the 2×2 patch is taken that brings another answer nearest, so the "
        "change is small, and perhaps not the smallest. A change that no person would mind is a weakness.",
        "counterfactual explanation",
        "https://arxiv.org/abs/1711.00399",
    ),
    "neighbours": Guide(
        "The training digits that look most alike **to the model**: its last layer but one describes them by nearly "
        "the same numbers. Framed in teal where their label is the answer, in orange where it is not. Similarity is "
        "the cosine of the angle between both descriptions: 1 is the same direction.",
        "nearest neighbours, cosine similarity",
        "https://scikit-learn.org/stable/modules/metrics.html#cosine-similarity",
    ),
}
"""By the name that `exhibit` is given."""
