"""Two canvases on one page, each read by a reader of its own, as two components of Streamlit would mount them."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from mnist_core.browser.bundle import bundle
from mnist_core.browser.weights_file import browser_model
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Dense, Flatten, Rescaling

pytestmark = pytest.mark.browser

SIDE = 280
PLACES = """
<div class="st-key-{key}_paper"><canvas width="280" height="280"></canvas></div>
<div class="lab-live" data-canvas="{key}" data-part="answer"></div>
<div class="st-key-{key}_live"><div class="lab-live-state"></div></div>"""
# The component's part, and a canvas that draws.
SCRIPT = """
for (const [key, url] of Object.entries(MODELS)) {
  const canvas = document.querySelector(`.st-key-${key}_paper canvas`);
  const pen = canvas.getContext("2d");
  pen.fillRect(0, 0, 280, 280);
  Object.assign(pen, {strokeStyle: "#fff", lineWidth: 20, lineCap: "round"});
  canvas.addEventListener("pointerdown", ({offsetX, offsetY}) => { pen.beginPath(); pen.moveTo(offsetX, offsetY); });
  canvas.addEventListener("pointermove", ({buttons, offsetX, offsetY}) => {
    if (!buttons) return;
    pen.lineTo(offsetX, offsetY);
    pen.stroke();
  });
  document.querySelector(`.st-key-${key}_live .lab-live-state`).dataset.state =
    JSON.stringify({canvas: "new", strokes: 0, brush: 20, models: [{id: key, name: key, url}], keep: false});
  digitLab.showLiveReading({parentElement: canvas, data: {key, isNumber: false}});
}
"""


def lines_are(upright: int, level: int) -> str:
    """Address of a model that takes a line for one of two digits, by its direction."""
    weights = np.zeros((28, 28, 10), np.float32)
    weights[:, 12:16, upright] = weights[12:16, :, level] = 1
    network = Architecture((Rescaling(1 / 255), Flatten(), Dense(10, activation="softmax")))
    model = browser_model(network, [(), (), (weights.reshape(784, 10), np.zeros(10, np.float32))])
    return f"data:;base64,{base64.b64encode(model).decode()}"


def test_each_of_two_canvases_is_read_by_its_own_model(chromium: Browser) -> None:
    models = {"one": lines_are(upright=1, level=7), "other": lines_are(upright=4, level=2)}
    with chromium.new_context() as browser:
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_content("<style>body {margin: 0}</style>" + "".join(PLACES.format(key=key) for key in models))
        script = SCRIPT.replace("MODELS", json.dumps(models))
        page.evaluate(f"(() => {{ {bundle('live_reading.js')} {script} }})()")

        def shown(key: str) -> str:
            return f'.lab-live[data-canvas="{key}"] .lab-digit'

        def draw(key: str, *points: tuple[float, float]) -> None:
            box = page.locator(f".st-key-{key}_paper canvas").bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
            page.mouse.down()
            for x, y in points[1:]:
                page.mouse.move(box["x"] + x, box["y"] + y, steps=4)

        def touch(name: str, pointer: int) -> None:
            """Sends an event of another pointer than the mouse, at the first point of `upright`."""
            place = dict(zip(("clientX", "clientY"), upright[0], strict=True))
            options = {"bubbles": True, "isPrimary": True, "button": 0, "pointerId": pointer} | place
            page.locator(".st-key-one_paper canvas").dispatch_event(name, options)

        upright, level = [(140.0, 40.0), (140.0, 240.0)], [(40.0, 140.0), (240.0, 140.0)]
        touch("pointerdown", 70)
        touch("lostpointercapture", 70)  # that finger draws no more
        draw("one", *upright[:1])
        touch("pointerdown", 77)  # a palm
        page.mouse.move(*upright[1], steps=4)
        expect(page.locator(shown("one"))).to_have_text("1")
        expect(page.locator(shown("other"))).to_have_count(0)
        page.mouse.up()
        draw("other", *level)
        expect(page.locator(shown("other"))).to_have_text("2")
        expect(page.locator(shown("one"))).to_have_text("1")  # its stroke waits for the server
        page.mouse.up()
        assert errors == []
