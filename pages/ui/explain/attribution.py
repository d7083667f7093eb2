"""The attribution view: which pixels speak for a digit and which against it, by several methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import attribution as attribution_charts
from mnist_core.constants import NOT_A_DIGIT, NUM_CLASSES
from mnist_core.evaluation.mistakes import prediction_label
from mnist_core.explain import attribution, findings, occlusion
from mnist_core.explain.attribution import Completeness
from mnist_core.explain.gradient_client import Attribution
from mnist_core.models.classifier import Prediction
from mnist_core.networks.architecture import Architecture
from mnist_core.runs.model_card import load_architecture
from mnist_core.training import fine_tune
from pages.ui.explain.gradient_spinner import gradient_spinner
from pages.ui.shared import analysis_caches, caches, figure, formatting, model_menu, state

Image = NDArray[np.uint8]
"""(28, 28) uint8, ink bright."""
Attribute = Callable[[Path, Image, Sequence[int], int | None], Attribution]
"""Folder of the model, image, digits, layer -> a map for each digit."""

PREDICTED = -1
"""Option of the menu of outputs that follows the prediction."""
SCALE_ONE, SCALE_TEN = 12, 4
"""Pixels of the picture for one pixel of the digit: for a single map, and for ten."""


@dataclass(frozen=True)
class AttributionMethod:
    """A way to attribute a prediction to pixels.

    Attributes:
        title: for people.
        guide: name in GUIDES.
        unit: of the values, ASCII.
        attribute: computes the maps.
        signed: True if values can be negative, which speaks against the digit.
        needs_layer: True if it explains one convolution, which the user chooses.
        coarse: True if its maps hide the digit, so that the outline of the digit is drawn.
    """

    title: str
    guide: str
    unit: str
    attribute: Attribute
    signed: bool = True
    needs_layer: bool = False
    coarse: bool = False


def attribute_by_occlusion(folder: Path, image: Image, digits: Sequence[int], layer: int | None) -> Attribution:
    """Occlusion maps, computed with LiteRT in this process: without gradients, and without TensorFlow."""
    maps = analysis_caches.occlusion_maps(folder / "model.tflite", image)
    return Attribution(np.stack([occlusion.upsample_occlusion(maps[digit]) for digit in digits]))


def attribute_by_gradients(
    method: str, folder: Path, image: Image, digits: Sequence[int], layer: int | None
) -> Attribution:
    """Maps of a gradient method, computed in the gradient process. No maps if the run has no model.keras."""
    if not (folder / "model.keras").is_file():
        st.info(
            "This run has no `model.keras`, which gradients are computed from: it was imported without, or the file "
            "was deleted. Occlusion works without it. For the other methods, train the run again."
        )
        return Attribution(np.zeros((0, attribution.SIDE, attribution.SIDE), np.float32))
    with gradient_spinner("Computing gradients …"):
        return analysis_caches.attributions(method, folder / "model.keras", image, digits, layer)


METHODS = {
    "occlusion": AttributionMethod(
        "Occlusion", "occlusion", "probability lost when occluded", attribute_by_occlusion, coarse=True
    ),
    "integrated": AttributionMethod(
        "Integrated gradients",
        "integrated gradients",
        "logits that the pixel adds",
        partial(attribute_by_gradients, "integrated"),
    ),
    "smooth": AttributionMethod(
        "SmoothGrad", "smoothgrad", "logits, pixel from black to white", partial(attribute_by_gradients, "smooth")
    ),
    "gradient": AttributionMethod(
        "Plain gradient", "saliency", "logits, pixel from black to white", partial(attribute_by_gradients, "gradient")
    ),
    "grad_cam": AttributionMethod(
        "Grad-CAM",
        "grad-cam",
        "logits: channel value x mean slope",
        partial(attribute_by_gradients, "grad_cam"),
        signed=False,
        needs_layer=True,
        coarse=True,
    ),
}
"""Name -> method, in the order of the menu."""


def show_attribution(choice: str, image: Image) -> None:
    """The view.

    Args:
        choice: of model_menu.select_model.
        image: (28, 28) uint8.
    """
    folder = fine_tune.model_folder(choice)
    network = load_architecture(folder)
    probabilities = caches.classifier(model_menu.model_path(choice)).probabilities(image[None])[0]
    predicted = Prediction.from_outputs(probabilities).label
    if predicted == NOT_A_DIGIT:
        predicted = most_probable_rejection(probabilities)
    method = method_menu()
    digits = output_menu(probabilities, predicted)
    layer = None
    if method.needs_layer:
        layer = layer_menu(network)
        if layer is None:
            st.info(
                "Grad-CAM explains the feature maps of a convolution, and this network has none. The other methods "
                "work."
            )
            return
    result = method.attribute(folder, image, digits, layer)
    if len(result.maps):
        show_maps(method, result, image, digits, predicted)
        show_notes(result, digits, network)


def method_menu() -> AttributionMethod:
    """A menu of the methods."""
    st.session_state.setdefault(state.ATTRIBUTION_METHOD, next(iter(METHODS)))
    name = st.segmented_control(
        "Method",
        list(METHODS),
        format_func=lambda each: METHODS[each].title,
        required=True,
        key=state.ATTRIBUTION_METHOD,
    )
    return METHODS[str(name)]


def output_menu(probabilities: NDArray[np.float32], predicted: int) -> tuple[int, ...]:
    """A menu of the outputs and a switch for all ten digits. Returns the outputs to explain.

    Args:
        probabilities: (C,) float32. Of several outputs past the tenth, "not a digit" is the most probable.
        predicted: the output of the prediction.
    """
    menu, switch = st.columns([1, 1], vertical_alignment="bottom")
    titles = {PREDICTED: f"the prediction, {prediction_label(min(predicted, NOT_A_DIGIT))}"}
    titles |= {digit: str(digit) for digit in range(NUM_CLASSES)}
    if len(probabilities) > NUM_CLASSES:
        titles[NOT_A_DIGIT] = prediction_label(NOT_A_DIGIT)
    if st.session_state.get(state.ATTRIBUTION_DIGIT) not in titles:
        st.session_state[state.ATTRIBUTION_DIGIT] = PREDICTED
    chosen = int(
        menu.selectbox("Output to explain", list(titles), format_func=titles.__getitem__, key=state.ATTRIBUTION_DIGIT)
    )
    if switch.toggle("All ten digits", key=state.ATTRIBUTION_ALL):
        return tuple(range(NUM_CLASSES))
    if chosen == NOT_A_DIGIT:
        return (most_probable_rejection(probabilities),)
    return (predicted if chosen == PREDICTED else chosen,)


def most_probable_rejection(probabilities: NDArray[np.float32]) -> int:
    """Index of the largest of the outputs past the tenth. `probabilities`: (C,), C above 10."""
    return NUM_CLASSES + int(probabilities[NUM_CLASSES:].argmax())


def layer_menu(network: Architecture) -> int | None:
    """A menu of the convolutions. Returns the index of the chosen layer, None if there is no convolution."""
    titles = attribution.conv_layers(network)
    if not titles:
        return None
    if st.session_state.get(state.ATTRIBUTION_LAYER) not in titles:
        st.session_state[state.ATTRIBUTION_LAYER] = attribution.default_grad_cam_layer(network)
    return int(st.selectbox("Convolution", list(titles), format_func=titles.__getitem__, key=state.ATTRIBUTION_LAYER))


def show_maps(
    method: AttributionMethod, result: Attribution, image: Image, digits: Sequence[int], predicted: int
) -> None:
    """One large map, or ten small ones on a common color scale."""
    if len(digits) == 1:
        scale, columns = SCALE_ONE, 1
        headings = [f"for {prediction_label(min(digits[0], NOT_A_DIGIT))}"]
        title = f"{method.title}: what speaks for {findings.output_name(digits[0])}"
        finding = findings.attribution(result.maps[0], digits[0])
    else:
        scale, columns = SCALE_TEN, 5
        headings = [f"{digit}, predicted" if digit == predicted else str(digit) for digit in digits]
        title = f"{method.title}: what speaks for each digit"
        finding = ""
    sheet = attribution_charts.attribution_sheet(
        result.maps,
        image,
        headings,
        method.unit,
        scale,
        columns,
        method.signed,
        method.coarse and len(digits) == 1,
    )
    figure.show_picture(sheet, title, maps_in_words(method, result, digits), method.guide, "reasons", finding=finding)


def maps_in_words(method: AttributionMethod, result: Attribution, digits: Sequence[int]) -> str:
    """The alternative text: the strongest pixel of each map."""
    peaks = []
    for digit, values in zip(digits, result.maps, strict=True):
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        peaks.append(
            f"strongest for {findings.output_name(digit)}, with {values.max():.2g}, is row {row} column {column} of 28"
        )
    colors = "teal speaks for, orange against" if method.signed else "teal speaks for"
    return f"{method.title} over the digit, {colors}, in {method.unit}: {'; '.join(peaks)}."


def show_notes(result: Attribution, digits: Sequence[int], network: Architecture) -> None:
    """Completeness of integrated gradients, and what to bear in mind about the maps."""
    if len(result.completeness) == 1:
        st.markdown(f"**Completeness:** {formatting.escape_markdown(completeness_in_words(result.completeness[0]))}")
    elif result.completeness:
        rows = [
            {
                "digit": digit,
                "sum of attributions": round(check.attribution_sum, 3),
                "difference of logits": round(check.logit_difference, 3),
                "gap": f"{check.gap:.2%}",
                "steps": check.steps,
            }
            for digit, check in zip(digits, result.completeness, strict=True)
        ]
        figure.show_table(rows, "Completeness: do the attributions add up to the logit?", "completeness", "complete")
    size = network.input_size
    if size != attribution.SIDE:
        st.caption(f"This network takes {size:d}×{size:d} pixels. The map shows their middle, where the digit is.")


def completeness_in_words(check: Completeness) -> str:
    """Whether the attributions of one digit add up, in a sentence or two."""
    sums = (
        f"the attributions sum to {check.attribution_sum:+.3f} logits; the digit's logit minus that "
        f"of a black image is {check.logit_difference:+.3f}. The gap is {check.gap:.2%}"
    )
    if check.within_tolerance:
        return f"{sums} with {check.steps} steps (at most {100 * attribution.COMPLETENESS_TOLERANCE:g}% is accepted)."
    return (
        f"{sums}, more than the {100 * attribution.COMPLETENESS_TOLERANCE:g}% that is accepted, even with "
        f"{check.steps} steps: the difference is small, or the gradient changes abruptly on the way. Don't rely on "
        "this map."
    )
