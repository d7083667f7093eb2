"""What a page tells the browser, so that it reads while somebody draws. tests/browser/ has the reading itself."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.browser.bundle import bundle
from mnist_core.browser.weights_file import browser_model as model_bin
from mnist_core.errors import ModelError, RunNotFoundError
from mnist_core.files.write import write_bytes
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Dense, Flatten
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run
from mnist_core.training.live_snapshot import LIVE_MODEL, WATCHED
from pages.ui.shared import browser_model, model_menu, state
from tests.pages.support import ONE, SEVEN, button, drawing, open_page, page_text

PAGE_WEIGHT = 100_000
"""Bytes at most that live reading adds to a page before the first stroke."""

OUTPUT = Dense(10, "softmax")
NETWORK = Architecture((Flatten(), OUTPUT))


@pytest.fixture
def page(app: AppTest) -> AppTest:
    return open_page(app, "pages/draw.py")


def told(page: AppTest) -> dict[str, Any]:
    """The state that the page sends to the browser."""
    found = re.search(r'data-state="([^"]*)"', page_text(page))
    assert found is not None
    return dict(json.loads(html.unescape(found.group(1))))


def test_the_browser_knows_how_many_strokes_the_server_has_answered(page: AppTest) -> None:
    first = told(page)
    assert first["strokes"] == 0 and first["brush"] == 20 and not first["keep"]
    assert [model["id"] for model in first["models"]] == [model_menu.SHIPPED] and first["models"][0]["url"].endswith(
        ".bin"
    )
    page.session_state[state.CANVAS] = drawing(*SEVEN, *ONE)
    page.run()
    assert told(page) == first | {"strokes": 3}
    button(page, "Undo").click().run()
    assert told(page)["strokes"] == 2 and told(page)["canvas"] != first["canvas"]  # the drawing was replaced


def test_drawings_that_the_browser_would_read_differently_are_the_servers(page: AppTest) -> None:
    page.session_state[state.CANVAS] = drawing(*ONE)
    page.session_state[state.BRUSH] = 30  # the stroke's is 20
    assert told(page.run())["brush"] is None
    page.session_state[state.PLAIN] = True
    assert told(page.run())["models"] == []


def test_a_network_that_is_too_large_is_read_on_the_server_only(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(choice: str) -> str:
        raise ModelError("Too large: it runs on the server only.")

    assert "while you draw" in page.info[0].value
    monkeypatch.setattr(browser_model, "model_url", too_large)
    for name in ("pages/home.py", "pages/draw.py"):
        open_page(page, name)
        assert "when you lift the pen" in page.info[0].value
    page.session_state[state.CANVAS] = drawing(*ONE)
    page.run()
    assert told(page)["models"] == [] and 'data-digit="1"' in page_text(page)
    assert any("on the server only" in caption.value for caption in page.caption)


def test_a_model_that_is_deleted_while_it_reads_is_reported_in_place_of_the_answer(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleted(choice: str) -> Path:
        raise RunNotFoundError("This run is gone.")

    monkeypatch.setattr(model_menu, "model_path", deleted)
    page.session_state[state.CANVAS] = drawing(*ONE)
    page.run()
    assert [error.value for error in page.error] == ["This run is gone."]
    assert told(page)["strokes"] == 1, "the browser takes its own answer away"


def train_page(app: AppTest, run: Run, opened: bool = True) -> AppTest:
    app.session_state[state.PROBE_PAD_OPEN] = opened
    return open_page(app, "pages/train.py", run=run.id)


def test_the_network_in_training_reads_with_each_snapshot(app: AppTest, started: list[Run]) -> None:
    run = create_run(make_spec("fast", {}, "sample"))
    run.write_status(stamp_status(Status(state="running")))
    train_page(app, run, opened=False)
    assert not (run.path / WATCHED).exists(), "nobody watches"
    train_page(app, run)
    assert (run.path / WATCHED).exists()
    assert told(app)["models"] == [] and "as soon as training starts" in page_text(app)
    seen = []
    for step in (0, 1234):
        weights = [(), (np.zeros((784, 10), "f4"), np.zeros(10, "f4"))]
        write_bytes(run.path / LIVE_MODEL, model_bin(NETWORK, weights, about={"step": step}))
        app.run()
        assert f"reads your drawing after {step:,} batches" in page_text(app)
        (model,) = told(app)["models"]
        assert told(app)["keep"] and model["id"] == run.id
        seen.append(model["url"])
    assert len(set(seen)) == 2, "a browser sees that the network has changed"


def test_a_network_in_training_that_is_too_large_for_a_browser(app: AppTest, started: list[Run]) -> None:
    layers = (Flatten(), Dense(6000), OUTPUT)
    run = create_run(RunSpec("fast", Settings(layers, 100, 1), "sample"))
    run.write_status(stamp_status(Status(state="running")))
    train_page(app, run)
    assert "on the server only" in page_text(app) and told(app)["models"] == []
    assert not app.exception and not (run.path / WATCHED).exists()


def test_after_the_training_it_is_the_finished_model(app: AppTest, trained_run: Run) -> None:
    train_page(app, trained_run)
    (model,) = told(app)["models"]
    assert model["id"] == trained_run.id and model["url"].endswith(".bin")
    assert "The trained network reads your drawing" in page_text(app)


def test_the_network_reads_a_drawing_of_another_brush(app: AppTest, trained_run: Run) -> None:
    app.session_state[state.PROBE_CANVAS] = drawing(*ONE)
    app.session_state[state.BRUSH] = 30  # the stroke's is 20
    train_page(app, trained_run)
    assert told(app)["strokes"] == 1 and told(app)["brush"] == 20


def test_the_script_is_small() -> None:
    assert len(bundle("live_reading.js").encode()) < PAGE_WEIGHT
