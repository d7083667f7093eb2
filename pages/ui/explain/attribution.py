"""Why this answer: which pixels speak for a digit and which against it, by methods that a person chooses from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from mnist_core.charts import attribution as attribution_charts
from mnist_core.constants import NUM_CLASSES
from mnist_core.explain import attribution, occlusion
from mnist_core.explain.attribution import Completeness
from mnist_core.explain.gradient_client import Attribution
from mnist_core.explain.gradient_server import load_architecture
from mnist_core.networks.architecture import Architecture
from mnist_core.training import fine_tune
from pages.ui.shared import analysis_caches, caches, components, figure, state

Image = NDArray[np.uint8]
ITS_ANSWER = -1  # in the menu of digits
LARGE, SMALL = 12, 4  # pixels of the picture for one of the digit
STARTING = (
    "Starting TensorFlow in a process of its own, which computes gradients for everybody on this server: "
    "about ten seconds, and only the first time …"
)


@dataclass(frozen=True)
class Method:
    """A way to find reasons.

    Attributes:
        title: for people.
        guide: a name of GUIDES.
        unit: of the values, ASCII.
        find: folder of the model, image, digits, layer -> maps.
        signed: whether values below 0 can be, which speak against the digit.
        layered: whether it looks at a convolution that is to be chosen.
        coarse: whether its maps hide the digit, so that its edge is drawn.
    """

    title: str
    guide: str
    unit: str
    find: Callable[[Path, Image, Sequence[int], int | None], Attribution]
    signed: bool = True
    layered: bool = False
    coarse: bool = False


def _by_occlusion(folder: Path, image: Image, digits: Sequence[int], layer: int | None) -> Attribution:
    """With LiteRT: no gradients, and no waiting for them."""
    classifier = caches.classifier(folder / "model.tflite")
    return Attribution(
        np.stack([occlusion.upsample_occlusion(occlusion.occlusion_map(classifier, image, digit)) for digit in digits])
    )


def _by_gradient(name: str) -> Callable[[Path, Image, Sequence[int], int | None], Attribution]:
    def find(folder: Path, image: Image, digits: Sequence[int], layer: int | None) -> Attribution:
        if not (folder / "model.keras").is_file():
            st.info(
                "This run has no `model.keras`, from which gradients are computed: it came without, or the file "
                "was deleted. What needs only `model.tflite` works; for this, train it again."
            )
            return Attribution(np.zeros((0, attribution.SIDE, attribution.SIDE), np.float32))
        with st.spinner(
            "Computing gradients …" if analysis_caches.gradient_helper().ready else STARTING, show_time=True
        ):
            return analysis_caches.reasons(name, folder, image, digits, layer)

    return find


METHODS = {
    "occlusion": Method("Occlusion", "occlusion", "probability lost when rubbed out", _by_occlusion, coarse=True),
    "integrated": Method(
        "Integrated gradients", "integrated gradients", "logits that the pixel adds", _by_gradient("integrated")
    ),
    "smooth": Method("SmoothGrad", "smoothgrad", "logits, pixel from black to white", _by_gradient("smooth")),
    "gradient": Method("Plain gradient", "saliency", "logits, pixel from black to white", _by_gradient("gradient")),
    "grad_cam": Method(
        "Grad-CAM",
        "grad-cam",
        "logits: channel value x mean slope",
        _by_gradient("grad_cam"),
        signed=False,
        layered=True,
        coarse=True,
    ),
}
"""Name -> method, in the order of the menu."""


def show_attribution(choice: str, image: Image) -> None:
    """The view.

    Args:
        choice: of `components.model_menu`.
        image: (28, 28) uint8.
    """
    folder = fine_tune.model_folder(choice)
    network = load_architecture(folder)
    answer = caches.classifier(components.model_path(choice)).predict(image).digit
    state.default(state.REASONS_METHOD, next(iter(METHODS)))
    name = st.segmented_control(
        "Method", list(METHODS), format_func=lambda each: METHODS[each].title, required=True, key=state.REASONS_METHOD
    )
    method = METHODS[str(name)]
    about, ten = _digit_menu(answer)
    layer = _layer_menu(network) if method.layered else None
    if method.layered and layer is None:
        st.info(
            "Grad-CAM looks at the maps of a convolution, and this network has none: it sees the image as one list "
            "of pixels. The other methods apply to it."
        )
        return
    digits = tuple(range(NUM_CLASSES)) if ten else (about,)
    found = method.find(folder, image, digits, layer)
    if len(found.maps):
        _picture(method, found, image, digits, answer)
        _notes(found, digits, network)


def _digit_menu(answer: int) -> tuple[int, bool]:
    """The digit whose reasons are wanted, and whether those of all ten are."""
    menu, switch = st.columns([1, 1], vertical_alignment="bottom")
    names = {ITS_ANSWER: f"its answer, {answer}", **{digit: f"a {digit}" for digit in range(NUM_CLASSES)}}
    asked = int(
        menu.selectbox(
            "What speaks for and against", list(names), format_func=names.__getitem__, key=state.REASONS_DIGIT
        )
    )
    ten = switch.toggle("All ten digits at once", key=state.REASONS_TEN)
    return answer if asked == ITS_ANSWER else asked, bool(ten)


def _layer_menu(network: Architecture) -> int | None:
    """The convolution to look at; None where there is none."""
    names = attribution.conv_layers(network)
    if not names:
        return None
    if st.session_state.get(state.REASONS_LAYER) not in names:
        st.session_state[state.REASONS_LAYER] = attribution.default_grad_cam_layer(network)
    return int(st.selectbox("Convolution", list(names), format_func=names.__getitem__, key=state.REASONS_LAYER))


def _picture(method: Method, found: Attribution, image: Image, digits: Sequence[int], answer: int) -> None:
    one = len(digits) == 1
    headings = [f"for {digit}" if one else f"{digit}, answer" if digit == answer else str(digit) for digit in digits]
    sheet = attribution_charts.attribution_sheet(
        found.maps,
        image,
        headings,
        method.unit,
        LARGE if one else SMALL,
        1 if one else 5,
        method.signed,
        method.coarse and one,
    )
    title = f"{method.title}: what speaks for a {digits[0]}" if one else f"{method.title}: what speaks for each digit"
    figure.image(sheet, title, _alternative(method, found, digits), method.guide, "reasons")


def _alternative(method: Method, found: Attribution, digits: Sequence[int]) -> str:
    told = []
    for digit, values in zip(digits, found.maps, strict=True):
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        told.append(f"for a {digit} speaks most, with {values.max():.2g}, row {row} column {column} of 28")
    bar = "teal speaks for, orange against" if method.signed else "teal speaks for"
    return f"{method.title} over the digit, {bar}, in {method.unit}: {'; '.join(told)}."


def _notes(found: Attribution, digits: Sequence[int], network: Architecture) -> None:
    if len(found.complete) == 1:
        st.markdown(_completeness(found.complete[0]))
    elif found.complete:
        rows = [
            {
                "digit": digit,
                "sum of attributions": round(each.total, 3),
                "difference of logits": round(each.difference, 3),
                "gap": f"{100 * each.gap:.2f} %",
                "steps": each.steps,
            }
            for digit, each in zip(digits, found.complete, strict=True)
        ]
        figure.table(rows, "Completeness: do the pixels account for the whole answer?", "completeness", "complete")
    if not found.maps.any():
        st.caption("Nothing here speaks for it: the map is zero everywhere.")
    if network.input_size != attribution.SIDE:
        size = network.input_size
        st.caption(f"This network reads {size}×{size} pixels. The digit lies in their middle, which is what is shown.")


def _completeness(complete: Completeness) -> str:
    """The check of one digit in a sentence."""
    said = (
        f"**Completeness:** the attributions sum to {complete.total:+.3f} logits; the digit's logit less that of a "
        f"black image is {complete.difference:+.3f}. The gap is {100 * complete.gap:.2f} %"
    )
    if complete.holds:
        return f"{said} (at most 1 % is asked for), with {complete.steps} steps."
    return (
        f"{said}, **more than the 1 % asked for**, even with {complete.steps} steps: the difference is small, or "
        "the slope changes abruptly on the way. Read this picture with care."
    )
