"""The exported web page: what it contains, that nothing in it can be reached from outside, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mnist_core.browser.weights_file import browser_model
from mnist_core.errors import ModelError
from mnist_core.export.html_card import PagePrecision
from mnist_core.export.html_page import html_page
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.models.weights import layer_weights
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.runs.imports import ImportMark, write_import
from mnist_core.runs.model_card import load_architecture
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run
from tests.support import ROOT

SHIPPED = Run(DEFAULT_MODEL.parent)
EXAMPLE = ROOT / "mnist_core" / "runs" / "examples" / "2-large-steps"
HOSTILE = "</script><img src=x onerror=alert(1)><!-- ]]> &lt; \" ' \u2028 ${evil} $title"


class Page(HTMLParser):
    """What a browser would make of a page: its elements, the text in each kind of them, and its policy."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(content.decode())
        self.close()
        policies = [
            each["content"] for tag, each in self.elements if each.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = [rule.split(" ") for rule in (policies[0] or "").split("; ")]
        self.policy = {name: sources for name, *sources in rules}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "img"):
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} is not nested"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data

    def card(self) -> dict[str, str]:
        return dict(zip(self.texts["dt"], self.texts["dd"], strict=True))


def hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.fixture
def run(runs_root: Path) -> Run:
    """A run with a small model, of which everything may be changed."""
    return Run(Path(shutil.copytree(EXAMPLE, runs_root / "20260101-000000-own-00000000")))


def change(run: Run, file: str, **values: object) -> None:
    write_json(run.path / file, {**read_json(run.path / file), **values})


@pytest.mark.parametrize(("precision", "most"), [("float16", 2_500_000), ("int8", 1_400_000)])
def test_the_page_of_the_shipped_model_is_small_and_has_its_weights(precision: PagePrecision, most: int) -> None:
    content = html_page(SHIPPED, precision)
    assert len(content) <= most
    page = Page(content)
    architecture = load_architecture(SHIPPED.path)
    expected = browser_model(architecture, layer_weights(SHIPPED.path / "model.keras", architecture), precision)
    model, _ = page.texts["script"]
    assert base64.b64decode(model, validate=True) == expected
    card = page.card()
    assert card["Parameters"] == "727,859" and card["Accuracy"].startswith("99.68%")
    measured = SHIPPED.card()["browser"][precision]
    assert measured["images"] == 10_000 and measured["same_digit"] >= 9_999
    assert f"{measured['test_accuracy']:.2%}" in card["Weights"]
    assert f"{measured['same_digit']:,} of 10,000" in card["Weights"]


def test_the_policy_allows_its_own_script_and_style_and_no_request(run: Run) -> None:
    page = Page(html_page(run))
    nothing = {"default-src", "connect-src", "form-action", "base-uri"}
    assert {name for name, sources in page.policy.items() if sources == ["'none'"]} == nothing
    assert page.policy["img-src"] == ["data:"] and page.policy["worker-src"] == ["blob:"]
    _, script = page.texts["script"]
    assert page.policy["script-src"] == [hash_source(script), "'wasm-unsafe-eval'"]
    assert page.policy["style-src"] == [hash_source(page.texts["style"][0])]
    assert page.policy.keys() == nothing | {"img-src", "worker-src", "script-src", "style-src"}
    addresses = [each[name] or "" for _, each in page.elements for name in ("src", "href", "action") if name in each]
    assert len(addresses) == 1 and addresses[0].startswith("data:image/svg+xml,")
    assert not [name for _, each in page.elements for name in each if name.startswith("on") or name == "style"]


def test_names_and_notes_are_text(run: Run) -> None:
    plain = Page(html_page(run))
    write_json(run.path / "label.json", {"name": HOSTILE[:80], "note": HOSTILE})
    change(run, "spec.json", recipe=HOSTILE)
    change(run, "card.json", date=HOSTILE)
    page = Page(html_page(run))
    extra = ["dt", "dd"] if "Note" not in plain.card() else []
    assert sorted(tag for tag, _ in page.elements) == sorted([*(tag for tag, _ in plain.elements), *extra])
    assert page.texts["script"] == plain.texts["script"] and page.policy == plain.policy
    assert page.card()["Note"] == HOSTILE and page.card()["Date"] == HOSTILE and HOSTILE in page.card()["Recipe"]
    assert "</script><img src=x onerror=alert(1)>" in page.texts["title"][0]


def test_a_path_of_this_machine_is_not_in_the_page(run: Run) -> None:
    data = {"asked": "/home/me/secret.npz", "name": "custom", "source": "/home/me/secret.npz"}
    change(run, "card.json", data=data)
    content = html_page(run)
    assert b"secret" not in content and str(ROOT).encode() not in content
    assert "provided" in Page(content).card()["Trained on"] and b"LeCun" not in content


def test_scores_that_nobody_checked_are_called_so(run: Run) -> None:
    assert "not checked" not in Page(html_page(run)).card()["Accuracy"]
    write_import(run.path, ImportMark("elsewhere"))
    assert "not checked" in Page(html_page(run)).card()["Accuracy"]
    scores = {"val_accuracy": 0.5, "val_loss": 1.0, "test_accuracy": 0.4321, "test_loss": 1.0, "data": "full"}
    write_import(run.path, ImportMark("elsewhere", measured=scores))
    assert Page(html_page(run)).card()["Accuracy"] == "43.21% on MNIST's test images"


def test_the_license_is_that_of_the_project(run: Run) -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert Page(html_page(run)).texts["pre"][0].split() == text.split()


def test_a_run_without_a_model_and_a_damaged_model_are_refused(run: Run) -> None:
    (run.path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ModelError):
        html_page(run)
    waiting = create_run(make_spec("fast"))
    with pytest.raises(ModelError, match="queued"):
        html_page(waiting)


def test_a_network_that_is_too_large_for_a_browser_is_refused(run: Run) -> None:
    layers = (Rescaling(1 / 255), Flatten(), Dense(6000), Dense(10, "softmax"))
    write_json(run.path / "spec.json", make_spec("fast", {"layers": layers_to_json(layers)}).to_json())
    with pytest.raises(ModelError, match="4,770,010 parameters"):
        html_page(run)


def test_scripts_cannot_end_their_element(run: Run) -> None:
    _, script = Page(html_page(run)).texts["script"]
    assert not re.search(r"<(?:/?script|!--)", script, re.IGNORECASE)
