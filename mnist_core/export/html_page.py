"""Writes a model as one HTML file that reads drawings in any browser, also offline, with nothing to install.

The file contains the engine and the normalization of `mnist_core/browser`, the weights, and a card that describes the
model. It sends nothing and loads nothing: its content security policy forbids every request, and allows only the script
and the style whose hashes it contains.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from mnist_core import __version__, browser
from mnist_core.browser.bundle import bundle
from mnist_core.browser.model_files import check_size
from mnist_core.browser.weights_file import browser_model
from mnist_core.errors import ModelError
from mnist_core.export.html_card import PagePrecision, card_rows, credited_data, model_title
from mnist_core.models.weights import layer_weights
from mnist_core.runs.model_card import load_architecture
from mnist_core.runs.run import Run

FOLDER = Path(browser.__file__).parent
CREDITS = {
    "mnist": "MNIST by Y. LeCun, C. Cortes and C. Burges (CC BY-SA 3.0)",
    "drawings": "<i>Pen-Based Recognition of Handwritten Digits</i> by E. Alpaydin and F. Alimoglu (CC BY 4.0), and "
    "<i>UJI Pen Characters</i> by D. Llorens, F. Prat, A. Marzal and J. M. Vilar (CC BY 4.0)",
}
"""Training data, as `html_card.credited_data` names it -> its authors and license, in HTML."""


def html_page(run: Run, precision: PagePrecision = "float16") -> bytes:
    """Returns an HTML file that reads drawings with the model of a run.

    Args:
        run: with a model; the folder of the shipped model counts as a run.
        precision: of the weights. int8 makes the file half as large.

    Raises:
        ModelError: the run has no model, or one that is too large for a browser or is damaged.
        RunError: the run cannot be read.
    """
    path = run.path / "model.keras"
    if not path.is_file():
        raise ModelError(
            f"The run {run.id} has no model: it is {run.status().state}. A run writes it when it finishes or is "
            "stopped."
        )
    architecture = load_architecture(run.path)
    check_size(architecture)
    model = browser_model(architecture, layer_weights(path, architecture), precision)
    styles, script = _read("page.css"), bundle("page.js") + "digitLab.startPage();\n"
    page = Template(_read("page.html")).substitute(
        policy=content_security_policy(styles, script),
        title=html.escape(model_title(run)),
        card=_definitions(card_rows(run, precision, len(model))),
        credits=_credits_html(credited_data(run)),
        version=html.escape(__version__),
        styles=styles,
        script=script,
        model=base64.b64encode(model).decode(),
    )
    return page.encode()


def content_security_policy(styles: str, script: str) -> str:
    """A policy that allows this style, this script and the worker that it starts, but no request at all."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_source(script)} 'wasm-unsafe-eval'",  # the engine's inner loop is WebAssembly
            f"style-src {_hash_source(styles)}",
            "img-src data:",
            "worker-src blob:",
            "connect-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
        )
    )


def _hash_source(text: str) -> str:
    """How a content security policy names an inline script or style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _credits_html(data: Sequence[str]) -> str:
    """A sentence that credits the authors of the data; empty if there are none."""
    return f" The model was trained on {', '.join(CREDITS[each] for each in data)}." if data else ""


def _definitions(rows: dict[str, str]) -> str:
    """The terms and texts as HTML, escaped."""
    return "\n".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd>" for term, text in rows.items())


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
